"""Importance: exact where the answer is known, of linear tails and of products; intervals that hold."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.errors import NotApplicable
from seewhy.inside.concepts import importance
from seewhy.inside.concepts.asked_classes import asked_classes
from seewhy.inside.concepts.importance import ConceptImportance, measured_photo, over_photos
from support.planted_patches import PATCHES, WEIGHTS, Product, amounts, images, model, unit

BANK = unit(PATCHES)
LENGTHS = np.linalg.norm(PATCHES, axis=1)


def measured(net, x, targets, samples=2, seed=0):
    asked = asked_classes(net, targets, every=True)
    return measured_photo(net, x, "act", BANK, asked, samples, np.random.default_rng(seed))


def test_of_a_linear_head_loss_and_gradient_are_weight_times_activation():
    """The head has w . mean over cells of A; the part of A that is concept k has w . (mean amount of k) patch k."""
    of = amounts(1, 3)
    found = measured(model(), images(of), [0, 1])
    expected = WEIGHTS @ (of[0].mean((1, 2))[:, None] * PATCHES).T  # (2 scores, 3 concepts)
    np.testing.assert_allclose(found.gradient, expected, atol=1e-12)
    np.testing.assert_allclose(found.loss, expected, atol=1e-12)
    np.testing.assert_allclose(found.score, expected.sum(1), atol=1e-12)
    np.testing.assert_allclose(found.rebuilt, expected.sum(1), atol=1e-12)  # the concepts are all there is
    assert found.taken == found.taken_rebuilt == expected.sum(1).argmax()
    assert [*found.taken_without] == [*(expected.sum(1)[:, None] - expected).argmax(0)]


def test_sobol_indices_of_a_linear_head_are_the_squares_of_its_parts():
    """f = sum c_k m_k with independent m: Var = sum c_k² Var(m), so the total index of k is c_k² / sum c²."""
    of = amounts(1, 3)
    found = measured(model(), images(of), [0, 1], samples=4000)
    parts = WEIGHTS @ (of[0].mean((1, 2))[:, None] * PATCHES).T
    np.testing.assert_allclose(found.sobol, parts**2 / (parts**2).sum(1, keepdims=True), atol=0.04)


def test_sobol_indices_of_a_product_count_what_they_do_together():
    """f = m_1 m_2, both even on [0, 1]: Var = 1/9 - 1/16 = 7/144, E Var(f | m_2) = 1/3 x 1/12 = 4/144: 4/7 of each."""
    rows = np.linalg.pinv(PATCHES.T)[:2]  # each reads how much there is of one patch
    found = measured(model(Product(rows)), images(amounts(1, 3)), [0], samples=6000)
    np.testing.assert_allclose(found.sobol[0], [4 / 7, 4 / 7, 0], atol=0.03)
    assert found.gradient is not None
    assert found.loss[0, 0] == pytest.approx(found.score[0])  # without one of two factors nothing is left


def test_what_no_concept_explains_stays_when_one_is_taken_away():
    """Two concepts alone: loss is by A - U_k W_k, so the third patch is still there; rebuilt has it no more."""
    of = amounts(1, 3)
    asked = asked_classes(model(), [0], every=True)
    found = measured_photo(model(), images(of), "act", unit(PATCHES[:2]), asked, 2, np.random.default_rng(0))
    assert found.score[0] == pytest.approx(WEIGHTS[0] @ (of[0].mean((1, 2)) @ PATCHES))
    a = np.einsum("kyx,kc->yxc", of[0], PATCHES).reshape(-1, 4)
    kept = np.zeros(2)
    for row in a:  # slowly: the best amounts of two directions that overlap in one channel alone, by the normal equations
        w = unit(PATCHES[:2])
        u = np.linalg.solve(w @ w.T, w @ row).clip(min=0)
        single = np.array([max(0, row @ each) for each in w])
        u = u if (np.linalg.solve(w @ w.T, w @ row) >= 0).all() else np.where(single == single.max(), single, 0)
        kept += u
    expected = kept / len(a) * (unit(PATCHES[:2]) @ WEIGHTS[0])
    np.testing.assert_allclose(found.loss[0], expected, atol=1e-12)
    assert found.rebuilt[0] == pytest.approx(expected.sum())


def test_edits_are_shared_out_over_passes_without_a_change(monkeypatch):
    of = images(amounts(1, 3))
    whole = measured(model(), of, [0, 1], samples=7)
    monkeypatch.setattr(importance, "ROOM", 3 * 4 * 16 * 8)  # three edits of (4, 4, 4) numbers
    parts = measured(model(), of, [0, 1], samples=7)
    np.testing.assert_allclose(parts.sobol, whole.sobol, atol=1e-12)
    np.testing.assert_allclose(parts.loss, whole.loss, atol=1e-12)


def test_the_network_stays_as_it_was():
    net = model()
    before = [p.detach().clone() for p in net.network.parameters()]
    measured(net, images(amounts(1)), [0])
    assert all(torch.equal(p, kept) for p, kept in zip(net.network.parameters(), before, strict=True))
    assert all(p.grad is None for p in net.network.parameters())


def test_an_interval_of_many_photos_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(3, 2, (2000, 2))
    found = over_photos(values, 0)
    np.testing.assert_allclose(found.mean, values.mean(0))
    half = 1.96 * values.std(0, ddof=1) / np.sqrt(2000)
    np.testing.assert_allclose([found.mean - found.low, found.high - found.mean], [half, half], rtol=0.12)


def test_an_interval_of_few_photos_is_wide_enough():
    """Of 8 draws of a normal distribution it holds the mean in about 95 % of cases; plain percentiles do in fewer."""
    draws = np.random.default_rng(0).normal(0, 1, (8, 1500))
    found = over_photos(draws, 0)
    held = ((found.low <= 0) & (found.high >= 0)).mean()
    assert 0.92 < held < 0.98
    resampled = draws[np.random.default_rng(1).integers(0, 8, (500, 8))].mean(1)
    low, high = np.percentile(resampled, (2.5, 97.5), axis=0)
    assert ((low <= 0) & (high >= 0)).mean() < held


def test_of_one_photo_there_is_no_interval():
    found = over_photos(np.ones((1, 2)), 0)
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()
    np.testing.assert_array_equal(found.mean, [1, 1])


def example(gradient=True) -> ConceptImportance:
    values = np.arange(6.0).reshape(3, 2)
    return ConceptImportance(
        "0", "first", np.arange(3), values, -values if gradient else None, 2 * values, np.ones(3), np.zeros(3),
        np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([[0, 1], [1, 1], [0, 1]]),
    )  # fmt: skip


def test_answers_that_change_and_that_stay_are_counted():
    found = example()
    assert [*found.changed] == [2, 2]
    assert found.kept == 2
    turned = found.ordered([1, 0])
    np.testing.assert_array_equal(turned.sobol, found.sobol[:, ::-1])
    assert turned.gradient is not None
    np.testing.assert_array_equal(turned.gradient, -found.sobol[:, ::-1])
    np.testing.assert_array_equal(turned.taken_without, found.taken_without[:, ::-1])
    np.testing.assert_allclose(turned.mean("loss").mean, [6, 4])


def test_a_measure_that_is_not_there_is_named():
    with pytest.raises(NotApplicable, match=r"no importance by 'gradient' here; there is sobol, loss\."):
        example(gradient=False).mean("gradient")
    with pytest.raises(NotApplicable, match="no importance by 'seed'"):
        example().mean("seed")


def test_without_gradients_there_is_none_by_the_gradient(monkeypatch):
    net = model()
    monkeypatch.setattr(type(net), "gives", frozenset({"scores", "layers"}), raising=False)
    assert measured(net, images(amounts(1)), [0]).gradient is None


def test_a_target_of_several_classes_is_explained_as_one():
    """log(e^a + e^b) of two scores that the concepts make up."""
    of = amounts(1, 3)
    found = measured(model(), images(of), [seewhy.AnyOf([0, 1])])
    parts = WEIGHTS @ (of[0].mean((1, 2))[:, None] * PATCHES).T
    whole = np.log(np.exp(parts.sum(1)).sum())
    assert found.score[0] == pytest.approx(whole)
    without = np.log(np.exp(parts.sum(1)[:, None] - parts).sum(0))
    np.testing.assert_allclose(found.loss[0], whole - without, atol=1e-12)
    chances = np.exp(parts.sum(1)) / np.exp(parts.sum(1)).sum()
    np.testing.assert_allclose(found.gradient[0], chances @ parts, atol=1e-12)


def test_a_head_that_reads_no_place_leaves_nothing_to_a_concept():
    class Blind(nn.Module):
        def forward(self, pooled):
            return pooled[:, :2] * 0 + torch.tensor([1.0, 2.0], dtype=pooled.dtype)

    found = measured(model(Blind()), images(amounts(1)), [0], samples=8)
    assert not found.sobol.any()
    assert not found.loss.any()
