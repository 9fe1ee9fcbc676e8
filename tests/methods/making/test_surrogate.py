"""The maths of LIME, kernel SHAP and Sobol indices: against sklearn, lime, brute force, and against what redrawing shows."""

from itertools import permutations
from math import comb

import numpy as np
import pytest

from seewhy.methods.making.surrogate import coalitions, proximity, ridge, shapley, shapley_coalitions, total_indices
from support import ask

linear_model = pytest.importorskip("sklearn.linear_model")


def game(z):
    """Two targets, nonlinear: segments help and hinder each other."""
    z = np.asarray(z, float)
    a = np.random.default_rng(5).normal(size=z.shape[1])
    together = 3 * z[:, 0] * z[:, 1] * z[:, 2] - 2 * z[:, 1] * (1 - z[:, 3])
    return np.stack([np.tanh(z @ a) + together, np.exp(z @ a / 4) * z[:, 2]], 1)


def problem(m=60, s=7, t=3, seed=0):
    rng = np.random.default_rng(seed)
    return coalitions(m, s, seed), rng.normal(size=(m, t)), rng.uniform(0.1, 2, m)


def test_coalitions_are_fair_coins_and_the_whole_picture_first():
    z = coalitions(4000, 12, seed=3)
    assert z.dtype == np.uint8
    assert z[0].all()
    assert set(np.unique(z)) == {0, 1}
    assert abs(z[1:].mean(0) - 0.5).max() < 0.035  # 4.4 standard deviations
    assert abs(np.corrcoef(z[1:].T) - np.eye(12)).max() < 0.07
    assert np.array_equal(z, coalitions(4000, 12, seed=3))
    assert not np.array_equal(z, coalitions(4000, 12, seed=4))


@pytest.mark.parametrize("width", [0.25, 0.1, 3.0])
def test_proximity_is_limes(width):
    """Rows of zeros are at distance 1."""
    pairwise = pytest.importorskip("sklearn.metrics").pairwise_distances
    z = np.concatenate([coalitions(30, 8, 0), np.zeros((1, 8), np.uint8)])
    d = pairwise(z, np.ones((1, 8)), metric="cosine").ravel()
    np.testing.assert_allclose(proximity(z, width), np.sqrt(np.exp(-(d**2) / width**2)), rtol=1e-12)
    assert proximity(z, width)[0] == 1


@pytest.mark.parametrize(("m", "s"), [(60, 7), (9, 7), (5, 12), (7, 7)])
@pytest.mark.parametrize("alpha", [1.0, 0.01, 30.0, 0.0])
def test_ridge_is_sklearns(m, s, alpha):
    """More samples than segments and fewer; of the many without a penalty, the smallest."""
    z, y, w = problem(m, s)
    ours = ridge(z, y, w, alpha)
    for t in range(3):
        theirs = linear_model.Ridge(alpha=alpha or 1e-11, fit_intercept=True, solver="svd").fit(z, y[:, t], sample_weight=w)
        rel = 1e-10 if alpha else 1e-6
        ask.close(ours.weights[t], theirs.coef_, rel)
        ask.close(ours.intercept[t], theirs.intercept_, rel)
        np.testing.assert_allclose(ours.score[t], theirs.score(z, y[:, t], sample_weight=w), atol=rel)
        ask.close(ours.local[t], theirs.predict(np.ones((1, s)))[0], rel)
    assert ours.underdetermined == (m < s)


def test_least_squares_that_fits_exactly_cannot_tell_its_errors():
    z, y, w = problem(6, 12)
    assert np.isinf(ridge(z, y, w, 0).errors).all()
    assert np.isfinite(ridge(z, y, w, 1).errors).all()
    assert np.isinf(ridge(z[:1], y[:1], w[:1]).errors).all(), "the picture itself is no draw"


