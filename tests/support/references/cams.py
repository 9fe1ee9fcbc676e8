"""Every method a second time: slow, plain, from its paper, and without a line of seewhy.

A reference reads one image: activation a (c, h, w), gradient g (c, h, w) or, for CAM, the class's weights w (c,), in float64.
It gives the signed map (h, w), before the ReLU that most papers end with.
"""

from collections.abc import Callable
from contextlib import nullcontext
from itertools import product
from math import exp, sqrt, tanh
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

Floats = NDArray[np.float64]


def places(a: Floats) -> list[tuple[int, int]]:
    return list(product(range(a.shape[1]), range(a.shape[2])))


def weighted(weights: list[float], a: Floats) -> Floats:
    """M_ij = sum_k w_k A_kij"""
    m = np.zeros(a.shape[1:])
    for k, w in enumerate(weights):
        for i, j in places(a):
            m[i, j] += w * a[k, i, j]
    return m


def cam(a: Floats, w: Floats) -> Floats:
    """Zhou et al. 2016, eq. 2: M_ij = sum_k w_k A_kij."""
    return weighted([float(one) for one in w], a)


def grad_cam(a: Floats, g: Floats) -> Floats:
    """Selvaraju et al. 2017, eq. 1: alpha_k = 1/Z sum_ij dy/dA_kij; eq. 2: sum_k alpha_k A_k."""
    z = a.shape[1] * a.shape[2]
    return weighted([sum(g[k, i, j] for i, j in places(a)) / z for k in range(len(a))], a)


def counterfactual(a: Floats, g: Floats) -> Floats:
    """Selvaraju et al. 2017, sec. 3.3: alpha_k = 1/Z sum_ij -dy/dA_kij."""
    z = a.shape[1] * a.shape[2]
    return weighted([sum(-g[k, i, j] for i, j in places(a)) / z for k in range(len(a))], a)


def grad_cam_pp(a: Floats, g: Floats) -> Floats:
    """Chattopadhay et al. 2018: w_k = sum_ij alpha_kij relu(g_kij), alpha_kij = g^2 / (2 g^2 + (sum_ab A_kab) g^3) (eq. 19).

    Where g = 0 alpha is 0 / 0, and relu(g) is zero anyhow.  A negative total counts as zero: seewhy's rule, not the paper's,
    which knows activations behind a ReLU only.
    """
    weights = []
    for k in range(len(a)):
        total = max(0.0, sum(a[k, i, j] for i, j in places(a)))
        w = 0.0
        for i, j in places(a):
            if g[k, i, j] > 0:
                alpha = g[k, i, j] ** 2 / (2 * g[k, i, j] ** 2 + total * g[k, i, j] ** 3)
                w += alpha * g[k, i, j]
        weights.append(w)
    return weighted(weights, a)


def hires_cam(a: Floats, g: Floats) -> Floats:
    """Draelos & Carin 2020, eq. 5: M_ij = sum_k g_kij A_kij."""
    m = np.zeros(a.shape[1:])
    for k in range(len(a)):
        for i, j in places(a):
            m[i, j] += g[k, i, j] * a[k, i, j]
    return m


def xgrad_cam(a: Floats, g: Floats) -> Floats:
    """Fu et al. 2020, eq. 8: alpha_k = sum_ij A_kij / (sum_ab A_kab) g_kij.

    A channel whose total is at most 1e-5 of the sum of its absolute values counts nothing (a dead one is 0 / 0).
    """
    weights = []
    for k in range(len(a)):
        total = sum(a[k, i, j] for i, j in places(a))
        size = sum(abs(a[k, i, j]) for i, j in places(a))
        alive = abs(total) > 1e-5 * size
        weights.append(sum(a[k, i, j] / total * g[k, i, j] for i, j in places(a)) if alive else 0.0)
    return weighted(weights, a)


def layer_cam(a: Floats, g: Floats) -> Floats:
    """Jiang et al. 2021, eq. 5-7: w_kij = relu(g_kij), M_ij = sum_k w_kij A_kij."""
    m = np.zeros(a.shape[1:])
    for k in range(len(a)):
        for i, j in places(a):
            if g[k, i, j] > 0:
                m[i, j] += g[k, i, j] * a[k, i, j]
    return m


def grad_cam_elementwise(a: Floats, g: Floats) -> Floats:
    """pytorch-grad-cam: M_ij = sum_k relu(g_kij A_kij)."""
    m = np.zeros(a.shape[1:])
    for k in range(len(a)):
        for i, j in places(a):
            m[i, j] += max(0.0, g[k, i, j] * a[k, i, j])
    return m


