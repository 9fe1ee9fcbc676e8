"""Where things are planted: within what the network sees, around objects, and what leaves no room."""

import numpy as np
import pytest

from seewhy.errors import NotApplicable
from seewhy.images.places import Extent, Grid
from seewhy.metrics.planted.spots import MIDDLE, Spot, around_object, box_by_chance

SEEN = Extent(10.5, 4, 50.5, 44)
PIXELS = np.zeros((60, 80, 3), np.uint8)


def test_boxes_are_within_what_the_network_sees_and_reach_its_edges():
    rng = np.random.default_rng(0)
    found = [box_by_chance(SEEN, rng, 0.3, 0.3) for _ in range(400)]
    assert {(spot.right - spot.left, spot.bottom - spot.top) for spot in found} == {(round(0.3 * 39),) * 2}
    assert (min(spot.left for spot in found), max(spot.right for spot in found)) == (11, 50)
    assert (min(spot.top for spot in found), max(spot.bottom for spot in found)) == (4, 44)


def test_sides_are_drawn_where_they_may_differ():
    rng = np.random.default_rng(0)
    found = [box_by_chance(SEEN, rng, 0.25, 0.4) for _ in range(400)]
    sides = {spot.right - spot.left for spot in found}
    assert (min(sides), max(sides)) == (round(0.25 * 39), round(0.4 * 39))
    assert any(spot.right - spot.left != spot.bottom - spot.top for spot in found)


def test_which_pixels_are_of_a_spot():
    spot = Spot(10, 5, 22, 9)
    by_hand = [[5 <= y < 9 and 10 <= x < 22 for x in range(80)] for y in range(60)]
    assert spot.marked(PIXELS).tolist() == by_hand
    assert np.array_equal(spot._replace(around=True).marked(PIXELS), ~np.array(by_hand))


def test_around_the_object_its_box_is_kept():
    spot = around_object(SEEN, np.random.default_rng(0), (20.4, 1.0, 30.2, 20.0))
    assert spot == Spot(20, 4, 31, 20, around=True)  # whole pixels, of what the network sees


def test_where_no_object_is_known_the_middle_is_kept():
    rng = np.random.default_rng(0)
    found = [around_object(SEEN, rng, None) for _ in range(200)]
    for spot in found:
        assert MIDDLE[0] * 39 - 1 <= spot.right - spot.left <= MIDDLE[1] * 39 + 2
        assert 11 <= spot.left < spot.right <= 50
        assert abs((spot.left + spot.right) / 2 - 30.5) <= 0.05 * 39 + 1
    assert len({*found}) > 50


@pytest.mark.parametrize(("box", "said"), [((0, 0, 60, 60), "fills the photo"), ((60, 0, 70, 9), "where the network does not")])
def test_objects_that_leave_no_background_are_refused(box, said):
    with pytest.raises(NotApplicable, match=said):
        around_object(SEEN, np.random.default_rng(0), box)


def test_what_takes_nothing_is_refused():
    rng = np.random.default_rng(0)
    for spot in (lambda seen: box_by_chance(seen, rng, 0.3, 0.3), lambda seen: around_object(seen, rng, None)):
        with pytest.raises(NotApplicable, match="too few"):
            spot(Extent(0, 0, 12, 200))
        with pytest.raises(NotApplicable, match="upright"):
            spot(Grid((0, 1), (0, 0), (1, 1), (8, 8), (8, 8)))
