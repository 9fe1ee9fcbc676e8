"""Calls that choose entries of a tensor, at places that are known: slices, indices, masks, parts, repeats, flips."""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .dims import Index, enlarged
from .marks import Mark, lost, plain
from .moves import chosen, inserted, permuted, regrouped, selected, shaped, unsqueezed, with_dim
from .products import Of

BY_CONTENT = "tokens are chosen by what the image shows"
Basic = int | slice | None


def numbers_of(of: Of, index: Any) -> Index | None:
    """An index as numbers; None where it was computed from the image."""
    if isinstance(index, Tensor):
        return None if of(index) is not None else np.array(index.tolist())
    return (
        np.array([int(i) if isinstance(i, Tensor) else i for i in index])
        if isinstance(index, list | range)
        else np.asarray(index)
    )


def indexed(of: Of, out: Tensor, x: Tensor, index: Any) -> Mark:
    """The rule of x[index]."""
    mark = of(x)
    if mark is None:
        return lost(BY_CONTENT)
    if mark.lost:
        return mark
    parts = spelled_out(of, index, len(mark.dims))
    return lost(BY_CONTENT) if parts is None else taken_from(mark, parts)


def taken_from(mark: Mark, parts: Sequence[Any]) -> Mark:
    """The mark of those entries of a tensor, for each dimension: None, an int, a slice, or an array."""
    j, arrays = 0, []
    for part in parts:
        if part is None:
            mark = unsqueezed(mark, j)
        elif isinstance(part, slice):
            size = mark.dims[j].size
            mark = chosen(mark, j, np.arange(size)[part])
        elif isinstance(part, int):
            mark, j = selected(mark, j, part), j - 1
        else:
            arrays.append((j, part))
            j += part.ndim - 1 if part.dtype == bool else 0
        if mark.lost:
            return mark
        j += 1
    return _by_arrays(mark, arrays) if arrays else mark


def spelled_out(of: Of, index: Any, count: int) -> list[Any] | None:
    """The parts of an index as None, int, slice, or array, for each dimension; None where the image decides on one."""
    index = index if isinstance(index, tuple) else (index,)
    parts: list[Any] = []
    for part in index:
        if part is None or part is Ellipsis or isinstance(part, slice):
            parts.append(_slice(part) if isinstance(part, slice) else part)
            continue
        numbers = numbers_of(of, part)
        if numbers is None and part.dtype == torch.bool and bool(part.all()):
            numbers = np.ones(part.shape, bool)  # the image decided on it, but to keep all
        if numbers is None:
            return None
        scalar = numbers.ndim == 0 and numbers.dtype != bool
        parts.append(int(numbers) if scalar else numbers)
    taken = sum(part.ndim if isinstance(part, np.ndarray) and part.dtype == bool else part is not None and part is not Ellipsis
                for part in parts)  # fmt: skip
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    return [*parts[:at], *[slice(None)] * (count - taken), *parts[at + 1 :]]


def _slice(part: slice) -> slice:
    return slice(*(int(edge) if edge is not None else None for edge in (part.start, part.stop, part.step)))


def _by_arrays(mark: Mark, arrays: Sequence[tuple[int, Index]]) -> Mark:
    """The mark after indexing by arrays: the dimensions that they index are taken as one, of which entries are chosen."""
    each: list[tuple[int, Index]] = []
    for j, array in arrays:
        places = np.nonzero(array) if array.dtype == bool else (array,)
        each += [(j + i, place) for i, place in enumerate(places)]
    dims = [j for j, _ in each]
    if dims != [*range(dims[0], dims[0] + len(dims))]:
        return lost("an index through several dimensions")
    sizes = [mark.dims[j].size for j in dims]
    arranged = np.broadcast_arrays(*(place % size for (_, place), size in zip(each, sizes, strict=True)))
    flat = np.ravel_multi_index(arranged, sizes)
    mark = regrouped(mark, (*mark.shape[: dims[0]], prod(sizes), *mark.shape[dims[-1] + 1 :]))
    mark = mark if mark.lost else chosen(mark, dims[0], flat.ravel())
    return mark if mark.lost else regrouped(mark, (*mark.shape[: dims[0]], *flat.shape, *mark.shape[dims[0] + 1 :]))


def index_selected(of: Of, out: Tensor, x: Tensor, dim: int, index: Any) -> Mark:
    mark, numbers = of(x), numbers_of(of, index)
    if mark is None or numbers is None:
        return lost(BY_CONTENT)
    return mark if mark.lost else chosen(mark, dim, numbers.ravel())


