"""How far a cell sees, and where it lies when the border of the image cuts a part of that off."""

import numpy as np
import pytest

from seewhy.images.sight import Sight


def by_hand(centre: float, sight: Sight, size: int) -> float:
    """The mean of the part of the bell curve that lies in the image, summed in small steps."""
    at = np.linspace(max(-0.5, centre - sight.reach), min(size - 0.5, centre + sight.reach), 200_001)
    weight = np.exp(-((at - centre) ** 2) / (2 * sight.spread**2))
    return float((at * weight).sum() / weight.sum())


@pytest.mark.parametrize("sight", [Sight(4.6, 8.0), Sight(20.0, 100.0), Sight(45.0, 245.0), Sight(300.0, 245.0)])
def test_a_cell_lies_at_the_mean_of_what_the_image_shows_of_its_sight(sight):
    centres = np.array([-30.0, 0.0, 3.5, 31.0, 100.0, 223.0, 250.0])
    seen = [min(223.5, c + sight.reach) > max(-0.5, c - sight.reach) for c in centres]
    expected = [by_hand(c, sight, 224) for c, some in zip(centres, seen, strict=True) if some]
    np.testing.assert_allclose(sight.shown(centres, 224)[seen], expected, atol=1e-3)


def test_where_the_border_cuts_nothing_off_centres_stay_as_they_are():
    patches = 7.5 + 16.0 * np.arange(14)
    assert Sight(16 / 12**0.5, 8.0).shown(patches, 224).tolist() == patches.tolist()
    assert Sight().shown(np.array([-40.0, 7.5]), 8).tolist() == [-40.0, 7.5]


@pytest.mark.parametrize("sight", [Sight(2.0, 1000.0), Sight(47.0, 245.5), Sight(75.0, 425.5), Sight(106.0, 844.0)])
def test_cells_keep_their_order_however_much_of_their_sights_is_cut_off(sight):
    shown = sight.shown(32.0 * np.arange(-2, 10), 224)
    assert (np.diff(shown) >= 0).all()
    assert (np.diff(shown[2:9]) > 0).all()
    assert shown[0] >= -0.5
    assert shown[-1] <= 223.5


def test_of_a_sight_that_lies_outside_the_nearest_end_of_the_image_is_taken():
    assert Sight(3.0, 10.0).shown(np.array([-50.0, 90.0]), 64).tolist() == [-0.5, 63.5]
    assert Sight(1.0, 1e9).shown(np.array([-50.0, 114.0]), 64).tolist() == [-0.5, 63.5]


def test_a_mirrored_image_mirrors_the_centres():
    sight, centres = Sight(30.0, 90.0), np.array([0.0, 16.0, 48.0])
    np.testing.assert_allclose(sight.shown(63 - centres, 64), 63 - sight.shown(centres, 64), atol=1e-9)


def test_in_larger_pixels_a_sight_is_as_many_times_smaller():
    assert Sight(6.0, 20.0).times(0.5) == Sight(3.0, 10.0)
    double = Sight(12.0, 40.0).shown(np.array([0.5]), 64)  # the same place at twice the size
    np.testing.assert_allclose((double + 0.5) / 2 - 0.5, Sight(6.0, 20.0).shown(np.array([0.0]), 32))
