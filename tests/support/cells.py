"""What a mark says of every single element, and the same found out by carrying the cells themselves through the calls."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from seewhy.models.torch.places.dims import entries
from seewhy.models.torch.places.following import Following
from seewhy.models.torch.places.marks import IMAGES, Mark
from seewhy.models.torch.places.moves import plainly

Program = Callable[[Tensor], Tensor]
NOTHING = -1.0  # the number that stands for what is not computed from the image


def numbered_cells(n: int, c: int, *space: int) -> Tensor:
    """An image (n, c, *space) of which each number says which cell of which image it is."""
    cells = torch.arange(n * int(np.prod(space)), dtype=torch.float64).reshape(n, 1, *space)
    return cells.expand(n, c, *space).clone()


def told(mark: Mark, space: tuple[int, ...]) -> tuple[np.ndarray, list[np.ndarray]]:
    """By the mark: of which image each element is, and per axis of space where it lies; NaN where it says neither."""
    shape = mark.shape
    at: dict[int, np.ndarray] = {}
    for j, dim in [*enumerate(mark.dims), *((None, dim) for dim in mark.taken)]:
        rows, inner = entries(dim), 1
        for f in reversed(dim.factors):
            cell = np.where(rows >= 0, rows // inner % f.size * f.step, np.nan)
            inner *= f.size
            if f.axis is not None:
                along = cell.reshape([-1 if i == j else 1 for i in range(len(shape))])
                at[f.axis] = at.get(f.axis, 0) + along
    for a, axis in enumerate(mark.axes):
        if a in at:
            cells = at[a]
            if axis.order is not None:
                cells = np.where(np.isnan(cells), np.nan, np.append(axis.order, 0)[np.nan_to_num(cells).astype(int)])
            at[a] = axis.first + axis.stride * cells
    full = {a: np.broadcast_to(cells, shape) for a, cells in at.items()}
    nowhere = np.full(shape, np.nan)
    return full.get(IMAGES, nowhere), [full.get(a, nowhere) for a in range(len(space))]


def carried(values: Tensor, space: tuple[int, ...]) -> tuple[np.ndarray, list[np.ndarray]]:
    """The same by the numbers that arrived."""
    v = values.detach().numpy()
    there, size = v != NOTHING, int(np.prod(space))
    cells = np.unravel_index(np.where(there, v, 0).astype(int) % size, space)
    return np.where(there, v // size, np.nan), [np.where(there, cell, np.nan) for cell in cells]


def followed_mark(program: Program, x: Tensor) -> tuple[Tensor, Mark | None]:
    with Following(x) as following:
        out = program(x)
    return out, following.of(out)


def faults(program: Program, x: Tensor) -> list[str]:
    """What the mark of a program that only moves elements about says wrongly; a lost mark says nothing."""
    with Following(x) as following:
        out = program(x)
        mark = following._of(out)  # not in simple form, where inner cells may be averaged
    mark = mark if mark is None or mark.lost else plainly(mark)
    space = tuple(x.shape[2:])
    if mark is None:
        return [] if bool((out == NOTHING).all()) else ["no mark"]
    if mark.lost:
        return []
    if mark.shape != tuple(out.shape):
        return [f"shape {mark.shape} for {tuple(out.shape)}"]
    image, axes = told(mark, space)
    true_image, true_axes = carried(out, space)
    sides = [("images", image, true_image), *((f"axis {a}", *both) for a, both in enumerate(zip(axes, true_axes, strict=True)))]
    return [fault for what, said, true in sides for fault in _differences(what, said, true)] + (
        _strangers(mark, true_axes, axes) if x.shape[1] == 1 else []
    )


def _differences(what: str, said: np.ndarray, true: np.ndarray) -> list[str]:
    """Where it is said to lie in another cell; a cell that was drawn apart into parts lies in all of them."""
    wrong = ~np.isnan(true) & ~(np.abs(said - true) < 0.5)
    return [f"{what}: says {said[wrong][0]}, is {true[wrong][0]} ({wrong.sum()} of {wrong.size})"] if wrong.any() else []


def _strangers(mark: Mark, true: list[np.ndarray], axes: list[np.ndarray]) -> list[str]:
    """Entries of dimensions of space that hold nothing of the image, but that the mark puts into it.

    What lies beyond the cells that are there is a border.
    """
    nothing, wrong = np.isnan(true[0]), []
    if nothing.all():
        return []
    outside = np.any(
        [(said < np.nanmin(at) - 0.5) | (said > np.nanmax(at) + 0.5) for said, at in zip(axes, true, strict=True)], 0
    )
    for j, dim in enumerate(mark.dims):
        others = tuple(i for i in range(len(mark.dims)) if i != j)
        claimed = (entries(dim) >= 0) & ~outside.all(others) & dim.spatial
        if (claimed & nothing.all(others)).any():
            wrong.append(f"dimension {j}: puts what is not of the image into it")
    return wrong
