"""A class activation map by kernel PCA: places of a layer told apart by how alike their activations are."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, Floats, numbers
from seewhy.errors import BadParameter, NotApplicable
from seewhy.methods.making.reading import from_activations

from .cam import agreeing

__all__ = ["kpca_cam"]

KernelName = Literal["sigmoid", "rbf", "poly", "cosine", "linear"]
MOST_PLACES = 4096  # whose kernel matrix, of all pairs of places, has room in memory
SMALL, STEPS = 400, 200  # places whose kernel matrix is taken apart as a whole; steps of Lanczos' iteration, at most


@from_activations()
def kpca_cam(a: Array, *, kernel: KernelName = "sigmoid", gamma: float | None = None) -> NDArray[np.float64]:
    """The places' first component in kernel PCA of the centred activations; its sign that of their sum over channels.

    kernel: of two places with activations u, v, less each channel's mean: "sigmoid" tanh(gamma u v + 1), "rbf"
    exp(-gamma |u - v|^2), "poly" (gamma u v + 1)^3, "cosine" u v / |u| |v|, "linear" u v: Eigen-CAM, centred.
    gamma: of the kernel, above 0.  None: 1 / channels.

    Source: Karmani et al. 2024, KPCA-CAM: Visual Explainability of Deep Computer Vision Models using Kernel PCA; kernels, gamma
    and the centring as in the library pytorch-grad-cam, where the sign is left to the decomposition.

    Caveat: blind to the class, as Eigen-CAM; kernels but the linear and the cosine depend on how large activations are: where
    they are large, tanh tells signs alone.
    """
    if gamma is not None and not 0 < gamma < np.inf:
        raise BadParameter(f"kpca-cam: gamma={gamma} is a factor above 0; None is 1 / channels.")
    maps = [_first_of_kernel(each, kernel, gamma) for each in numbers(a).astype(np.float64)]
    return np.stack(maps)


def _first_of_kernel(a: Floats, kernel: KernelName, gamma: float | None) -> NDArray[np.float64]:
    """The first component in kernel PCA of the places of one activation (c, *space): (*space)."""
    c, *space = a.shape
    m = a.reshape(c, -1).T
    if len(m) > MOST_PLACES:
        raise NotApplicable(
            f"kpca-cam compares every place with every other, and this layer has {len(m):,} ({' x '.join(map(str, space))}); "
            f"{MOST_PLACES:,} are the most. Name a later layer, of fewer places, or ask eigen-cam."
        )
    if not np.isfinite(m).all():  # say so, image by image
        return np.full(space, np.nan)
    size = np.abs(m).max(initial=0)
    m = m - m.mean(0)
    if np.abs(m).max(initial=0) <= 1e-14 * size:  # all places are alike: what the kernel's centring leaves is rounding
        return np.zeros(space)
    k = KERNELS[kernel](m, 1 / c if gamma is None else gamma)
    k = k - k.mean(0) - k.mean(1, keepdims=True) + k.mean()
    value, vector = _largest(k)
    component = vector * np.sqrt(max(value, 0))  # of a kernel that is no inner product the largest may be below 0
    return (component[None] * agreeing(component[None], m[None])).reshape(space)


def _largest(k: Floats) -> tuple[float, Floats]:
    """The largest eigenvalue of a symmetric matrix, and its eigenvector of length one; of a large one by Lanczos' iteration."""
    if len(k) <= SMALL:
        values, vectors = np.linalg.eigh(k)
        return float(values[-1]), vectors[:, -1]
    steps = np.zeros((STEPS + 1, len(k)))
    inner = np.zeros((STEPS + 1, STEPS + 1))  # tridiagonal, as k looks from within the steps
    steps[0] = np.random.default_rng(0).standard_normal(len(k))
    steps[0] /= np.linalg.norm(steps[0])
    for n in range(STEPS):
        ahead = k @ steps[n]
        inner[n, n] = ahead @ steps[n]
        for _ in range(2):  # twice is enough for them to stay at right angles
            ahead -= (steps[: n + 1] @ ahead) @ steps[: n + 1]
        rest = float(np.linalg.norm(ahead))
        values, vectors = np.linalg.eigh(inner[: n + 1, : n + 1])
        if rest * abs(vectors[-1, -1]) <= 1e-13 * abs(values).max():
            return float(values[-1]), vectors[:, -1] @ steps[: n + 1]
        inner[n, n + 1] = inner[n + 1, n] = rest
        steps[n + 1] = ahead / rest
    values, vectors = np.linalg.eigh(k)  # the first two are so near each other that the steps do not tell them apart
    return float(values[-1]), vectors[:, -1]


KERNELS: dict[str, Callable[[Floats, float], Floats]] = {  # (places, c), gamma -> (places, places)
    "sigmoid": lambda m, gamma: np.tanh(gamma * (m @ m.T) + 1),
    "rbf": lambda m, gamma: np.exp(-gamma * _squared_distances(m)),
    "poly": lambda m, gamma: (gamma * (m @ m.T) + 1) ** 3,
    "cosine": lambda m, _gamma: _of_length_one(m) @ _of_length_one(m).T,
    "linear": lambda m, _gamma: m @ m.T,
}


def _of_length_one(m: Floats) -> Floats:
    lengths = np.linalg.norm(m, axis=1, keepdims=True)
    return m / np.where(lengths > 0, lengths, 1)


def _squared_distances(m: Floats) -> Floats:
    squares = (m**2).sum(1)
    return np.maximum(squares[:, None] + squares - 2 * (m @ m.T), 0)
