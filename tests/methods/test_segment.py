"""LIME: slopes that are known are found, another hand's LIME agrees, and lime's own package does, where it is right."""

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.methods.making.surrogate import coalitions
from support import ask

pytest.importorskip("skimage")

H, W = 12, 15
LABELS = np.arange(12).reshape(3, 4).repeat(4, 0).repeat([4, 4, 4, 3], 1)  # 12 segments
SLOPES = np.random.default_rng(0).normal(0, 3, (5, 12))
X = np.random.default_rng(1).random((1, 3, H, W))


def parts(x, labels=LABELS):
    """The mean of x + x^2 over each segment, in which a segment's own mean does not stand for it: (n, s)."""
    each = (x + x.astype(float) ** 2).mean(1).reshape(len(x), -1)
    return np.stack([each[:, labels.ravel() == i].mean(1) for i in range(labels.max() + 1)], 1)


class Counted:
    """A function of images (n, c, *space) that counts how many it was shown."""

    def __init__(self, of_parts, labels=LABELS):
        self.of_parts, self.labels, self.count = of_parts, labels, 0

    def __call__(self, x):
        self.count += len(x)
        return self.of_parts(parts(x, self.labels))


def additive(p):
    return p @ SLOPES.T + np.arange(5)


def tangled(p):
    return np.tanh(p @ SLOPES.T / 4) + 3 * p[:, [0]] * p[:, [5]] - p[:, [6]] ** 2


def model(of_parts=additive, labels=LABELS, **more):
    return seewhy.wrap(Counted(of_parts, labels), takes="float", **more)


def lime(net, x=X, target=0, **params):
    return seewhy.lime(net, x, target=target, **{"segments": LABELS, "samples": 300, **params})


OTHER = np.random.default_rng(7).random((3, H, W))


def own_means(x):
    filled = x.copy()
    for here in (i == LABELS for i in range(12)):
        filled[..., here] = x[..., here].mean(-1, keepdims=True)
    return filled


def blurred(x):
    gaussian = pytest.importorskip("scipy.ndimage").gaussian_filter
    return gaussian(x, (0, 0, 0.1 * H, 0.1 * W), mode="nearest", truncate=30)


@pytest.mark.parametrize(
    ("hide", "fill"),
    [
        ("mean", lambda x: x.mean((2, 3), keepdims=True) + 0 * x),
        ("own-mean", own_means),
        ("zero", np.zeros_like),
        (0.7, lambda x: np.full_like(x, 0.7)),
        (OTHER, lambda x: OTHER[None]),
        ("blur", blurred),
    ],
    ids=["mean", "own-mean", "zero", "number", "array", "blur"],
)
def test_an_additive_score_is_recovered_whatever_hides(hide, fill):
    maps = lime(model(), hide=hide, alpha=0, target=[0, 1, 2, 3, 4])
    expected = SLOPES * (parts(X) - parts(fill(X)))
    ask.close([m.regions.weights for m in maps], expected)
    ask.close([m.regions.intercept for m in maps], additive(parts(fill(X)))[0])
    assert min(m.regions.r2 for m in maps) > 1 - 1e-12
    for m, own in zip(maps, expected, strict=True):
        np.testing.assert_allclose(m.values, own[LABELS], rtol=1e-6, atol=1e-9)
        assert m.error.max() < 1e-9


@pytest.mark.parametrize(("hide", "level"), [("black", 0), ("white", 255)])
def test_photos_are_hidden_by_colours_as_the_network_sees_them(noise, hide, level):
    photo = noise((W, H))
    net = model(prepare={"size": None, "crop": None, "mean": 0.5, "std": 0.25})
    x, fill = ((np.moveaxis(each, -1, 0)[None] / 255 - 0.5) / 0.25 for each in (np.asarray(photo), np.full((H, W, 3), level)))
    ask.close(lime(net, photo, hide=hide, alpha=0)[0].regions.weights, SLOPES[0] * (parts(x) - parts(fill))[0], 1e-5)


def test_the_ridge_shrinks_and_ever_less_with_more_samples():
    exact = SLOPES[0] * parts(X)[0]
    found = [lime(model(), hide="zero", samples=n)[0].regions.weights for n in (100, 1000, 10_000)]
    off = [abs(weights - exact).max() for weights in found]
    assert all(weights @ exact < exact @ exact for weights in found)
    assert off[0] > 5 * off[1] > 25 * off[2] > 0


@pytest.mark.parametrize("targets", [1, 5])
def test_all_classes_are_read_from_one_set_of_samples(targets):
    net = model()
    maps = lime(net, target=list(range(targets)), samples=100)
    assert net.function.count == 101, "and the untouched image"
    assert {m.source.measured["forwards"] for m in maps} == {100}
    assert {m.regions.samples for m in maps} == {100}
    assert maps[0].regions.weights == pytest.approx(lime(model(), samples=100)[0].regions.weights, rel=1e-12)


