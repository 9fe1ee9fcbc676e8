"""Classifiers from inner products: the same as scikit-learn's on the vectors themselves, and slopes as the paper has them."""

import numpy as np
import pytest

from seewhy.inside.concepts.tcav_classifiers import separations, slopes, told_unseen

RIDGE = 0.3


def drawn(seed=0, count=14, wide=40):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(count, wide)) + np.where(np.arange(count) < 5, 0.6, 0)[:, None] + 3
    return a, rng


def plain(a, concept, others):
    """The run's weights and intercept by scikit-learn, on the examples as they are."""
    linear = pytest.importorskip("sklearn.linear_model")
    x = a[[*concept, *others]]
    spread = ((x - x.mean(0)) ** 2).sum(1).mean()
    fitted = linear.Ridge(alpha=RIDGE * spread, solver="svd").fit(x, np.repeat([1.0, -1.0], [len(concept), len(others)]))
    return fitted.coef_, fitted.intercept_


def test_the_vector_is_that_of_ridge_regression():
    a, rng = drawn()
    concept = np.array([[0, 1, 2, 3, 4]] * 3)
    others = np.stack([rng.choice(np.arange(5, 14), 5, replace=False) for _ in range(3)])
    found = separations(a @ a.T, concept, others, RIDGE)
    for r in range(3):
        weights, bias = plain(a, concept[r], others[r])
        np.testing.assert_allclose(found.weights[r] @ a[found.sources[r]], weights, atol=1e-9)
        assert found.bias[r] == pytest.approx(bias, abs=1e-8)
        assert found.length[r] == pytest.approx(np.linalg.norm(weights), rel=1e-8)
        assert found.weights[r].sum() == pytest.approx(0, abs=1e-10)


def test_a_vector_does_not_hang_on_where_zero_lies():
    a, _ = drawn()
    concept, others = np.arange(5)[None], np.arange(5, 10)[None]
    first, moved = (separations(x @ x.T, concept, others, RIDGE) for x in (a, a - a.mean(0)))
    np.testing.assert_allclose(first.weights, moved.weights, atol=1e-9)


def test_many_runs_are_done_in_parts(monkeypatch):
    a, rng = drawn()
    concept = np.repeat(np.arange(5)[None], 7, 0)
    others = np.stack([rng.choice(np.arange(5, 14), 5, replace=False) for _ in range(7)])
    whole = separations(a @ a.T, concept, others, RIDGE)
    monkeypatch.setattr("seewhy.inside.concepts.tcav_classifiers.ROOM", 2 * 11**2)
    for one, other in zip(whole, separations(a @ a.T, concept, others, RIDGE), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_unseen_examples_are_judged_by_a_classifier_without_the_pair():
    """Each pair left out by hand; the penalty stays that of the whole run."""
    linear = pytest.importorskip("sklearn.linear_model")
    a, rng = drawn(3)
    others = np.stack([rng.choice(np.arange(5, 14), 5, replace=False) for _ in range(2)])
    sources = np.concatenate([np.repeat(np.arange(5)[None], 2, 0), others], 1)
    told = told_unseen(a @ a.T, sources, RIDGE)
    for r in range(2):
        x, y = a[sources[r]], np.repeat([1.0, -1.0], 5)
        alpha = RIDGE * ((x - x.mean(0)) ** 2).sum(1).mean()
        for i in range(5):
            seen = [k for k in range(10) if k not in (i, 5 + i)]
            fitted = linear.Ridge(alpha=alpha, solver="svd").fit(x[seen], y[seen])
            for k in (i, 5 + i):
                assert told[r, k] == (fitted.predict(x[[k]])[0] * y[k] > 0)
    assert 0 < told.mean() < 1  # so that there is something to be told


def test_slopes_are_the_papers_and_the_cosines_by_hand():
    a, rng = drawn(1)
    g = rng.normal(size=(9, a.shape[1]))
    g[4] = 0  # a photo whose score does not change
    found = separations(a @ a.T, np.arange(5)[None], np.arange(5, 10)[None], RIDGE)
    along = slopes(found, g @ a.T, np.linalg.norm(g, axis=1))
    vector, _ = plain(a, range(5), range(5, 10))
    by_hand = [sum(vector * row) for row in g]
    assert along.score[0] == sum(slope > 1e-9 for slope in by_hand) / 9
    assert along.magnitude[0] == pytest.approx(sum(s for s in by_hand if s > 0) / sum(abs(s) for s in by_hand))
    cosines = [s / np.linalg.norm(vector) / max(np.linalg.norm(row), 1e-9) for s, row in zip(by_hand, g, strict=True)]
    assert along.alignment[0] == pytest.approx(np.mean(cosines))
