"""Boxes at every threshold: as the released code of Choe et al. 2020 finds them with OpenCV, and by hand."""

import numpy as np
import pytest

import seewhy
from seewhy.images.resample import resized
from seewhy.metrics.localization.grids import on_grid
from seewhy.metrics.localization.levels import LevelBoxes, eight_bits, levels_of
from seewhy.metrics.localization.overlap import overlaps
from support.real import DATA, model, needs_data, rows

TENTHS = np.arange(0, 1, 0.2)
ONE_HILL = [[0, 0, 0, 0, 0], [0, 0.4, 0.4, 0.4, 0.6], [0, 0.4, 1, 0.8, 0.6], [0, 0.4, 0.4, 0.4, 0.6]]
HILLS = [[0.4, 0, 0.2, 0.2, 0.2], [0.4, 0.4, 0, 0.4, 0], [0, 0, 0, 0.4, 0], [1, 0.6, 0.8, 0.2, 0.2]]


def largest_at(values, thresholds):
    return LevelBoxes(eight_bits(np.array(values))).largest[levels_of(thresholds)].tolist()


def test_the_largest_box_at_each_threshold_by_hand():
    """The examples of the released code's own tests."""
    assert largest_at(ONE_HILL, TENTHS) == [[1, 1, 4, 3], [1, 1, 4, 3], [2, 1, 4, 3], [2, 2, 4, 3], [2, 2, 3, 3]]
    assert largest_at(HILLS, TENTHS) == [[0, 0, 4, 3], [0, 0, 2, 2], [0, 3, 3, 3], [2, 3, 3, 3], [0, 3, 1, 3]]
    assert largest_at(np.zeros((3, 3)), TENTHS) == [[0, 0, 0, 0]] * 5


def test_a_map_in_eight_bits():
    assert eight_bits(np.array([[-1.0, 0.0], [0.5, 3.0]])).tolist() == [[0, 63], [95, 255]]  # cut off, not rounded
    assert not eight_bits(np.full((2, 2), 7.0)).any()
    assert not eight_bits(np.array([[np.nan, 1.0]])).any()
    assert not eight_bits(np.array([[np.inf, 1.0]])).any()
    assert levels_of([0, 0.15, 0.5, 0.999, 1.0]).tolist() == [0, 38, 127, 254, 255]


def blobs(seed, side=24):
    """Maps of several kinds: smooth hills, noise, few grey levels with many holes, all of them."""
    rng = np.random.default_rng(seed)
    smooth = resized(rng.random((1, 5, 5)), (side, side + 3))[0]
    noise = rng.random((side, side + 3))
    kinds = [smooth, noise, smooth + 0.2 * noise, np.round(3 * noise) / 3, np.round(8 * smooth) / 8]
    return [eight_bits(kind) for kind in kinds]


@pytest.mark.parametrize("seed", range(4))
def test_all_boxes_are_those_of_opencv_at_every_level(seed):
    cv2 = pytest.importorskip("cv2")
    for image in blobs(seed):
        height, width = image.shape
        levels = LevelBoxes(image)
        low, high, boxes = levels.contours
        for level in range(0, 255, 3):
            binary = cv2.threshold(image, level, 255, cv2.THRESH_BINARY)[1]
            contours = cv2.findContours(binary, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]

            def edges(contour):
                x, y, w, h = cv2.boundingRect(contour)
                return [x, y, min(x + w, width - 1), min(y + h, height - 1)]  # noqa: B023 - of this image

            found = boxes[(low <= level) & (level < high)]
            assert sorted(found.tolist()) == sorted(map(edges, contours))
            if contours:
                assert levels.largest[level].tolist() == edges(max(contours, key=cv2.contourArea))


@needs_data
def test_real_maps_have_the_boxes_of_opencv():
    cv2 = pytest.importorskip("cv2")
    photos = [DATA / "loc-imagenet-val" / row["file"] for row in rows("loc-imagenet-val")[:3]]
    for heatmap in seewhy.grad_cam(model("timm/mobilenetv2_100", size=(224, 224), crop=None), photos):
        levels = LevelBoxes(eight_bits(on_grid(heatmap, (224, 224))))
        low, high, boxes = levels.contours
        for level in range(0, 255, 10):
            contours = cv2.findContours((levels.image > level).astype(np.uint8), cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
            sides = [cv2.boundingRect(contour) for contour in contours]
            expected = [[x, y, min(x + w, 223), min(y + h, 223)] for x, y, w, h in sides]
            assert sorted(boxes[(low <= level) & (level < high)].tolist()) == sorted(expected)
            assert levels.largest[level].tolist() == expected[int(np.argmax([*map(cv2.contourArea, contours)]))]


def test_the_best_box_of_a_ring_is_that_of_its_hole():
    ring = np.zeros((30, 30))
    ring[5:25, 5:25] = 1
    ring[10:20, 8:18] = 0
    ring[14, 12] = 1  # an island in the hole
    levels = LevelBoxes(eight_bits(ring))
    assert sorted(levels.contours[2].tolist()) == [[5, 5, 25, 25], [7, 9, 19, 21], [12, 14, 13, 15]]
    assert levels.best([[7, 9, 19, 21]])[100] == 1
    assert levels.best([[7, 9, 19, 21]], largest=True)[100] == pytest.approx(13 * 13 / 21**2)
    assert levels.best([[0, 0, 1, 1]])[255] == 1 / 4  # nothing is above the greatest value: the box of pixel 0
    assert levels.best([[0, 0, 1, 1]])[254] == 0


def test_a_flat_map_has_the_box_of_the_first_pixel():
    levels = LevelBoxes(eight_bits(np.ones((8, 8))))
    assert levels.best([[0, 0, 0, 0]]).tolist() == [1.0] * 256
    assert levels.best([[0, 0, 0, 0]], largest=True).tolist() == [1.0] * 256
    assert not levels.best([[1, 1, 5, 5]]).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_thin_maps(shape):
    values = np.arange(np.prod(shape), dtype=float).reshape(shape)
    levels = LevelBoxes(eight_bits(values))
    whole = [0, 0, shape[1] - 1, shape[0] - 1]
    expected = max(shape) - (max(shape) > 1)  # all but the least pixel
    assert levels.best([whole], largest=True).max() == levels.best([whole]).max() == expected / max(shape)


def test_the_best_overlap_is_over_all_boxes_of_the_map_and_all_true_ones():
    (image,) = blobs(9)[:1]
    levels, true = LevelBoxes(image), [[3, 4, 12, 15], [10, 2, 20, 9]]
    low, high, boxes = levels.contours
    for level in range(0, 255, 17):
        there = boxes[(low <= level) & (level < high)]
        assert levels.best(true)[level] == max(overlaps(there, true, inclusive=True).ravel())
