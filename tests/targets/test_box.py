"""One box of a detector: pinned on the untouched image, its own score to the gradient, D-RISE's similarity to perturbations."""

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from seewhy import Box, Class, PerImage
from seewhy.errors import BadParameter, NoSuchName, NotApplicable
from seewhy.images.places import Extent
from seewhy.models.model import INPUT
from seewhy.targets.aim import ImageView
from seewhy.targets.parse import as_targets
from support.detectors import CELL, KINDS, Blobs, aimed, gradients, scene

FORMS = ("list", "classes", "yolo8", "yolo5")


def blobs(form="list", **settings):
    return seewhy.wrap(Blobs(form), labels=KINDS, **settings)


# Blobs: which pixel matters is known


@pytest.mark.parametrize("form", FORMS)
def test_the_gradient_is_that_of_the_cells_mean_and_nothing_elsewhere(form):
    scores, found = gradients(blobs(form), scene(), Box("red"), Box("red", 1), Box("green"), Box(None, 2))
    expected = np.zeros((4, 3, 16, 24))
    for t, (colour, row, column) in enumerate([(0, 1, 1), (0, 2, 4), (1, 0, 5), (0, 2, 4)]):
        expected[t, colour, row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = 1 / CELL**2
    np.testing.assert_allclose(scores, [0.9, 0.6, 0.8, 0.6], rtol=1e-12)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_occlusion_finds_the_pixels_that_the_box_rests_on(form):
    (found,) = seewhy.occlusion(blobs(form), scene(), target="box:red:1", window=4, stride=4, fill=0.0)
    expected = np.zeros((16, 24))
    expected[8:12, 16:20] = 0.6
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    facts = found.source
    assert (facts.target, facts.index, facts.label, facts.scores) == ("box:red:16,8,20,12", 0, "red", "probability")
    assert facts.probability == pytest.approx(0.6)
    assert facts.score == pytest.approx(0.6)


def test_a_cam_rests_on_the_boxs_own_cell():
    (found,) = seewhy.grad_cam(blobs("classes"), scene(), target="box:green", layer="mean")
    expected = np.zeros((4, 6))  # g is 1 at the cell, so its mean over space 1/24, of the green channel
    expected[0, 5] = 0.8 / 24
    np.testing.assert_allclose(found.values, expected, atol=1e-7)


def test_a_function_of_numpy_alone_is_explained_by_rise_and_occlusion():
    def detector(photos):  # the mean of red in the upper left, as a box there; nothing where it is dark
        given = []
        for photo in photos / 255.0:
            score = photo[:8, :8, 0].mean()
            own = int(score > 0.05)
            given.append({"boxes": [[0, 0, 8, 8]] * own, "scores": [score] * own, "labels": [1] * own})
        return given

    photo = np.full((16, 16, 3), 200, np.uint8)
    model = seewhy.wrap(detector, labels=["nothing", "red"])
    hidden = seewhy.occlusion(model, photo, target="box:red", window=8, stride=8, fill=0.0)[0]
    expected = np.zeros((16, 16))
    expected[:8, :8] = 200 / 255
    np.testing.assert_allclose(hidden.values, expected, atol=1e-6)
    found = seewhy.rise(model, photo, target="box:red", masks=600, seed=0)[0].values
    assert found[:8, :8].min() > np.median(found)
    assert max(np.unravel_index(found.argmax(), found.shape)) < 8
    assert [str(one) for one in seewhy.detections(model, photo)[0]] == ["red 0 (0.78) at 0, 0, 8, 8"]


# What is read of a variant: D-RISE, eq. 2-4, written again by counting pixels


def by_counting(pinned_box, pinned_classes, boxes, classes, label):
    def pixels(box):
        x0, y0, x1, y1 = map(round, box)
        return {(x, y) for x in range(x0, x1) for y in range(y0, y1)}

    best = 0.0
    for box, p in zip(boxes, classes, strict=True):
        shared, whole = len(pixels(box) & pixels(pinned_box)), len(pixels(box) | pixels(pinned_box))
        cosine = float(np.dot(p, pinned_classes) / np.sqrt(np.dot(p, p) * np.dot(pinned_classes, pinned_classes)))
        best = max(best, shared / whole * cosine * p[label])
    return best


def test_the_number_of_a_variant_is_d_rise():
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 12, (40, 7, 2))
    boxes = np.concatenate([corners, corners + rng.integers(2, 9, (40, 7, 2))], -1).astype(float)
    classes = rng.random((40, 7, 3))
    given = [{"boxes": b, "scores": p} for b, p in zip(boxes, classes, strict=True)]
    pinned = Box(None, 0).pin(given[:1], ImageView((24, 24), None, Extent(0, 0, 24, 24), KINDS))
    own, label = np.unravel_index(classes[0].argmax(), (7, 3))
    expected = [by_counting(boxes[0, own], classes[0, own], b, p, label) for b, p in zip(boxes, classes, strict=True)]
    assert sum(value > 0 for value in expected) > 30
    np.testing.assert_allclose(pinned.read(given), expected, rtol=1e-12)
    tensors = {"boxes": torch.tensor(boxes), "scores": torch.tensor(classes)}
    np.testing.assert_allclose(pinned.read(tensors), expected, rtol=1e-12)