def limes(z, y, label, features, how):
    base = pytest.importorskip("lime.lime_base").LimeBase(lambda d: np.sqrt(np.exp(-(d**2) / 0.25**2)), random_state=0)
    d = 1 - np.sqrt(z.mean(1))
    intercept, pairs, score, local = base.explain_instance_with_data(z, y, d, label, features, feature_selection=how)
    weights = [dict(pairs).get(i, 0.0) for i in range(z.shape[1])]
    return intercept, weights, score, local[0]


@pytest.mark.parametrize("features", [None, 1, 4, 9, 10, 50])
def test_a_fit_is_limes(features):
    z = coalitions(300, 10, seed=1)
    y = game(z)
    fit = ridge(z, y, proximity(z, 0.25), features=features)
    for t in range(2):
        how = "none" if features is None else "highest_weights"
        intercept, weights, score, local = limes(z, y, t, features, how)
        ask.close(fit.weights[t], weights)
        ask.close([fit.intercept[t], fit.score[t], fit.local[t]], [intercept, score, local])
    assert ((fit.weights != 0).sum(1) == min(features or 10, 10)).all()


def test_errors_of_chosen_segments_are_those_of_the_fit_to_all():
    z, y, w = problem()
    chosen = ridge(z, y, w, features=3)
    assert (np.count_nonzero(chosen.weights, axis=1) == 3).all()
    ask.close(chosen.errors, ridge(z, y, w).errors)


def test_slopes_of_an_additive_score_are_recovered_and_known_to_be():
    z = coalitions(200, 9, seed=0)
    slopes = np.random.default_rng(0).normal(size=(2, 9))
    fit = ridge(z, z @ slopes.T + [1.0, -3.0], proximity(z, 0.25), alpha=0)
    ask.close(fit.weights, slopes)
    ask.close(fit.intercept, [1, -3])
    ask.close(fit.score, [1, 1])
    assert fit.errors.max() < 1e-13


def test_a_score_that_never_changes_is_explained_by_the_intercept():
    """Whatever its mean is rounded to."""
    levels = np.array([0.0, 0.1, -7e5, *np.random.default_rng(0).normal(size=50)])
    z, _, w = problem()
    fit = ridge(z, np.broadcast_to(levels, (60, 53)), w)
    assert (abs(fit.weights) <= 1e-15 * abs(levels)[:, None]).all()
    assert (fit.score == 1).all()
    np.testing.assert_allclose(fit.intercept, levels, rtol=1e-14)


def test_segments_are_chosen_before_they_are_shrunk():
    """A segment hidden in one sample alone keeps its weight at alpha .01, and loses most of it at alpha 1."""
    z = coalitions(100, 2, seed=0)
    z[:, 0] = 1
    z[3, 0] = 0
    fit = ridge(z, z @ [[1.05], [1.0]], np.ones(100), features=1)
    assert fit.weights[0, 0] > 0
    assert fit.weights[0, 1] == 0
    assert ridge(z, z @ [[1.05], [1.0]], np.ones(100)).weights[0].argmax() == 1


@pytest.mark.parametrize(
    ("m", "s", "alpha", "width"), [(200, 6, 1.0, 0.25), (200, 20, 1.0, 0.25), (60, 15, 0.0, 0.25), (200, 20, 0.0, 0.1)]
)
def test_ridge_errors_are_what_redrawing_shows(m, s, alpha, width):
    """Also where a small width leaves few rows to count."""
    fits = []
    for seed in range(400):
        z = coalitions(m, s, seed)
        fits.append(ridge(z, game(z), proximity(z, width), alpha))
    assert_right([f.weights for f in fits], [f.errors for f in fits])


def assert_right(values, errors, within=0.15):
    """Mean error^2 within 15% of the variance over draws, of each target."""
    told, true = np.mean(np.square(errors), 0).mean(1), np.var(values, 0, ddof=1).mean(1)
    assert abs(told / true - 1).max() < within, f"told / true: {told / true}"


