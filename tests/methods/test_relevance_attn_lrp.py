"""AttnLRP against relevance handed down unit by unit through a small transformer, in numpy and without a gradient; what its
rules conserve; lxt; and one transformer in many spellings."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from seewhy import Class
from seewhy.models.model import INPUT
from seewhy.models.rule import Relevance
from support import ask
from support.references.attn_lrp import HEADS, SPELLINGS, WIDTH, Attention, Gelu, Plain, X, built


def found(network, targets=(1,), x=X, **params):
    return seewhy.attn_lrp.using(**{"epsilon": 0.0, **params}).outcome(ask.case(network, x, [*targets]))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rule", ["epsilon", "epsilon-gamma"])
def test_relevance_unit_by_unit(rule, bias):
    """And what does not arrive is what the softmaxes and biases took, to the last digit."""
    network = built(bias=bias)
    ours = found(network, (1, 3), rule=rule)
    for t, index in enumerate((1, 3)):
        for i, image in enumerate(X):
            by = Plain(network, "gamma" if rule == "epsilon-gamma" else "epsilon")
            expected, score = by.relevance(image, index)
            ask.close(ours.cores[INPUT][t, i], expected, rel=1e-6)
            ask.close(ours.measured["relevance"][t, i], score - by.taken["softmax"] - by.taken["bias"], rel=1e-6)
            assert abs(by.taken["softmax"]) > 1e-4
            assert (abs(by.taken["bias"]) > 1e-4) == bias


@pytest.mark.parametrize("how", SPELLINGS)
def test_attention_however_it_is_written(how):
    ask.close(found(built(SPELLINGS[how])).cores[INPUT], found(built()).cores[INPUT])


class Multihead(nn.Module):
    """The weights of an `Attention` in torch's own module."""

    def __init__(self, like: Attention, **more) -> None:
        super().__init__()
        self.inside, self.more = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True).double(), more
        self.inside.in_proj_weight, self.inside.in_proj_bias = like.qkv.weight, like.qkv.bias
        self.inside.out_proj.weight, self.inside.out_proj.bias = like.proj.weight, like.proj.bias

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(x, x, x, **self.more)[0]


@pytest.mark.parametrize("more", [{}, {"need_weights": False}, {"key_padding_mask": torch.zeros(2, 6, dtype=torch.bool)}])
def test_torchs_own_attention_module(more):
    network = built()
    expected = found(network).cores[INPUT]
    for block in network.blocks:
        block.attention = Multihead(block.attention, **more)
    ask.close(found(network.eval()).cores[INPUT], expected)


def test_a_causal_mask():
    lower = torch.ones(6, 6, dtype=torch.bool).tril()
    causal = found(built(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True))).cores[INPUT]
    ask.close(causal, found(built(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, lower))).cores[INPUT])
    ask.far(causal, found(built()).cores[INPUT])


def test_lxt_agrees():
    """Their functions, each of which hands relevance itself back as the gradient."""
    lf = pytest.importorskip("lxt.explicit.functional")
    from lxt.explicit.rules import identity

    network = built()
    least = 1e-12

    def linear(part, x):
        return lf.linear_epsilon(x, part.weight, part.bias, least)

    def norm(part, x):
        if isinstance(part, nn.LayerNorm):
            return lf.layer_norm(x, part.weight, part.bias, part.eps)
        return lf.rms_norm_identity(x, part.weight, part.eps)

    def attention(part, x):
        q, k, v = linear(part.qkv, x).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        logits = lf.mul2(lf.matmul(q, k.transpose(-2, -1), epsilon=least), q.shape[-1] ** -0.5)
        out = lf.matmul(lf.softmax(logits, -1), v, epsilon=least)
        return linear(part.proj, out.transpose(1, 2).flatten(2))

    def mlp(part, x):
        if isinstance(part, Gelu):
            return linear(part.down, identity(F.gelu, linear(part.up, x)))
        return linear(part.down, lf.mul2(identity(F.silu, linear(part.gate, x)), linear(part.up, x)))

    image = torch.tensor(X, requires_grad=True)
    patches = image.reshape(2, 3, 2, 4, 3, 4).permute(0, 2, 4, 1, 3, 5).reshape(2, 6, 48)
    x = lf.linear_epsilon(patches, network.embed.weight.flatten(1), network.embed.bias, least)
    for block in network.blocks:
        x = lf.add2(x, attention(block.attention, norm(block.norm1, x)), epsilon=least)
        x = lf.add2(x, mlp(block.mlp, norm(block.norm2, x)), epsilon=least)
    score = linear(network.fc, lf.mean(norm(network.norm, x), 1, False, epsilon=least))[:, 1]
    (theirs,) = torch.autograd.grad(score, image, score.detach())
    ask.close(found(network, rule="epsilon").cores[INPUT][0], theirs.numpy(), rel=1e-4)


