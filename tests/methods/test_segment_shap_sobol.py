"""Kernel SHAP against every order of showing the segments, Sobol indices against closed forms."""

from itertools import permutations

import numpy as np
import pytest
import torch

import seewhy
from support import ask, networks
from support.counting import keeping_apart

SIX = np.arange(6).reshape(2, 3).repeat(4, 0).repeat(3, 1)  # (8, 9)
TEN = np.arange(10).reshape(2, 5).repeat(4, 0).repeat(2, 1)  # (8, 10)


def image(labels):
    return np.random.default_rng(1).uniform(0.5, 1.5, (1, 3, *labels.shape))


def parts(x, labels):
    """The mean of each segment: (n, s)."""
    each = x.astype(float).mean(1).reshape(len(x), -1)
    return np.stack([each[:, labels.ravel() == i].mean(1) for i in range(labels.max() + 1)], 1)


class Counted:
    """A function of the segments' means that counts the images it was shown."""

    def __init__(self, of_parts, labels):
        self.of_parts, self.labels, self.count = of_parts, labels, 0

    def __call__(self, x):
        self.count += len(x)
        return self.of_parts(parts(x, self.labels))


def slopes(s, t=3):
    return np.random.default_rng(3).normal(0, 2, (t, s))


def additive(p):
    return p @ slopes(p.shape[1]).T + 4


def tangled(p):
    """Segments help and hinder each other: (n, 3)."""
    linear = p @ slopes(p.shape[1]).T / 2
    return np.tanh(linear) + 2 * p[:, [0]] * p[:, [1]] * p[:, [4]] - np.maximum(p[:, [2]] - p[:, [3]], 0)


def shap(of_parts, labels, target=0, **params):
    net = seewhy.wrap(Counted(of_parts, labels), takes="float")
    return seewhy.kernel_shap(net, image(labels), target=target, **{"segments": labels, "hide": 0.1, **params})


def by_orders(of_parts, labels):
    """Each segment's mean contribution over all orders of showing them one after the other: (t, s)."""
    x, s, known = image(labels), int(labels.max()) + 1, {}

    def score(members):
        if members not in known:
            known[members] = of_parts(parts(np.where(np.isin(labels, [*members]), x, 0.1), labels))[0]
        return known[members]

    total = np.zeros((3, s))
    orders = [*permutations(range(s))]
    for order in orders:
        for i, member in enumerate(order):
            total[:, member] += score(frozenset(order[: i + 1])) - score(frozenset(order[:i]))
    return total / len(orders)


def hidden_and_full(of_parts, labels):
    return of_parts(np.full((1, labels.max() + 1), 0.1))[0], of_parts(parts(image(labels), labels))[0]


@pytest.mark.parametrize("of_parts", [tangled, additive])
def test_all_coalitions_of_six_segments_are_the_shapley_values(of_parts):
    maps = shap(of_parts, SIX, [0, 1, 2])
    expected = by_orders(of_parts, SIX)
    ask.close([m.regions.weights for m in maps], expected)
    for m, own in zip(maps, expected, strict=True):
        np.testing.assert_allclose(m.values, own[SIX], rtol=1e-6)
        assert not m.error.any()
        assert m.source.measured["forwards"] == 63, "all but that of all segments"
        assert m.warnings == ()


@pytest.mark.parametrize("samples", [40, 200])
def test_an_additive_score_is_recovered_from_a_sample(samples):
    (m,) = shap(additive, TEN, 1, samples=samples)
    ask.close(m.regions.weights, slopes(10)[1] * (parts(image(TEN), TEN)[0] - 0.1))
    assert m.error.max() < 1e-9


@pytest.mark.parametrize("params", [{}, {"samples": 200}, {"samples": 40}, {"samples": 8}, {"budget": 57}, {"budget": 3}])
def test_the_values_sum_to_what_showing_everything_adds(params):
    hidden, full = hidden_and_full(tangled, TEN)
    for t, m in enumerate(shap(tangled, TEN, [0, 1, 2], **params)):
        assert m.regions.weights.sum() == pytest.approx(full[t] - hidden[t], abs=1e-9)
        assert m.regions.intercept == pytest.approx(hidden[t], abs=1e-9)
        assert m.regions.local_prediction == pytest.approx(full[t], abs=1e-9)


