"""Boxes of drawn arrays: which pixels count, which hang together, which regions are kept, in which order."""

import sys

import numpy as np
import pytest

from seewhy.errors import BadParameter, MissingExtra, NoSuchName
from seewhy.objects import find as finding
from seewhy.objects.find import find

pytest.importorskip("skimage")


def drawn(picture):
    """A map of digits: "#" stands for 10, "." for 0."""
    rows = [[10 if letter == "#" else 0 if letter == "." else int(letter) for letter in row] for row in picture.split()]
    return np.array(rows, np.float32)


TWO = drawn("""
    .......
    .58....
    .6.....
    .....#.
    .......
""")


def by_hand(mask, corners):
    """The connected regions of a mask as sets of places, found by walking from pixel to pixel."""
    left, regions = {tuple(map(int, place)) for place in np.argwhere(mask)}, []
    steps = [step for step in np.ndindex(*[3] * mask.ndim) if any(axis != 1 for axis in step)]
    steps = [step for step in steps if corners or sum(axis != 1 for axis in step) == 1]
    while left:
        region, edge = set(), {left.pop()}
        while edge:
            place = edge.pop()
            region.add(place)
            near = {tuple(at + way - 1 for at, way in zip(place, step, strict=True)) for step in steps}
            edge |= near & left
            left -= near
        regions.append(region)
    return regions


def test_the_largest_region_by_area_though_another_is_stronger():
    found = find(TWO, threshold=0.15)
    assert [box.spans for box in found] == [((1, 3), (1, 3))]
    (box,) = found
    assert box.edges == (1, 1, 3, 3)
    assert (box.score, box.area) == (0.8, 3)
    assert box.evidence == pytest.approx(19 / 29)
    assert found.cut == pytest.approx(1.5)
    assert found.why == ""
    assert found.how == "above 15 % of the maximum, the largest region"


def test_all_regions_come_strongest_first():
    found = find(TWO, threshold=0.15, components="all", least=0)
    assert [box.edges for box in found] == [(5, 3, 6, 4), (1, 1, 3, 3)]
    assert [box.score for box in found] == [1, 0.8]
    assert [box.area for box in found] == [1, 3]
    assert sum(box.evidence for box in found) == pytest.approx(1)
    assert found.regions.tolist() == [[0] * 7, [0, 2, 2, 0, 0, 0, 0], [0, 2, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0], [0] * 7]
    assert found.mask.tolist() == (TWO > 1.5).tolist()


def test_equally_strong_regions_come_by_their_evidence_then_by_place():
    found = find(drawn("# . ## . #".replace(" ", "")), threshold=0.5, components="all", least=0)
    assert [box.spans[1] for box in found] == [(2, 4), (0, 1), (5, 6)]


def test_what_equals_the_threshold_does_not_count():
    """Strictly above, as in CAM's and Grad-CAM's protocol."""
    values = drawn("59#")
    assert find(values, threshold=0.5).mask.tolist() == [[False, True, True]]
    assert find(values, threshold=0.49).mask.all()
    assert find(values, threshold=0.9).mask.tolist() == [[False, False, True]]


def test_corners_hang_together_or_not():
    values = drawn("#..  .#.  ..#".strip())
    assert [box.edges for box in find(values, threshold=0.5)] == [(0, 0, 3, 3)]
    for sides in (4, 6):
        found = find(values, threshold=0.5, connectivity=sides, components="all", least=0)
        assert sorted(box.edges for box in found) == [(0, 0, 1, 1), (1, 1, 2, 2), (2, 2, 3, 3)]


@pytest.mark.parametrize("shape", [(9,), (8, 9), (5, 4, 6)])
@pytest.mark.parametrize("connectivity", [4, 8, 6, 26])
def test_regions_are_those_that_a_walk_finds(shape, connectivity):
    values = np.random.default_rng(len(shape)).random(shape).astype(np.float32)
    found = find(values, threshold=0.8, components="all", least=0, connectivity=connectivity)
    regions = by_hand(values > 0.8 * values.max(), corners=connectivity in (8, 26))
    assert len(found) == len(regions) > 1
    for place, box in enumerate(found, start=1):
        inside = {tuple(map(int, at)) for at in np.argwhere(found.regions == place)}
        assert inside in regions
        assert box.area == len(inside)
        assert box.spans == tuple((min(axis), max(axis) + 1) for axis in zip(*inside, strict=True))
        values_inside = np.array([values[at] for at in inside], np.float64)
        assert box.score == pytest.approx(values_inside.max() / values.max(), rel=1e-6)
        assert box.evidence == pytest.approx(values_inside.sum() / values.sum(dtype=np.float64), rel=1e-6)
        assert (found.masks[place - 1] == (found.regions[box.slices] == place)).all()


def test_small_regions_are_left_out_of_all():
    values = drawn("##.#.  ##...".strip())  # of 10 pixels
    areas = lambda **how: [box.area for box in find(values, components="all", threshold=0.5, **how)]  # noqa: E731
    assert areas(least=0) == areas(least=1) == areas(least=0.1) == [4, 1]
    assert areas(least=2) == areas(least=0.11) == areas(least=4) == areas(least=0.4) == [4]
    found = find(values, components="all", threshold=0.5, least=5)
    assert not found
    assert found.why == "no region has 5 pixels or more: the largest has 4; least= sets that"
    assert [box.area for box in find(values, threshold=0.5, least=5)] == [4]  # the largest is always kept


