"""The pointing game, mass and rank accuracy, evidence inside less area: by hand and by slow second derivations."""

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadParameter
from seewhy.images.places import Extent
from seewhy.metrics.localization.places import PlaceScoring, distance, measures, rank_accuracy
from seewhy.truth.evidence import MarkedObject

WHOLE = Extent(0, 0, 40, 30)


def peak(row, column, shape=(30, 40)):
    values = np.zeros(shape)
    values[row, column] = 1
    return values


def block(top, left, bottom, right, shape=(30, 40)):
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def of(values, mask, **how):
    return measures(values, WHOLE, MarkedObject(mask), **how)


@pytest.mark.parametrize(
    ("row", "column", "hit", "strict"),
    [(5, 5, 1, 1), (9, 5, 1, 1), (10, 5, 1, 0), (24, 5, 1, 0), (25, 5, 0, 0), (18, 21, 1, 0), (18, 22, 0, 0), (19, 21, 0, 0)],
)
def test_the_strongest_place_may_lie_fifteen_pixels_beside_the_object(row, column, hit, strict):
    """The object ends at row 9 and column 9: (18, 21) is 9 and 12 pixels away, 15 in all."""
    found = of(peak(row, column), block(0, 0, 10, 10))
    assert (found["pointing"], found["strict"]) == (hit, strict)


def test_of_several_strongest_places_the_share_that_hits():
    values = peak(2, 2) + peak(20, 30) + peak(25, 35) + peak(4, 4)
    assert of(values, block(0, 0, 10, 10))["pointing"] == 0.5
    assert of(values, block(0, 0, 3, 3), tolerance=1)["pointing"] == 0.25


def test_a_map_that_points_nowhere_does_not_hit():
    for values in (np.zeros((30, 40)), np.ones((30, 40)), -peak(2, 2)):
        assert of(values, block(0, 0, 10, 10))["pointing"] == 0


def test_mass_and_evidence_inside_less_area():
    values = np.ones((30, 40)) + 2 * block(0, 0, 10, 10) - 5 * block(20, 20, 30, 40)  # negative there
    found, positive = of(values, block(0, 0, 10, 12)), 300 + (1200 - 100 - 200)
    assert found["mass"] == pytest.approx((300 + 20) / positive)
    assert found["beyond"] == pytest.approx((300 + 20) / positive - 120 / 1200)
    assert of(np.ones((30, 40)), block(0, 0, 10, 12))["beyond"] == pytest.approx(0)
    nothing = of(np.zeros((30, 40)), block(0, 0, 10, 12))
    assert (nothing["mass"], nothing["beyond"]) == (0, pytest.approx(-0.1))


def test_rank_accuracy_by_sorting():
    """Arras et al.: the K strongest pixels, K those of the object; on a draw without ties."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        values, mask = rng.permutation(1200).reshape(30, 40) * 1.0, rng.random((30, 40)) < 0.2
        strongest = np.argsort(-values.ravel())[: mask.sum()]
        assert of(values, mask)["rank"] == pytest.approx(mask.ravel()[strongest].mean())


def test_rank_accuracy_among_equals_is_what_chance_gives():
    """The mean over all orders of equal pixels, drawn."""
    values, inside = np.array([3, 2, 2, 2, 1.0]), np.array([False, True, False, True, False])
    rng, drawn = np.random.default_rng(1), []
    for _ in range(4000):
        order = np.lexsort((rng.random(5), -values))
        drawn.append(inside[order[:2]].mean())
    assert rank_accuracy(values, inside) == pytest.approx(np.mean(drawn), abs=0.02)
    assert rank_accuracy(values, inside) == pytest.approx((0 + 2 / 3) / 2)
    assert rank_accuracy(np.ones(4), np.array([True, False, False, False])) == 0.25
    assert rank_accuracy(np.ones(2), np.zeros(2, bool)) == 0


def test_distances_are_those_of_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    rng = np.random.default_rng(2)
    inside = rng.random((20, 25)) < 0.02
    places = rng.integers(0, 20, (30, 2))
    np.testing.assert_allclose(distance(places, inside), ndimage.distance_transform_edt(~inside)[tuple(places.T)])


def test_ignored_pixels_count_nowhere():
    ignored = block(0, 0, 5, 40)
    values = peak(2, 2) * 9 + peak(20, 20)
    marked = MarkedObject(block(18, 18, 22, 22), ignored)
    found = measures(values, WHOLE, marked)
    assert (found["pointing"], found["mass"], found["rank"]) == (1, 1, pytest.approx((1 + 15 * 15 / (25 * 40 - 1)) / 16))


def test_scores_are_means_beside_those_of_the_controls():
    scoring = PlaceScoring()
    middle = (15, 10, 25, 20)
    for row, column in ((15, 20), (0, 0), (14, 18)):
        scoring.add(peak(row, column), boxes=[middle])
    found = {each.name: each for each in scoring.scores()}
    assert list(found) == [
        "pointing game, 15 px", "pointing game, no tolerance", "mass accuracy (energy)", "rank accuracy",
        "evidence inside less area",
    ]  # fmt: skip
    strict = found["pointing game, no tolerance"]
    assert strict.value == pytest.approx(2 / 3)
    random, centre = strict.controls
    assert (centre.name, centre.value) == ("centre", 1)
    assert random.value < 1
    assert found["evidence inside less area"].value == pytest.approx(2 / 3 - 100 / 1200)
    assert scoring.part([1]).scores()[1].value == 0
    assert [each.value for each in scoring.part([0, 1, 2]).scores()] == [each.value for each in scoring.scores()]
    assert found["mass accuracy (energy)"].interval[0] < 2 / 3 < found["mass accuracy (energy)"].interval[1]


def test_a_heatmap_counts_what_the_network_saw():
    from dataclasses import replace

    (heatmap,) = seewhy.grad_cam(seewhy.load("demo/honest"), seewhy.demo.scenes(1)[0].image)
    seen = replace(
        heatmap, values=np.ones((3, 3), np.float32), image=Image.new("RGB", (40, 30)), box=Extent(10, 0, 40, 30), cells=None
    )
    found = PlaceScoring().add(seen, boxes=[(0, 0, 20, 30)])
    assert found["mass"] == pytest.approx(1 / 3)
    assert found["beyond"] == pytest.approx(0)
    with pytest.raises(BadParameter, match="Nothing of the object lies in what the network saw"):
        PlaceScoring().add(seen, boxes=[(0, 0, 10, 30)])


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(BadParameter, match="no photos"):
        PlaceScoring().scores()
    with pytest.raises(BadParameter, match=r"by boxes=.* or by mask="):
        PlaceScoring().add(np.eye(4))


@pytest.mark.parametrize("tolerance", [-1, float("nan"), "15", True])
def test_a_tolerance_is_a_distance(tolerance):
    with pytest.raises(BadParameter, match="give a distance in pixels"):
        PlaceScoring(tolerance)