def test_all_classes_are_read_from_one_set_of_samples():
    counts = []
    for target in (0, [0, 1, 2]):
        net = keeping_apart(seewhy.wrap(Counted(tangled, TEN), takes="float"))
        seewhy.kernel_shap(net, image(TEN), target=target, segments=TEN, samples=100)
        counts.append(net.function.count)
    assert counts == [102, 102], "the untouched and the hidden image among them"


@pytest.mark.parametrize("params", [{"samples": 100}, {"samples": 2000, "budget": 400}])
def test_errors_are_what_redrawing_shows(params):
    runs = [shap(tangled, TEN, 0, seed=seed, **params)[0].regions for seed in range(120)]
    told = np.mean([r.errors**2 for r in runs], 0).mean()
    assert told / np.var([r.weights for r in runs], 0, ddof=1).mean() == pytest.approx(1, abs=0.15)


def test_a_sample_lies_within_its_error_of_the_exact_values():
    exact, (few,) = shap(tangled, TEN, 0, samples=1022)[0].regions, shap(tangled, TEN, 0, samples=150)
    assert not exact.errors.any()
    assert 0.5 < abs((few.regions.weights - exact.weights) / few.regions.errors).max() < 4


def test_captum_finds_the_same_on_a_network():
    """Its sample is drawn from the same kernel; its spread is found by drawing eight times."""
    attr = pytest.importorskip("captum.attr")
    network, x = networks.flat_head(h=8, w=12), torch.tensor(networks.images(1, 8, 12))
    six = np.arange(6).reshape(2, 3).repeat(4, 0).repeat(4, 1)
    (m,) = seewhy.kernel_shap(seewhy.wrap(network), x, target=2, segments=six, hide="zero")
    theirs = []
    for seed in range(8):
        torch.manual_seed(seed)
        found = attr.KernelShap(network).attribute(x, target=2, feature_mask=torch.tensor(six)[None, None], n_samples=400,
                                                   perturbations_per_eval=100)  # fmt: skip
        theirs.append([float(found[0, 0][torch.tensor(i == six)][0]) for i in range(6)])
    mean, error = np.mean(theirs, 0), np.std(theirs, 0, ddof=1) / np.sqrt(8)
    assert (abs(m.regions.weights - mean) <= 5 * error + 1e-4).all(), (m.regions.weights, mean, error)
    assert np.corrcoef(m.regions.weights, mean)[0, 1] > 0.99


def sobol(of_parts, labels, target=0, samples=4000, **params):
    net = seewhy.wrap(Counted(of_parts, labels), takes="float")
    return seewhy.sobol(net, image(labels), target=target, samples=samples, **{"segments": labels, **params})


def test_indices_of_an_additive_score_are_their_share_of_the_variance():
    """A segment dimmed by z, even on [0, 1], adds a m z: its variance is (a m)^2 / 12."""
    share = (slopes(6) * parts(image(SIX), SIX)) ** 2
    share /= share.sum(1, keepdims=True)
    for m, own in zip(sobol(additive, SIX, [0, 1, 2]), share, strict=True):
        assert (abs(m.regions.weights - own) <= 4 * m.regions.errors).all()
        assert m.regions.errors.max() < 0.03
        np.testing.assert_allclose(m.values, m.regions.weights[SIX], rtol=1e-6)
        np.testing.assert_allclose(m.error, m.regions.errors[SIX], rtol=1e-6)


def test_dimming_ends_at_what_hides():
    """Toward 0.1 a segment of mean m spans m - 0.1."""
    share = (slopes(6)[0] * (parts(image(SIX), SIX)[0] - 0.1)) ** 2
    (m,) = sobol(additive, SIX, hide=0.1)
    assert (abs(m.regions.weights - share / share.sum()) <= 4 * m.regions.errors).all()


