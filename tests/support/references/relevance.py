"""Relevance a second time: every layer unrolled into a matrix of products and handed down unit by unit, and FullGrad's terms
by hand.  Slow, plain, from the papers, without a line of seewhy; the parts that toys for relevance are built of.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

Floats = NDArray[np.float64]
KEEPING = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.SiLU, nn.GELU, nn.ELU, nn.Hardswish, nn.Tanh, nn.Dropout, nn.Identity)
CURVED = (
    nn.ReLU,
    nn.ReLU6,
    nn.Hardtanh,
    nn.LeakyReLU,
    nn.SiLU,
    nn.GELU,
    nn.ELU,
    nn.Hardswish,
    nn.Tanh,
    nn.Sigmoid,
    nn.Softplus,
)
CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
MEANS = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)


class Sum(nn.Module):
    """x + body(x)"""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Cat(nn.Module):
    """x before body(x), as DenseNet has it."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.body(x)], 1)


class Gate(nn.Module):
    """Squeeze and excitation: x sigmoid(body(x))"""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body, self.open = nn.Sequential(*body), nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.open(self.body(x))


@dataclass
class Relevance:
    """Bach et al. 2015: R_i = sum_j R_j p_ij / sum_i p_ij, where p_ij = x_i w_ij and the bias is one more input.

    epsilon (eq. 58): epsilon, with its sign, is added to the sum.  gamma (Montavon et al. 2019; for both signs Andeol et al.
    2021): products of the sum's sign count 1 + gamma times.  z-plus (Zhang et al. 2016, eq. 5): products above zero alone.
    alpha2-beta1 (Bach et al. 2015, eq. 60): 2 R_j of the products above zero, -R_j of those below.  What reads the image, by
    `first`: flat (Lapuschkin et al. 2019): every input reached alike; w-square (Montavon et al. 2017, eq. 12): w^2; z-box (eq.
    14): x w - low max(w, 0) - high min(w, 0).
    """

    conv: str = "z-plus"
    dense: str = "epsilon"
    epsilon: float = 1e-6
    gamma: float = 0.25
    bias: bool = True  # does it take a share?
    at: dict[nn.Module, Floats] = field(default_factory=dict)  # what arrives at each module's output
    kept: float = 0.0  # what the biases took
    first: str = ""
    low: float = 0.0
    high: float = 1.0
    image: Tensor | None = None

    def share(self, rule: str, w: Floats, b: Floats, x: Floats, above: Floats) -> Floats:
        if rule == "alpha2-beta1":
            less = self.share("z-plus", -w, -b, x, above)
            return 2 * self.share("z-plus", w, b, x, above) - less
        below = np.zeros(len(x))
        for j, r in enumerate(above):
            products, own = w[j] * x, b[j] if self.bias else 0.0
            if rule == "flat":
                products, own = (w[j] != 0).astype(float), 0.0
            if rule == "w-square":
                products, own = w[j] ** 2, own**2
            if rule == "z-box":
                products, own = w[j] * x - self.low * np.maximum(w[j], 0) - self.high * np.minimum(w[j], 0), 0.0
            if rule == "z-plus":
                products, own = np.maximum(products, 0), max(own, 0.0)
            if rule == "gamma":
                sign = 1 if products.sum() + own >= 0 else -1
                products = products + self.gamma * np.where(sign * products > 0, products, 0)
                own += self.gamma * own * (sign * own > 0)
            z = products.sum() + own
            z += 0.0 if rule == "exact" else self.epsilon if z >= 0 else -self.epsilon
            if z != 0:
                below += products * (r / z)
            self.kept += own * (r / z) if z != 0 else r  # no product counts: nobody to hand it down to
        return below

    def linear(self, rule: str, run: Callable[[Tensor], Tensor], x: Tensor, above: Floats) -> Floats:
        """Through run(x) = W x + b, whose W and b are found by asking it for zero and for every unit vector."""
        with torch.no_grad():
            b = run(torch.zeros_like(x)).flatten()
            rows = torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *x.shape[1:])
            w = (run(rows).flatten(1) - b).T
        image = self.image
        if self.first and image is not None and torch.equal(x.ravel(), image.ravel()):
            rule = rule if self.first == "z-box" and x.ndim == 2 else self.first
        below = self.share(rule, w.numpy(), b.numpy(), x.flatten().numpy(), above.ravel())
        return below.reshape(x.shape)

    def down(self, part: nn.Module, x: Tensor, above: Floats) -> Floats:
        """The relevance of x (1, ...), which `part` made the units of that have relevance `above`."""
        self.at[part] = above
        y = part(x).detach()
        if isinstance(part, nn.Sequential):
            return self.chain([*part], x, above)
        if isinstance(part, KEEPING):
            return above
        if isinstance(part, CONVS):
            return self.linear(self.conv, part, x, above)
        if isinstance(part, nn.Linear):
            return self.linear(self.dense, part, x, above)
        if isinstance(part, (*MEANS, *NORMS)):
            return self.linear("exact", part, x, above)
        if isinstance(part, nn.Flatten):
            return above.reshape(x.shape)
        if isinstance(part, nn.MaxPool2d):
            winner = F.max_pool2d(x, part.kernel_size, part.stride, part.padding, return_indices=True)[1]
            below = np.zeros((x.shape[1], x[0, 0].numel()))
            for channel, (places, rs) in enumerate(zip(winner[0].flatten(1), above[0], strict=True)):
                np.add.at(below[channel], places.numpy(), rs.ravel())
            return below.reshape(x.shape)
        if isinstance(part, Sum):
            own, other = x.numpy(), part.body(x).detach().numpy()
            if not self.bias:  # excitation: only what has the sum's own sign excites it
                own, other = own * (own * y.numpy() > 0), other * (other * y.numpy() > 0)
            with np.errstate(invalid="ignore"):
                share = np.where(above == 0, 0, above / (own + other))
            return share * own + self.down(part.body, x, share * other)
        if isinstance(part, Cat):
            return above[:, : x.shape[1]] + self.down(part.body, x, above[:, x.shape[1] :])
        if isinstance(part, Gate):
            return above
        raise TypeError(type(part))

    def chain(self, parts: list[nn.Module], x: Tensor, above: Floats) -> Floats:
        inputs = [x]
        for part in parts:
            inputs.append(part(inputs[-1]).detach())
        i = len(parts)
        while i:
            i -= 1
            if i and isinstance(parts[i], NORMS) and isinstance(parts[i - 1], (*CONVS[:3], nn.Linear)):
                self.at[parts[i]] = self.at[parts[i - 1]] = above  # one layer, folded
                rule = self.dense if isinstance(parts[i - 1], nn.Linear) else self.conv
                above = self.linear(rule, nn.Sequential(parts[i - 1], parts[i]), inputs[i - 1], above)
                i -= 1
            else:
                above = self.down(parts[i], inputs[i], above)
        return above


