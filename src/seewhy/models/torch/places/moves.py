"""What calls that only move elements about do to marks: reshapes, transposes, broadcasts, and choosing entries."""

from collections.abc import Sequence
from dataclasses import replace
from math import gcd, prod

import numpy as np

from .dims import Index, cells_of, enlarged, entries, numbered, regrouped_dims
from .marks import IMAGES, Dim, Factor, Mark, changed, lost, plain


def with_dim(mark: Mark, j: int, dim: Dim) -> Mark:
    j %= len(mark.dims)
    return replace(mark, dims=(*mark.dims[:j], dim, *mark.dims[j + 1 :]))


def inserted(mark: Mark, j: int, dim: Dim | None = None) -> Mark:
    return mark if mark.lost else replace(mark, dims=(*mark.dims[:j], dim or Dim(()), *mark.dims[j:]))


def unsqueezed(mark: Mark, j: int) -> Mark:
    """The mark with a new dimension of one entry: that of the one image, if one was taken."""
    image = next((dim for dim in mark.taken if dim.images and not dim.spatial), None)
    if image is None or mark.lost:
        return inserted(mark, j)
    return replace(inserted(mark, j, image), taken=tuple([dim for dim in mark.taken if dim is not image]))


def permuted(mark: Mark, order: Sequence[int]) -> Mark:
    return replace(mark, dims=tuple([mark.dims[j] for j in order]))


def shaped(mark: Mark, shape: Sequence[int]) -> Mark:
    """The mark of a tensor that is broadcast to that shape."""
    if mark.shape == shape or mark.lost:
        return mark
    new = len(shape) - len(mark.dims)
    if new < 0 or any(dim.size not in (1, size) for dim, size in zip(mark.dims, shape[new:], strict=True)):
        return lost("a broadcast that is not understood")
    dims = [dim if dim.size == size else enlarged(dim, size) for dim, size in zip(mark.dims, shape[new:], strict=True)]
    return replace(mark, dims=(*(plain(size) for size in shape[:new]), *dims))


def chosen(mark: Mark, j: int, index: Index) -> Mark:
    """The mark with those entries of dimension j; -1 stands for an entry of no place."""
    dim, j = mark.dims[j], j % len(mark.dims)
    if len(index) == dim.size and np.array_equal(index, np.arange(dim.size)):
        return mark
    if not dim.informed:
        return with_dim(mark, j, plain(len(index)) if dim.rows is None else dim._replace(rows=(-1,) * len(index)))
    rows = np.where(index >= 0, entries(dim)[index], -1)
    return tidied(with_dim(mark, j, numbered(dim.factors, rows)), j)


def tidied(mark: Mark, j: int) -> Mark:
    """The mark with the entries of dimension j told by the axis itself where they can: every second cell, or turned."""
    dim = mark.dims[j]
    if dim.rows is None or not dim.spatial:
        return mark
    if dim.factors[0].axis == IMAGES:
        return _of_one_image(mark, j)
    a = dim.factors[0].axis
    if a is None or a < 0 or len(mark.parts(a)) > 1:
        return mark
    mark = coarser(placed(mark), a)
    if mark.lost:
        return mark
    dim, rows, axis = mark.dims[j], np.array(dim.rows), mark.axes[a]
    if len(dim.factors) > 1 or rows.min() < 0:
        return mark
    cells = rows if axis.order is None else np.array(axis.order)[rows]
    step = int(cells[1] - cells[0]) if len(cells) > 1 else 1
    order, first = None, int(cells[0])
    if step == 0 or (np.diff(cells) != step).any():
        first = int(cells.min())
        step = gcd(*(cells - first).tolist())
        order = (cells - first) // (step or 1)
        if not np.array_equal(np.sort(order), np.arange(len(order))):
            return mark
    axis = axis.through(step, first, first)._replace(order=None if order is None else tuple(order.tolist()))
    return replace(with_dim(mark, j, Dim((Factor(len(rows), a),))), axes=changed(mark.axes, {a: axis}))


