"""Objects that files mark, in pixels of the photo or in shares of its sides."""

import pytest

from seewhy.errors import BadParameter
from seewhy.truth.marked import MarkedBox, PhotoBoxes, checked_box, size_of, with_sides

BOX = MarkedBox((0.25, 0.5, 1.0, 0.75), "cat")


def test_shares_become_pixels_of_the_photo_that_is_there():
    assert PhotoBoxes((BOX,), shares=True).on((40, 20)) == (BOX._replace(edges=(10, 10, 40, 15)),)
    with pytest.raises(BadParameter, match="how large it is is not known"):
        PhotoBoxes((BOX,), shares=True).on(None)


def test_pixels_stay_and_another_size_is_refused():
    photo = PhotoBoxes((BOX,), (40, 20))
    assert photo.on((40, 20)) == photo.on(None) == (BOX,)
    with pytest.raises(BadParameter, match="drawn on 40 x 20 pixels, and the photo has 20 x 40"):
        photo.on((20, 40))


def test_boxes_are_checked():
    assert checked_box(["1", 2, 3, 4], "", "here") == MarkedBox((1, 2, 3, 4), None)
    assert checked_box([1, 2, 3, 4], 0, "here").label == "0"
    for edges, words in (
        ([1, 2, 3], "no box of four"),
        ("wide", "no box of four"),
        ([1, 2, 1, 4], "empty"),
        ([1, 2, float("inf"), 4], "empty"),
    ):
        with pytest.raises(BadParameter, match=f"here: .*{words}"):
            checked_box(edges, None, "here")


def test_sides_and_sizes():
    assert with_sides("1", 2, 3, 4.5) == (1, 2, 4, 6.5)
    assert with_sides("x", 2, 3, 4) == ("x", 2, 3, 4)
    assert (size_of("640.0", 480), size_of(None, 3), size_of(0, 3)) == ((640, 480), None, None)
