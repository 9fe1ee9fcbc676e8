"""Outlines and run lengths as masks of a photo."""

import numpy as np
import pytest

from seewhy.truth.shapes import around, of_coco, outlined, placed, points_of, turned


def inside(ring, x, y):
    """The angles under which a point sees the edges sum to a full turn, or to none."""
    to = np.array(ring, float) - (x, y)
    angles = np.arctan2(to[:, 1], to[:, 0])
    steps = (np.roll(angles, -1) - angles + np.pi) % (2 * np.pi) - np.pi
    return round(abs(steps.sum()) / (2 * np.pi)) % 2 == 1


@pytest.mark.parametrize("seed", range(8))
def test_a_pixel_is_inside_where_its_centre_is(seed):
    ring = np.random.default_rng(seed).uniform(-3, 13, (7, 2))  # crosses itself, and the photo's edges
    mask = outlined([ring])((11, 9))
    expected = [[inside(ring, x + 0.5, y + 0.5) for x in range(11)] for y in range(9)]
    assert mask.tolist() == expected


def test_several_outlines_are_one_mask_and_overlaps_are_no_holes():
    square = points_of([0, 0, 2, 0, 2, 2, 0, 2])
    assert outlined([square, square + 1])((3, 3)).astype(int).tolist() == [[1, 1, 0], [1, 1, 1], [0, 1, 1]]


def test_shares_of_the_photo():
    ring = points_of([0, 0, 0.5, 0, 0.5, 1, 0, 1])
    assert outlined([ring], shares=True)((4, 2)).astype(int).tolist() == [[1, 1, 0, 0]] * 2


@pytest.mark.parametrize("numbers", [[1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, float("nan")]])
def test_what_is_no_outline(numbers):
    with pytest.raises(ValueError, match="no outline"):
        points_of(numbers)


def test_the_box_around():
    assert around([points_of([1, 5, 3, 2, 4, 4]), points_of([0, 3, 1, 3, 1, 9])]) == (0, 2, 4, 9)


def test_a_part_of_the_photo():
    mask = np.array([[True, False], [True, True]])
    assert placed(mask, 1, 0)((3, 2)).astype(int).tolist() == [[0, 1, 0], [0, 1, 1]]
    with pytest.raises(ValueError, match="reaches beyond the photo"):
        placed(mask, 2, 0)((3, 2))


def test_coco():
    assert of_coco(None) is None
    assert of_coco([]) is None
    runs = of_coco({"size": [2, 3], "counts": [1, 2, 3]})
    assert runs is not None
    assert runs((3, 2)).astype(int).tolist() == [[0, 1, 0], [1, 0, 0]]
    with pytest.raises(ValueError, match="drawn on 3 x 2 pixels, and the photo has 2 x 3"):
        runs((2, 3))


def test_pycocotools_fills_polygons_alike():
    coco = pytest.importorskip("pycocotools.mask")
    y, x = np.mgrid[:40, :50]
    ring = [number for angle in np.linspace(0, 6, 20) for number in (25 + 18 * np.cos(angle), 20 + 12 * np.sin(angle))]
    ours = outlined([points_of(ring)])((50, 40))
    theirs = coco.area(coco.merge(coco.frPyObjects([ring], 40, 50)))
    assert abs(int(ours.sum()) - int(theirs)) < 0.03 * ours.sum()  # which rounds corners to a fifth of a pixel
    assert ours[(x == 25) & (y == 20)].all()


def test_turned_clockwise_on_the_screen():
    ring = turned((0, 0, 2, 1), 90, (0, 0))
    assert np.allclose(ring, [(0, 0), (0, 2), (-1, 2), (-1, 0)])
    assert np.allclose(turned((0, 0, 2, 2), 180, (1, 1)), [(2, 2), (0, 2), (0, 0), (2, 0)])
