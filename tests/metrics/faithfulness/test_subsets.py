"""Subsets hidden together: a linear model's own coefficients are perfect, and the rest follows the formulas by loops."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.metrics.faithfulness.subsets import boxes, faithfulness_correlation, falls, infidelity, scattered, sensitivity_n
from seewhy.metrics.subject import subjects
from support.measuring import linear_model

RNG = np.random.default_rng(0)
WEIGHTS, X, OTHER = RNG.standard_normal((6, 6)), RNG.random((1, 1, 6, 6)).astype(np.float32), RNG.standard_normal((6, 6))
MODEL, OWN = linear_model(WEIGHTS), WEIGHTS * X[0, 0]


def test_the_models_own_coefficients_are_perfect_and_their_inverse_is_the_worst():
    for each in (faithfulness_correlation, sensitivity_n):
        assert each(MODEL, X, [OWN], target=0)[0] == pytest.approx(1)
        assert each(MODEL, X, [-OWN], target=0)[0] == pytest.approx(-1)
        assert each(MODEL, X, [5 * OWN], target=0)[0] == pytest.approx(1)
        assert abs(each(MODEL, X, [OTHER], target=0)[0]) < 0.9
    how = {"target": 0, "scale": False}
    assert infidelity(MODEL, X, [OWN], **how)[0] == pytest.approx(0, abs=1e-10)
    assert infidelity(MODEL, X, [5 * OWN], target=0)[0] == pytest.approx(0, abs=1e-10)
    assert infidelity(MODEL, X, [5 * OWN], **how)[0] > 0.1


def test_a_uniform_map_has_no_correlation_and_explains_no_fall():
    uniform = np.ones((6, 6))
    assert np.isnan(faithfulness_correlation(MODEL, X, [uniform], target=0)[0])  # subsets of one size have one sum
    nothing = infidelity(MODEL, X, [np.zeros((6, 6))], target=0)[0]
    for subject, _ in subjects(MODEL, X, [uniform], target=0):
        fell = falls(subject, uniform, 60, boxes(subject, 0.25), "zero", ("these",)).fell
    assert nothing == pytest.approx((fell**2).mean())


def test_by_loops():
    for subject, _ in subjects(MODEL, X, [OTHER], target=0):
        for mask, key in ((scattered(subject, 0.25), "a"), (boxes(subject, 0.5), "b")):
            said, fell = falls(subject, OTHER, 7, mask, 0.25, (key,))
            for i in range(7):
                image = np.where(mask(i), 0.25, X[0, 0].astype(np.float64))
                assert fell[i] == pytest.approx(float(((X[0, 0] - image) * WEIGHTS).sum()), rel=1e-4, abs=1e-6)
                assert said[i] == pytest.approx(sum(OTHER[at] for at in np.argwhere(mask(i)).tolist() for at in [tuple(at)]))
        said, fell = falls(subject, OTHER, 60, boxes(subject, 0.25), "zero", ("boxes", 0.25))
    b = sum(s * f for s, f in zip(said, fell, strict=True)) / sum(s * s for s in said)
    expected = np.mean([(b * s - f) ** 2 for s, f in zip(said, fell, strict=True)])
    assert infidelity(MODEL, X, [OTHER], target=0)[0] == pytest.approx(expected)
    expected = np.mean([(s - f) ** 2 for s, f in zip(said, fell, strict=True)])
    assert infidelity(MODEL, X, [OTHER], target=0, scale=False)[0] == pytest.approx(expected)


def test_subsets_have_their_size_and_their_place():
    for subject, _ in subjects(MODEL, X, [OTHER], target=0):
        mask = scattered(subject, 0.25)
        assert [int(mask(i).sum()) for i in range(5)] == [9] * 5
        assert len({mask(i).tobytes() for i in range(5)}) == 5
        np.testing.assert_array_equal(mask(3), scattered(subject, 0.25)(3))
        counts = np.mean([mask(i) for i in range(400)], 0)
        np.testing.assert_allclose(counts, 0.25, atol=0.1)
        box = boxes(subject, 0.5)
        for i in range(5):
            rows, columns = np.nonzero(box(i))
            assert len(rows) == 9
            assert (np.ptp(rows), np.ptp(columns)) == (2, 2)


def test_sensitivity_n_is_the_mean_of_correlations_at_each_size():
    how = {"target": 0, "draws": 20}
    each = [faithfulness_correlation(MODEL, X, [OTHER], share=share, **how)[0] for share in (0.1, 0.5)]
    assert sensitivity_n(MODEL, X, [OTHER], shares=(0.1, 0.5), **how)[0] == pytest.approx(np.mean(each))


def test_maps_and_metrics_share_passes():
    calls = []
    for subject, _ in subjects(linear_model(WEIGHTS, calls=calls), X, [OTHER], target=0):
        calls.clear()
        for values in (OTHER, OWN):
            faithfulness_correlation.using(draws=20, share=0.2).of(subject, values)
            sensitivity_n.using(draws=20, shares=(0.2, 0.4)).of(subject, values)
            infidelity.using(draws=10).of(subject, values)
            infidelity.using(draws=10, scale=False).of(subject, values)
        assert sum(calls) == 20 + 20 + 10


def test_what_makes_no_subsets_is_refused():
    for wrong, said in (
        (faithfulness_correlation.using(draws=1), "at least 2"),
        (faithfulness_correlation.using(share=0.001), "between 0 and 1"),
        (sensitivity_n.using(shares=()), "sizes of subsets"),
        (infidelity.using(side=1.0), "sides between"),
        (infidelity.using(fill="linear"), "the fill"),
    ):
        with pytest.raises(BadParameter, match=said):
            wrong(MODEL, X, [OTHER], target=0)