@pytest.mark.parametrize(
    ("width", "alpha", "features"), [(0.25, 1.0, None), (0.1, 1.0, None), (2.0, 0.3, None), (0.25, 1.0, 4)]
)
def test_the_whole_of_lime_by_another_hand(width, alpha, features):
    """Images cut and pasted one by one, sklearn's ridge; and the numbers of the fit by their definitions."""
    ridge = pytest.importorskip("sklearn.linear_model").Ridge
    z = coalitions(150, 12, seed=3)
    images = np.stack([np.where(np.isin(LABELS, np.flatnonzero(row)), X[0], 0.25) for row in z])
    d = 1 - z.sum(1) / (np.linalg.norm(z, axis=1) * np.sqrt(12))
    w = np.sqrt(np.exp(-(d**2) / width**2))
    y = tangled(parts(images))
    maps = lime(
        model(tangled), target=[1, 4], hide=0.25, samples=150, seed=3, kernel_width=width, alpha=alpha, features=features
    )
    for m, own in zip(maps, y.T[[1, 4]], strict=True):
        first = ridge(alpha=0.01, solver="svd").fit(z, own, w)
        kept = np.sort(np.argsort(-abs(first.coef_))[: features or 12])
        fit = ridge(alpha=alpha, solver="svd").fit(z[:, kept], own, w)
        weights = np.zeros(12)
        weights[kept] = fit.coef_
        ask.close(m.regions.weights, weights)
        ask.close([m.regions.intercept, m.regions.local_prediction], [fit.intercept_, fit.intercept_ + fit.coef_.sum()])
        missed = own - fit.predict(z[:, kept])
        r2 = 1 - w @ missed**2 / (w @ (own - np.average(own, weights=w)) ** 2)
        assert m.regions.r2 == pytest.approx(r2, abs=1e-9)
        said = {k: m.source.measured[k] for k in ("r2", "intercept", "local_prediction", "segments", "forwards")}
        fitted = {"r2": r2, "intercept": fit.intercept_, "local_prediction": fit.intercept_ + fit.coef_.sum()}
        assert said == pytest.approx({**fitted, "segments": 12, "forwards": 150}, rel=1e-9)
        assert np.array_equal(m.regions.segments, LABELS)
        np.testing.assert_allclose(m.values, weights[LABELS], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(m.error, m.regions.errors[LABELS], rtol=1e-6)
        assert np.count_nonzero(m.regions.errors) == 12, "also of those not chosen: another draw may choose them"


def test_the_width_of_the_kernel_matters_where_the_score_is_not_linear():
    near, far = (lime(model(tangled), kernel_width=width)[0].regions for width in (0.1, 10.0))
    ask.far(near.weights, far.weights, 0.05)
    assert near.r2 != pytest.approx(far.r2, abs=0.01)


def test_errors_are_what_redrawing_shows():
    runs = [lime(model(tangled), samples=80, seed=seed)[0].regions for seed in range(150)]
    told = np.mean([r.errors**2 for r in runs], 0).mean()
    true = np.var([r.weights for r in runs], 0, ddof=1).mean()
    assert told / true == pytest.approx(1, abs=0.15)


def test_a_seed_repeats_the_map_and_another_does_not():
    one, same, other = (lime(model(tangled), seed=seed)[0].values for seed in (5, 5, 6))
    assert np.array_equal(one, same)
    ask.far(one, other)


@pytest.mark.parametrize(
    "labels", [LABELS - 7, LABELS * 100 - 3, LABELS.tolist(), LABELS.astype(np.uint8), lambda picture: LABELS + 1]
)
def test_labels_of_any_numbering_give_the_same_map(labels):
    usual, (other,) = lime(model(tangled))[0], lime(model(tangled), segments=labels)
    assert np.array_equal(usual.values, other.values)
    assert np.array_equal(usual.regions.segments, other.regions.segments)


def test_a_function_is_shown_what_the_network_saw():
    seen = []

    def cut(picture):
        seen.append(picture)
        return LABELS

    lime(model(), 40 * X - 3, segments=cut)
    np.testing.assert_allclose(seen[0], np.moveaxis((X[0] - X.min()) / np.ptp(X), 0, -1), atol=1e-12)
    wide = Image.fromarray(np.random.default_rng(0).integers(0, 256, (H, W + 20, 3), dtype=np.uint8))
    net = model(prepare={"size": None, "crop": (H, W), "mean": 0.0, "std": 1.0})
    lime(net, wide, segments=cut)
    assert seen[1].dtype == np.uint8
    assert np.array_equal(seen[1], np.asarray(wide)[:, 10:-10])


def test_fewer_samples_than_segments_are_noted():
    said = "for 12 segments are too few"
    assert any(said in note for note in lime(model(), samples=9)[0].warnings)
    assert not any(said in note for note in lime(model(), samples=18)[0].warnings)
    (cut,) = lime(model(), budget=9)
    assert any(said in note for note in cut.warnings), "also where the budget leaves so few"
    assert any("budget of 9 forwards after 9 of 300" in note for note in cut.warnings)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"samples": 1}, "samples is a whole number from 2"),
        ({"kernel_width": 1e-3}, r"no sample counts, the nearest lies 0\.0\d+"),
        ({"kernel_width": 0}, "kernel_width must be above 0"),
        ({"alpha": -1}, "alpha from 0 on, not 0.25 and -1"),
        ({"features": 0}, "features is a whole number from 1"),
        ({"seed": -1}, "seed is a whole number from 0"),
        ({"hide": "own-meen"}, "own-meen"),
    ],
)
def test_what_cannot_be_asked_is_refused(params, said):
    with pytest.raises(seewhy.Misuse, match=said):
        lime(model(), **params)


