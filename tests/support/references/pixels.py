"""Every method of pixels a second time: slow, plain, from its paper, without a line of seewhy and without autograd's ReLU.

A network is a list of steps.  A step takes x (c, h, w) or (k,) of one image, in float64, and gives what it makes of it and
the way back, a function of the gradient from above.  Only `relu` knows rules.
"""

from collections.abc import Callable, Sequence
from itertools import product
from math import exp, inf, sqrt
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float64]
Back = Callable[[Floats], Floats]
Step = Callable[[Floats], tuple[Floats, Back]]


def conv(w: Floats, b: Floats | None, stride: int, padding: int) -> Step:
    """z_o = sum_c w_oc * x_c + b_o; back: each output hands its gradient to the window it was made from, times w."""

    def step(x: Floats) -> tuple[Floats, Back]:
        wide = np.pad(x, [(0, 0), (padding, padding), (padding, padding)])
        out, _, high, across = w.shape
        h, v = (wide.shape[1] - high) // stride + 1, (wide.shape[2] - across) // stride + 1
        windows = [(i, j, slice(i * stride, i * stride + high), slice(j * stride, j * stride + across))
                   for i, j in product(range(h), range(v))]  # fmt: skip
        y = np.zeros((out, h, v))
        for o, (i, j, down, along) in product(range(out), windows):
            y[o, i, j] = (w[o] * wide[:, down, along]).sum() + (0 if b is None else b[o])

        def back(g: Floats) -> Floats:
            to = np.zeros_like(wide)
            for o, (i, j, down, along) in product(range(out), windows):
                to[:, down, along] += g[o, i, j] * w[o]
            return to[:, padding : padding + x.shape[1], padding : padding + x.shape[2]]

        return y, back

    return step


def dense(w: Floats, b: Floats | None) -> Step:
    return lambda x: (w @ x + (0 if b is None else b), lambda g: w.T @ g)


def scaled(by: Floats, plus: Floats) -> Step:
    """BatchNorm with fixed statistics."""
    return lambda x: (by[:, None, None] * x + plus[:, None, None], lambda g: by[:, None, None] * g)


def mean() -> Step:
    """Global average pooling: (c, h, w) -> (c, 1, 1)."""
    return lambda x: (x.mean((1, 2), keepdims=True), lambda g: np.broadcast_to(g / x[0].size, x.shape))


def flat() -> Step:
    return lambda x: (x.ravel(), lambda g: g.reshape(x.shape))


def max_pool(side: int) -> Step:
    """Windows side x side; the whole gradient goes back to the place of the largest (the switch), wherever it is."""

    def step(x: Floats) -> tuple[Floats, Back]:
        c, h, v = x.shape[0], x.shape[1] // side, x.shape[2] // side
        y, switch = np.zeros((c, h, v)), {}
        for k, i, j in product(range(c), range(h), range(v)):
            cells = list(product(range(i * side, (i + 1) * side), range(j * side, (j + 1) * side)))
            switch[k, i, j] = max(cells, key=lambda cell: x[(k, *cell)])
            y[k, i, j] = x[(k, *switch[k, i, j])]

        def back(g: Floats) -> Floats:
            to = np.zeros_like(x)
            for (k, i, j), cell in switch.items():
                to[(k, *cell)] += g[k, i, j]
            return to

        return y, back

    return step


def relu(rule: str, low: float = 0.0, high: float = inf, shape: Callable[[float], float] | None = None) -> Step:
    """On between low and high, clamped beyond, or of another shape.  Back, unit by unit:

    plain: g of a unit that is on; guided: g of a unit that is on, if positive (Springenberg et al. 2015); deconv: g if
    positive, whatever the unit did (Zeiler & Fergus 2014).
    """

    def one(x: float, g: float) -> float:
        on = low < x < high
        return {"plain": g if on else 0.0, "guided": g if on and g > 0 else 0.0, "deconv": max(g, 0.0)}[rule]

    def step(x: Floats) -> tuple[Floats, Back]:
        y = np.vectorize(shape or (lambda z: min(max(z, low), high)), otypes=[float])(x)
        return y, lambda g: np.vectorize(one, otypes=[float])(x, g)

    return step