def built(parts: Callable[[], list[nn.Module]], bias: bool = True, seed: int = 0) -> nn.Module:
    """The toy of these parts: float64, eval mode, bold weights; without `bias` nothing in it adds a constant."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = nn.Sequential(*parts()).double().eval()
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.mul_(2)
        norms = [module for module in network.modules() if isinstance(module, NORMS)]
        for norm in (norm for norm in norms if norm.track_running_stats):
            norm.running_mean.uniform_(-0.3, 0.3)
            norm.running_var.uniform_(0.2, 2)
            if norm.affine:
                norm.weight.uniform_(0.5, 2)
                norm.bias.uniform_(-0.5, 0.5)
            norm.running_mean.mul_(float(bias))
        for module in network.modules():
            if not bias and getattr(module, "bias", None) is not None:
                module.bias.zero_()
        return network


def conv(c: int, k: int, **more: int) -> nn.Module:
    return nn.Conv2d(c, k, 3, padding=more.get("dilation", 1), **more)


def head(c: int = 8) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 5)]


def gate() -> nn.Module:
    return Gate(nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 3, 1), nn.ReLU(), nn.Conv2d(3, 6, 1))


def of_three_products() -> tuple[nn.Module, Floats]:
    """One unit z = x w + b and its image: x = (1, 2, -1), w = (3, -1, -2), b = 2."""
    network = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Flatten()).double()
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([3.0, -1, -2]).view(1, 3, 1, 1))
        network[0].bias.fill_(2)
    return network, np.array([1.0, 2, -1]).reshape(1, 3, 1, 1)


def norm1d() -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5)]


R, N = nn.ReLU, nn.BatchNorm2d
TOYS: dict[str, Callable[[], list[nn.Module]]] = {  # for images (n, 3, 6, 8)
    "plain": lambda: [conv(3, 6), R(), conv(6, 8, stride=2), R(), *head()],
    "dense": lambda: [conv(3, 4), R(), conv(4, 4), R(), nn.Flatten(), nn.Linear(192, 9), R(), nn.Linear(9, 5)],
    "norm": lambda: [conv(3, 6), N(6), R(), conv(6, 8, bias=False), N(8, affine=False), R(), *head()],
    "norm first": lambda: [N(3), conv(3, 6), R(), N(6), conv(6, 8), R(), *head()],
    "norm1d": lambda: [conv(3, 6), R(), *norm1d()],
    "average": lambda: [conv(3, 6), R(), nn.AvgPool2d(3, 2, 1), conv(6, 8), R(), *head()],
    "max": lambda: [conv(3, 6), R(), nn.MaxPool2d(3, 2, 1), conv(6, 8), R(), *head()],
    "residual": lambda: [conv(3, 6), R(), Sum(conv(6, 6), N(6), R(), conv(6, 6), N(6)), R(), *head(6)],
    "concat": lambda: [conv(3, 4), R(), Cat(conv(4, 4), R()), conv(8, 8), R(), *head()],
    "squeezed": lambda: [conv(3, 6), R(), gate(), conv(6, 8), R(), *head()],
    "grouped": lambda: [conv(3, 6, groups=3), R(), conv(6, 6, groups=6, dilation=2), R(), conv(6, 8, stride=2), R(), *head()],
    "transposed": lambda: [conv(3, 6, stride=2), R(), nn.ConvTranspose2d(6, 8, 2, stride=2), N(8), R(), *head()],
    "relu6": lambda: [conv(3, 6), N(6), nn.ReLU6(), conv(6, 8), nn.ReLU6(), *head()],
    "leaky": lambda: [conv(3, 6), nn.LeakyReLU(0.2), conv(6, 8), nn.ELU(), *head()],
    "smooth": lambda: [conv(3, 6), N(6), nn.SiLU(), conv(6, 8), nn.GELU(), *head()],
}
TOYS_1D = {"signal": lambda: [nn.Conv1d(3, 6, 3), nn.BatchNorm1d(6), R(), nn.AvgPool1d(2), nn.Conv1d(6, 8, 3), R(),
                              nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 5)]}  # fmt: skip
TOYS_3D = {"volume": lambda: [nn.Conv3d(3, 4, 2), nn.BatchNorm3d(4), R(), nn.Conv3d(4, 6, 2, groups=2), R(),
                              nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(6, 5)]}  # fmt: skip


def relevance(network: nn.Module, image: Floats, start: Floats, rule: Relevance) -> Floats:
    """What of `start`, the relevance of the scores (k,), arrives at one image (c, *space)."""
    rule.image = torch.tensor(image[None])
    return rule.down(network, rule.image, start[None])[0]


def multipliers(network: nn.Module, image: Floats, baseline: Floats, start: Floats) -> Floats:
    """DeepLIFT's rescale rule (Shrikumar et al. 2017, sec. 3.5.1): what the difference of each pixel (c, *space) counts.

    Through linear layers by their weights, through y = f(x) by (y - y') / (x - x'); of a maximum, what it gained belongs to the
    largest pixel of the image, what it lost to that of the baseline.
    """

    def back(part: nn.Module, x: Tensor, x0: Tensor, m: Floats) -> Floats:
        if isinstance(part, nn.Sequential):
            pairs = [(x, x0)]
            for inner in part:
                pairs.append((inner(pairs[-1][0]).detach(), inner(pairs[-1][1]).detach()))
            for inner, pair in zip([*part][::-1], pairs[-2::-1], strict=True):
                m = back(inner, *pair, m)
            return m
        if isinstance(part, Sum):
            return m + back(part.body, x, x0, m)
        if isinstance(part, Cat):
            return m[:, : x.shape[1]] + back(part.body, x, x0, m[:, x.shape[1] :])
        if isinstance(part, (*CURVED, nn.Dropout, nn.Identity)):
            dx, dy = (x - x0).numpy(), (part(x) - part(x0)).detach().numpy()
            slope = (part(x + 1e-6) - part(x)).detach().numpy() / 1e-6
            return m * np.where(dx == 0, slope, dy / np.where(dx == 0, 1, dx))
        if isinstance(part, nn.MaxPool2d):
            y, y0, below = part(x).numpy(), part(x0).numpy(), np.zeros(x.shape)
            at, at0 = (
                F.max_pool2d(each, part.kernel_size, part.stride, part.padding, return_indices=True)[1] for each in (x, x0)
            )
            for cell in np.ndindex(*y.shape):
                top = max(y[cell], y0[cell])
                for places, gained in ((at, top - y0[cell]), (at0, y[cell] - top)):
                    pixel = (*cell[:2], *np.unravel_index(int(places[cell]), x.shape[2:]))
                    below[pixel] += m[cell] * gained / float((x - x0)[pixel]) if gained else 0.0
            return below
        with torch.no_grad():
            zero = part(torch.zeros_like(x)).flatten()
            w = part(torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *x.shape[1:])).flatten(1) - zero
        return (w.numpy() @ m.ravel()).reshape(x.shape)

    return back(network, torch.tensor(image[None]), torch.tensor(baseline[None]), start[None])[0]


def constant(part: nn.Module, z: Tensor, y: Tensor) -> Tensor | None:
    """What is constant in y = part(z), near z; the slope of an activation by differences."""
    if isinstance(part, (*CONVS, nn.Linear)):
        last = isinstance(part, nn.Linear)
        return None if part.bias is None else part.bias.reshape(-1, *[1] * (0 if last else z.ndim - 2)).expand_as(y)
    if isinstance(part, NORMS):
        scale = 1 / torch.sqrt(part.running_var + part.eps)
        scale = scale * part.weight if part.affine else scale
        shift = (part.bias if part.affine else 0) - scale * part.running_mean
        return shift.reshape(-1, *[1] * (z.ndim - 2)).expand_as(y)
    if isinstance(part, CURVED):
        step = 1e-6
        return y - z * (part(z + step) - part(z - step)) / (2 * step)
    return -y if isinstance(part, Gate) else None  # a b = (a b) + (b a) - a b


def bias_terms(network: nn.Module, image: Floats, weights: Floats) -> tuple[Floats, dict[str, Floats]]:
    """Srinivas & Fleuret 2019, eq. 3-5, of the score network(image) @ weights: x dy/dx, and b dy/db of each module that adds
    a b to its linear part."""
    met: list[tuple[str, nn.Module, Tensor, Tensor]] = []

    def hook(name: str) -> Callable[..., Tensor]:
        def keep(part: nn.Module, args: tuple[Tensor], output: Tensor) -> Tensor:
            met.append((name, part, args[0], output.clone()))
            return met[-1][-1]

        return keep

    handles = [part.register_forward_hook(hook(name)) for name, part in network.named_modules() if name]
    x = torch.tensor(image[None], requires_grad=True)
    score = network(x.clone())[0] @ torch.tensor(weights)
    for handle in handles:
        handle.remove()
    g, *grads = torch.autograd.grad(score, [x, *(y for *_, y in met)])
    with torch.no_grad():
        constants = [constant(part, z, y) for _, part, z, y in met]
    terms = {
        f"{i} {name}": (b * dy)[0].detach().numpy()
        for i, ((name, *_), b, dy) in enumerate(zip(met, constants, grads, strict=True))
        if b is not None
    }
    return image * g[0].numpy(), {name: term for name, term in terms.items() if abs(term).max() > 1e-9}


def resized(m: Floats, h: int, w: int) -> Floats:
    """Linear between the centres of cells, place by place."""

    def line(values: list[float], new: int) -> list[float]:
        old, out = len(values), []
        for i in range(new):
            at = min(max((i + 0.5) * old / new - 0.5, 0), old - 1)
            low = int(at)
            high = min(low + 1, old - 1)
            out.append(values[low] * (1 - at + low) + values[high] * (at - low))
        return out

    columns = np.array([line([*column], h) for column in m.T]).T
    return np.array([line([*row], w) for row in columns])


def psi(term: Floats, h: int, w: int) -> Floats:
    """The authors' post-processing of one layer's term (c, h, w): absolute values, from 0 to 1 over the whole layer, drawn out
    and summed over channels.  They divide by the largest + 1e-6, and draw out with the corners aligned."""
    size = abs(term)
    size = (size - size.min()) / ((size - size.min()).max() or 1)
    return sum(resized(channel, h, w) for channel in size)


def spread(m: Floats, h: int, w: int) -> Floats:
    """What each cell holds, divided among the pixels that linear interpolation draws it to."""
    out = np.zeros((h, w))
    for i, j in np.ndindex(*m.shape):
        one = np.zeros(m.shape)
        one[i, j] = 1
        drawn = resized(one, h, w)
        out += m[i, j] * drawn / drawn.sum()
    return out