def eigen_cam(a: Floats, centred: bool = False) -> Floats:
    """Muhammad & Yeasin 2020: A as places x channels = U S V^T, M = A v_1.

    The sign: the map agrees with the sum of A over channels, or if that is nothing beside rounding, its peak is positive.
    """
    c, h, w = a.shape
    m = np.zeros((h * w, c))
    for k in range(c):
        for p, (i, j) in enumerate(places(a)):
            m[p, k] = a[k, i, j]
        if centred:
            m[:, k] -= sum(m[:, k]) / (h * w)
    v1 = np.linalg.svd(m, full_matrices=False)[2][0]
    found = [sum(m[p, k] * v1[k] for k in range(c)) for p in range(h * w)]
    sums = [sum(m[p, k] for k in range(c)) for p in range(h * w)]
    agreement = sum(f * s for f, s in zip(found, sums, strict=True))
    sizes = [sum(abs(m[p, k]) for k in range(c)) for p in range(h * w)]
    lengths = sqrt(sum(f * f for f in found)) * sqrt(sum(s * s for s in sizes))
    says = agreement if abs(agreement) > 1e-6 * lengths else max(found, key=abs)
    return np.array([-f if says < 0 else f for f in found]).reshape(h, w)


def eigen_grad_cam(a: Floats, g: Floats, centred: bool = False) -> Floats:
    """pytorch-grad-cam: Eigen-CAM of the elementwise product of gradient and activation."""
    return eigen_cam(np.array([[[g[k, i, j] * a[k, i, j] for j in range(a.shape[2])] for i in range(a.shape[1])]
                               for k in range(len(a))]), centred)  # fmt: skip


def seg_eigen_cam(a: Floats, g: Floats, centred: bool = True) -> Floats:
    """Chung & Ying 2025, eq. 10-12: Eigen-CAM of the activation times the size of its gradient."""
    return eigen_cam(np.array([[[abs(g[k, i, j]) * a[k, i, j] for j in range(a.shape[2])] for i in range(a.shape[1])]
                               for k in range(len(a))]), centred)  # fmt: skip


def kpca_cam(a: Floats, kernel: str = "sigmoid", gamma: float | None = None) -> Floats:
    """Karmani et al. 2024: kernel PCA over places (Schoelkopf 1998), K~ = K - 1K - K1 + 1K1, M = u_1 sqrt(lambda_1)."""
    c, h, w = a.shape
    gamma = 1 / c if gamma is None else gamma
    u = [np.array([a[k, i, j] - a[k].mean() for k in range(c)]) for i, j in places(a)]
    compare = {
        "linear": lambda p, q: sum(p * q),
        "sigmoid": lambda p, q: tanh(gamma * sum(p * q) + 1),
        "rbf": lambda p, q: exp(-gamma * sum((p - q) ** 2)),
        "poly": lambda p, q: (gamma * sum(p * q) + 1) ** 3,
        "cosine": lambda p, q: sum(p * q) / (sqrt(sum(p * p)) * sqrt(sum(q * q)) or 1),
    }[kernel]
    n = len(u)
    k = np.array([[compare(p, q) for q in u] for p in u])
    even = np.full((n, n), 1 / n)
    values, vectors = np.linalg.eig(k - even @ k - k @ even + even @ k @ even)
    first = int(np.argmax(values.real))
    found = vectors[:, first].real * sqrt(max(values[first].real, 0))
    sums = np.array([p.sum() for p in u])
    lengths = sqrt(found @ found) * sqrt(sum(sum(abs(p)) ** 2 for p in u))
    says = found @ sums if abs(found @ sums) > 1e-6 * lengths else max(found, key=abs)
    return (-found if says < 0 else found).reshape(h, w)


def shapley_cam(a: Floats, g: Floats, h: Floats) -> Floats:
    """Cai 2025: alpha_k = 1/Z sum_ij (g_kij - 1/2 (H A)_kij), H of all pairs of activations: (c, h, w, c, h, w)."""
    z = a.shape[1] * a.shape[2]
    weights = []
    for k in range(len(a)):
        alpha = 0.0
        for i, j in places(a):
            alpha += g[k, i, j] - sum(h[k, i, j, m, p, q] * a[m, p, q] for m in range(len(a)) for p, q in places(a)) / 2
        weights.append(alpha / z)
    return weighted(weights, a)