def plain(f: Callable[[Tensor], Tensor]) -> Step:
    """A step without a ReLU, its derivative by autograd: f takes and gives a batch of one."""

    def step(x: Floats) -> tuple[Floats, Back]:
        leaf = torch.tensor(x[None], requires_grad=True)
        y = f(leaf * 1)
        back = lambda g: torch.autograd.grad(y, leaf, torch.tensor(g[None].copy()), retain_graph=True)[0][0].numpy()  # noqa: E731
        return y.detach()[0].numpy(), back

    return step


def residual(*inner: Step) -> Step:
    """y = x + inner(x)"""

    def step(x: Floats) -> tuple[Floats, Back]:
        y, back = forward(inner, x)
        return x + y, lambda g: g + back(g)

    return step


def forward(steps: Sequence[Step], x: Floats) -> tuple[Floats, Back]:
    backs: list[Back] = []
    for one in steps:
        x, back = one(x)
        backs.append(back)

    def all_back(g: Floats) -> Floats:
        for back in reversed(backs):
            g = back(g)
        return g

    return x, all_back


def numbers(tensor: Tensor | None) -> Any:
    return None if tensor is None else tensor.detach().double().numpy()


def step_of(module: nn.Module, rule: str) -> Step:
    """What a module is, in numpy."""
    match module:
        case nn.Conv2d():
            return conv(numbers(module.weight), numbers(module.bias), module.stride[0], int(module.padding[0]))
        case nn.Linear():
            return dense(numbers(module.weight), numbers(module.bias))
        case nn.BatchNorm2d():
            by = numbers(module.weight) / np.sqrt(numbers(module.running_var) + module.eps)
            return scaled(by, numbers(module.bias) - by * numbers(module.running_mean))
        case nn.ReLU():
            return relu(rule)
        case nn.ReLU6():
            return relu(rule, high=6.0)
        case nn.MaxPool2d():
            return max_pool(int(module.kernel_size))
        case nn.AdaptiveAvgPool2d():
            return mean()
        case nn.Flatten():
            return flat()
    return plain(module)


def steps_of(network: nn.Module, rule: str = "plain") -> list[Step]:
    """Of an nn.Sequential in eval mode."""
    return [step_of(module, rule) for module in network.children()]


def led_back(steps: Sequence[Step], image: Floats, weights: Any) -> Floats:
    """The gradient of scores @ weights at the image (c, h, w), each ReLU by its rule."""
    return forward(steps, image)[1](np.asarray(weights, float))


def several(steps: Sequence[Step], x: Floats, classes: Sequence[int], k: int) -> Floats:
    """The same of several classes of k and images: (t, n, c, h, w)."""
    ways = [forward(steps, image)[1] for image in x]
    return np.stack([[back(np.eye(k)[t]) for back in ways] for t in classes])


def slopes(network: nn.Module, image: Floats, weights: Any, eps: float = 1e-6) -> Floats:
    """The gradient of any network by central differences, pixel by pixel."""
    nudges = np.eye(image.size).reshape(-1, *image.shape) * eps
    with torch.no_grad():
        up, down = (network(torch.tensor(image + sign * nudges)).numpy() @ np.asarray(weights, float) for sign in (1, -1))
    return ((up - down) / (2 * eps)).reshape(image.shape)


