"""What an explanation may cost, and how sure it must be: budgets in forwards and in seconds, tolerances."""

import re
import time

import numpy as np
import pytest

import seewhy
from seewhy import METHODS
from seewhy.methods.making.budget import Budget
from seewhy.models.pace import Pace
from support import networks
from support.counting import keeping_apart

X = np.random.default_rng(0).random((2, 3, 16, 16))
W = np.random.default_rng(1).normal(size=(3, 5, 16, 16))
FEW = {  # and what each costs
    "occlusion": ({"window": 4, "stride": 2}, 49), "rise": ({"masks": 100}, 100),
    "lime": ({"segments": "grid:4", "samples": 100}, 100), "kernel-shap": ({"segments": "grid:4", "samples": 100}, 101),
    "sobol": ({"segments": "grid:2", "samples": 15}, 90),
}  # fmt: skip
CAMS = {"score-cam": 8, "ss-cam": 24, "is-cam": 24, "ablation-cam": 8, "recipro-cam": 48}


def linear(x):
    return np.einsum("nchw,ckhw->nk", x, W)


def wrapped(function=linear, **more):
    return keeping_apart(seewhy.wrap(function, takes="float", **more))


def few(name, **more):
    return METHODS[name].using(**FEW[name][0], **more)


def cam(name, **more):
    return METHODS[name].using(**({"samples": 3} if "samples" in METHODS[name].defaults else {}), **more)


def values(maps):
    return np.stack([m.values for m in maps])


@pytest.mark.parametrize("most", [12, 13, 40])
@pytest.mark.parametrize("name", FEW)
def test_no_more_is_spent_than_is_allowed(name, most):
    sizes = []
    maps = few(name, budget=most)(wrapped(lambda x: (sizes.append(len(x)), linear(x))[1]), X, target=[0, 3])
    assert sum(sizes) == 2 * (most + 1)
    said = f"stopped by the budget of {most} forwards after {most} of {FEW[name][1]} forwards"
    for m in maps:
        assert np.isfinite(m.values).all()
        assert m.values.any()
        assert m.source.measured["forwards"] == most
        assert any(w.startswith(said) for w in m.warnings)


@pytest.mark.parametrize("name", [name for name in FEW if name in ("occlusion", "rise")])
def test_the_smallest_budget_is_one_forward(name):
    (m,) = few(name, budget=1)(wrapped(), X[:1], target=1)
    assert np.isfinite(m.values).all()
    assert m.source.measured["forwards"] == 1


@pytest.mark.parametrize("name", ["lime", "kernel-shap", "sobol"])
def test_what_no_estimate_can_be_made_of_is_refused(name):
    with pytest.raises(seewhy.Misuse, match=rf"^{name}: .*budget"):
        few(name, budget=1)(wrapped(), X[:1], target=1)


@pytest.mark.parametrize("name", CAMS)
def test_no_more_is_spent_than_is_allowed_behind_a_layer(name):
    """What they do before is the same whatever the budget; each forward of it is one image more."""
    counts = {}
    for most in (1, 3, 7):
        network, n = networks.pooled(), [0]
        network.register_forward_pre_hook(lambda _module, args, n=n: n.__setitem__(0, n[0] + len(args[0])))
        maps = cam(name, budget=most)(seewhy.wrap(network), networks.images(2), target=[0, 3])
        counts[most] = n[0]
        for m in maps:
            assert np.isfinite(m.values).all()
            assert m.source.measured["forwards"] == most
            said = f"stopped by the budget of {most} forward{'s' * (most > 1)} after {most} of {CAMS[name]}"
            assert any(said in w for w in m.warnings), m.warnings
    alone = name in ("score-cam", "ss-cam", "is-cam")  # the first of several images, once, to see whether they mix
    assert counts[3] - counts[1] == 2 * 2 + alone
    assert counts[7] - counts[3] == 2 * 4


@pytest.mark.parametrize("name", [*FEW, *CAMS])
@pytest.mark.parametrize("more", [0, 1, 10**6])
def test_a_budget_that_is_not_reached_changes_nothing(name, more):
    if name in CAMS:
        model, x, method, cost = seewhy.wrap(networks.pooled(), batch_size=7), networks.images(2), cam(name), CAMS[name]
    else:
        model, x, method, cost = wrapped(batch_size=7), X, few(name), FEW[name][1]
    plain, allowed = (m(model, x, target=[0, 3]) for m in (method, method.using(budget=cost + more)))
    assert plain[0].source.measured["forwards"] == cost
    assert (values(plain) == values(allowed)).all()
    assert [m.warnings for m in plain] == [m.warnings for m in allowed]
    assert not any("budget" in w for m in plain for w in m.warnings)


