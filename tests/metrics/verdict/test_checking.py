"""The checks on one map, by hand and on networks of which the answer is known."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest

import seewhy
from seewhy import demo
from seewhy.errors import BadParameter
from seewhy.metrics.checks import run_again
from seewhy.metrics.stability import ChangedMap, Stability
from seewhy.metrics.verdict import checking
from seewhy.metrics.verdict.checking import (
    CHECKS,
    SHARES,
    completeness_check,
    deletion_check,
    disagreement_check,
    head_check,
    stability_check,
)

X = np.random.default_rng(0).random((1, 1, 8, 8)).astype(np.float32)


def quadrant(x):
    """One score: the sum of the upper left quadrant."""
    return x[:, :, :4, :4].sum((1, 2, 3))[:, None]


@pytest.fixture(scope="module")
def function():
    model = seewhy.wrap(quadrant, name="quadrant", takes="float")
    (heatmap,) = seewhy.explain(model, X, ["occlusion"], target=0)
    return model, heatmap


@pytest.fixture(scope="module")
def photo():
    return demo.scenes(1, 31, pair=True)[0].image


@pytest.fixture(scope="module")
def honest():
    return seewhy.load("demo/honest")


def shown(heatmap, values):
    return replace(heatmap, values=np.asarray(values, np.float32), cells=None)


def test_deletion_by_hand(function):
    """The map is the evidence itself: what is hidden of it is the sum of its highest places."""
    model, heatmap = function
    values = np.zeros((8, 8))
    values[:4, :4] = X[0, 0, :4, :4]
    found = deletion_check(model, X, shown(heatmap, values), fills=["zero"])
    evidence = np.sort(values.ravel())[::-1]
    drops = [evidence[: max(1, round(share * 64))].sum() for share in SHARES]
    assert found.value == pytest.approx(np.mean(drops), rel=1e-5)
    assert found.status == "green"
    assert 0 < found.control < found.value
    assert "zero: better than 19 of 19" in found.says


def test_a_map_of_the_other_places_fails(function):
    model, heatmap = function
    values = np.zeros((8, 8))
    values[4:, 4:] = X[0, 0, 4:, 4:]
    found = deletion_check(model, X, shown(heatmap, values), fills=["zero", "mean"])
    assert found.status == "red"
    assert found.value < found.control


@pytest.mark.parametrize("seed", range(4))
def test_a_map_of_noise_is_at_chance(function, seed):
    """Of placements of one noise map all orders are as likely: green once in twenty times, never here with both fills."""
    model, heatmap = function
    noise = np.random.default_rng(100 + seed).random((8, 8))
    assert deletion_check(model, X, shown(heatmap, noise), fills=["zero", "blur"], seed=seed).status != "green"


def test_how_often_chance_is_called_green(function):
    """With one fill a map of noise is green at most once in twenty times, as 19 placements allow."""
    model, heatmap = function
    noise = np.random.default_rng(9).random((60, 8, 8))
    greens = sum(
        deletion_check(model, X, shown(heatmap, m), fills=["zero"], seed=i).status == "green" for i, m in enumerate(noise)
    )
    assert greens <= 8  # of 60; more than that has a chance of 0.4 % at a rate of one in twenty


def test_the_head(honest, photo):
    grad, eigen, noise = (seewhy.explain(honest, photo, [m])[0] for m in ("grad-cam", "eigen-cam", "random-map"))
    assert head_check(honest, photo, grad).status == "green"
    for blind in (eigen, noise):
        found = head_check(honest, photo, blind)
        assert (found.status, found.value) == ("red", pytest.approx(1))


def test_of_a_function_the_head_cannot_be_checked(function):
    with pytest.raises(seewhy.SeewhyError, match="quadrant"):
        head_check(*function[:1], X, function[1])


def test_a_unit_does_not_rest_on_the_head(honest, photo):
    (heatmap,) = seewhy.grad_cam(honest, photo, target=seewhy.Unit("body", 3))
    found = head_check(honest, photo, heatmap)
    assert (found.status, found.value) == ("none", None)
    assert found.says.startswith("unit:body:3 is no score of the last layer")
    assert run_again("head", honest, photo, heatmap, found.settings) == found


def test_stability(honest, photo):
    grad, noise = (seewhy.explain(honest, photo, [m])[0] for m in ("grad-cam", "random-map"))
    steady, not_steady = (stability_check(honest, photo, each) for each in (grad, noise))
    assert (steady.status, not_steady.status) == ("green", "red")
    assert not_steady.value < 0.5 < 0.8 <= steady.value
    assert "shift" in not_steady.says


def test_what_changed_the_answer_is_counted_and_does_not_count(honest, photo):
    """Worked by hand: of the changes that count, the second has the least correlation."""
    (heatmap,) = seewhy.grad_cam(honest, photo)
    for apart, said in ((0, "."), (1, ". 1 of 3 changes changed the answer, and does not count."),
                        (2, ". 2 of 4 changes changed the answer, and do not count.")):  # fmt: skip
        rows = [("jpeg", 0.9, True), ("noise", 0.7, True), *[("darker", 0.1, False)] * apart]
        changes = tuple(ChangedMap(change, alike, 0.0, same) for change, alike, same in rows)
        with patch.object(checking, "stability", lambda *_, changes=changes, **__: [Stability(changes)]):
            found = stability_check(honest, photo, heatmap)
        assert (found.value, found.status) == (0.7, "amber")
        assert found.says.endswith(f"the least under: noise{said}")


def test_disagreement():
    photos = [scene.image for scene in demo.scenes(3, 11, pair=True)]
    model = seewhy.load("demo/flat")
    both = seewhy.explain(model, photos, ["grad-cam", "hires-cam"], target=[seewhy.Top(), seewhy.Class(3)])
    for heatmap, other in zip(both[::2], both[1::2], strict=True):
        found = disagreement_check(model, photos[heatmap.place], heatmap)
        together = seewhy.disagreement(heatmap, other)
        assert found.value == pytest.approx(together.share, abs=1e-4)
        assert (found.status == "amber") is together.doubtful
    (other,) = seewhy.hires_cam(model, photos[0])
    assert disagreement_check(model, photos[0], other).status == "none"


def test_completeness(honest, photo):
    (fine,) = seewhy.integrated_gradients(honest, photo)
    found = completeness_check(honest, photo, fine)
    assert (found.status, found.value) == ("green", pytest.approx(0, abs=0.05))
    for gap, status in ((0.1, "amber"), (0.3, "red")):
        measured = {**fine.source.measured, "completeness_gap": gap * fine.source.measured["difference"]}
        odd = replace(fine, source=replace(fine.source, measured=measured))
        again = completeness_check(honest, photo, odd)
        assert (again.status, again.value) == (status, pytest.approx(gap))
    (grad,) = seewhy.grad_cam(honest, photo)
    assert completeness_check(honest, photo, grad).status == "none"


@pytest.mark.parametrize(("name", "settings", "words"), [
    ("deletion", {"draws": 10**9}, "draws is a whole number from 1 to 1,000"), ("deletion", {"draws": -1}, "from 1 to 1,000"),
    ("deletion", {"fills": []}, "list of 1 to 10"), ("deletion", {"fills": "blur"}, "such as"),
    ("deletion", {"fills": ["blur"] * 10**5}, "list of 1 to 10"), ("deletion", {"seed": -1}, "seed"),
    ("head", {"draws": 10**9}, "1,000"), ("contrast", {"area": 0.1, "placements": 10**9}, "1,000"),
])  # fmt: skip
def test_what_a_strangers_record_asks_for_has_a_bound(name, settings, words, honest, photo):
    (heatmap,) = seewhy.grad_cam(honest, photo, target=seewhy.Contrast(0, [1]))
    with pytest.raises(BadParameter, match=words):
        run_again(name, honest, photo, heatmap, settings)


def test_a_change_that_is_named_often_is_made_once(honest, photo):
    (heatmap,) = seewhy.grad_cam(honest, photo)
    assert run_again("stability", honest, photo, heatmap, {"changes": ["noise"] * 50, "seed": 0}).forwards == 2


@pytest.mark.parametrize("name", CHECKS)
def test_each_can_be_run_again_from_its_settings(name, honest, photo):
    (heatmap,) = seewhy.grad_cam(honest, photo)
    first = CHECKS[name](honest, photo, heatmap)
    assert run_again(name, honest, photo, heatmap, first.settings) == first
