"""Whether the same thing lies at a place, and on which photos it is clearest."""

import numpy as np
import pytest

from seewhy.dataset.auditing.facts import VIEW
from seewhy.dataset.auditing.marks import central, share_in, shared_mark, strongest
from seewhy.metrics.regional.frames import GRID

NW, SE = (0.0, 0.0, 0.25, 0.25), (0.75, 0.75, 1.0, 1.0)


@pytest.fixture
def marked(audit_photo):
    """Five photos of a class, a mark in one of two corners of each, with most evidence there; five of others."""
    rng = np.random.default_rng(0)
    mark = rng.integers(0, 256, (12, 12, 3)).astype(np.uint8)
    own = []
    for place in range(5):
        view = np.random.default_rng(100 + place).integers(0, 256, (VIEW, VIEW, 3)).astype(np.uint8)
        cells = np.full((GRID, GRID), 0.5 / 64)
        if place % 2:
            view[2:14, 2:14] = mark
            cells[:2, :2] += 0.125
        else:
            view[-14:-2, -14:-2] = mark
            cells[-2:, -2:] += 0.125
        own.append(audit_photo("a", place, cells, view))
    return own, [audit_photo("b", 10 + place) for place in range(5)]


def test_the_same_mark_is_found_again_though_it_lies_at_another_place(marked):
    own, others = marked
    mark, placed = shared_mark(own, others, [NW, SE])
    assert mark.same
    assert mark.own > 0.9
    assert mark.others < 0.6
    assert {one.photo.item.number: one.box for one in placed} == {0: SE, 1: NW, 2: SE, 3: NW, 4: SE}
    assert "the same thing" in str(mark)


def test_what_differs_from_photo_to_photo_is_not_the_same(audit_photo, marked):
    own = [audit_photo("a", place) for place in range(5)]
    mark, placed = shared_mark(own, marked[1], [NW, SE])
    assert not mark.same
    assert len(placed) == 5
    assert "differs" in str(mark)


def test_without_others_or_with_one_photo_nothing_is_told(marked):
    own, others = marked
    assert shared_mark(own, [], [NW])[0] is None
    mark, placed = shared_mark(own[:1], others, [NW, SE])
    assert mark is None
    assert placed[0].box == SE


def test_shares_are_sums_of_cells_and_the_strongest_box_has_most(marked):
    photo = marked[0][0]
    assert share_in(photo, [SE]) == pytest.approx(0.5 + 0.5 * 4 / 64)
    assert share_in(photo, [NW, SE]) == pytest.approx(0.5 + 0.5 * 8 / 64)
    assert strongest(photo, [NW, SE]) == SE


def test_the_middle_is_where_objects_lie():
    assert not central([NW, SE])
    assert central([NW, (0.25, 0.25, 0.5, 0.5)])