def test_each_image_has_its_own_budget():
    maps = few("rise", budget=20)(wrapped(), X, target=[0, 3])
    for m in maps:
        (alone,) = few("rise", budget=20)(wrapped(), X[m.place : m.place + 1], target=int(m.source.target))
        np.testing.assert_allclose(m.values, alone.values, rtol=1e-6)


@pytest.mark.parametrize("most", [1, 2, 5, 20])
def test_a_part_of_the_windows_is_spread_over_the_image(most):
    """Hidden places hold the mean of what hiding cost there; of the others nothing is known."""
    seen = []
    model = wrapped(lambda x: (seen.extend(x), linear(x))[1])
    (m,) = few("occlusion", budget=most, fill="zero")(model, X[:1], target=2)
    hidden = np.stack([(x == 0).all(0) for x in seen[1:]])  # (most, h, w)
    drops = linear(X[:1])[0, 2] - linear(np.stack(seen[1:]))[:, 2]
    assert hidden.shape[0] == most
    known = hidden.any(0)
    mean = (hidden * drops[:, None, None]).sum(0)[known] / hidden.sum(0)[known]
    np.testing.assert_allclose(m.values[known], mean, rtol=1e-5)
    assert not m.values[~known].any()
    assert m.error is not None
    assert np.isinf(m.error[~known]).all()
    of_all = np.convolve(np.ones(7), [1, 1])  # windows of two strides over each pair of pixels
    some = hidden.sum(0) < np.repeat(np.repeat(np.outer(of_all, of_all), 2, 0), 2, 1)
    assert (m.error[~some] == 0).all()
    assert most < 5 or (m.error[some] > 0).all()


def test_a_budget_of_seconds_ends_near_them():
    def slow(x):
        time.sleep(0.02 * len(x))
        return linear(x)

    start = time.perf_counter()
    (m,) = seewhy.rise(wrapped(slow), X[:1], budget="0.2 s")
    assert 0.2 <= time.perf_counter() - start < 0.5
    assert 3 <= m.source.measured["forwards"] <= 10
    assert any(w.startswith("stopped by the budget of 0.2 s after ") for w in m.warnings)


def test_of_a_very_slow_network_one_forward_is_made():
    def slow(x):
        time.sleep(0.15 * len(x))
        return linear(x)

    (m,) = seewhy.rise(wrapped(slow, batch_size=16), X[:1], budget="100 ms")
    assert m.source.measured["forwards"] == 1


TIMES = {"10 s": 10, "500 ms": 0.5, "2 min": 120, ".5h": 1800, " 3S ": 3, "1.5 sec": 1.5}


@pytest.mark.parametrize("text", TIMES)
def test_times_are_read(text):
    found = Budget.of(text, "here")
    assert (found.seconds, found.forwards) == (pytest.approx(TIMES[text]), np.inf)


@pytest.mark.parametrize("asked", [2000, "2000", 2000.0, np.int64(2000), "2000 forwards"])
def test_forwards_are_read(asked):
    found = Budget.of(asked, "here")
    assert (found.forwards, found.seconds) == (2000, np.inf)


@pytest.mark.parametrize("asked", [0, -3, "", "soon", "10 parsecs", "nan", "inf", "0 s", "-1 s", "9" * 400])
def test_what_is_no_budget_is_told_what_is_one(asked):
    with pytest.raises(seewhy.BadParameter, match=r'rise: budget=.*forward passes \(2000\) or a time \("10 s", "2 min"\)'):
        seewhy.rise(wrapped(), X, budget=asked)


@pytest.mark.parametrize("asked", [2.5, True, False, [3]])
def test_what_is_of_no_kind_of_budget_is_told_what_is_one(asked):
    means = r'budget: .*forward passes \(2000\) or in time \("10 s", .*"2 min"\)'
    with pytest.raises(seewhy.BadParameter, match=rf"^rise: budget is .*, not {re.escape(repr(asked))}\. {means}"):
        seewhy.rise(wrapped(), X, budget=asked)


def test_the_pace_is_the_same_whatever_the_time_and_halves_where_memory_runs_out():
    pace = Pace(8)
    for seconds in (0.1, 90.0, 0.4):
        pace.took(8, seconds)
        assert pace.size == 8
    assert pace.rate == pytest.approx(0.1 / 8)
    sizes = [pace.halve() or pace.size for _ in range(5)]
    assert sizes == [4, 2, 1, 1, 1]