def photo(side=64):
    """As floats from 0 to 1, both of them met: (side, side, 3)."""
    pixels = np.asarray(Image.fromarray(pytest.importorskip("skimage.data").chelsea()).resize((side, side))) / 255
    return (pixels - pixels.min()) / np.ptp(pixels)


def chances(pixels):
    """Of three classes, nonlinear in what a grid of 4 x 4 cells shows: (n, side, side, 3) -> (n, 3)."""
    n, side = pixels.shape[:2]
    cells = pixels.reshape(n, 4, side // 4, 4, side // 4, 3).mean((2, 4)).reshape(n, -1)
    rng = np.random.default_rng(0)
    logits = 4 * np.tanh(3 * (cells - cells.mean(1, keepdims=True)) @ rng.normal(0, 1, (48, 12))) @ rng.normal(0, 0.3, (12, 3))
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def limes(pixels, function, segmentation=None, samples=2000):
    """What the package finds: segments, weights (t, s), the explanation."""
    lime_image = pytest.importorskip("lime.lime_image")
    explained = lime_image.LimeImageExplainer(random_state=0).explain_instance(
        pixels, function, (0, 1, 2), num_samples=samples, segmentation_fn=segmentation, random_seed=5,
        batch_size=100,
    )  # fmt: skip
    weights = [[dict(explained.local_exp[t]).get(i, 0.0) for i in range(explained.segments.max() + 1)] for t in range(3)]
    return explained.segments, np.array(weights), explained


def felzenszwalb(picture):
    return pytest.importorskip("skimage.segmentation").felzenszwalb(picture, scale=30, sigma=0.5, min_size=20)


@pytest.mark.parametrize(("ours", "theirs"), [("quickshift", None), (felzenszwalb, felzenszwalb)])
def test_the_lime_package_finds_the_same(ours, theirs):
    """Its default cut and another, each hidden by its own mean: within four standard errors of both draws."""
    pixels = photo()
    segments, weights, explained = limes(pixels, chances, theirs)
    maps = nhwc(chances, pixels, [0, 1, 2], segments=ours, hide="own-mean", samples=2000, seed=5)
    for t, m in enumerate(maps):
        assert np.array_equal(m.regions.segments, segments)
        assert (abs(m.regions.weights - weights[t]) <= 4 * np.sqrt(2) * m.regions.errors).all()
        assert np.corrcoef(m.regions.weights, weights[t])[0, 1] > 0.99
        assert m.regions.intercept == pytest.approx(explained.intercept[t], abs=0.01)
    top = maps[explained.top_labels[0]].regions  # of which alone it keeps the rest
    assert top.local_prediction == pytest.approx(explained.local_pred[0], abs=0.01)
    assert top.r2 == pytest.approx(explained.score, abs=0.015)


def test_the_lime_package_never_hides_the_last_of_segments_counted_from_one():
    """It hides label 0 to n - 1 of n whatever the labels are: the first weight is of nothing, and the last is missing."""
    pixels, labels = photo(16), np.arange(1, 5).reshape(2, 2).repeat(8, 0).repeat(8, 1)

    def last(x):
        return np.stack([x[:, 8:, 8:].mean((1, 2, 3))] * 3, 1)

    _, weights, _ = limes(pixels, last, lambda _: labels, samples=200)
    assert abs(weights).max() < 1e-12
    (m,) = nhwc(last, pixels, 0, segments=labels, hide=0.0, samples=200, alpha=0)
    ask.close(m.regions.weights[3], pixels[8:, 8:].mean())
    assert abs(m.regions.weights[:3]).max() < 1e-12


def nhwc(function, pixels, target, **params):
    net = seewhy.wrap(lambda x: function(np.moveaxis(x, 1, -1)), takes="float")
    return seewhy.lime(net, np.moveaxis(pixels, -1, 0)[None], target=target, **params)