def test_the_picture_itself_is_not_counted_as_drawn():
    """A score that only the whole picture has says nothing about how far redrawing would move the weights."""
    z = coalitions(100, 12, seed=0)
    y, w = z[:, :1] + 1000.0 * z.all(1, keepdims=True), proximity(z, 0.25)
    first, last = ridge(z, y, w), ridge(z[::-1], y[::-1], w[::-1])
    ask.close(first.weights, last.weights)
    assert (first.errors < 0.8 * last.errors).all()


def by_permutations(s):
    """Each segment's mean contribution over every order of arrival: (t, s)."""
    total = np.zeros((2, s))
    orders = [*permutations(range(s))]
    for order in orders:
        z = np.zeros((s + 1, s))
        for i, member in enumerate(order):
            z[i + 1 :, member] = 1
        total[:, order] += np.diff(game(z), axis=0).T
    return total / len(orders)


def shap(count, s, seed, score=game, rows=None):
    z, w, complete = shapley_coalitions(count, s, seed)
    z, w = z[:rows], w[:rows]
    full, empty = score(np.ones((1, s)))[0], score(np.zeros((1, s)))[0]
    return shapley(z, w, score(z), full, empty, complete)


def test_all_coalitions_give_the_shapley_values():
    fit = shap(62, 6, 0)
    ask.close(fit.weights, by_permutations(6), 1e-11)
    assert not fit.errors.any()
    assert not fit.underdetermined


def test_all_coalitions_are_all_and_weigh_as_the_kernel_says():
    z, w, complete = shapley_coalitions(62, 6, 1)
    assert complete
    assert len({row.tobytes() for row in z}) == len(z) == 62
    assert not (z.all(1) | ~z.any(1)).any()
    assert np.array_equal(z[::2], 1 - z[1::2])
    ask.close(w, [5 / (comb(6, k) * k * (6 - k)) for k in z.sum(1).tolist()])
    assert not shapley_coalitions(61, 6, 1)[2]


def test_sampled_coalitions_are_pairs_of_kernel_sizes():
    s, count = 9, 400
    sizes, members = np.zeros(s), np.zeros(s)
    for seed in range(60):
        z, w, complete = shapley_coalitions(count, s, seed)
        assert not complete
        assert z.shape == (count, s)
        assert (w == 1).all()
        assert np.array_equal(z[::2], 1 - z[1::2])
        sizes += np.bincount(z[::2].sum(1).astype(int), minlength=s)
        members += z[::2][z[::2].sum(1) == 2].sum(0)
    chance = 1 / (np.arange(1, s) * np.arange(s - 1, 0, -1))
    ask.close(sizes[1:] / sizes.sum(), chance / chance.sum(), 0.05)
    ask.close(members / members.mean(), np.ones(s), 0.15)
    assert shapley_coalitions(401, s, 0)[0].shape == (400, s)


