"""Attention is met as it runs, fused or written out, and is put at the tokens that it joins."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from seewhy.models.torch.attention.attending import Attending
from support.ask import close
from support.families import ALL
from support.references import attention as plain

HF = ("hf vit", "hf deit, distilled", "hf dinov2", "hf dinov2, 4 registers", "hf beit", "hf clip", "hf siglip")
TIMM = ("timm vit", "timm vit, 4 registers", "timm vit, no prefix, averaged", "timm deit, distilled", "timm beit", "timm eva")
TORCH = ("torchvision vit", "tokens before the batch", "registers at the end, averaged")
EAGER32 = 1e-6  # transformers' eager softmax is one of float32, whatever the network is


def same(found: Tensor, expected: Tensor, rel: float = 1e-9) -> None:
    close(found.detach().numpy(), expected.detach().numpy(), rel)


def attended(network: nn.Module, x, **options):
    return seewhy.wrap(network).attended(x, **options)


def weights(name: str, network: nn.Module | None = None) -> list[Tensor]:
    return [layer.a for layer in attended(network or ALL[name].network(), ALL[name].images(2)).layers]


@pytest.mark.parametrize("name", [*HF, *TIMM])
def test_fused_equals_eager(name):
    fused, written = weights(name), weights(name, plain.eager(name))
    assert len(fused) == len(written) == 3
    for one, other in zip(fused, written, strict=True):
        same(one, other, EAGER32 if name in HF else 1e-9)


@pytest.mark.parametrize("name", HF)
def test_the_weights_are_those_that_transformers_hands_out(name):
    expected, _ = plain.told(plain.eager(name), ALL[name].images(2))
    for one, other in zip(weights(name), expected, strict=True):
        same(one, other, EAGER32)


@pytest.mark.parametrize("name", TIMM)
def test_the_weights_are_those_that_timm_drops_from(name):
    expected, _ = plain.dropped(plain.eager(name), ALL[name].images(2))
    for one, other in zip(weights(name), expected, strict=True):
        same(one, other)


@pytest.mark.parametrize("name", TORCH)
def test_the_weights_of_multihead_attention(name):
    expected = plain.torch_weights(ALL[name].network(), ALL[name].images(2))
    for one, other in zip(weights(name), expected, strict=True):
        same(one, other)


@pytest.mark.parametrize("name", ["timm vit", "timm swin", "timm xcit", "timm mvitv2", "torchvision vit", "torchvision swin",
                                  "torchvision maxvit", "hf beit", "hf swinv2", "hf levit", "timm cait"])  # fmt: skip
def test_the_network_says_what_it_said(name):
    network, x = ALL[name].network(), torch.as_tensor(ALL[name].images(2))
    with torch.no_grad():
        expected = network(x)
        with Attending(network) as mode:
            found = network(x)
    get = lambda out: out if isinstance(out, Tensor) else out.logits  # noqa: E731
    same(get(found), get(expected), 1e-12)
    layers = [met.layer for met in mode.attentions()]
    assert len({*layers}) == len(layers) > 0
    assert all(met.layer.partition("#")[0] in dict(network.named_modules()) for met in mode.attentions())


def qkv(heads: int = 4, keys: int = 7, of: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    shapes = ((2, heads, 5, 3), (2, of or heads, keys, 3), (2, of or heads, keys, 6))
    q, k, v = (torch.randn(shape, generator=draw, dtype=torch.float64) for shape in shapes)
    return q, k, v


HIDDEN = torch.zeros(5, 7, dtype=torch.bool)
HIDDEN[:, :3] = HIDDEN[2, 5] = True
WAYS = {
    "plain": {},
    "a scale": {"scale": 0.3},
    "a causal mask": {"is_causal": True},
    "a mask of what may be seen": {"attn_mask": HIDDEN},
    "a bias": {"attn_mask": torch.randn(2, 1, 5, 7, dtype=torch.float64)},
    "a row that sees nothing": {"attn_mask": HIDDEN & (torch.arange(5) != 3)[:, None]},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("gqa", [False, True])
def test_what_is_fused_is_written_out(way, gqa):
    """The result to rounding, and the weights by the definition, row by row."""
    q, k, v = qkv(of=2 if gqa else None)
    expected = F.scaled_dot_product_attention(q, k, v, enable_gqa=gqa, **WAYS[way])
    mode = Attending(nn.Identity())
    with mode:
        found = F.scaled_dot_product_attention(q, k, v, enable_gqa=gqa, **WAYS[way])
    same(found, expected)
    (met,) = mode.attentions()
    mask = WAYS[way].get("attn_mask", torch.ones(5, 7, dtype=torch.bool))
    mask = torch.ones(5, 7, dtype=torch.bool).tril() if way == "a causal mask" else mask
    for head in range(4):
        rows = q[1, head] @ k[1, head // 2 if gqa else head].T * WAYS[way].get("scale", 3**-0.5)
        rows = rows + mask[1, 0] if mask.is_floating_point() else rows.where(mask, -torch.inf)
        for row, weights in zip(rows, met.weights[1, head], strict=True):
            same(weights, row.exp() / row.exp().sum()) if bool((row > -torch.inf).any()) else None
            assert bool((row > -torch.inf).any()) == bool(weights.any())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_fewer_digits(dtype):
    q, k, v = (one.to(dtype) for one in qkv())
    mode = Attending(nn.Identity())
    with mode:
        found = F.scaled_dot_product_attention(q, k, v)
    assert found.dtype == mode.attentions()[0].weights.dtype == dtype
    same(found.double(), F.scaled_dot_product_attention(*qkv()), 10 * torch.finfo(dtype).eps)


MHA = {
    "batch first": ({"batch_first": True}, {}),
    "batch second": ({}, {}),
    "weights wanted": ({"batch_first": True}, {"need_weights": True}),
    "weights of each head": ({}, {"need_weights": True, "average_attn_weights": False}),
    "a mask": ({"batch_first": True}, {"attn_mask": torch.ones(5, 5, dtype=torch.bool).triu(1)}),
    "keys of their own": ({"kdim": 8, "vdim": 8, "add_bias_kv": True, "add_zero_attn": True}, {}),
}


@pytest.mark.parametrize("way", MHA)
def test_multihead_attention(way):
    made, asked = MHA[way]
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(8, 2, **made).double().eval()
    x = torch.randn(3, 5, 8, dtype=torch.float64) if made.get("batch_first") else torch.randn(5, 3, 8, dtype=torch.float64)
    call = {"need_weights": False, **asked}
    with torch.no_grad():
        expected = attention(x, x, x, **call)[0]
        wanted = attention(x, x, x, **{**call, "need_weights": True, "average_attn_weights": False})[1]
        with Attending(attention) as mode:
            found = attention(x, x, x, **call)[0]
    same(found, expected)
    (met,) = mode.attentions()
    same(met.weights.reshape(wanted.shape), wanted)


class Written(nn.Module):
    """Attention over tokens, as `way` multiplies the weights with the values."""

    def __init__(self, way) -> None:
        super().__init__()
        self.way = way

    def forward(self, a: Tensor, v: Tensor) -> Tensor:
        return self.way(a.softmax(-1), v)


WRITTEN = {
    "@": lambda a, v: a @ v,
    "matmul": lambda a, v: torch.matmul(F.dropout(a, 0.5, False), v),
    "bmm": lambda a, v: torch.bmm(a.flatten(0, 1), v.flatten(0, 1)).unflatten(0, (2, 3)),
    "einsum": lambda a, v: torch.einsum("b h i j, b h j d -> b h i d", a.to(torch.float64), v),
    "einsum to other axes": lambda a, v: torch.einsum("bhij,bjhd->bihd", a, v.transpose(1, 2)).transpose(1, 2),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_written_out_attention_is_met(way):
    a, v = torch.randn(2, 3, 4, 5, dtype=torch.float64), torch.randn(2, 3, 5, 6, dtype=torch.float64)
    with Attending(module := Written(WRITTEN[way])) as mode:
        out = module(a, v)
    (met,) = mode.attentions()
    assert not met.left_out
    assert met.values is not None
    same(met.weights.reshape(a.shape), a.softmax(-1))
    same((met.weights @ met.values).reshape(out.shape), out)


@pytest.mark.parametrize("way", [lambda a, v: (2 * a) @ v, lambda a, v: v.mT @ a.mT, lambda a, v: a.sum(-1)])
def test_a_softmax_that_meets_no_values_is_told(way):
    a, v = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 5, 6)
    with Attending(module := Written(way)) as mode:
        module(a, v)
    (met,) = mode.attentions()
    assert "changed before it meets the values" in met.left_out


def test_class_probabilities_are_no_attention():
    with Attending(nn.Identity()) as mode:
        torch.randn(4, 5).softmax(-1) @ torch.randn(5, 2)
        torch.randn(2, 3, 4, 5).softmax(1)
    assert not mode.attentions()


def test_several_attentions_of_a_module_have_names_of_their_own():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Written(WRITTEN["@"])

        def forward(self, a, v):
            return self.inner(a, self.inner(a, v)) + a.softmax(-1) @ v

    a = torch.randn(2, 3, 5, 5)
    with Attending(module := Twice()) as mode:
        module(a, a)
    assert [met.layer for met in mode.attentions()] == ["inner#1", "inner#2", ""]


def test_a_fused_result_that_is_not_the_written_one_is_an_error(monkeypatch):
    from seewhy.models.torch.attention import attending as attention

    right = attention.written_out
    monkeypatch.setattr(attention, "written_out", lambda *a: 1.001 * right(*a))
    with pytest.raises(seewhy.BadNetwork, match=r"blocks.0.attn: .* differs .* set_fused_attn\(False\)"):
        attended(ALL["timm vit"].network(), ALL["timm vit"].images(1))


def test_what_a_fused_attention_gives_is_compared_once_for_each_of_a_network_and_size(monkeypatch):
    compared, check = [], Attending._check
    monkeypatch.setattr(
        Attending, "_check", lambda mode, out, fused, layer: (compared.append(layer), check(mode, out, fused, layer))
    )
    network = ALL["timm vit"].network()
    model = seewhy.wrap(network)
    for _ in range(2):
        model.attended(ALL["timm vit"].images(1))
        assert sorted(compared) == sorted({*compared}) != []
    network.blocks[0].attn.scale = 0.5
    model.attended(ALL["timm vit"].images(1))
    assert len(compared) == 2 * len({*compared}), "an edited network is another"


def test_dropout_in_eval_mode_is_refused():
    with pytest.raises(seewhy.NotApplicable, match="drops attention by chance even in eval mode"), Attending(nn.Identity()):
        F.scaled_dot_product_attention(*qkv(), dropout_p=0.1)


def test_attentions_come_in_the_order_in_which_they_meet_values():
    a, b, v = (torch.randn(2, 3, 4, 4) for _ in range(3))
    with Attending(nn.Identity()) as mode:
        first, second = a.softmax(-1), b.softmax(-1)
        second @ v
        first @ v
    assert [bool((met.weights == one).all()) for met, one in zip(mode.attentions(), (second, first), strict=True)] == [True] * 2