LOOKS = [64, 80, 100, 125, 156, 195, 243, 303, 378, 472, 590, 737, 921]  # forwards after which the error is looked at


@pytest.mark.parametrize(("name", "share"), [("rise", 0.6), ("lime", 0.6), ("kernel-shap", 0.6)])
def test_work_ends_where_the_error_is_first_under_the_tolerance(name, share):
    noisy = lambda x: linear(x) + 20 * np.sin(40 * linear(x))  # noqa: E731 - that no linear model fits
    count = {"masks": 1000} if name == "rise" else {"samples": 1000}
    method, model = few(name).using(**count), wrapped(noisy, batch_size=1)
    tolerance = share * max(m.error.max() for m in method.using(budget=64)(model, X[:1], target=[0, 3]))
    maps = method.using(tolerance=tolerance)(model, X[:1], target=[0, 3])
    worst = {n: max(m.error.max() for m in method.using(budget=n)(model, X[:1], target=[0, 3])) for n in LOOKS}
    expected = next(n for n in LOOKS if worst[n] <= tolerance)
    assert 64 < expected < 1000
    assert {m.source.measured["forwards"] for m in maps} == {expected}
    assert max(m.error.max() for m in maps) == pytest.approx(worst[expected])
    assert not any("estimate" in w for m in maps for w in m.warnings)


def test_windows_end_under_the_tolerance_once_each_pixel_was_hidden():
    (m,) = few("occlusion").using(stride=1, tolerance=1e6)(wrapped(batch_size=1), X[:1], target=0)
    assert np.isfinite(m.error).all()
    spent = int(m.source.measured["forwards"])
    (less,) = few("occlusion").using(stride=1, budget=spent * 3 // 4)(wrapped(batch_size=1), X[:1], target=0)
    assert np.isinf(less.error).any(), "the corners, which one window hides"


def test_sobol_ends_under_the_tolerance_too():
    method, model = few("sobol").using(samples=300), wrapped(batch_size=1)
    asked = float(method.using(budget=125)(model, X[:1], target=0)[0].error.max()) * 1.001
    (m,) = method.using(tolerance=asked)(model, X[:1], target=0)
    assert m.error.max() <= asked
    assert 64 <= m.source.measured["forwards"] <= 125


def test_every_target_has_to_be_under_the_tolerance():
    """The second score is ten times the first."""
    model = wrapped(lambda x: linear(x)[:, :1] * [1, 10], batch_size=1)
    small, large = (METHODS["rise"].using(masks=4000, budget=100)(model, X[:1], target=t)[0].error.max() for t in (0, 1))
    assert large > 5 * small
    spent = [
        METHODS["rise"].using(tolerance=float(large) / 2)(model, X[:1], target=target)[0].source.measured["forwards"]
        for target in (0, 1, [0, 1], [1, 0])
    ]
    assert spent[0] == 64 < spent[1] == spent[2] == spent[3] < 4000


def test_a_tolerance_that_is_never_reached_asks_all():
    (m,) = few("rise", tolerance=1e-9)(wrapped(), X[:1], target=0)
    assert m.source.measured["forwards"] == 100
    assert m.error.max() > 1e-9
    assert not any("estimate" in w for w in m.warnings)


@pytest.mark.parametrize("asked", [0, -1, np.nan, np.inf])
def test_what_is_no_tolerance_is_told_what_is_one(asked):
    with pytest.raises(seewhy.BadParameter, match=r"tolerance=.*a standard error in the score's own units, above 0"):
        seewhy.rise(wrapped(), X, tolerance=asked)


@pytest.mark.parametrize("asked", ["a", True, [1], "0.1"])
def test_what_is_of_no_kind_of_tolerance_is_told_what_is_one(asked):
    means = rf"not {re.escape(repr(asked))}\. tolerance: .*standard error.* units of the score"
    with pytest.raises(seewhy.BadParameter, match=rf"^rise: tolerance is a number or None, {means}"):
        seewhy.rise(wrapped(), X, tolerance=asked)


@pytest.mark.parametrize("name", CAMS)
def test_what_does_not_draw_takes_no_tolerance(name):
    with pytest.raises(seewhy.BadParameter, match="no parameter 'tolerance'"):
        METHODS[name].using(tolerance=0.1)
