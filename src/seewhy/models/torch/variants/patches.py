"""m copies of one map that each differ from it in one box: where the boxes lie, how they are cut out and put back.

A position is counted in cells along the d axes of space, and rows of positions (m, d) are numpy arrays: no device is asked.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Unchanged = Callable[..., Any]  # (function, *args, **kwargs): its result on the one unchanged map, computed once
Positions = NDArray[np.int64]
Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Boxes:
    """Copy i is `base`, but for `patch[i]` at the cells from `at[i]` on."""

    base: Tensor  # (1, *lead, *space)
    patch: Tensor  # (m, *lead, *sizes)
    at: Positions  # (m, d), inside the map

    @property
    def d(self) -> int:
        return self.at.shape[1]

    @property
    def space(self) -> Sizes:
        return tuple(self.base.shape[self.base.ndim - self.d :])

    @property
    def sizes(self) -> Sizes:
        return tuple(self.patch.shape[self.patch.ndim - self.d :])

    @property
    def shape(self) -> Sizes:
        return (len(self.patch), *self.base.shape[1:])

    def has_channels(self, d: int) -> bool:
        """Whether it is (1, c, *space) with d axes of space."""
        return self.d == d and self.base.ndim == d + 2

    @property
    def share(self) -> float:
        """Of the map, that a box covers."""
        return float(np.prod(self.sizes)) / max(1.0, float(np.prod(self.space)))

    def whole(self) -> Tensor:
        """The copies, in full."""
        copies = self.base.expand(self.shape).clone(memory_format=torch.contiguous_format)
        paste(copies, self.patch, self.at)
        return copies


Result = Boxes | list[Boxes] | None  # of an operation; None where it is not known what it does to boxes


def outer(parts: Sequence[Boxes]) -> tuple[Positions, Sizes]:
    """Boxes of one size, of which each holds the boxes of all parts."""
    start = np.min([part.at for part in parts], axis=0)
    end = np.max([part.at + part.sizes for part in parts], axis=0)
    sizes = (end - start).max(0)
    return np.minimum(start, np.array(parts[0].space) - sizes), tuple(sizes.tolist())


def grown(replay: Unchanged, x: Boxes, at: Positions, sizes: Sizes) -> Tensor:
    """The copies' content in larger boxes: (m, *lead, *sizes)."""
    if x.sizes == sizes and np.array_equal(x.at, at):
        return x.patch
    out = cut(replay(lasting, x.base, x.d), at, sizes).unflatten(1, x.base.shape[1 : x.base.ndim - x.d] or (1,))
    out = out if x.base.ndim > x.d + 1 else out.squeeze(1)
    paste(out, x.patch, x.at - at)
    return out


def lasting(base: Tensor, d: int, left: Sizes = (), right: Sizes = (), fill: float = 0.0) -> Tensor:
    """(1, *lead, *space) padded, with channels last: (*space, c), from which boxes are cut in long runs."""
    flat = base.reshape(-1, *base.shape[base.ndim - d :])
    around = [cells for pair in zip(reversed(left), reversed(right), strict=True) for cells in pair]
    return (F.pad(flat, around, value=fill) if any(around) else flat).movedim(0, -1).contiguous()


def cut(base: Tensor, at: Positions, sizes: Sizes) -> Tensor:
    """One box per position out of (*space, c): (m, c, *sizes) in memory with channels last."""
    boxes = [base[tuple(map(slice, start, end))] for start, end in zip(at.tolist(), (at + sizes).tolist(), strict=True)]
    return torch.stack(boxes).movedim(-1, 1)


def paste(to: Tensor, patch: Tensor, at: Positions) -> None:
    """Writes each patch into its map at a position that may lie partly, or wholly, outside of it."""
    d = at.shape[1]
    sizes, space = patch.shape[patch.ndim - d :], to.shape[to.ndim - d :]
    for first, after in _runs(at):
        start = at[first].tolist()
        inside = [(max(0, -a), min(size, n - a)) for a, size, n in zip(start, sizes, space, strict=True)]
        if all(a < b for a, b in inside):
            source = (slice(first, after), ..., *(slice(a, b) for a, b in inside))
            goal = (slice(first, after), ..., *(slice(a + o, b + o) for (a, b), o in zip(inside, start, strict=True)))
            to[goal] = patch[source]


def _runs(at: Positions) -> Iterator[tuple[int, int]]:
    """Neighbours at the same position are written together."""
    ends = [*(np.flatnonzero((at[1:] != at[:-1]).any(1)) + 1).tolist(), len(at)]
    return zip([0, *ends[:-1]], ends, strict=True)