def gathered(of: Of, out: Tensor, x: Tensor, dim: int, index: Any, *_: Any, **__: Any) -> Mark:
    """The rule of gather, where the same entries are taken along all other dimensions but the images."""
    mark, numbers = of(x), numbers_of(of, index)
    if mark is None or numbers is None:
        return lost(BY_CONTENT)
    if mark.lost:
        return mark
    j = dim % len(mark.dims)
    table = np.moveaxis(np.broadcast_to(numbers, out.shape), j, -1).reshape(-1, out.shape[j])
    if (table == table[:1]).all():
        mark = chosen(mark, j, table[0])
        for i, size in enumerate(out.shape):
            mark = mark if i == j or mark.lost else chosen(mark, i, np.arange(size))
        return mark
    rows = np.broadcast_to(numbers, out.shape).reshape(*out.shape[: j + 1], -1)
    if j == 0 or not (rows == rows[..., :1]).all():
        return lost("other entries for each cell")
    at = np.indices(out.shape[: j + 1])
    return _by_arrays(mark, [*((i, at[i]) for i in range(j)), (j, rows[..., 0])])


def taken_along(of: Of, out: Tensor, x: Tensor, index: Any, dim: int | None = None, **_: Any) -> Mark:
    """The rule of take_along_dim."""
    return lost("a choice among all numbers") if dim is None else gathered(of, out, x, dim, index)


def repeated_each(of: Of, out: Tensor, x: Tensor, repeats: Any, dim: int | None = None, **_: Any) -> Mark:
    """The rule of repeat_interleave."""
    mark, numbers = of(x), numbers_of(of, repeats)
    if mark is None or numbers is None:
        return lost(BY_CONTENT)
    if dim is None:
        mark, dim = regrouped(mark, (prod(mark.shape),)), 0
    if mark.lost:
        return mark
    if numbers.size == 1:
        return with_dim(mark, dim, enlarged(mark.dims[dim], int(numbers.flat[0])))
    return chosen(mark, dim, np.repeat(np.arange(mark.dims[dim].size), numbers))


def repeated(mark: Mark, out: Tensor, *times: Any, **named: Any) -> Mark:
    """The rule of repeat and tile."""
    sizes = (*named.values(), *times)
    sizes = tuple(sizes[0]) if sizes and isinstance(sizes[0], tuple | list | torch.Size) else sizes
    for _ in range(len(sizes) - len(mark.dims)):
        mark = inserted(mark, 0)
    for j, by in enumerate(sizes, len(mark.dims) - len(sizes)):
        mark = mark if by == 1 or mark.lost else chosen(mark, j, np.tile(np.arange(mark.dims[j].size), by))
    return mark


def expanded(mark: Mark, out: Tensor, *_: Any, **__: Any) -> Mark:
    return shaped(mark, out.shape)


def flipped(mark: Mark, out: Tensor, *dims: Any, **named: Any) -> Mark:
    for j in _each([*dims, *named.values()]):
        mark = mark if mark.lost else chosen(mark, j, np.arange(mark.dims[j].size)[::-1])
    return mark


def _each(dims: Sequence[Any]) -> list[int]:
    return [j for dim in dims for j in (dim if isinstance(dim, tuple | list) else [dim])]


def turned(mark: Mark, out: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Mark:
    """The rule of rot90."""
    a, b = (j % len(mark.dims) for j in dims)
    for _ in range(k % 4):
        order = [*range(len(mark.dims))]
        order[a], order[b] = order[b], order[a]
        mark = permuted(flipped(mark, out, b), order) if not mark.lost else mark
    return mark


def narrowed(mark: Mark, out: Tensor, dim: int, start: Any, length: int) -> Mark:
    return chosen(mark, dim, np.arange(length) + int(start) % max(mark.dims[dim].size, 1))


def one(mark: Mark, out: Tensor, dim: int, index: int) -> Mark:
    return selected(mark, dim, index)


def in_parts(mark: Mark, out: Sequence[Tensor], _sizes: Any = None, dim: int = 0, **__: Any) -> list[Mark]:
    edges = [0, *accumulate(part.shape[dim] for part in out)]
    return [chosen(mark, dim, np.arange(a, b)) for a, b in pairwise(edges)]


def split_along(dims: tuple[int, int]) -> Callable[..., list[Mark]]:
    """The rule of hsplit, vsplit and dsplit: along one dimension, or another one where there are too few."""
    return lambda mark, out, *_, **__: in_parts(mark, out, dim=dims[0] if len(mark.dims) > max(dims) else dims[1])


def unbound(mark: Mark, out: Sequence[Tensor], dim: int = 0) -> list[Mark]:
    return [selected(mark, dim, i) for i in range(len(out))]


def diagonal(mark: Mark, out: Tensor, *_: Any, **__: Any) -> Mark:
    return lost("a diagonal of a tensor")


def one_hot(mark: Mark, out: Tensor, *_: Any, **__: Any) -> Mark:
    """The rule of one_hot, and of embeddings that are looked up: each cell becomes a row of numbers."""
    return inserted(mark, len(mark.dims), plain(out.shape[-1]))
