"""What putting tensors side by side does to marks: maps along channels, parts of a map, rows of tokens, images."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from .dims import entries, multiplied, numbered
from .marks import IMAGES, Axis, Dim, Factor, Mark, changed, lie_alike, lost, plain
from .merging import DIFFERENT, flat, merged
from .moves import inserted, plainly, shaped, tidied, with_dim


def joined(marks: Sequence[Mark | None], j: int, sizes: Sequence[int], shape: Sequence[int], border: bool = True) -> Mark:
    """The mark of tensors put one behind the other along dimension j, counted from the end; None: not computed from the image.

    border: what stands around a map along an axis of space is a border, not entries of no place.
    """
    if gone := next((mark for mark in marks if mark is not None and mark.lost), None):
        return gone
    filled = [i for i, size in enumerate(sizes) if size] or [0]
    marks, sizes = [marks[i] for i in filled], [sizes[i] for i in filled]
    if all(mark is None for mark in marks):
        return lost("puts together nothing of the image")
    marks = _set_in(marks, j)
    if any(mark is not None and all(f.axis is None for f in mark.dims[j].factors) for mark in marks):
        marks = [mark and flat(mark, j) for mark in marks]
    known = [mark for mark in marks if mark is not None]
    weights = [size for mark, size in zip(marks, sizes, strict=True) if mark is not None]
    if not any(mark.dims[j].informed for mark in known):
        return merged([with_dim(mark, j, plain(shape[j])) for mark in known], shape, weights)
    around = _around(marks, j, sizes) if border else None
    if around is not None:
        return shaped(around, shape)
    row = _row(marks, j, sizes)
    if row is None:
        return lost("puts maps of several scales into one row" if not known[0].dims[j].images else DIFFERENT)
    dim, new = row
    rest = [replace(with_dim(mark, j, Dim(())), axes=changed(mark.axes, new)) for mark in known if mark.dims[j].informed]
    if any(not lie_alike(mark.axes, rest[0].axes) for mark in rest):
        return lost(DIFFERENT)
    others = [with_dim(mark, j, Dim(())).everywhere() for mark in known if not mark.dims[j].informed]
    whole = merged([*rest, *others], [1 if i - len(shape) == j else size for i, size in enumerate(shape)])
    return whole if whole.lost else tidied(with_dim(whole, j, dim), j % len(shape))


def _set_in(marks: Sequence[Mark | None], j: int) -> list[Mark | None]:
    """Single entries that are put side by side again: their dimension tells again where they were."""
    known = [mark for mark in marks if mark is not None]
    count = len(known[0].taken)
    if any([dim.factors for dim in mark.taken] != [dim.factors for dim in known[0].taken] for mark in known):
        return [*marks]
    again = {k for k in range(count) if any(mark.taken[k] != known[0].taken[k] for mark in known)}
    if len(marks) == 1:  # all there are, if there is one
        again = {k for k in range(count) if known[0].taken[k].images and prod(f.size for f in known[0].taken[k].factors) == 1}
    return [mark and _again(mark, j, again) for mark in marks]


def _again(mark: Mark, j: int, again: set[int]) -> Mark:
    taken = [mark.taken[k] for k in sorted(again)]
    rest = tuple([dim for k, dim in enumerate(mark.taken) if k not in again])
    return replace(with_dim(mark, j, multiplied([*taken, mark.dims[j]])), taken=rest) if again else mark


def _around(marks: Sequence[Mark | None], j: int, sizes: Sequence[int]) -> Mark | None:
    """The mark of a map with a border put around it; None where it is something else."""
    known = [i for i, mark in enumerate(marks) if mark is not None]
    mark = marks[known[0]]
    if mark is None or len(known) > 1 or len(mark.axes) < 2 or mark.dims[j].single is None:
        return None
    mark = plainly(mark)
    a = mark.dims[j].single
    if a is None or len(mark.parts(a)) > 1 or mark.axes[a].order is not None:
        return None
    before = sum(sizes[: known[0]])
    return replace(with_dim(mark, j, Dim((Factor(sum(sizes), a),))),
                   axes=changed(mark.axes, {a: mark.axes[a].through(1, -before, -before)}))  # fmt: skip


def _row(marks: Sequence[Mark | None], j: int, sizes: Sequence[int]) -> tuple[Dim, dict[int, Axis]] | None:
    """Dimensions one behind the other as one, and the axes that change by it; None where they tell of different cells."""
    informed = [mark for mark in marks if mark is not None and mark.dims[j].informed]
    first = informed[0]
    factors = first.dims[j].factors
    if all(mark.dims[j].factors == factors and _same_axes(mark, first, j) for mark in informed):
        parts = [np.full(n, -1) if mark is None or not mark.dims[j].informed else entries(mark.dims[j])
                 for mark, n in zip(marks, sizes, strict=True)]  # fmt: skip
        return numbered(factors, np.concatenate(parts)), {}
    axes = {f.axis for mark in informed for f in mark.dims[j].factors}
    a = factors[0].axis
    if len(axes) > 1 or a is None or a == IMAGES:
        return None
    alone = all(len(mark.dims[j].factors) == len(mark.parts(a)) == mark.dims[j].factors[0].step == 1 for mark in informed)
    return _lattice(a, marks, j, sizes) if alone else None


def _same_axes(mark: Mark, other: Mark, j: int) -> bool:
    return all(mark.axes[a].lies_as(other.axes[a]) for a in mark.dims[j].axes)


def _lattice(a: int, marks: Sequence[Mark | None], j: int, sizes: Sequence[int]) -> tuple[Dim, dict[int, Axis]] | None:
    """Parts of one axis, each with its own beginning, as one dimension, where all cells lie on one line at even distances."""
    known = [mark.axes[a] for mark in marks if mark is not None and mark.dims[j].informed]
    stride = abs(known[0].stride)
    if stride == 0 or any(abs(abs(axis.stride) - stride) > 1e-9 * stride for axis in known):
        return None
    centres = []
    for mark, size in zip(marks, sizes, strict=True):
        if mark is None or not mark.dims[j].informed:
            centres.append(np.full(size, np.nan))
            continue
        rows, axis = entries(mark.dims[j]), mark.axes[a]
        cells = rows if axis.order is None else np.append(axis.order, -1)[rows]
        centres.append(np.where(rows >= 0, axis.first + axis.stride * cells, np.nan))
    at = np.concatenate(centres)
    begin = float(np.nanmin(at))
    if np.abs(np.modf((at[~np.isnan(at)] - begin) / stride + 0.5)[0] - 0.5).max() > 1e-6:  # cells between cells
        stride = float(np.diff(np.unique(at[~np.isnan(at)])).min())
    cells = np.where(np.isnan(at), -1, (at - begin) / stride)
    whole = np.round(cells)
    if np.abs(cells - whole).max() > 1e-6:
        return None
    low, high = min(axis.low - axis.first for axis in known), max(axis.high - axis.first for axis in known)
    dim = numbered((Factor(int(whole.max()) + 1, a),), whole.astype(int))
    return dim, {a: Axis(stride, begin, begin + low, begin + high, bell=known[0].bell)}


def stacked(marks: Sequence[Mark | None], j: int, shape: Sequence[int]) -> Mark:
    """The mark of tensors put side by side along a new dimension j, counted from the end."""
    known = [mark for mark in marks if mark is not None and not mark.lost]
    if any(_apart(mark, known[0]) for mark in known):
        return lost(DIFFERENT)
    return joined([mark and inserted(mark, j % len(shape)) for mark in marks], j, [1] * len(marks), shape)


def _apart(mark: Mark, other: Mark) -> bool:
    """Do the cells of two maps lie more than one cell apart?  Then each has its own place, and their mean is none."""
    held = {a for dim in mark.dims for a in dim.axes}
    pairs = [(mark.axes[a], other.axes[a]) for a in held]
    return any(abs(axis.first - its.first) > abs(axis.stride) for axis, its in pairs)