NODES: dict[str, Callable[[int], list[tuple[float, float]]]] = {  # of n steps: (alpha, weight), alpha from 0 to 1
    "left": lambda n: [(k / n, 1 / n) for k in range(n)],
    "right": lambda n: [((k + 1) / n, 1 / n) for k in range(n)],
    "midpoint": lambda n: [((k + 0.5) / n, 1 / n) for k in range(n)],
    "trapezoid": lambda n: [(k / (n - 1), (0.5 if k in (0, n - 1) else 1) / (n - 1)) for k in range(n)],
    "gauss-legendre": lambda n: {  # the roots of the Legendre polynomial, in closed form
        1: [(0.5, 1.0)],
        2: [((1 - 1 / sqrt(3)) / 2, 0.5), ((1 + 1 / sqrt(3)) / 2, 0.5)],
        3: [((1 - sqrt(0.6)) / 2, 5 / 18), (0.5, 4 / 9), ((1 + sqrt(0.6)) / 2, 5 / 18)],
    }[n],
}


def integrated_gradients(steps: Sequence[Step], image: Floats, baseline: Floats, weights: Any, nodes: Any) -> Floats:
    """Sundararajan et al. 2017, eq. 1: (x - x') times the integral of dy/dx along the straight line."""
    total = np.zeros_like(image)
    for alpha, weight in nodes:
        total += weight * led_back(steps, baseline + alpha * (image - baseline), weights)
    return (image - baseline) * total


def noisy(image: Floats, samples: int, sigma: float = 0.15, seed: int = 0) -> list[Floats]:
    """Copies with Gaussian noise, its standard deviation sigma times the range; drawn from the seed and the image."""
    rng = np.random.default_rng([seed, crc32(np.ascontiguousarray(image, np.float32).tobytes())])
    size = sigma * (image.max() - image.min())
    return [image + size * rng.standard_normal(image.shape, np.float32).astype(image.dtype) for _ in range(samples)]


def smooth_grad(steps: Sequence[Step], image: Floats, weights: Any, samples: int, **noise: Any) -> Floats:
    """Smilkov et al. 2017: 1/n sum_k g(x + noise_k)."""
    return sum(led_back(steps, copy, weights) for copy in noisy(image, samples, **noise)) / samples


def smooth_grad_squared(steps: Sequence[Step], image: Floats, weights: Any, samples: int, **noise: Any) -> Floats:
    """Hooker et al. 2019: 1/n sum_k g(x + noise_k)^2."""
    return sum(led_back(steps, copy, weights) ** 2 for copy in noisy(image, samples, **noise)) / samples


def var_grad(steps: Sequence[Step], image: Floats, weights: Any, samples: int, **noise: Any) -> Floats:
    """Adebayo et al. 2018: 1/n sum_k (g_k - their mean)^2."""
    middle = smooth_grad(steps, image, weights, samples, **noise)
    return sum((led_back(steps, copy, weights) - middle) ** 2 for copy in noisy(image, samples, **noise)) / samples


def drawn_out(m: Floats, h: int, w: int) -> Floats:
    """(a, b) at the size (h, w) of a finer grid, bilinear between the centres of cells; the edge goes on beyond them."""

    def around(i: int, new: int, old: int) -> tuple[int, int, float]:
        at = min(max((i + 0.5) * old / new - 0.5, 0), old - 1)
        return int(at), min(int(at) + 1, old - 1), at - int(at)

    y = np.zeros((h, w))
    for i, j in product(range(h), range(w)):
        (top, bottom, down), (left, right, along) = around(i, h, m.shape[0]), around(j, w, m.shape[1])
        y[i, j] = (1 - down) * ((1 - along) * m[top, left] + along * m[top, right])
        y[i, j] += down * ((1 - along) * m[bottom, left] + along * m[bottom, right])
    return y


def guided_grad_cam(guided: Floats, grad_cam: Floats) -> Floats:
    """Selvaraju et al. 2017, sec. 3: guided backprop (c, h, w) times relu(Grad-CAM), bilinearly drawn out."""
    return guided * drawn_out(np.maximum(grad_cam, 0), *guided.shape[1:])


