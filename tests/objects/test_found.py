"""What was found: edges as (x, y) on photos and in the order of the axes elsewhere, masks and regions of the image's size."""

import numpy as np
import pytest

from seewhy.objects.found import FoundBox, FoundBoxes


def box(*spans, score=1.0, **more):
    return FoundBox(spans, score, 1, 0.5, **more)


def test_edges_are_left_top_right_bottom_on_a_photo():
    assert box((2, 5), (10, 14)).edges == (10, 2, 14, 5)


def test_edges_follow_the_axes_elsewhere():
    assert box((2, 5), (10, 14), (0, 3)).edges == (2, 10, 0, 5, 14, 3)
    assert box((2, 5)).edges == (2, 5)


def test_slices_cut_the_box_out_of_the_image():
    image = np.arange(12).reshape(3, 4)
    assert image[box((1, 3), (0, 2)).slices].tolist() == [[4, 5], [8, 9]]


def test_the_confidence_is_that_of_the_class_times_that_of_the_box():
    assert box((0, 1), score=0.5, probability=0.8).confidence == pytest.approx(0.4)
    assert box((0, 1), score=0.5).confidence == 0.5


def test_boxes_are_a_sequence_with_masks_and_regions():
    first, second = box((0, 2), (1, 3)), box((1, 3), (0, 2))
    masks = np.array([[1, 1], [0, 1]], bool), np.array([[1, 0], [1, 1]], bool)  # their boxes share a pixel, they do not
    found = FoundBoxes((first, second), masks, (3, 4), 1.5)
    assert [*found] == [first, second]
    assert (len(found), found[0], found[-1], found[:1]) == (2, first, second, (first,))
    assert found.regions.tolist() == [[0, 1, 1, 0], [2, 0, 1, 0], [2, 2, 0, 0]]
    assert found.regions.dtype == np.int32
    assert (found.mask == (found.regions > 0)).all()
    assert found.mask.dtype == bool


def test_no_boxes_are_false_and_mark_nothing():
    found = FoundBoxes((), (), (2, 3), np.inf, why="the map is the same everywhere")
    assert not found
    assert not found.mask.any()
    assert found.mask.shape == (2, 3)
