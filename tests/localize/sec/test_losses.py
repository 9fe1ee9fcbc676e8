"""The losses of SEC against the paper's formulas in plain loops, their bounds, and their gradients."""

import math

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch.autograd import gradcheck

from seewhy.localize.sec.losses import (
    FLOOR,
    constrain_loss,
    decay,
    expand_loss,
    following,
    probabilities,
    rank_pooled,
    seed_loss,
)

N, K, H, W = 2, 3, 3, 4


def drawn(seed: int = 0) -> "torch.Tensor":
    return torch.randn(N, K, H, W, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_probabilities_sum_to_one_and_never_fall_to_zero():
    f = probabilities(100 * drawn())
    torch.testing.assert_close(f.sum(1), torch.ones(N, H, W, dtype=f.dtype))
    assert f.min() >= FLOOR / (1 + K * FLOOR)


def test_rank_pooling_in_plain_loops():
    f = probabilities(drawn())
    for q in (0.0, 0.3, 0.996, 1.0):
        expected = np.empty((N, K))
        for n in range(N):
            for k in range(K):
                falling = sorted(f[n, k].flatten().tolist(), reverse=True)
                weights = [q**j if j else 1.0 for j in range(len(falling))]
                expected[n, k] = sum(w * v for w, v in zip(weights, falling, strict=True)) / sum(weights)
        np.testing.assert_allclose(rank_pooled(f, q), expected, rtol=1e-12)


def test_rank_pooling_is_the_mean_at_one_and_the_maximum_at_zero():
    f = probabilities(drawn())
    torch.testing.assert_close(rank_pooled(f, 1.0), f.mean((2, 3)))
    torch.testing.assert_close(rank_pooled(f, 0.0), f.amax((2, 3)))
    torch.testing.assert_close(rank_pooled(f, 1e-12), f.amax((2, 3)))
    assert (rank_pooled(f, 0.9) > f.mean((2, 3))).all()


def test_the_decay_is_the_papers_on_its_own_grid_and_weighs_the_same_shares_on_others():
    assert decay(0.996, 41 * 41) == 0.996
    assert decay(0.996, 24 * 24) ** (24 * 24) == pytest.approx(0.996 ** (41 * 41))


def test_the_seed_loss_in_plain_loops():
    f = probabilities(drawn())
    seeds = torch.zeros(N, K, H, W, dtype=torch.bool)
    seeds[0, 1, 0, 0] = seeds[0, 2, 2, 3] = seeds[0, 0, 1, 1] = seeds[1, 0, 2, 2] = True
    first = -(math.log(f[0, 1, 0, 0]) + math.log(f[0, 2, 2, 3]) + math.log(f[0, 0, 1, 1])) / 3
    assert float(seed_loss(f, seeds)) == pytest.approx((first - math.log(f[1, 0, 2, 2])) / 2, rel=1e-12)


def test_a_perfect_prediction_has_no_seed_loss():
    places = drawn().argmax(1)
    seeds = torch.nn.functional.one_hot(places, K).permute(0, 3, 1, 2).bool()
    f = seeds.double().clamp_min(1e-300)  # log 0 times no seed would be no number; `probabilities` never gives 0
    assert float(seed_loss(f, seeds)) == 0


def test_an_image_without_seeds_is_left_out():
    f = probabilities(drawn())
    seeds = torch.zeros(N, K, H, W, dtype=torch.bool)
    assert float(seed_loss(f, seeds)) == 0
    seeds[1, 1, 0, 2] = True
    assert float(seed_loss(f, seeds)) == pytest.approx(-math.log(f[1, 1, 0, 2]))


def test_the_expand_loss_in_plain_loops():
    f = probabilities(drawn())
    present = torch.tensor([[True, False], [True, True]])

    def pooled(values: "torch.Tensor", q: float) -> float:
        falling = sorted(values.flatten().tolist(), reverse=True)
        return sum(q**j * v for j, v in enumerate(falling)) / sum(q**j for j in range(len(falling)))

    shown = [-math.log(pooled(f[0, 1], 0.996)), -(math.log(pooled(f[1, 1], 0.996)) + math.log(pooled(f[1, 2], 0.996))) / 2]
    hidden = [-math.log(1 - float(f[0, 2].max())), 0.0]
    background = [-math.log(pooled(f[n, 0], 0.999)) for n in range(N)]
    # the second image has every class, so the term of classes that are absent is that of the first image alone
    expected = np.mean(shown) + hidden[0] + np.mean(background)
    assert float(expand_loss(f, present)) == pytest.approx(expected, rel=1e-12)


def test_an_image_of_background_alone_asks_for_no_object():
    f = probabilities(drawn())
    none = torch.zeros(N, K - 1, dtype=torch.bool)
    hidden = -torch.log(1 - f[:, 1:].amax((2, 3))).mean()
    assert float(expand_loss(f, none)) == pytest.approx(float(hidden - rank_pooled(f[:, :1], 0.999).log().mean()))


def test_the_constrain_loss_in_plain_loops():
    f, smooth = probabilities(drawn()), probabilities(drawn(1))
    total = 0.0
    for n in range(N):
        for y in range(H):
            for x in range(W):
                total += sum(float(smooth[n, k, y, x]) * math.log(smooth[n, k, y, x] / f[n, k, y, x]) for k in range(K))
    assert float(constrain_loss(f, smooth)) == pytest.approx(total / (N * H * W), rel=1e-12)


def test_the_constrain_loss_is_nothing_only_where_both_agree():
    f = probabilities(drawn())
    assert float(constrain_loss(f, f)) == pytest.approx(0, abs=1e-15)
    for seed in range(1, 6):
        assert float(constrain_loss(f, probabilities(drawn(seed)))) > 1e-3


def test_gradients_are_those_of_finite_differences():
    scores = drawn().requires_grad_()
    seeds = torch.zeros(N, K, H, W, dtype=torch.bool)
    seeds[0, 1, 0, :2] = seeds[1, 0, 2, 2] = True
    present = torch.tensor([[True, False], [True, True]])
    smooth = probabilities(drawn(1))
    assert gradcheck(lambda s: seed_loss(probabilities(s), seeds), scores)
    assert gradcheck(lambda s: expand_loss(probabilities(s), present), scores)
    assert gradcheck(lambda s: constrain_loss(probabilities(s), smooth), scores)


def test_the_gradient_flows_through_the_crf_as_in_the_released_code():
    """There `backward` gives (1 - result) * the gradient of the result's logarithm, to the scores that the CRF was given."""
    scores, f = drawn().requires_grad_(), probabilities(drawn(2))
    smooth = probabilities(drawn(1))
    (gradient,) = torch.autograd.grad(constrain_loss(f, following(scores, smooth)), scores)
    floored = smooth.clamp_min(FLOOR) / smooth.clamp_min(FLOOR).sum(1, keepdim=True)
    towards_log = floored * (torch.log(floored / f) + 1) / (N * H * W)  # d KL / d log smooth
    torch.testing.assert_close(gradient, (1 - floored) * towards_log)
    assert gradient.abs().max() > 0


def test_what_follows_the_crf_is_floored():
    smooth = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)[None, :, None, None].expand(1, 3, 2, 2)
    followed = following(torch.zeros(1, 3, 2, 2, dtype=torch.float64), smooth)
    torch.testing.assert_close(followed.sum(1), torch.ones(1, 2, 2, dtype=torch.float64))
    assert float(followed.min()) == pytest.approx(FLOOR / (1 + 2 * FLOOR))