def blurred(image: Floats, share: float) -> Floats:
    """A Gaussian whose sigma is a share of each side; beyond the edges the edge goes on."""
    for axis in (1, 2):
        lines = np.moveaxis(image, axis, -1)
        side = lines.shape[-1]
        bell = {k: exp(-(k**2) / (2 * (share * side) ** 2)) for k in range(-3 * side, 3 * side + 1)}
        out = np.zeros_like(lines)
        for i, (k, weight) in product(range(side), bell.items()):
            out[..., i] += weight * lines[..., min(max(i + k, 0), side - 1)] / sum(bell.values())
        image = np.moveaxis(out, -1, axis)
    return image


def blur_ig(steps: Sequence[Step], image: Floats, weights: Any, count: int, sigma: float) -> Floats:
    """Xu et al. 2020, eq. 3: minus the integral over the width s of g(L(x, s)) dL/ds; by `count` short pieces of the way."""
    total = np.zeros_like(image)
    for k in range(count):
        wide, middle, narrow = (sigma * (1 - (k + part) / count) for part in (0, 0.5, 1))
        total += led_back(steps, blurred(image, middle), weights) * (
            (blurred(image, narrow) if narrow else image) - blurred(image, wide)
        )
    return total


def guided_ig(
    slopes: Callable[[Floats, Any], Floats],
    image: Floats,
    baseline: Floats,
    weights: Any,
    count: int,
    fraction: float,
    distance: float,
) -> Floats:
    """Kapishnikov et al. 2021, algorithm 1 with the bounds of sec. 3.3, number by number: at each step those of the least
    slopes go ahead, within a corridor about the straight way, until the step is as long as all others."""
    total, x = np.zeros(image.size), baseline.reshape(-1).copy()
    end, start = image.reshape(-1), baseline.reshape(-1)
    length = sum(abs(end[j] - start[j]) for j in range(len(end)))
    for k in range(count):
        g = slopes(x.reshape(image.shape), weights).reshape(-1)
        low, high = max((k + 1) / count - distance, 0), min((k + 1) / count + distance, 1)
        before, done = x.copy(), set[int]()
        for j in range(len(x)):
            if end[j] != start[j] and (x[j] - start[j]) / (end[j] - start[j]) < low:
                x[j] = start[j] + low * (end[j] - start[j])
            if end[j] == start[j] or (x[j] - start[j]) / (end[j] - start[j]) >= high:
                done.add(j)
        while True:
            todo = sum(abs(end[j] - x[j]) for j in range(len(x))) - length * (1 - (k + 1) / count)
            order = sorted((abs(g[j]), j) for j in range(len(x)) if j not in done)
            if todo <= 1e-9 or not order:
                break
            at = int(fraction * (len(x) - 1))
            limit = order[at][0] if at < len(order) else inf
            batch = [j for size, j in order if size <= limit]
            room = sum(abs(start[j] + high * (end[j] - start[j]) - x[j]) for j in batch)
            for j in batch:
                goal = start[j] + high * (end[j] - start[j])
                x[j] += min(1, todo / room) * (goal - x[j])
                if todo >= room:
                    x[j] = goal
                    done.add(j)
            if todo < room:
                break
        total += g * (x - before)
    return total.reshape(image.shape)


def gradient_shap(
    steps: Sequence[Step], image: Floats, baselines: Sequence[Floats], weights: Any, samples: int, sigma: float, seed: int
) -> Floats:
    """Erion et al. 2021, eq. 5, with Lundberg's noise: the mean of (x + e - x') g(x' + a (x + e - x'))."""
    rng = np.random.default_rng([seed, crc32(np.ascontiguousarray(image, np.float32).tobytes())])
    total = np.zeros_like(image)
    for _ in range(samples):
        share, which = rng.random(), rng.integers(len(baselines))
        noise = rng.standard_normal(image.shape, np.float32) if sigma else 0
        start, end = baselines[which], image + sigma * (image.max() - image.min()) * noise
        total += (end - start) * led_back(steps, start + share * (end - start), weights)
    return total / samples