def test_by_default_a_thousandth_of_what_the_network_saw_is_too_little():
    values = np.zeros((60, 50), np.float32)
    values[0, :2], values[30, :3] = 1, 1
    assert [box.area for box in find(values, components="all")] == [3]  # 0.001 * 3000
    seen = (slice(0, 40), slice(0, 50))
    assert [box.area for box in find(values, seen, components="all")] == [3, 2]  # 0.001 * 2000


def test_negative_values_are_no_evidence():
    found = find(np.array([[-8, 4, 0, 2]], np.float32), threshold=0)
    assert found[0].edges == (1, 0, 2, 1)
    assert found[0].evidence == pytest.approx(4 / 6)


def test_thresholds_are_of_what_the_network_saw():
    """Zeros that it did not see lower no quantile."""
    values = np.zeros((1, 20), np.float32)
    values[0, 10:] = np.arange(1, 11)
    seen = (slice(0, 1), slice(10, 20))
    assert find(values, seen, 0.5, of="quantile").cut == 5.5
    assert find(values, seen, 0.5, of="quantile")[0].spans == ((0, 1), (15, 20))
    assert find(values, (), 0.5, of="quantile").cut == 0.5


def test_all_of_the_image_may_lie_above_the_threshold():
    found = find(np.array([[9, 8], [7, 9]], np.float32))
    assert [box.edges for box in found] == [(0, 0, 2, 2)]
    assert (found[0].area, found[0].evidence) == (4, 1)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.zeros((3, 3)), "no value of the map is positive"),
        (-np.ones((3, 3)), "no value of the map is positive"),
        (np.ones((3, 3)), "the map is the same everywhere"),
        (np.ones((1, 1)), "the map is the same everywhere"),
        (np.array([[1, np.nan]]), "the map holds values that are not finite"),
        (np.array([[1, np.inf]]), "the map holds values that are not finite"),
    ],
)
@pytest.mark.parametrize("how", [{}, {"components": "all"}, {"of": "otsu"}, {"of": "quantile"}])
def test_a_map_that_shows_nothing_has_no_box_and_says_why(values, why, how):
    found = find(values.astype(np.float32), **how)
    assert (len(found), found.why, found.cut) == (0, why, np.inf)
    assert not found.mask.any()
    assert found.mask.shape == found.regions.shape == values.shape


def test_a_quantile_at_the_maximum_leaves_nothing():
    found = find(np.array([[1, 2, 2, 2, 2]], np.float32), threshold=0.5, of="quantile")
    assert not found
    assert found.why == "no value lies above 2, where the threshold is"


def test_nothing_of_the_image_was_seen():
    found = find(np.zeros((4, 4), np.float32), (slice(2, 2), slice(0, 4)))
    assert found.why == "the network saw nothing of the image"


def test_a_refined_mask_counts_where_the_map_is_positive(monkeypatch):
    from seewhy.objects.refine import refined

    values = np.array([[0, 3, 4, 0, 0]], np.float32)
    marks = {"to all": [[1, 1, 1, 0, 1]], "to none": [[0, 0, 0, 0, 0]], "astray": [[0, 0, 0, 0, 1]]}

    def refiner(mask):
        def refine(values, cut, pixels):
            assert cut == pytest.approx(0.6)
            return np.array(mask, bool)

        return refine

    for name, mask in marks.items():
        monkeypatch.setitem(refined.REFINERS, name, refiner(mask))
    pixels = np.zeros((1, 5, 3), np.uint8)
    found = find(values, pixels=pixels, refine="to all", components="all", least=0)
    assert [box.spans for box in found] == [((0, 1), (0, 3))]
    assert found.how == "above 15 % of the maximum, all regions, refined by to all"
    assert found[0].evidence == 1
    assert find(values, pixels=pixels, refine="to none").why == "nothing is left of the mask after it was refined"
    assert find(values, pixels=pixels, refine="astray").why == "the refined mask lies where no value of the map is positive"


@pytest.mark.parametrize("connectivity", [0, 1, True, "8", None, 5, [8]])
def test_a_connectivity_that_is_none(connectivity):
    with pytest.raises(BadParameter, match=r"give 8 \(corners count; 26 of volumes\) or 4"):
        find(TWO, connectivity=connectivity)


@pytest.mark.parametrize("least", [-1, True, "5", float("nan"), float("inf"), [2]])
def test_a_least_area_that_is_none(least):
    with pytest.raises(BadParameter, match="a share below 1 of the image, or pixels from 1 on"):
        find(TWO, least=least)


def test_components_that_are_not_there():
    with pytest.raises(NoSuchName, match='There are "largest" and "all"'):
        find(TWO, components="biggest")


def test_only_the_part_that_holds_the_mask_is_labelled(monkeypatch):
    """What keeps boxes of many photos quick: a small object is labelled in a small array."""
    sizes, real = [], finding.skimage

    def counted(name):
        module = real(name)

        class Counting:
            @staticmethod
            def label(mask, **how):
                sizes.append(mask.shape)
                return module.label(mask, **how)

        return Counting

    monkeypatch.setattr(finding, "skimage", counted)
    values = np.zeros((400, 500), np.float32)
    values[100:120, 300:330] = 1
    assert find(values)[0].edges == (300, 100, 330, 120)
    assert sizes == [(20, 30)]


def test_without_scikit_image_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.measure", None)
    with pytest.raises(MissingExtra, match=r"scikit-image.*\[localize\]"):
        find(TWO)