class Tapped(nn.Module):
    """(n, 3, 8, 12) -> (n, 5) through `join` of two branches with a name each, and no bias anywhere."""

    def __init__(self, join, behind: nn.Module) -> None:
        super().__init__()
        self.a, self.b, self.join, self.behind = (
            nn.Conv2d(3, 6, 4, 4, bias=False),
            nn.Conv2d(3, 6, 4, 4, bias=False),
            join,
            behind,
        )
        self.fc = nn.LazyLinear(5, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.behind(self.join(self.a(x), self.b(x))).flatten(1))


def at_layers(join, layers, behind=None):
    """The relevance of each layer, summed: (n,); and the score."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Tapped(join, behind or nn.Identity()).double().eval()
        with torch.no_grad():
            score = network(torch.tensor(X))[:, 1].numpy()
    trace = seewhy.wrap(network).trace(X, [Class(1)], layers, Relevance("epsilon", "epsilon", 0.0, attention=True))
    return {layer: (e.a * e.g[0]).reshape(len(X), -1).sum(1).numpy() for layer, e in trace.evidence.items()}, score


PRODUCTS = {
    "matmul": lambda a, b: a.flatten(2) @ b.flatten(2).mT,
    "einsum": lambda a, b: torch.einsum("nchw,ndhw->ncd", a, b),
    "product": lambda a, b: a * b,
    "in place": lambda a, b: a.mul_(b),
    "GLU": lambda a, b: F.silu(a) * b,
    "addcmul": lambda a, b: torch.addcmul(torch.zeros((), dtype=a.dtype), a, b),
}


@pytest.mark.parametrize("how", PRODUCTS)
def test_each_factor_gets_half(how):
    sums, score = at_layers(PRODUCTS[how], ["a", "b"])
    ask.close(sums["a"], score / 2)
    ask.close(sums["b"], score / 2)


def test_a_product_of_three_and_powers():
    sums, score = at_layers(lambda a, b: torch.einsum("nchw,nchw,nchw->nchw", a, a, b), ["a", "b"])
    ask.close(sums["a"], score * 2 / 3)
    for power in (lambda a, b: a**2, lambda a, b: a.square(), lambda a, b: a.pow(3), lambda a, b: a * a):
        sums, score = at_layers(power, ["a"])
        ask.close(sums["a"], score)


def tokens(a: Tensor) -> Tensor:
    return a.flatten(2).mT


NORMS = {
    "LayerNorm": lambda a: F.layer_norm(tokens(a), (6,)),
    "LayerNorm over two": lambda a: F.layer_norm(tokens(a), (6, 6)),
    "RMSNorm": lambda a: F.rms_norm(tokens(a), (6,)),
    "GroupNorm": lambda a: F.group_norm(a, 2),
    "InstanceNorm": lambda a: F.instance_norm(a),
    "normalize": lambda a: F.normalize(a),
    "by rsqrt": lambda a: a * torch.rsqrt(a.pow(2).mean(1, keepdim=True) + 1e-6),
    "by pow": lambda a: a * torch.pow(a.pow(2).mean(1, keepdim=True) + 1e-6, -0.5),
    "by sqrt": lambda a: (a - a.mean(1, keepdim=True)) / torch.sqrt(a.var(1, keepdim=True) + 1e-6),
    "by 1 /": lambda a: a * (1 / (a.std(1, keepdim=True) + 1e-6)),
    "in place": lambda a: a.clone().div_(a.norm(dim=1, keepdim=True)),
    "length": lambda a: a.norm(dim=1, keepdim=True) * torch.ones(1, 6, 1, 1, dtype=a.dtype),
}


@pytest.mark.parametrize("how", NORMS)
def test_a_norm_keeps_relevance(how):
    sums, score = at_layers(lambda a, b: NORMS[how](a), ["a"])
    ask.close(sums["a"], score)


@pytest.mark.parametrize("norm", [nn.GroupNorm(2, 6), nn.InstanceNorm2d(6, affine=True)])
def test_norms_are_computed_as_torch_does(norm):
    with torch.no_grad():
        norm.double().weight.uniform_(0.5, 2)
        norm.bias.uniform_(-1, 1)
    join = lambda a, b: norm(a)  # noqa: E731
    torch.manual_seed(0)
    network = Tapped(join, nn.Identity()).double().eval()
    with torch.no_grad():
        expected = network(torch.tensor(X)).numpy()
    trace = seewhy.wrap(network).trace(X, [Class(1)], ["a"], Relevance("epsilon", "epsilon", 0.0, attention=True))
    ask.close(trace.answer.scores, expected)


def test_a_softmax_hands_down_what_the_formula_says():
    """x (R - s sum R), of which the sum is not that of R."""

    class Soft(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.softmax(1)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Tapped(lambda a, b: a, Soft()).double().eval()
        network(torch.tensor(X))
    model = seewhy.wrap(network)
    trace = model.trace(X, [Class(1)], ["a", "behind"], Relevance("epsilon", "epsilon", 0.0, attention=True))
    x, s = (trace.evidence[layer].a.numpy() for layer in ("a", "behind"))
    below, above = (trace.evidence[layer].a.numpy() * trace.evidence[layer].g[0].numpy() for layer in ("a", "behind"))
    ask.close(below, x * (above - s * above.sum(1, keepdims=True)))
    ask.far(below.sum(), above.sum())
