"""How a formula of scores becomes a method: what is taken from its parameters, and what is told of its estimates."""

import numpy as np
import pytest

import seewhy
from seewhy import METHODS, Estimate
from seewhy.errors import NotFinite
from seewhy.maps.regions import Regions
from support import networks

X = networks.images(2, 8, 10, seed=6)


@pytest.fixture
def method():
    """The difference that black makes, of the whole image; every estimate twice as large as its error."""

    @seewhy.from_scores("{times} forwards", sampled=True)
    def blackness(probe, *, times: int = 2, noted: bool = False):
        """y(x) - y(0).

        Source: this test.

        Caveat: none.
        """
        black = lambda of: probe.scorer.array(np.zeros((len(of), *probe.space)))  # noqa: E731
        y = np.concatenate([part.y for part in probe.scored(times, probe.hidden(black, probe.fill("zero")))])
        drop = (probe.y - y.mean(0)).reshape(-1, 1, 1) + np.zeros(probe.space)
        notes = (f"image of sum {probe.x.sum():.6f}",) if noted else ()
        regions = [Regions(np.zeros(probe.space, int), [d[0, 0]], [0.5], None, None, None, times) for d in drop]
        return Estimate(drop, abs(drop) / 2, regions.__getitem__, {"level": probe.y, "times": times}, notes)

    yield blackness
    del METHODS["blackness"]


def scores(network, x):
    import torch

    with torch.no_grad():
        return network(torch.tensor(x)).numpy()


def test_each_image_and_target_has_its_own_estimate(method):
    network = networks.pooled()
    maps = method(seewhy.wrap(network), X, target=[0, 3])
    drop = scores(network, X) - scores(network, X * 0)
    for heatmap in maps:
        expected = drop[heatmap.place, heatmap.source.index]
        np.testing.assert_allclose(heatmap.values, expected, rtol=1e-5)
        np.testing.assert_allclose(heatmap.error, abs(expected) / 2, rtol=1e-5)
        assert heatmap.source.measured["level"] == pytest.approx(heatmap.source.score)
        assert heatmap.source.measured["largest_error"] == pytest.approx(abs(expected) / 2)
        assert heatmap.source.measured["times"] == heatmap.source.measured["forwards"] == 2
        assert heatmap.regions.weights[0] == pytest.approx(expected)


def test_notes_belong_to_their_image(method):
    for heatmap in method(seewhy.wrap(networks.pooled()), X, target=[0, 1], noted=True):
        told = [said for said in heatmap.warnings if said.startswith("image")]
        assert told == [f"image of sum {X[heatmap.place].sum():.6f}"]


def test_every_method_of_scores_takes_budget_precision_and_where_it_samples_a_tolerance(method):
    assert method.defaults == {"times": 2, "noted": False, "budget": None, "fast": False, "dtype": None, "tolerance": None}
    assert "tolerance" not in METHODS["score-cam"].defaults
    (few,) = method(seewhy.wrap(networks.pooled()), X[:1], target=0, times=9, budget=4)
    assert (few.source.measured["forwards"], few.source.measured["planned_forwards"]) == (4, 9)
    assert "stopped by the budget of 4 forwards after 4 of 9 forwards: the map is an estimate from these" in few.warnings


@pytest.mark.parametrize("tolerance", [0, -1, np.inf, True, "small"])
def test_a_tolerance_is_a_number_above_zero(method, tolerance):
    with pytest.raises(seewhy.BadParameter, match=r"score's own units, above 0|tolerance is a number or None"):
        method(seewhy.wrap(networks.pooled()), X[:1], tolerance=tolerance)


def test_where_the_score_is_no_number_no_variant_is_scored(method):
    network = networks.pooled()
    network.fc.bias.data[0] = np.nan
    seen = list[int]()
    network.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    with pytest.raises(NotFinite, match="which first arise at layer fc"):
        method(seewhy.wrap(network), X[:1], target=0)
    assert sum(seen) <= 3  # the image itself, and who is to blame


def test_a_faster_copy_is_told_by_how_much_it_is_off(method):
    (heatmap,) = method(seewhy.wrap(networks.pooled()), X[:1], target=0, dtype="bfloat16")
    assert 0 < abs(heatmap.source.measured["score_off"]) < 0.05