@pytest.mark.parametrize(("count", "s"), [(62, 6), (40, 6), (30, 20), (300, 40), (2, 2)])
def test_the_weights_add_up_to_what_showing_all_does(count, s):
    """Also of fewer samples than segments."""

    def score(z):
        return game(np.pad(z, ((0, 0), (0, 4))))

    fit = shap(count, s, 0, score)
    whole = (score(np.ones((1, s))) - score(np.zeros((1, s))))[0]
    np.testing.assert_allclose(fit.weights.sum(1), whole, rtol=0, atol=1e-12 * max(1, abs(fit.weights).max()))
    np.testing.assert_allclose(fit.local - fit.intercept, whole, atol=1e-15)
    assert fit.underdetermined == (count // 2 < s - 1) == np.isinf(fit.errors).all()


@pytest.mark.parametrize("rows", [None, 60])
def test_additive_games_are_recovered_from_any_sample(rows):
    slopes = np.random.default_rng(0).normal(size=(2, 9))
    fit = shap(100, 9, 0, lambda z: z @ slopes.T + 2.0, rows)
    ask.close(fit.weights, slopes, 1e-11)
    assert fit.errors.max() < 1e-12
    ask.close(fit.score, [1, 1])
    ask.close(fit.intercept, [2, 2])


def test_a_sample_solves_the_constrained_problem():
    """Against Lagrange's conditions: 2 Z'W(Zv - y) + mu = 0, sum v = full - empty."""
    z, w, complete = shapley_coalitions(254, 8, 3)
    z, w = z[:100], w[:100]
    full, empty = game(np.ones((1, 8)))[0], game(np.zeros((1, 8)))[0]
    fit = shapley(z, w, game(z), full, empty, complete)
    x = z.astype(float)
    system = np.block([[2 * x.T @ (w[:, None] * x), np.ones((8, 1))], [np.ones((1, 8)), np.zeros((1, 1))]])
    right = np.concatenate([2 * x.T @ (w[:, None] * (game(z) - empty)), (full - empty)[None]])
    ask.close(fit.weights, np.linalg.solve(system, right)[:8].T, 1e-10)


@pytest.mark.parametrize(
    ("count", "s", "rows"), [(200, 10, None), (80, 10, None), (300, 10, 150), (1022, 10, 510), (254, 8, 200)]
)
def test_shapley_errors_are_what_redrawing_shows(count, s, rows):
    """Of drawn pairs, whole or cut short by a budget; and of a part of all pairs, drawn without putting back."""
    fits = [shap(count, s, seed, rows=rows) for seed in range(400)]
    assert_right([f.weights for f in fits], [f.errors for f in fits])


def test_more_samples_come_closer():
    exact = shap(1022, 10, 0).weights
    off = [np.mean([abs(shap(count, 10, seed).weights - exact).mean() for seed in range(30)]) for count in (50, 200, 800)]
    assert off[1] < 0.6 * off[0]
    assert off[2] < 0.6 * off[1]


def ishigami(x):
    """Total indices for a = 7, b = 0.1: 0.5576, 0.4424, 0.2437 (Saltelli et al. 2008, sec. 4)."""
    x = (x - 0.5) * 2 * np.pi
    return np.sin(x[..., 0]) + 7 * np.sin(x[..., 1]) ** 2 + 0.1 * x[..., 2] ** 4 * np.sin(x[..., 0])


def scored(n, seed, functions=(ishigami,)):
    a, b = np.random.default_rng(seed).random((2, n, 3))
    ab = np.repeat(a[:, None], 3, 1)
    ab[:, range(3), range(3)] = b
    return [np.stack([f(x) for f in functions], -1) for x in (a, b, ab)]


def test_total_indices_of_a_known_function():
    found = total_indices(*scored(60_000, 0, (ishigami, lambda x: 2 * x[..., 0] - 1)))
    assert abs(found.values[0] - [0.5576, 0.4424, 0.2437]).max() < 4 * found.errors[0].max() < 0.03
    assert abs(found.values[1] - [1, 0, 0]).max() < 0.03


def test_sobol_errors_are_what_redrawing_shows():
    found = [total_indices(*scored(150, seed, (ishigami, lambda x: x.prod(-1)))) for seed in range(600)]
    told = np.mean([np.square(f.errors) for f in found], 0)
    true = np.var([f.values for f in found], 0, ddof=1)
    assert abs(told / true - 1).max() < 0.25, "of each index of each function"
    assert abs(told.sum() / true.sum() - 1) < 0.1


@pytest.mark.parametrize("level", [0.0, 0.1, 1e6])
def test_what_never_changes_has_no_indices(level):
    found = total_indices(*scored(20, 0, (lambda x: np.full(x.shape[:-1], level), ishigami)))
    assert not found.values[0].any()
    assert not found.errors[0].any()
    assert found.values[1].all()
    rounded = np.float32(level) * (1 + np.random.default_rng(0).integers(0, 2, (20, 1)).astype(np.float32) * 1e-7)
    assert not total_indices(rounded, rounded, np.repeat(rounded[::-1, None], 3, 1)).values.any()
    assert np.isinf(total_indices(*scored(1, 0)).errors).all(), "one row cannot tell"
