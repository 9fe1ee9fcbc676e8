"""Any function from images to scores, as a model: what it is given, what it may give, and what cannot be asked of it."""

import functools
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from seewhy import METHODS, Unit
from seewhy.errors import BadNetwork
from seewhy.images.inputs import PreparedBatch
from seewhy.models.hazard import NOTE, WARNING, Hazard, KnownFunction

X = np.random.default_rng(0).random((2, 3, 16, 16))
W = np.random.default_rng(1).normal(size=(3, 5, 16, 16)) / 4
GRID = {"segments": "grid:4"}


def linear(x):
    return np.einsum("nchw,ckhw->nk", x, W)


def chances(y):
    e = np.exp(y - y.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def colours(x):
    """How red, green and blue photos (n, h, w, 3) are."""
    return x.mean((1, 2)) / 255.0


class Seen:
    def __init__(self, function=colours):
        self.function, self.x = function, []

    def __call__(self, x):
        self.x.append(x)
        return self.function(x)


def pixels(h, w, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)


def rise(model, x, **more):
    return METHODS["rise"](model, x, **{"masks": 30, **more})


def test_a_function_of_photos_gets_their_own_pixels():
    """Also those that run through floats: every level from 0 to 255, of photos of different sizes."""
    seen, photos = (
        Seen(),
        [pixels(9, 7), pixels(20, 31, 1), np.arange(768, dtype=np.uint32).astype(np.uint8).reshape(16, 16, 3)],
    )
    maps = seewhy.occlusion(seewhy.wrap(seen), photos, window=5, stride=5, fill="black")
    assert [m.values.shape for m in maps] == [(9, 7), (20, 31), (16, 16)]
    assert all(x.dtype == np.uint8 and x.flags.c_contiguous for x in seen.x)
    untouched = [x[0] for x in seen.x if len(x) == 1 and (x > 0).any() and any(np.array_equal(x[0], p) for p in photos)]
    assert len(untouched) == 3
    for x in seen.x:
        photo = next(p for p in photos if p.shape == x.shape[1:])
        assert all(((one == photo) | (one == 0).all(-1, keepdims=True)).all() for one in x)  # hidden, or as it was
    assert maps[0].size == (7, 9)


def test_photos_are_resized_and_cropped_where_it_is_asked_for():
    seen, photo = Seen(), Image.fromarray(pixels(40, 60))
    (m,) = rise(seewhy.wrap(seen, prepare={"size": 20, "crop": 16}), photo)
    np.testing.assert_array_equal(
        seen.x[0][0], np.asarray(photo.resize((30, 20), Image.Resampling.BILINEAR).crop((7, 2, 23, 18)))
    )
    assert tuple(m.box) == (14, 4, 46, 36)
    assert m.full().shape == (40, 60)


@pytest.mark.parametrize("prepare", [{"mean": 0.5}, {"size": 8, "std": 2}, lambda photo: np.asarray(photo)])
def test_a_function_of_photos_gets_no_other_numbers(prepare):
    with pytest.raises(seewhy.BadParameter, match='takes="float"'):
        seewhy.wrap(colours, prepare=prepare)


def test_a_function_of_floats_gets_what_prepare_makes():
    seen, photo = Seen(lambda x: x.mean((2, 3))), pixels(12, 12)
    model = seewhy.wrap(seen, takes="float", prepare={"size": None, "crop": None, "mean": 0.5, "std": 0.25})
    seewhy.occlusion(model, photo, window=6, stride=6, fill="white")
    np.testing.assert_allclose(seen.x[0][0], (photo.transpose(2, 0, 1) / 255 - 0.5) / 0.25, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(seen.x[1].max(), 2)
    assert (seen.x[1] == 2).all(1).sum((1, 2)).tolist() == [36] * len(seen.x[1])


def test_without_prepare_photos_are_refused_and_black_is_unknown():
    model = seewhy.wrap(linear, takes="float")
    with pytest.raises(seewhy.BadParameter, match="without `prepare`"):
        rise(model, pixels(16, 16))
    with pytest.raises(seewhy.BadParameter, match="black to linear is unknown"):
        rise(model, X, fill="black")


SHAPES = {"grey": (1, 12, 10), "five channels": (5, 8, 9), "volume": (2, 6, 5, 7), "signal": (4, 30)}


@pytest.mark.parametrize("method", ["occlusion", "rise", "lime", "kernel-shap", "sobol"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_arrays_of_any_space(shape, method):
    """Only what lies in the first half along the last axis matters, and each place adds to the score."""
    rng = np.random.default_rng(3)
    x, weights = rng.random((2, *shape)) + 0.5, np.zeros(shape)
    half = shape[-1] // 2
    weights[..., :half] = 1
    model = seewhy.wrap(lambda x: (x * weights).reshape(len(x), -1).sum(1), takes="float")
    few = (
        {"segments": "grid:" + "x".join(["1"] * (len(shape) - 2) + [str(shape[-1])])}
        if "segments" in METHODS[method].defaults and method != "occlusion"
        else {}
    )
    more = {"window": 1, "stride": 1} if method == "occlusion" else {"masks": 2000} if method == "rise" else {}
    for m in METHODS[method](
        model, PreparedBatch(x), **few, **more, **{k: 0.0 for k in ("fill", "hide") if k in METHODS[method].defaults}
    ):
        assert m.values.shape == shape[1:]
        assert m.values[..., :half].mean() - m.values[..., half:].mean() > 2 * m.error.mean()
        if method == "occlusion":
            np.testing.assert_allclose(m.values, (x[m.place] * weights).sum(0), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def pipeline():
    """Trained to tell a blob in the upper left from one in the lower right."""
    sklearn = pytest.importorskip("sklearn.pipeline")
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import FunctionTransformer

    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 60, (200, 24, 24, 3)).astype(np.uint8), np.arange(200) % 2
    for one, label in zip(x, y, strict=True):
        corner = 12 * label + 2
        one[corner : corner + 8, corner : corner + 8] += 150
    flat = FunctionTransformer(lambda x: x.reshape(len(x), -1) / 255.0)
    made = sklearn.make_pipeline(flat, PCA(8, random_state=0), LogisticRegression())
    return made.fit(x, y), x


@pytest.mark.parametrize("method", ["occlusion", "lime", "kernel-shap"])
def test_a_pipeline_is_explained_where_it_looks(pipeline, method):
    trained, photos = pipeline
    model = seewhy.wrap(trained.predict_proba, labels=["upper left", "lower right"], name="blobs")
    few = {"window": 6, "stride": 3} if method == "occlusion" else {"segments": "grid:4", "samples": 300}
    hide = {"fill": "black"} if method == "occlusion" else {"hide": "black"}
    for place in (0, 1):
        (m,) = METHODS[method](model, photos[place], **few, **hide)
        assert (m.source.index, m.source.label) == (place, ["upper left", "lower right"][place])
        assert m.source.probability == pytest.approx(trained.predict_proba(photos[place : place + 1])[0, place])
        row, column = np.unravel_index(m.values.argmax(), m.values.shape)
        assert all(12 * place <= at < 12 * place + 12 for at in (row, column))
        quarter = slice(12 * place, 12 * place + 12)
        assert m.values[quarter, quarter].sum() > 0.7 * abs(m.values).sum()


KINDS = {
    "list": lambda y: y.tolist(),
    "tensor": lambda y: torch.tensor(y, requires_grad=True),
    "bfloat16": lambda y: torch.tensor(y).bfloat16(),
    "tensors": lambda y: [torch.tensor(row) for row in y],
    "float16": np.float16,
    "ints": lambda y: (y * 1000).astype(int),
}


@pytest.mark.parametrize("kind", KINDS)
def test_scores_may_come_in_any_kind(kind):
    scale = 1000 if kind == "ints" else 1
    plain = rise(seewhy.wrap(linear, takes="float"), X, target=[0, 2])
    for one, m in zip(plain, rise(seewhy.wrap(lambda x: KINDS[kind](linear(x)), takes="float"), X, target=[0, 2]), strict=True):
        np.testing.assert_allclose(m.values / scale, one.values, rtol=0.03, atol=0.01)


def test_one_score_an_image_needs_no_second_axis():
    (m,) = rise(seewhy.wrap(lambda x: linear(x)[:, 0], takes="float"), X[:1])
    (other,) = rise(seewhy.wrap(linear, takes="float"), X[:1], target=0)
    assert (m.values == other.values).all()


def test_what_is_explained_is_as_asked_for():
    p = chances(linear(X))
    log = lambda x: np.log(chances(linear(x)))  # noqa: E731
    cases = [(linear, None, linear(X)), (linear, "logits", linear(X)), (linear, "probability", p),
             (linear, "log-probability", np.log(p)), (lambda x: chances(linear(x)), None, p),
             (lambda x: chances(linear(x)), "log-probability", np.log(p)), (log, "probability", p)]  # fmt: skip
    for function, scores, expected in cases:
        model = seewhy.wrap(function, takes="float", scores=scores)
        for m in rise(model, X, target=[0, 4]):
            assert m.source.score == pytest.approx(expected[m.place, m.source.index])
            assert m.source.scores == (scores or "as given")
        hidden = seewhy.occlusion(model, X[:1], target=0, window=16, stride=16, fill=0.0)[0]
        there, gone = model.answer(X[:1]).scores[0, 0], model.answer(0 * X[:1]).scores[0, 0]
        np.testing.assert_allclose(hidden.values, there - gone, rtol=1e-5)


def test_the_top_class_is_that_of_the_highest_score():
    for m in rise(seewhy.wrap(linear, takes="float", labels=list("abcde")), X):
        top = int(linear(X)[m.place].argmax())
        assert (m.source.index, m.source.label, m.source.probability) == (top, "abcde"[top], None)  # scores are no chances
        assert m.source.predicted is None
    for m in rise(seewhy.wrap(linear, takes="float", scores="logits"), X, target=1):
        assert m.source.probability == pytest.approx(chances(linear(X))[m.place, 1])
        assert m.source.predicted.index == linear(X)[m.place].argmax()
    with pytest.raises(seewhy.NoSuchName, match="0 to 4"):
        rise(seewhy.wrap(linear, takes="float"), X, target=5)


def test_the_source_says_what_was_asked():
    (m,) = rise(seewhy.wrap(linear, takes="float", name="blob finder", weights="day 3"), X[:1])
    assert (m.source.model, m.source.weights, m.source.scores, m.source.method) == ("blob finder", "day 3", "as given", "rise")
    assert m.source.measured == {
        "forwards": 30,
        "planned_forwards": 30,
        "mean_score": pytest.approx(m.values.mean(), rel=0.2),
        "largest_error": pytest.approx(m.error.max()),
    }
    assert {*m.source.versions} == {"seewhy", "numpy", "pillow", "python"}
    assert seewhy.wrap(linear).name == "linear"
    assert seewhy.wrap(Seen()).name == "Seen"


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.reads != "scores"])
def test_what_reads_the_inside_is_refused(name):
    with pytest.raises(seewhy.NeedsGradients, match=r"gives scores only. Try occlusion, rise or lime"):
        METHODS[name](seewhy.wrap(linear, takes="float"), X)


REFUSED = {
    "layer": ({"layer": "conv1"}, "reads the image's own pixels"), "unit": ({"target": Unit("conv1", 0)}, "Explain a class"),
    "fast": ({"fast": True}, "Leave fast= and dtype= out"), "dtype": ({"dtype": "float32"}, "Leave fast= and dtype= out"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_function_has_not_is_refused_with_advice(what):
    asked, said = REFUSED[what]
    with pytest.raises(seewhy.Misuse, match=said):
        rise(seewhy.wrap(linear, takes="float"), X, **asked)


def test_wrap_refuses_what_makes_no_sense():
    for asked, said in (({"takes": "bytes"}, "uint8 or float"), ({"device": "cpu"}, "device="), ({"scores": "odds"}, "odds")):
        with pytest.raises(seewhy.BadParameter, match=said):
            seewhy.wrap(linear, **asked)
    for network in (Seen, 3, "linear"):
        with pytest.raises(seewhy.BadParameter):
            seewhy.wrap(network)


def test_what_hides_is_in_pixels():
    """0 to 255, for a function of photos: whole windows of one colour, counted from the score."""
    photo, other = pixels(8, 8), pixels(8, 8, seed=5)
    mean = np.float32(photo).mean((0, 1)).round()
    fills = {
        "black": 0,
        "white": 255,
        "zero": 0,
        "mean": mean,
        100: 100,
        100.4: 100,
        (3, 8, 8): other,
        Image: other,
        "array": other,
    }
    for fill, expected in fills.items():
        given = {(3, 8, 8): np.float32(other).transpose(2, 0, 1), Image: Image.fromarray(other), "array": other}.get(fill, fill)
        seen = Seen()
        seewhy.occlusion(seewhy.wrap(seen), photo, window=8, stride=8, fill=given)
        np.testing.assert_array_equal(seen.x[1][0], np.broadcast_to(np.asarray(expected, np.uint8), (8, 8, 3)))


def test_floats_that_are_no_pixels_are_refused():
    for bad in (X * 300, X * 255 - 20, X[:, :, None] * 200):
        with pytest.raises(seewhy.BadParameter, match="numbers from 0 to 255"):
            rise(seewhy.wrap(colours), bad)
    batch = np.float32(pixels(8, 8)).transpose(2, 0, 1)[None]
    (m,), (same,) = (rise(seewhy.wrap(colours), x, fill="mean") for x in (batch, pixels(8, 8)))
    assert (m.values == same.values).all()


@pytest.mark.parametrize("function", [functools.partial(np.einsum, "ckhw,nchw->nk", W), Seen(linear), linear.__call__])
def test_anything_that_can_be_called_is_a_function(function):
    (m,), (same,) = (rise(seewhy.wrap(f, takes="float"), X[:1], target=1) for f in (function, linear))
    np.testing.assert_allclose(m.values, same.values, rtol=1e-5)


def test_a_model_and_its_methods_travel():
    model = pickle.loads(pickle.dumps(seewhy.wrap(linear, takes="float", labels=list("abcde"))))
    method = pickle.loads(pickle.dumps(METHODS["rise"].using(masks=30, budget="10 min")))
    np.testing.assert_allclose(method(model, X[:1])[0].values, rise(model, X[:1])[0].values, rtol=1e-6)


def test_threads_share_a_model():
    model, jobs = seewhy.wrap(linear, takes="float", batch_size=8), [(i, t) for i in (0, 1) for t in range(5)] * 2
    run = lambda job: rise(model, X[job[0] : job[0] + 1], target=job[1])[0].values  # noqa: E731
    with ThreadPoolExecutor(4) as pool:
        for found, job in zip(pool.map(run, jobs), jobs, strict=True):
            assert (found == run(job)).all()


def test_a_function_that_answers_with_a_map_or_boxes_says_what_can_be_asked():
    x = np.ones((1, 3, 4, 4), np.float32)
    maps = seewhy.wrap(lambda images: images, takes="float")
    with pytest.raises(BadNetwork, match='target="region:0"'):
        seewhy.occlusion(maps, x)
    found = {"boxes": [[0, 0, 2, 2]], "scores": [0.5], "labels": [1]}
    boxes = seewhy.wrap(lambda images: [found for _ in images], takes="float")
    with pytest.raises(BadNetwork, match='target="box:1:0"'):
        seewhy.occlusion(boxes, x)


class Knows(KnownFunction):
    hazards = (Hazard("odd", WARNING, "it is odd"), Hazard("slow", NOTE, "it is slow"))
    versions = {"other": "3"}  # noqa: RUF012 - as a class of one test

    def __call__(self, images):
        return colours(images)


def test_the_logarithm_of_a_rounded_probability_has_an_end():
    """A zero among probabilities that come in steps is less than half a step, and not none: its logarithm is no -708."""

    class Rounded(KnownFunction):
        distribution, step = True, 1 / 256

        def __call__(self, images):
            return np.tile([0.0, 1 / 256, 0.9], (len(images), 1))

    answer = seewhy.wrap(Rounded(), scores="log-probability").answer(np.zeros((1, 3, 8, 8)))
    np.testing.assert_allclose(answer.scores[0], np.log([1 / 512, 1 / 256, 0.9]))
    assert answer.normalised  # though they sum to less


def test_a_function_that_knows_more_of_itself_says_it():
    """Warnings in every heatmap, all hazards in the doctor's examination, and its versions."""
    model = seewhy.wrap(Knows())
    (heatmap,) = seewhy.occlusion(model, pixels(9, 7), window=5, stride=5)
    assert heatmap.source.warnings == ("it is odd",)
    assert heatmap.source.versions["other"] == "3"
    names = [hazard.name for hazard in model.examine(np.zeros((1, 3, 8, 8))).hazards]
    assert names[:3] == ["scores-only", "odd", "slow"]
    with pytest.raises(NotImplementedError):
        KnownFunction()(pixels(9, 7))


def test_what_gives_several_things_by_name_is_told_so():
    model = seewhy.wrap(lambda x: {"left": np.zeros((len(x), 3)), "right": np.zeros((len(x), 2))}, takes="float")
    with pytest.raises(BadNetwork, match="gave left, right for 1 images"):
        seewhy.occlusion(model, np.zeros((1, 3, 8, 8)))
