"""AttnLRP against relevance handed down unit by unit through a small transformer, in numpy and without a gradient; what its
rules conserve; lxt; and one transformer in many spellings."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ask
import networks
import seewhy
from seewhy import Class
from seewhy.models import INPUT
from seewhy.rule import Relevance

X = networks.images(2, 8, 12)  # 2 x 3 patches of 4 x 4
HEADS, WIDTH = 2, 8
GAMMA = 0.25


def eager(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1) @ v


SPELLINGS = {
    "eager": eager,
    "fused": F.scaled_dot_product_attention,
    "fused, with scale": lambda q, k, v: F.scaled_dot_product_attention(q * 2, k, v, scale=0.25),
    "masked with True": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, torch.ones(6, 6, dtype=torch.bool)),
    "masked with 0": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=q.new_zeros(6, 6)),
    "grouped queries": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
    "einsum": lambda q, k, v: torch.einsum("nhij,nhjc->nhic", F.softmax(torch.einsum("nhic,nhjc->nhij", [q, k]) / 2, 3), v),
    "bmm": lambda q, k, v: torch.bmm(
        torch.softmax(torch.baddbmm(q.new_zeros(1), q.flatten(0, 1), k.flatten(0, 1).mT, alpha=0.5), -1), v.flatten(0, 1)
    ).unflatten(0, q.shape[:2]),
}


class Attention(nn.Module):
    def __init__(self, how=eager) -> None:
        super().__init__()
        self.qkv, self.proj, self.how = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH), how

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(self.how(q, k, v).transpose(1, 2).flatten(2))


class Gelu(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(WIDTH, 12), nn.Linear(12, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x)))


class SwiGlu(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up, self.down = nn.Linear(WIDTH, 12), nn.Linear(WIDTH, 12), nn.Linear(12, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Block(nn.Module):
    def __init__(self, attention, mlp, norm) -> None:
        super().__init__()
        self.norm1, self.attention, self.norm2, self.mlp = norm(WIDTH), attention, norm(WIDTH), mlp

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    """(n, 3, 8, 12) -> (n, 5): a block of LayerNorm and GELU, then one of RMSNorm and SwiGLU; the mean of the tokens."""

    def __init__(self, how=eager) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, WIDTH, 4, 4)
        self.blocks = nn.Sequential(
            Block(Attention(how), Gelu(), nn.LayerNorm), Block(Attention(how), SwiGlu(), lambda c: nn.RMSNorm(c, eps=1e-6))
        )
        self.norm, self.fc = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.embed(x).flatten(2).transpose(1, 2))
        return self.fc(self.norm(x).mean(1))


def built(how=eager, bias: bool = True, seed: int = 0) -> Transformer:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = Transformer(how).double().eval()
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1:
                parameter.mul_(2)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.2).mul_(float(bias))
            else:
                parameter.uniform_(0.5, 2)
    return network


class Plain:
    """Achtibat et al. 2024, unit by unit: what each layer did, run backwards.  `taken`: what softmaxes and biases kept."""

    def __init__(self, network: Transformer, conv: str) -> None:
        self.weights = {name: p.detach().numpy() for name, p in network.named_parameters()}
        self.conv, self.taken = conv, {"softmax": 0.0, "bias": 0.0}

    def share(self, x, w, b, above, gamma=0.0):
        """eq. 8: R_i = sum_j x_i w_ji R_j / z_j, for the rows of x; gamma: products of z's own sign count more."""
        products = x[:, None, :] * w[None]  # (rows, out, in)
        sign = np.where(products.sum(2) + b >= 0, 1, -1)
        products = products * (1 + gamma * (sign[:, :, None] * products > 0))
        own = b * (1 + gamma * (sign * b > 0))
        z = products.sum(2) + own
        self.taken["bias"] += (own * above / z).sum()
        return (products * (above / z)[:, :, None]).sum(1)

    def linear(self, name, x):
        w, b = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return x @ w.T + b, lambda above: self.share(x, w, b, above)

    def product(self, a, b):
        """prop. 3.3: half to each factor."""
        o = a @ b

        def down(above):
            shares = a[:, :, None] * b[None] * (above / (2 * o))[:, None, :]  # (i, k, j)
            return shares.sum(2), shares.sum(0)

        return o, down

    def softmax(self, x):
        """prop. 3.1: x_i (R_i - s_i sum R)."""
        s = np.exp(x - x.max(1, keepdims=True))
        s /= s.sum(1, keepdims=True)

        def down(above):
            below = x * (above - s * above.sum(1, keepdims=True))
            self.taken["softmax"] += above.sum() - below.sum()
            return below

        return s, down

    def norm(self, name, x, centred, eps):
        """prop. 3.4: the divisor gets nothing; the bias its share, and x - mean shares out as a linear layer."""
        w = self.weights[f"{name}.weight"]
        b = self.weights.get(f"{name}.bias", np.zeros(len(w)))
        c = x - x.mean(1, keepdims=True) if centred else x
        y = c / np.sqrt((c**2).mean(1, keepdims=True) + eps) * w

        def down(above):
            self.taken["bias"] += (above * b / (y + b)).sum()
            above = above * y / (y + b)
            n = len(w)
            return self.share(x, np.eye(n) - 1 / n, np.zeros(n), above) if centred else above

        return y + b, down

    def attention(self, name, x):
        qkv, into = self.linear(f"{name}.qkv", x)
        heads, outs = qkv.reshape(len(x), 3, HEADS, -1), []
        for h in range(HEADS):
            q, k, v = heads[:, 0, h], heads[:, 1, h], heads[:, 2, h]
            logits, by_qk = self.product(q, k.T)
            weights, by_softmax = self.softmax(logits / np.sqrt(q.shape[1]))
            outs.append((*self.product(weights, v), by_softmax, by_qk))
        y, out = self.linear(f"{name}.proj", np.concatenate([one[0] for one in outs], 1))

        def down(above):
            above = np.split(out(above), HEADS, axis=1)
            below = np.zeros_like(heads)
            for h, (_, by_av, by_softmax, by_qk) in enumerate(outs):
                of_weights, below[:, 2, h] = by_av(above[h])
                below[:, 0, h], of_k = by_qk(by_softmax(of_weights))
                below[:, 1, h] = of_k.T
            return into(below.reshape(len(x), -1))

        return y, down

    def gelu(self, name, x):
        a, up = self.linear(f"{name}.up", x)
        y, out = self.linear(f"{name}.down", F.gelu(torch.tensor(a)).numpy())
        return y, lambda above: up(out(above))

    def swiglu(self, name, x):
        (a, of_a), (b, of_b) = self.linear(f"{name}.gate", x), self.linear(f"{name}.up", x)
        y, out = self.linear(f"{name}.down", F.silu(torch.tensor(a)).numpy() * b)

        def down(above):
            half = out(above) / 2
            return of_a(half) + of_b(half)

        return y, down

    def residual(self, x, branch):
        """x + body(norm(x)), by eq. 8."""
        y, down = branch
        return x + y, lambda above: above * x / (x + y) + down(above * y / (x + y))

    def branch(self, norm, body, x):
        y, of_norm = norm(x)
        z, of_body = body(y)
        return z, lambda above: of_norm(of_body(above))

    def relevance(self, image, index):
        """Of one image (3, 8, 12), where the score of a class starts: like the image."""
        patches = image.reshape(3, 2, 4, 3, 4).transpose(1, 3, 0, 2, 4).reshape(6, 48)
        w, b = self.weights["embed.weight"].reshape(WIDTH, 48), self.weights["embed.bias"]
        x, steps = patches @ w.T + b, []
        for i, (mlp, centred, eps) in enumerate([(self.gelu, True, 1e-5), (self.swiglu, False, 1e-6)]):
            for norm, body, name in (("norm1", self.attention, "attention"), ("norm2", mlp, "mlp")):
                at = f"blocks.{i}."
                first = lambda x, n=at + norm, c=centred, e=eps: self.norm(n, x, c, e)  # noqa: E731
                x, step = self.residual(x, self.branch(first, lambda x, f=body, n=at + name: f(n, x), x))
                steps.append(step)
        y, step = self.norm("norm", x, True, 1e-5)
        steps.append(step)
        scores, of_scores = self.linear("fc", y.mean(0, keepdims=True))
        start = np.zeros_like(scores)
        start[0, index] = scores[0, index]
        above = y / 6 * of_scores(start) / y.mean(0)
        for step in reversed(steps):
            above = step(above)
        below = self.share(patches, w, b, above, GAMMA if self.conv == "gamma" else 0)
        return below.reshape(2, 3, 3, 4, 4).transpose(2, 0, 3, 1, 4).reshape(3, 8, 12), scores[0, index]


def found(network, targets=(1,), x=X, **params):
    return seewhy.attn_lrp.using(**{"epsilon": 0.0, **params}).found(ask.case(network, x, [*targets]))


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
