"""A small transformer in many spellings, and AttnLRP handed down through it unit by unit: in numpy and without a gradient."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from support import networks

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