def test_a_stronger_neighbour_does_not_answer_for_the_box():
    boxes, view = np.array([[0.0, 0, 10, 10], [0, 2, 10, 12]]), ImageView((16, 16), None, Extent(0, 0, 16, 16), KINDS)

    def one(scores):
        return [{"boxes": boxes, "scores": np.array(scores), "labels": np.array([1, 1])}]

    pinned = Box("green", 1).known(KINDS).pin(one([0.3, 0.9]), view)  # IoU 2/3: by D-RISE alone it would be 0.6
    assert [float(pinned.read(one(scores))[0]) for scores in ([0.3, 0.9], [0.1, 0.9], [0.2, 0.0])] == [0.3, 0.1, 0.2]
    assert "1 stronger detection overlaps the box" in pinned.notes[0]
    assert Box("green", 0).known(KINDS).pin(one([0.3, 0.9]), view).notes == ()


def test_the_box_stays_pinned_where_another_class_wins():
    model, x = blobs("classes"), scene()
    reader, (pinned,) = aimed(model, x, Box("red"))
    other = x.copy()
    other[0, :, 4:8, 4:8] = np.array([0.3, 0.7, 0.0])[:, None, None]  # green now, and still 0.3 red
    assert pinned.target == "box:red:4,4,8,8"
    cosine = 0.3 / np.hypot(0.3, 0.7)
    np.testing.assert_allclose(reader.answer(np.concatenate([x, other])).scores[:, 0], [0.9, cosine * 0.3], rtol=1e-12)


def test_where_nothing_is_detected_the_number_is_zero_and_still_made_of_the_image():
    model, x = blobs("list"), scene()
    reader, _ = aimed(model, x, Box("red"))
    dark = np.zeros_like(x)
    np.testing.assert_array_equal(reader.answer(dark).scores, [[0]])
    trace = reader.trace(dark, [Class(0)], [INPUT])
    assert not trace.evidence[INPUT].g.any()
    scores = torch.rand(2, requires_grad=True, dtype=torch.float64)
    given = {"boxes": torch.zeros(0, 4), "scores": scores[scores > 1], "labels": torch.zeros(0)}
    (own,) = reader.runner.aims
    assert own.read([given]).tolist() == [0]
    assert torch.autograd.grad(own.read([given]).sum(), scores)[0].tolist() == [0, 0]
    mixed = reader.answer(np.concatenate([dark, x, dark])).scores
    np.testing.assert_allclose(mixed[:, 0], [0, 0.9, 0], rtol=1e-12)


def test_a_box_without_area_is_still_like_itself():
    given = [{"boxes": np.array([[4.0, 4, 4, 9]]), "scores": np.array([0.7]), "labels": np.array([2])}]
    pinned = Box().pin(given, ImageView((16, 16), None, Extent(0, 0, 16, 16), KINDS))
    assert pinned.read(given).tolist() == [0.7]


# What may be written


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("box:red", Box(0)), ("box:red:2", Box(0, 2)), ("box:1", Box(1)), ("box:", Box()), ("box::1", Box(None, 1)),
        ("box:red:1,2.5, 30,40", Box(0, (1, 2.5, 30, 40))), ("box:green:-3,2,4,5", Box(1, (-3, 2, 4, 5))),
    ],
)  # fmt: skip
def test_a_box_in_words(text, box):
    (found,) = as_targets(text, KINDS)
    assert found == box
    assert as_targets(str(found), KINDS) == [found]


@pytest.mark.parametrize("text", ["box:red:1,2,3", "box:red:5,5,2,9", "box:red:1,2,3,4,5"])
def test_a_place_that_is_none_is_refused(text):
    with pytest.raises(BadParameter, match=r"write box:LABEL|neither 0, 1, 2"):
        as_targets(text, KINDS)


@pytest.mark.parametrize("which", [-1, 1.5, True, (1, 2, 3), (5, 5, 2, 9), (0, 0, np.nan, 4), "first"])
def test_which_is_a_count_or_a_place(which):
    with pytest.raises(BadParameter, match="neither 0, 1, 2"):
        Box("red", which)


