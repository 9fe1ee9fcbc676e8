"""Dimensions taken apart, multiplied, and some of their entries chosen: what marks are made of."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from .marks import Dim, Factor, plain, product

Index = np.ndarray[Any, np.dtype[np.int64]]  # which entries of a dimension, in order; -1: one of no place


def entries(dim: Dim) -> Index:
    """For each entry of a dimension, which entry of the product of its factors it is."""
    return np.arange(dim.size) if dim.rows is None else np.array(dim.rows)


def numbered(factors: Sequence[Factor], rows: Index) -> Dim:
    """The dimension with those entries of a product of factors, in the simplest form."""
    total = prod([f.size for f in factors])
    if all(f.axis is None for f in factors):
        return plain(len(rows))
    if len(rows) % total == 0:
        times, all_rows = len(rows) // total, np.arange(total)
        if np.array_equal(rows, np.tile(all_rows, times)):
            return product([Dim((Factor(times), *factors))])
        if np.array_equal(rows, np.repeat(all_rows, times)):
            return product([Dim((*factors, Factor(times)))])
    return product([Dim(tuple(factors))], tuple(rows.tolist()))


def enlarged(dim: Dim, times: int) -> Dim:
    """The dimension with each of its entries so many times, side by side."""
    if dim.rows is None:
        return product([dim, plain(times)])
    return numbered(dim.factors, np.repeat(entries(dim), times))


def regrouped_dims(dims: tuple[Dim, ...], shape: tuple[int, ...]) -> tuple[Dim, ...] | None:
    new: list[Dim] = []
    for olds, sizes in _blocks(dims, shape):
        parts = parted(multiplied(olds), sizes)
        if parts is None:
            return None
        new += parts
    return tuple(new)


def _blocks(dims: Sequence[Dim], shape: Sequence[int]) -> Iterator[tuple[list[Dim], list[int]]]:
    """The smallest groups of neighbouring dimensions that a reshape leaves as many elements as before."""
    olds, sizes = [*dims], [*shape]
    while olds or sizes:
        before, after = olds[:1], sizes[:1]
        while (old := prod([dim.size for dim in before])) != (new := prod(after)):
            if old < new:
                before.append(olds[len(before)])
            else:
                after.append(sizes[len(after)])
        olds, sizes = olds[len(before) :], sizes[len(after) :]
        if not sizes:  # what is left are dimensions of size 1
            before, olds = before + olds, []
        yield before, after


def multiplied(dims: Sequence[Dim]) -> Dim:
    """Several dimensions as one."""
    if all(dim.rows is None for dim in dims):
        return product(dims)
    rows = np.zeros(1, int)
    for dim in dims:
        inner = entries(dim)
        whole = prod([f.size for f in dim.factors])
        rows = np.where((rows[:, None] < 0) | (inner < 0), -1, rows[:, None] * whole + inner).ravel()
    return numbered([f for dim in dims for f in dim.factors], rows)


def parted(dim: Dim, sizes: Sequence[int]) -> list[Dim] | None:
    """One dimension as several of those sizes; None where it does not come apart into them."""
    if len(sizes) < 2:
        return [dim][: len(sizes)]
    if dim.rows is None:
        return _parted_factors(dim, sizes)
    table = np.array(dim.rows).reshape(sizes[0], -1)
    rows, columns = (table >= 0).any(1), (table >= 0).any(0)
    if not np.array_equal(table >= 0, np.outer(rows, columns)):
        return None
    if not rows.any():  # entries of no place
        rest = parted(numbered([Factor(table.shape[1])], np.arange(table.shape[1])), sizes[1:])
        return None if rest is None else [dim._replace(rows=(-1,) * sizes[0]), *rest]
    placed = table[rows][:, columns]
    for outer, inner in _cuts(dim.factors):
        within = prod([f.size for f in inner])
        up, down = placed // within, placed % within
        if (up == up[:, :1]).all() and (down == down[:1]).all():
            left, right = np.full(table.shape[0], -1), np.full(table.shape[1], -1)
            left[rows], right[columns] = up[:, 0], down[0]
            rest = parted(numbered(inner, right), sizes[1:])
            return None if rest is None else [numbered(outer, left), *rest]
    return None


def _cuts(factors: Sequence[Factor]) -> Iterator[tuple[list[Factor], list[Factor]]]:
    """All ways to cut a product of factors in two, through a factor as well."""
    for i, f in enumerate(factors):
        for size in range(2, f.size):
            if f.size % size == 0:
                yield [*factors[:i], _outer(f, f.size // size)], [f._replace(size=f.size // size), *factors[i + 1 :]]
        yield [*factors[: i + 1]], [*factors[i + 1 :]]
    yield [], [*factors]


def _outer(f: Factor, inner: int) -> Factor:
    """What is left of a factor without so many inner entries."""
    return Factor(f.size // inner, f.axis, 1 if f.axis is None else f.step * inner)


def _parted_factors(dim: Dim, sizes: Sequence[int]) -> list[Dim] | None:
    left, dims = [*dim.factors], []
    for size in sizes:
        factors: list[Factor] = []
        while size > 1 or (not factors and left and left[0].size == 1):
            f = left.pop(0)
            if max(size, f.size) % min(size, f.size):
                return None
            if f.size > size:
                inner = f.size // size
                left.insert(0, f._replace(size=inner))
                f = _outer(f, inner)
            factors.append(f)
            size //= f.size
        dims.append(factors)
    dims[-1] += left  # axes of a single cell
    return [product([Dim(tuple(factors))]) for factors in dims]


def cells_of(factors: Sequence[Factor], row: int) -> list[int]:
    """An entry of a product of factors, factor by factor."""
    cells = []
    for f in reversed(factors):
        row, cell = divmod(row, f.size)
        cells.append(cell)
    return cells[::-1]