def _of_one_image(mark: Mark, j: int) -> Mark:
    """The mark of cells in one row with images, where all are cells of the same image."""
    f, *inner = mark.dims[j].factors
    rows, within = entries(mark.dims[j]), prod([g.size for g in inner])
    images = {*(rows[rows >= 0] // within).tolist()}
    if len(images) > 1 or f.size == 1 or len(mark.parts(IMAGES)) > 1:
        return mark
    (image,) = images
    dim = numbered(inner, np.where(rows >= 0, rows - image * within, -1))
    return tidied(replace(with_dim(mark, j, dim), taken=(*mark.taken, Dim((f,), (image,)))), j)


def _narrowed(mark: Mark, j: int) -> Mark:
    """The mark without the outermost cells of a dimension that no entry is of."""
    f, *inner = mark.dims[j].factors
    within, a = prod([g.size for g in inner]), f.axis
    if a is None or a < 0 or len(mark.parts(a)) > 1 or mark.axes[a].order is not None:
        return mark
    rows = entries(mark.dims[j])
    outer = rows[rows >= 0] // within
    low, high = int(outer.min()), int(outer.max())
    if (low, high) == (0, f.size - 1):
        return mark
    dim = numbered((Factor(high - low + 1, a), *inner), np.where(rows >= 0, rows - low * within, -1))
    return replace(with_dim(mark, j, dim), axes=changed(mark.axes, {a: mark.axes[a].through(1, low, low)}))


def selected(mark: Mark, j: int, at: int) -> Mark:
    """The mark of one entry along a dimension, which is then gone; if it held a part of an axis, the other parts stay."""
    j %= len(mark.dims)
    dim, rest = mark.dims[j], replace(mark, dims=(*mark.dims[:j], *mark.dims[j + 1 :]))
    kept = [
        f for f in dim.factors if f.axis is not None and not any(g.step == f.step and g.size > 1 for _, g in rest.parts(f.axis))
    ]
    if not kept:  # nothing of space, or the other cells of pairs stay
        return rest
    row = int(entries(dim)[at])
    cells = dict(zip(dim.factors, cells_of(dim.factors, row), strict=True))
    row = row if row < 0 else int(np.ravel_multi_index([cells[f] for f in kept], [f.size for f in kept]))
    taken = numbered(kept, np.array([row])) if row >= 0 else Dim(tuple(kept), (-1,))
    return replace(rest, taken=(*rest.taken, taken))


def placed(mark: Mark) -> Mark:
    """The mark whose axes tell where the cells lie of which a part was taken, as the second of each two rows."""
    if not mark.taken:
        return mark
    held = {f.axis for _, f in mark.factors}
    loose = [dim for dim in mark.taken if any(f.axis in held for f in dim.factors)]
    if not loose:
        return mark
    mark = replace(mark, taken=tuple([dim for dim in mark.taken if dim not in loose]))
    for dim in loose:
        (row,) = entries(dim)
        alone = [f for f in dim.factors if f.axis not in held]
        if row >= 0 and alone:
            return lost("a choice among cells of several axes")
        for f, cell in zip(dim.factors, cells_of(dim.factors, int(row)), strict=True):
            if mark.lost or f in alone:
                continue
            if row < 0 or f.axis is None:
                mark = unplaced(mark, f.axis) if f.axis in dim.axes else mark
            elif f.axis == IMAGES:
                mark = _of_images(mark, f.step * cell)
            elif mark.axes[f.axis].order is not None:
                return lost("a choice among cells that were rolled")
            else:
                axis = mark.axes[f.axis].through(1, f.step * cell, f.step * cell)
                mark = replace(mark, axes=changed(mark.axes, {f.axis: axis}))
    return mark


def _of_images(mark: Mark, first: int) -> Mark:
    """The mark of those images of which the batch, in several dimensions, is left at one entry of another dimension."""
    (j, f), *others = mark.parts(IMAGES)
    if others or len(mark.dims[j].factors) > 1:
        return lost("a choice among parts of the batch")
    rows = entries(mark.dims[j])
    return with_dim(
        mark, j, numbered((Factor(f.size * f.step + first, IMAGES),), np.where(rows >= 0, rows * f.step + first, -1))
    )


def splits(mark: Mark, j: int, a: int) -> bool:
    """Are the cells along an axis that dimension j tells the inner ones of what others tell?"""
    steps = {f.step for i, f in mark.parts(a) if i == j and f.size > 1}
    others = {f.step for i, f in mark.parts(a) if i != j and f.size > 1}
    return bool(others) and max(steps, default=0) < min(others)


def unplaced(mark: Mark, a: int | None) -> Mark:
    """The mark without an axis: where its cells were, there is now anything else."""
    dims = []
    for dim in mark.dims:
        factors = [Factor(f.size) if f.axis == a else f for f in dim.factors]
        dims.append(dim if a not in dim.axes else numbered(factors, entries(dim)))
    return replace(mark, dims=tuple(dims), whole=True)


def plainly(mark: Mark) -> Mark:
    """The mark with its cells counted without gaps, from where they begin."""
    mark = placed(mark)
    if any(dim.rows is not None and not dim.informed for dim in mark.dims):
        mark = replace(mark, dims=tuple([dim if dim.rows is None or dim.informed else plain(dim.size) for dim in mark.dims]))
    for a in {f.axis for _, f in mark.factors if f.axis is not None and f.axis >= 0 and f.step > 1}:
        mark = coarser(mark, a)
    for j, dim in mark.spots:
        mark = _narrowed(mark, j % len(mark.dims)) if dim.rows is not None else mark
    return mark


def coarser(mark: Mark, a: int) -> Mark:
    """The mark with the cells along an axis counted without gaps."""
    parts = [f.step for _, f in mark.parts(a) if f.size > 1]
    gap = min(parts, default=1)
    if gap == 1 or mark.axes[a].order is not None or any(step % gap for step in parts):
        return mark
    dims = tuple([
        dim._replace(factors=tuple([f._replace(step=max(f.step // gap, 1)) if f.axis == a else f for f in dim.factors]))
        for dim in mark.dims
    ])  # fmt: skip
    return replace(mark, dims=dims, axes=changed(mark.axes, {a: mark.axes[a].through(gap, 0, 0)}))


def regrouped(mark: Mark, shape: Sequence[int]) -> Mark:
    """The mark after a reshape: the same elements in the same order, in dimensions of that shape."""
    if mark.shape == shape or mark.lost:
        return mark
    if 0 in shape or prod(shape) != prod(mark.shape):
        return lost("a reshape that is not understood")
    dims = regrouped_dims(mark.dims, tuple(shape))
    if dims is None:
        return lost("a reshape that cuts across cells")
    mark = replace(mark, dims=dims)
    for j, dim in enumerate(dims):
        mark = tidied(mark, j) if dim.rows is not None and not mark.lost else mark
    return mark