def centre(h: int, w: int, sigma: float = 0.25) -> Floats:
    """A Gaussian over the middle: offsets and sigma in shares of each side, cell centres at half steps."""
    m = np.zeros((h, w))
    for i in range(h):
        for j in range(w):
            down, across = (i + 0.5) / h - 0.5, (j + 0.5) / w - 0.5
            m[i, j] = exp(-(down**2 + across**2) / (2 * sigma**2))
    return m


FROM_GRADIENTS: dict[str, Callable[..., Floats]] = {
    "grad-cam": grad_cam,
    "grad-cam-pp": grad_cam_pp,
    "hires-cam": hires_cam,
    "xgrad-cam": xgrad_cam,
    "layer-cam": layer_cam,
    "grad-cam-elementwise": grad_cam_elementwise,
    "counterfactual": counterfactual,
    "eigen-grad-cam": eigen_grad_cam,
    "seg-eigen-cam": seg_eigen_cam,
}
FROM_HESSIANS: dict[str, Callable[..., Floats]] = {"shapley-cam": shapley_cam}
FROM_ACTIVATIONS: dict[str, Callable[..., Floats]] = {"eigen-cam": eigen_cam, "kpca-cam": kpca_cam}
FROM_HEAD: dict[str, Callable[..., Floats]] = {"cam": cam}
CONTROLS: dict[str, Callable[..., Floats] | None] = {"centre": centre, "random-map": None}  # noise has no second derivation


def evidence(
    network: nn.Module,
    layer: str,
    image: Floats,
    weights: Any,
    call: int = -1,
    of: Callable[[Tensor], Tensor] = lambda logits: logits,
) -> tuple[Floats, Floats]:
    """What one module emits for one image (3, h, w), and the gradient of of(scores) @ weights toward it, as they are laid out.

    The whole graph is recorded; `call` says which of the module's calls is read, the last by default.
    """
    a, g, _ = derivatives(network, layer, image, weights, call, of)
    return a, g


def derivatives(
    network: nn.Module,
    layer: str,
    image: Floats,
    weights: Any,
    call: int = -1,
    of: Callable[[Tensor], Tensor] = lambda logits: logits,
    second: bool = False,
) -> tuple[Floats, Floats, Floats | None]:
    """The same, and with `second` the derivative of each number of that gradient toward each of the emission: (*a, *a)."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _args: Any, output: Any) -> Any:
        first = output if isinstance(output, Tensor) else output[0]
        kept.append(first.clone())
        return kept[-1].clone() if isinstance(output, Tensor) else (kept[-1].clone(), *output[1:])

    x = torch.tensor(image[None], dtype=torch.float64, requires_grad=True)
    if layer == "input":
        kept.append(x)
    handle = dict(network.named_modules()).get(layer, nn.Module()).register_forward_hook(keep)
    try:
        with sdpa_kernel(SDPBackend.MATH) if second else nullcontext():  # the fused kernel has no second derivative
            scores = of(network(x.clone()))[0]
    finally:
        handle.remove()
    score = sum(float(w) * s for w, s in zip(weights, scores, strict=True))
    (g,) = torch.autograd.grad(score, [kept[call]], allow_unused=True, create_graph=second)
    a = kept[call][0].detach().numpy()
    if not second:
        return a, np.zeros_like(a) if g is None else g[0].numpy(), None
    rows = []
    for one in g.flatten():
        row = torch.autograd.grad(one, kept[call], retain_graph=True, allow_unused=True)[0] if one.requires_grad else None
        rows.append(np.zeros_like(a) if row is None else row[0].numpy())
    return a, g[0].detach().numpy(), np.stack(rows).reshape(*a.shape, *a.shape)


def scores(network: nn.Module, image: Floats, of: Callable[[Tensor], Tensor] = lambda logits: logits) -> Floats:
    """What the network gives for one image (3, h, w): (k,)."""
    with torch.no_grad():
        return of(network(torch.tensor(image[None], dtype=torch.float64)))[0].numpy()


def gradient_of(network: nn.Module, image: Floats, weights: Any) -> Floats:
    """dy/dx of one image (c, h, w), where y = scores @ weights, by bare autograd."""
    x = torch.tensor(image[None], requires_grad=True)
    return torch.autograd.grad(network(x)[0] @ torch.tensor(weights, dtype=torch.float64), x)[0][0].numpy()


def pinned(network: nn.Module, images: Floats, target: Any) -> Floats:
    """One-hot rows (n, k): the class `target`, or of "top" the one that each untouched image is taken for."""
    each = [scores(network, image) for image in images]
    index = [int(row.argmax()) if target == "top" else target for row in each]
    return np.eye(len(each[0]))[index]
