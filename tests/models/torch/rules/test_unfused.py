"""Fused calls in steps: each gives what torch's own gives, of a mask, of shared keys, of rows that may look at nothing."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.testing import assert_close

from seewhy.models.torch.rules.unfused import STEPS, attention, glu, of_each_query, written_out

RNG = torch.Generator().manual_seed(0)
Q, K, V = (torch.randn(2, 4, n, 8, dtype=torch.float64, generator=RNG) for n in (5, 6, 6))
SEEN = torch.rand(5, 6, generator=RNG) > 0.4
SEEN[1], SEEN[0] = False, True
ADDED = torch.randn(2, 1, 5, 6, dtype=torch.float64, generator=RNG)
WAYS = {"plain": {}, "seen": {"attn_mask": SEEN}, "added": {"attn_mask": ADDED}, "causal": {"is_causal": True},
        "scaled": {"scale": 0.3}}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_attention_is_torchs(way):
    assert_close(attention(Q, K, V, **WAYS[way]), F.scaled_dot_product_attention(Q, K, V, **WAYS[way]))


def test_keys_that_heads_share_are_torchs():
    k, v = K[:, :2], V[:, :2]
    assert_close(attention(Q, k, v, enable_gqa=True), F.scaled_dot_product_attention(Q, k, v, enable_gqa=True))
    shared, _ = of_each_query(Q, k, v)
    assert [torch.equal(shared[:, head], k[:, head // 2]) for head in range(4)] == [True] * 4


def test_weights_are_shares_and_none_of_what_is_hidden():
    weights = written_out(Q, K, SEEN, False, None)
    assert_close(weights.sum(-1), SEEN.any(-1).double().expand(2, 4, 5))
    assert not weights[..., ~SEEN].any()
    assert_close(weights.log()[0, 0, 0].diff(), (Q @ K.transpose(-2, -1) / 8**0.5)[0, 0, 0].diff())


def test_dropout_drops_weights():
    torch.manual_seed(0)
    dropped = attention(Q, K, torch.eye(6, dtype=torch.float64).expand(2, 4, 6, 6), dropout_p=0.5)
    kept = dropped != 0
    assert 0.3 < kept.double().mean() < 0.7
    assert_close(dropped[kept], 2 * written_out(Q, K, None, False, None)[kept])


@pytest.mark.parametrize("dim", [-1, 1])
def test_glu_is_torchs(dim):
    assert_close(glu(Q, dim), F.glu(Q, dim))


class Recording(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_function__(self, fn, types, args=(), kwargs=None):
        self.calls.append(fn)
        return fn(*args, **(kwargs or {}))


def test_multi_head_attention_in_steps_gives_the_same_and_its_inner_calls_are_met():
    layer, x = nn.MultiheadAttention(8, 2).double().eval(), Q[0]
    args = (x, x, x, 8, 2, layer.in_proj_weight, layer.in_proj_bias, None, None, False, 0.0, layer.out_proj.weight,
            layer.out_proj.bias)  # fmt: skip
    options = {"training": False, "need_weights": False}
    with Recording() as mode:
        out, _ = STEPS[F.multi_head_attention_forward](*args, **options)
    assert {F.linear, F.scaled_dot_product_attention} <= {*mode.calls}
    assert F.multi_head_attention_forward not in mode.calls
    assert_close(out, F.multi_head_attention_forward(*args, **options)[0])