def test_which_may_be_numpys_or_torchs():
    assert Box("red", np.int64(1)) == Box("red", 1)
    assert Box("red", np.array([1.0, 2, 3, 4])) == Box("red", torch.tensor([1.0, 2, 3, 4])) == Box("red", (1, 2, 3, 4))  # type: ignore[arg-type]
    with pytest.raises(BadParameter, match="which="):
        Box("red", ["left", 2, 3, 4])  # type: ignore[arg-type]


def test_what_is_not_there_is_refused_with_what_is():
    model, x = blobs("list"), scene()
    there = "red 0 (0.90) at 4, 4, 8, 8; green 0 (0.80) at 20, 0, 24, 4; red 1 (0.60) at 16, 8, 20, 12"
    for target, why in (("box:blue", "box:blue:0: there is none"), ("box:red:2", "there are 2 of these"),
                        (Box("red", (0, 12, 4, 16)), "none overlaps that place (IoU at most 0.00)")):  # fmt: skip
        with pytest.raises(NotApplicable) as caught:
            seewhy.gradient(model, x, target=target)
        assert why in str(caught.value)
        assert there in str(caught.value)
    with pytest.raises(NoSuchName, match=r"rad.*Closest: red"):
        seewhy.gradient(model, x, target="box:rad")


def test_a_place_means_the_detection_that_overlaps_it_most():
    (found,) = seewhy.gradient(blobs(), scene(), target=Box("red", (15, 8, 19, 12)))
    assert found.source.target == "box:red:16,8,20,12"
    assert f"by IoU {3 / 5:.2f}" in found.source.warnings[0]


def test_each_image_has_a_box_of_its_own():
    x = np.concatenate([scene(), scene()[..., ::-1]])
    maps = seewhy.gradient(blobs(), x, target=PerImage([Box("red"), "box:red:1"]))
    assert [one.source.target for one in maps] == ["box:red:4,4,8,8", "box:red:4,8,8,12"]
    assert [np.argwhere(one.values).min(0).tolist() for one in maps] == [[4, 4], [8, 4]]


# Photos


def photo(scale=10):
    return Image.fromarray((np.moveaxis(scene()[0], 0, -1) * 255).astype(np.uint8)).resize((24 * scale, 16 * scale), 0)


def prepared(left, top, right, bottom, size, mirror=False):
    """A crop of the photo, resized to `size` (w, h), mirrored maybe."""

    def prepare(image):
        part = image.crop((left, top, right, bottom)).resize(size, 0)
        pixels = np.moveaxis(np.asarray(part), -1, 0) / 255.0
        return pixels[..., ::-1].copy() if mirror else pixels

    return prepare


@pytest.mark.parametrize("mirror", [False, True])
def test_a_box_is_told_and_asked_for_in_pixels_of_the_photo(mirror):
    model = blobs(prepare=prepared(40, 0, 200, 160, (16, 16), mirror))  # from column 1 on, a cell is 40 pixels of the photo
    (found,) = seewhy.detections(model, photo())
    assert [(one.label, one.index) for one in found] == [("red", 0), ("red", 1)]
    np.testing.assert_allclose(found[0].box, (40, 40, 80, 80), atol=1.5)  # to the precision of a measured prepare
    np.testing.assert_allclose(found[1].box, (160, 80, 200, 120), atol=1.5)
    (map_,) = seewhy.gradient(model, photo(), target=Box("red", (158, 85, 199, 118)))
    column = 0 if mirror else 12
    np.testing.assert_array_equal(np.argwhere(map_.values).min(0), (8, column))


def test_a_fit_moves_boxes_exactly():
    model = blobs(prepare={"size": (32, 48), "crop": (16, 24), "mean": 0.0, "std": 1.0})
    (found,) = seewhy.detections(model, photo())
    strongest = found[0]  # 5 pixels of the photo are one, and the middle of it, from (60, 40) on, is seen
    middle = np.moveaxis(np.asarray(photo().resize((48, 32), 2).crop((12, 8, 36, 24))), -1, 0) / 255
    cells = middle.reshape(3, 4, CELL, 6, CELL).mean((2, 4))
    colour, row, column = np.unravel_index(cells.argmax(), cells.shape)
    assert (strongest.label, round(strongest.score, 5)) == (KINDS[colour], round(cells.max(), 5))
    corner = np.array([60 + column * CELL * 5, 40 + row * CELL * 5])
    np.testing.assert_allclose(strongest.box, [*corner, *(corner + CELL * 5)], atol=1e-9)
