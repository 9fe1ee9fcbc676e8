"""Random programs of torch's calls that combine cells, and the measured centre of what a cell depends on."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from seewhy.models.torch.places.marks import Mark
from support.cells import Program, followed_mark, told
from support.random_calls import (
    choose,
    flip,
    merge,
    parts_and_back,
    permute,
    rot90,
    split,
    transpose,
    unfold,
    unshuffle,
)


def _ones(*shape: int) -> Tensor:
    return torch.ones(shape, dtype=torch.float64)


def conv(shape, r):
    d = len(shape) - 2
    if not 1 <= d <= 3:
        return None
    k, s, p, dil = (int(r.integers(1, 5)), int(r.integers(1, 3)), int(r.integers(0, 3)), int(r.integers(1, 3)))
    if any(side + 2 * p < dil * (k - 1) + 1 for side in shape[2:]):
        return None
    groups = shape[1] if r.random() < 0.3 else 1
    weight = _ones(shape[1] if groups > 1 else 2, shape[1] // groups, *[k] * d)
    call = (F.conv1d, F.conv2d, F.conv3d)[d - 1]
    return f"conv{d}d({k}, {s}, {p}, {dil}, {groups})", lambda x: call(x, weight, None, s, p, dil, groups)


def deconv(shape, r):
    d = len(shape) - 2
    if not 1 <= d <= 2:
        return None
    k = int(r.integers(2, 5))
    s = int(r.integers(1, k + 1))
    if k % s:
        return None
    weight = _ones(shape[1], 2, *[k] * d)
    call = (F.conv_transpose1d, F.conv_transpose2d)[d - 1]
    return f"conv_transpose{d}d({k}, {s})", lambda x: call(x, weight, None, s)


def pool(shape, r):
    d = len(shape) - 2
    if not 1 <= d <= 3 or min(shape[2:]) < 3:
        return None
    k, s = int(r.integers(1, 4)), int(r.integers(1, 4))
    call = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[d - 1]
    return f"avg_pool{d}d({k}, {s})", lambda x: call(x, k, s)


def adaptive(shape, r):
    if len(shape) != 4:
        return None
    h, w = (side // k if side % (k := int(r.integers(1, 4))) == 0 else side for side in shape[2:])
    return f"adaptive_avg_pool2d({h}, {w})", lambda x: F.adaptive_avg_pool2d(x, (h, w))


def resize(shape, r):
    if len(shape) != 4:
        return None
    mode = r.choice(["nearest", "bilinear"])
    return f"interpolate({mode}, 2)", lambda x: F.interpolate(x, scale_factor=2, mode=mode)


def linear(shape, r):
    w = _ones(3, shape[-1])
    return "linear", lambda x: F.linear(x, w)


def weighed(shape, r):
    j = int(r.integers(len(shape)))
    w = _ones(shape[j], 3)
    return f"tensordot({j}, 0)", lambda x: torch.tensordot(x, w, ([j], [0]))


def summed(shape, r):
    if len(shape) < 3:
        return None
    j, keep = int(r.integers(len(shape))), bool(r.random() < 0.5)
    return f"sum({j}, {keep})", lambda x: x.sum(j, keep)


def gated(shape, r):
    j = int(r.integers(len(shape)))
    return f"x * x.mean({j})", lambda x: x * (1 + 1e-3 * x.mean(j, keepdim=True))


def branches(shape, r):
    if len(shape) != 4 or min(shape[2:]) < 4:
        return None
    a, b = _ones(shape[1], shape[1], 3, 3), _ones(shape[1], shape[1], 1, 1)
    joined = r.random() < 0.5
    return (
        "x + conv(x)" if not joined else "cat(conv(x), conv(x))",
        lambda x: torch.cat([F.conv2d(x, a, padding=1), F.conv2d(x, b)], 1) if joined else x + F.conv2d(x, a, padding=1),
    )


def attention(shape, r):
    if len(shape) != 3:
        return None
    return "x + attention", lambda x: x + 1e-3 * (x @ x.mT * 1e-6).softmax(-1) @ x


def einsum(shape, r):
    if len(shape) not in (3, 4):
        return None
    letters = "abcd"[: len(shape)]
    j = int(r.integers(len(shape)))
    w, out = _ones(shape[j], 2), letters.replace(letters[j], "z")
    out = "".join(out[i] for i in r.permutation(len(out)))
    return f"einsum({letters},{letters[j]}z->{out})", lambda x: torch.einsum(f"{letters},{letters[j]}z->{out}", x, w)


SUMS = [conv, conv, conv, deconv, pool, adaptive, resize, linear, weighed, summed, gated, branches, attention, einsum, permute,
        transpose, merge, split, flip, choose, parts_and_back, unshuffle, unfold, rot90]  # fmt: skip


ENLARGING = ("interpolate", "conv_transpose", "pixel_unshuffle", "reshape")


def split_into(text: str) -> int:
    """Into how many cells along an axis a program may split a cell; channels that hold cells are split as well."""
    return 3 ** sum(text.count(name) for name in ENLARGING)


def misplaced(program: Program, x: Tensor, cells: int, r: np.random.Generator, parts: int) -> tuple[Mark | None, list[str]]:
    """The mark of a program, and those cells whose measured place is not that of the mark.

    The place is the centre of the energy of a cell's gradient; near the border of the image half of it may be cut off, and of
    what sees the whole image it tells nothing.  parts: into how many cells, along an axis, the program may split a cell.
    """
    x = x.clone().requires_grad_()
    out, mark = followed_mark(program, x)
    if mark is None or mark.lost or not out.requires_grad:
        return mark, []
    space, faults = tuple(x.shape[2:]), []
    images, axes = told(mark, space)
    for _ in range(cells):
        at = tuple(int(r.integers(side)) for side in out.shape)
        cell = tuple(i if dim.informed else slice(None) for i, dim in zip(at, mark.dims, strict=True))  # over all channels
        (g,) = torch.autograd.grad(out[cell].sum(), x, retain_graph=True)
        energy = (g**2).sum(1).numpy()
        from_images = np.flatnonzero(energy.reshape(len(energy), -1).sum(1))
        if not len(from_images):
            continue
        if not np.isnan(images[at]) and {*from_images.tolist()} != {int(images[at])}:
            faults.append(f"{at}: image {images[at]}, is {from_images}")
        for a, axis in enumerate(mark.axes):
            along = energy.sum(tuple(i for i in range(energy.ndim) if i != a + 1))
            centre = float((along * np.arange(space[a])).sum() / along.sum())
            reach = (axis.high - axis.low) / 2
            inside = not mark.whole and reach <= axes[a][at] <= space[a] - 1 - reach  # false where the mark says nothing
            if inside and abs(centre - axes[a][at]) > parts * max(abs(axis.stride), 1) / 2 + 0.01:
                faults.append(f"{at}: axis {a} at {axes[a][at]}, is {centre:.2f}")
    return mark, faults
