"""Regions hidden one after the other: by hand on quarters of a linear model, identities, and each region by itself."""

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter
from seewhy.metrics.faithfulness.regions import faithfulness_estimate, irof, region_curve, region_perturbation, selectivity
from seewhy.metrics.subject import subjects
from support.measuring import linear_model

ONES = np.ones((1, 1, 4, 4), np.float32)
QUARTERS = np.kron(np.array([[4.0, 2.0], [1.0, 3.0]]), np.ones((2, 2)))  # of the weights, each four times: 16, 8, 4, 12
ZERO = {"target": 0, "segments": "grid:2", "fill": "zero"}


def test_by_hand():
    """Of 40 are left 24, 12, 4, 0 where the heaviest quarters go first, and 36, 28, 16, 0 the other way."""
    model = linear_model(QUARTERS)
    assert region_perturbation(model, ONES, [QUARTERS], **ZERO)[0] == (0 + 16 + 28 + 36 + 40) / 5
    assert region_perturbation(model, ONES, [-QUARTERS], **ZERO)[0] == (0 + 4 + 12 + 24 + 40) / 5
    assert region_perturbation(model, ONES, [QUARTERS], **ZERO, first=2)[0] == (0 + 16 + 28) / 3
    assert selectivity(model, ONES, [QUARTERS], **ZERO)[0] == (40 / 2 + 24 + 12 + 4 + 0) / 4
    assert selectivity(model, ONES, [-QUARTERS], **ZERO)[0] == (40 / 2 + 36 + 28 + 16 + 0) / 4
    assert irof(model, ONES, [QUARTERS], **ZERO)[0] == pytest.approx(1 - (1 / 2 + 24 / 40 + 12 / 40 + 4 / 40) / 4)
    assert irof(model, ONES, [-QUARTERS], **ZERO)[0] == pytest.approx(1 - (1 / 2 + 36 / 40 + 28 / 40 + 16 / 40) / 4)


def test_a_uniform_map_is_at_chance():
    found = [irof(linear_model(QUARTERS), ONES, [np.ones((4, 4))], seed=seed, **ZERO)[0] for seed in range(60)]
    assert np.mean(found) == pytest.approx(0.5, abs=3 * np.std(found) / np.sqrt(60))


def test_regions_go_by_the_mean_of_the_map_in_them_whatever_their_size():
    labels = np.array([[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2]])
    values = np.array([[1.0] * 4, [1.0] * 4, [1.5] * 4, [0.0] * 4])  # sums 8, 6, 0; means 1, 1.5, 0
    for subject, _ in subjects(linear_model(np.ones((4, 4))), ONES, [values], target=0):
        np.testing.assert_array_equal(region_curve(subject, values, labels, "zero"), [16, 12, 4, 0])
        with pytest.raises(BadParameter, match="first=0"):
            region_curve(subject, values, labels, "zero", 0)


def test_the_estimate_is_one_of_the_models_own_coefficients():
    rng = np.random.default_rng(0)
    weights, x = rng.standard_normal((4, 4)), rng.random((1, 1, 4, 4)).astype(np.float32)
    model, how = linear_model(weights), {"target": 0, "segments": "grid:2"}
    assert faithfulness_estimate(model, x, [weights * x[0, 0]], **how)[0] == pytest.approx(1)
    assert faithfulness_estimate(model, x, [-weights * x[0, 0]], **how)[0] == pytest.approx(-1)
    assert np.isnan(faithfulness_estimate(model, x, [np.ones((4, 4))], **how)[0])
    values, falls, said = rng.standard_normal((4, 4)), [], []
    for i, j in ((0, 0), (0, 2), (2, 0), (2, 2)):
        part = slice(i, i + 2), slice(j, j + 2)
        falls.append(float(((x[0, 0] - 0.5) * weights)[part].sum()))
        said.append(values[part].sum())
    found = faithfulness_estimate(model, x, [values], **how, fill=0.5)[0]
    assert found == pytest.approx(np.corrcoef(said, falls)[0, 1], rel=1e-5)


def test_maps_of_one_image_share_what_each_region_hides():
    calls = []
    for subject, _ in subjects(linear_model(QUARTERS, calls=calls), ONES, [QUARTERS], target=0):
        calls.clear()
        for values in (QUARTERS, -QUARTERS):
            faithfulness_estimate.using(segments="grid:2").of(subject, values)
        assert sum(calls) == 4
        selectivity.using(segments="grid:2", fill=0.5).of(subject, QUARTERS)
        irof.using(segments="grid:2", fill=0.5).of(subject, QUARTERS)
        assert sum(calls) == 8


def test_superpixels_of_a_photo(red_model, red_dot):
    pytest.importorskip("skimage")
    photo = red_dot((64, 64), 20, 20, 8)
    maps = seewhy.explain(red_model, [photo], ["grad-cam", "random-map"], target="red")
    good, random = irof(red_model, [photo], maps)
    assert good > random