def test_segments_that_only_count_together_share_their_variance():
    """Of u v, both even on [0, 1], the total index of each is 4 / 7."""
    full = parts(image(SIX), SIX)[0]
    (m,) = sobol(lambda p: (p[:, [2]] / full[2]) * (p[:, [5]] / full[5]), SIX, samples=20_000)
    assert m.regions.weights[[2, 5]] == pytest.approx([4 / 7, 4 / 7], abs=4 * m.regions.errors.max())
    assert m.regions.errors.max() < 0.02
    assert not m.regions.weights[[0, 1, 3, 4]].any()


def test_errors_of_indices_are_what_redrawing_shows():
    runs = [sobol(tangled, SIX, samples=200, seed=seed)[0].regions for seed in range(120)]
    told = np.mean([r.errors**2 for r in runs], 0).mean()
    assert told / np.var([r.weights for r in runs], 0, ddof=1).mean() == pytest.approx(1, abs=0.2)


def test_a_score_that_never_changes_has_no_indices():
    (m,) = sobol(lambda p: np.full((len(p), 2), 0.1), SIX, samples=20)
    assert not m.values.any()
    assert not m.error.any()
    assert any("does not depend on what was hidden" in note for note in m.warnings)


def test_a_row_that_the_budget_cuts_does_not_count():
    whole, cut = (sobol(tangled, SIX, samples=9, budget=budget)[0] for budget in (3 * 8, 3 * 8 + 5))
    assert np.array_equal(whole.values, cut.values)
    assert cut.source.measured["forwards"] == 29
    assert any("budget of 29 forwards after 29 of 72" in note for note in cut.warnings)


@pytest.mark.parametrize(("method", "segments", "least"), [("sobol", SIX, 16), ("kernel-shap", TEN, 3), ("lime", TEN, 2)])
def test_a_budget_of_which_nothing_can_be_told_gives_advice(method, segments, least):
    net = seewhy.wrap(Counted(tangled, segments), takes="float")
    (m,) = seewhy.METHODS[method](net, image(segments), target=0, segments=segments, budget=least)
    assert m.source.measured["forwards"] == least
    with pytest.raises(seewhy.BadParameter, match=f"{method}: budget={least - 1} is too little: it needs {least} forwards"):
        seewhy.METHODS[method](net, image(segments), target=0, segments=segments, budget=least - 1)


@pytest.mark.parametrize("method", ["kernel-shap", "lime", "sobol"])
def test_a_failure_before_anything_can_be_told_is_said_as_it_is(method):
    """And one after that leaves an estimate."""

    def failing(after):
        def of_parts(p):
            failing.count += len(p)
            if failing.count > after:
                raise OSError("the line is dead")
            return tangled(p)

        failing.count = 0
        net = seewhy.wrap(Counted(of_parts, SIX), takes="float", batch_size=1)
        with pytest.raises(seewhy.BadNetwork, match=f"{method}.*the line is dead") as caught:
            seewhy.METHODS[method](net, image(SIX), target=0, segments=SIX)
        return caught.value.partial

    untouched = 2 if method == "kernel-shap" else 1  # and the hidden image
    assert not failing(untouched + 1)
    (m,) = failing(untouched + 30)
    spent = 31 if method == "kernel-shap" else 30
    assert m.source.measured["forwards"] == spent
    assert any(f"after {spent} of" in note for note in m.warnings)


@pytest.mark.parametrize(("method", "tolerance"), [("kernel-shap", 0.05), ("lime", 0.01), ("sobol", 0.2)])
def test_a_tolerance_of_the_error_ends_the_work(method, tolerance):
    net = seewhy.wrap(Counted(tangled, TEN), takes="float", batch_size=20)
    (m,) = seewhy.METHODS[method](net, image(TEN), target=0, segments=TEN, samples=1000, tolerance=tolerance)
    assert m.source.measured["forwards"] < 900
    assert 0 < m.error.max() <= tolerance


@pytest.mark.parametrize("method", ["kernel-shap", "sobol"])
def test_a_seed_repeats_the_map_and_another_does_not(method):
    net = keeping_apart(seewhy.wrap(Counted(tangled, TEN), takes="float"))
    run = seewhy.METHODS[method].using(segments=TEN, samples=30)
    one, same, other = (run(net, image(TEN), target=0, seed=seed)[0].values for seed in (5, 5, 6))
    assert np.array_equal(one, same)
    ask.far(one, other, 1e-3)
