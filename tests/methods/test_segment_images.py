"""Segments of each image, segments that are marked on the photo, in a file, or by masks: for lime and its relatives."""

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy import PerImage
from seewhy.cli.app import main
from support import networks

METHODS = ["lime", "kernel-shap", "sobol", "occlusion"]
FEW = {"lime": {"samples": 60}, "kernel-shap": {"samples": 40}, "sobol": {"samples": 4}, "occlusion": {}}
SPACE = (6, 8)
LABELS = [
    np.arange(48).reshape(SPACE) // 12,
    np.arange(48).reshape(SPACE) % 3,
    np.add.outer(np.arange(6) // 3, np.arange(8) // 2),
]
X = np.random.default_rng(0).normal(size=(3, 2, *SPACE))


def score(images):
    flat = images.reshape(len(images), -1)
    return np.stack([np.tanh(flat @ np.cos(np.arange(flat.shape[1]))), flat.max(1)], 1)


def asked(method, images, segments, model=None, **params):
    model = model or seewhy.wrap(score, takes="float")
    return seewhy.explain(model, images, [seewhy.METHODS[method].using(segments=segments, **FEW[method], **params)], 0)


WAYS = {
    "a list of labels": LABELS,
    "a tuple": tuple(LABELS),
    "PerImage": PerImage(LABELS),
    "of several kinds": [LABELS[0], "grid:2", lambda picture: LABELS[2]],
    "nested lists": PerImage([labels.tolist() for labels in LABELS]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS)
def test_each_image_has_its_own(method, way):
    """As if each was asked alone, also in the Source, from which a map is made again."""
    given = WAYS[way]
    together = asked(method, X, given)
    for i, own in enumerate(given.targets if isinstance(given, PerImage) else given):
        (alone,) = asked(method, X[i : i + 1], own)
        np.testing.assert_array_equal(together[i].values, alone.values)
        np.testing.assert_array_equal(together[i].regions.segments, alone.regions.segments)
        assert together[i].source.params == alone.source.params
    assert (together[0].regions.segments != together[1].regions.segments).any()


@pytest.mark.parametrize("method", METHODS)
def test_one_array_holds_for_all_and_a_list_of_one_for_one(method):
    all_ = asked(method, X, LABELS[0])
    for i in range(3):
        (alone,) = asked(method, X[i : i + 1], [LABELS[0]])
        np.testing.assert_array_equal(all_[i].values, alone.values)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [1, 2, 4])
def test_as_many_as_images_are_needed(method, count):
    said = rf"{method}: segments has {count} values, one for each image, and there are 3 images: give one for each"
    with pytest.raises(seewhy.BadParameter, match=said):
        asked(method, X, (LABELS * 2)[:count])


@pytest.mark.parametrize("method", METHODS)
def test_of_a_wrong_size_says_which_would_do(method):
    with pytest.raises(seewhy.BadParameter, match=r"labels of shape \(5, 8\) for a picture of \(6, 8\)"):
        asked(method, X, [*LABELS[:2], LABELS[2][:5]])


@pytest.mark.parametrize("method", METHODS)
def test_images_of_several_sizes(method):
    """Prepared at their own sizes: each with labels of its own size."""
    sizes = [(12, 16), (10, 14)]
    photos = [
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (*size, 3), dtype=np.uint8)) for i, size in enumerate(sizes)
    ]
    labels = [np.arange(size[0] * size[1]).reshape(size) // size[1] // 4 for size in sizes]
    model = seewhy.wrap(lambda x: x.mean((1, 2, 3))[:, None].astype(float), takes="uint8")
    found = asked(method, photos, labels, model)
    assert [m.values.shape for m in found] == sizes
    for m, own in zip(found, labels, strict=True):
        np.testing.assert_array_equal(m.regions.segments, own)


@pytest.mark.parametrize("method", METHODS)
def test_labels_may_be_marked_on_the_photo(method, tmp_path):
    """Of a photo that `prepare` halves and crops: read at the centres of the pixels that are left; an array, or its file."""
    photo = Image.fromarray(np.random.default_rng(1).integers(0, 256, (16, 20, 3), dtype=np.uint8))
    model = seewhy.wrap(score, takes="float", prepare={"size": (8, 10), "crop": (6, 8)})
    labels = np.arange(320).reshape(16, 20) // 80  # rows 0-3, 4-7, ...
    expected = (2 * np.arange(1, 7) + 1) // 4  # the rows of the photo at the centres of the crop's
    path = tmp_path / "labels.png"
    Image.fromarray(labels.astype(np.uint8)).save(path)
    for given in (labels, str(path), path):
        (found,) = asked(method, photo, given, model)
        np.testing.assert_array_equal(found.regions.segments, np.broadcast_to(expected[:, None], SPACE))
    with pytest.raises(
        seewhy.BadParameter, match=r"are \(15, 20\); give one for each pixel of the image, \(16, 20\), .* \(6, 8\)"
    ):
        asked(method, photo, labels[1:], model)


@pytest.mark.parametrize("method", ["lime", "kernel-shap", "sobol"])
def test_masks_that_do_not_overlap_are_segments_and_the_rest_is_one(method):
    masks = [np.zeros(SPACE, bool) for _ in range(2)]
    masks[0][:2], masks[1][4:, 3:] = True, True
    (found,) = asked(method, X[:1], masks)
    (expected,) = asked(method, X[:1], np.where(masks[0], 0, np.where(masks[1], 1, 2)))
    np.testing.assert_array_equal(found.values, expected.values)
    masks[1][1, 5] = True
    with pytest.raises(seewhy.BadParameter, match=r"masks of segments= overlap, .* occlusion takes such"):
        asked(method, X[:1], masks)


@pytest.mark.parametrize("parameter", ["fill", "window", "within"])
def test_any_parameter_may_have_a_value_for_each_image(parameter):
    each = {"fill": [0.1, "mean", "zero"], "window": [2, 3, (4, 2)], "within": [(0, 0, 2, 2), (3, 3, 6, 6), np.eye(*SPACE)]}[
        parameter
    ]
    model = seewhy.wrap(score, takes="float")
    together = seewhy.occlusion(model, X, target=0, **{parameter: PerImage(each)})
    for i, own in enumerate(each):
        (alone,) = seewhy.occlusion(model, X[i : i + 1], target=0, **{parameter: own})
        np.testing.assert_array_equal(together[i].values, alone.values)
        assert together[i].source.params == alone.source.params


def test_of_methods_of_one_pass_too():
    model, x = seewhy.wrap(networks.pooled()), networks.images(2)
    together = seewhy.grad_cam(model, x, target=1, signed=PerImage([True, False]))
    for i, signed in enumerate((True, False)):
        np.testing.assert_array_equal(
            together[i].values, seewhy.grad_cam(model, x[i : i + 1], target=1, signed=signed)[0].values
        )
    assert together[0].values.min() < 0 <= together[1].values.min()


def test_a_value_of_one_image_is_checked_as_any_other():
    with pytest.raises(seewhy.BadParameter, match="window is"):
        seewhy.occlusion.using(window=PerImage([3, "wide"]))
    assert seewhy.lime.using(segments=LABELS) == seewhy.lime.using(segments=PerImage(LABELS))
    assert seewhy.lime.using(segments=LABELS) != seewhy.lime.using(segments=LABELS[::-1])


def test_the_command_line_takes_files(tmp_path):
    """A label map and a box, typed: the same map as in Python."""
    photo, labels = tmp_path / "photo.png", tmp_path / "labels.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (160, 160, 3), dtype=np.uint8)).save(photo)
    Image.fromarray((np.arange(160 * 160).reshape(160, 160) // 160 // 40).astype(np.uint8)).save(labels)
    typed = ["explain", str(photo), "--model", "demo/honest", "--method", "occlusion", "--out", str(tmp_path / "out")]
    typed += ["--set", f"segments={labels}", "--set", "within=10,20,60,70", "--values", "--target", "0"]
    run = CliRunner().invoke(main, typed)
    assert run.exit_code == 0, run.output
    (written,) = (tmp_path / "out").rglob("*.npz")
    model = seewhy.load("demo/honest")
    (expected,) = seewhy.occlusion(model, photo, target=0, segments=np.asarray(Image.open(labels)), within=(10, 20, 60, 70))
    with np.load(written) as values:
        np.testing.assert_array_equal(values["values"], expected.values)
    assert 0 < (expected.values != 0).mean() < 0.2


def test_a_product_of_a_method_that_needs_segments_and_one_that_does_without():
    """The segments are those of the first; occlusion keeps its windows."""
    model, one = seewhy.wrap(score, takes="float"), X[:1]
    both = seewhy.product(seewhy.lime, seewhy.occlusion).using(segments=LABELS[0], samples=60, fill="zero", window=3)
    (found,) = both(model, one, target=0)
    (lime,) = seewhy.lime(model, one, target=0, segments=LABELS[0], samples=60)
    (occlusion,) = seewhy.occlusion(model, one, target=0, window=3, fill="zero")
    np.testing.assert_allclose(found.values, lime.values * occlusion.values, rtol=1e-5)
    with pytest.raises(seewhy.BadParameter, match=r"segments is .* in one method and"):
        seewhy.product(seewhy.lime, seewhy.occlusion.using(segments="grid:2"))
