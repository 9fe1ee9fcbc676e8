"""What calls that combine cells do to marks: sums over a dimension, sums of maps, products of tensors."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from .marks import IMAGES, Axis, Dim, Factor, Mark, apart, changed, lie_alike, lost, plain, product
from .moves import placed, plainly, shaped, splits, unplaced, with_dim
from .sights import mixed as bells_mixed

MIXED = "mixes the images of a batch"
DIFFERENT = "puts together maps that lie differently"
Term = tuple[Mark, Sequence[object]]  # a tensor, and a label for each of its dimensions


def summed(mark: Mark, j: int, size: int | None) -> Mark:
    """The mark after a sum over dimension j, which then has a new size, or is gone (size None)."""
    mark = placed(mark)
    if mark.lost:
        return mark
    j %= len(mark.dims)
    gone = mark.dims[j]
    if _mixes(gone):
        return lost(MIXED)
    dims = [*mark.dims]
    dims[j : j + 1] = [] if size is None else [plain(size)]
    return _averaged(replace(mark, dims=tuple(dims)), [gone]) if gone.axes else replace(mark, dims=tuple(dims))


def _folded(mark: Mark) -> int:
    """In how many dimensions images lie: in two where the batch is cut, and in two if it pairs images."""
    return sum(dim.images for dim in mark.dims)


def _mixes(gone: Dim) -> bool:
    """Does a sum over the dimension mix images?  Cells of a single image may stand in one row with it."""
    return gone.images and (len(gone.factors) == 1 or any(f.axis == IMAGES and f.size > 1 for f in gone.factors))


def _averaged(mark: Mark, gone: Sequence[Dim]) -> Mark:
    """The mark of what is left after sums over the dimensions `gone`.

    Where they held the inner cells of a map, the others lie in their middle.  Otherwise cells see the whole axis.
    """
    for a in {a for dim in gone for a in dim.axes}:
        steps = {f.step for _, f in mark.parts(a) if f.size > 1}
        inner = [f for dim in gone for f in dim.factors if f.axis == a and f.size > 1 and f.step not in steps]
        if not steps or not inner:  # the whole axis is gone, or the cells that others were paired with
            mark = mark.everywhere()
            continue
        within = sum(f.step * (f.size - 1) for f in inner)
        exact = within < min(steps) and all(dim.rows is None for dim in gone if a in dim.axes) and mark.axes[a].order is None
        axes = changed(mark.axes, {a: mark.axes[a].through(1, 0, within)})
        mark = replace(mark, axes=axes) if exact else unplaced(mark, a)
    return mark


def flat(mark: Mark, j: int) -> Mark:
    """The mark with the inner cells of a map averaged, where dimension j holds them, as channels do that are mixed."""
    if mark.lost or not mark.dims[j].axes or mark.dims[j].images:
        return mark
    inner = all(splits(mark, j % len(mark.dims), a) for a in mark.dims[j].axes)
    return summed(mark, j, mark.dims[j].size) if inner else mark


def simple(mark: Mark) -> Mark:
    """The mark with its cells counted without gaps, from where they begin, and without inner cells beside a class token."""
    mark = plainly(mark)
    if any(dim.rows is not None and -1 in dim.rows for _, dim in mark.spots):
        rows = [j for j, dim in enumerate(mark.dims) if dim.rows is not None]
        mark = plainly(reduce(flat, [j for j in range(len(mark.dims)) if j not in rows], mark))
    return mark


def merged(marks: Sequence[Mark], shape: Sequence[int], weights: Sequence[float] | None = None) -> Mark:
    """The mark of a tensor that combines several cell by cell: a cell lies at the mean of their centres, and sees what all see.

    What has no dimensions of space, as gates have none, changes no place.  Maps that lie differently have no common place.
    """
    first = marks[0]
    if not first.lost and all(_alike(mark, first) for mark in marks):
        return shaped(first.everywhere() if any(mark.whole for mark in marks) else first, shape)
    if any(len(mark.dims) > len(shape) for mark in marks):
        return lost("a broadcast that is not understood")
    marks = _as_channels(marks)
    return combined([(mark, range(-len(mark.dims), 0)) for mark in marks], range(-len(shape), 0), shape, weights)


def _as_channels(marks: Sequence[Mark]) -> Sequence[Mark]:
    """The marks with the cells averaged that one holds in channels, where another has channels of as many entries."""
    for j in range(-min(len(mark.dims) for mark in marks), 0):
        dims = [mark.dims[j] for mark in marks]
        if any(dim.axes for dim in dims) and any(not dim.informed and dim.size > 1 for dim in dims):
            marks = [flat(mark, j) for mark in marks]
            if any(mark.lost for mark in marks):
                return marks
    return marks


def combined(
    terms: Sequence[Term], out: Sequence[object], shape: Sequence[int], weights: Sequence[float] | None = None
) -> Mark:
    """The mark of a sum of products of tensors, as of `einsum`: over each dimension whose label is not among those of `out`."""
    if any(mark.taken != terms[0][0].taken for mark, _ in terms):
        terms = [(placed(mark), labels) for mark, labels in terms]
    if gone := next((mark for mark, _ in terms if mark.lost), None):
        return gone
    terms = _of_one_line(terms, out) if len(terms) == 2 else terms
    mark = _combined(terms, out, shape, weights or [1] * len(terms))
    if not mark.lost:
        return mark
    simpler = [(_simplest(mark), labels) for mark, labels in terms]
    if gone := next((mark for mark, _ in simpler if mark.lost), None):
        return gone
    return _combined(simpler, out, shape, weights or [1] * len(terms))


def _of_one_line(terms: Sequence[Term], out: Sequence[object]) -> Sequence[Term]:
    """The terms, where those of pairs of cells of two maps that lie differently tell of the cells of the first alone."""
    (mark, labels), (other, names) = terms
    if lie_alike(mark.axes, other.axes):
        return terms
    for a in range(len(mark.axes)):
        here, there = ({label for label, dim in zip(its, m.dims, strict=True) if label in out and a in dim.axes and dim.spatial}
                       for m, its in ((mark, labels), (other, names)))  # fmt: skip
        if here and there and not here & there and not mark.axes[a].lies_as(other.axes[a]):
            other = unplaced(other, a)
    return [(mark, labels), (other, names)]


def _combined(terms: Sequence[Term], out: Sequence[object], shape: Sequence[int], weights: Sequence[float]) -> Mark:
    columns: dict[object, list[Dim]] = {}
    for mark, labels in terms:
        for label, dim in zip(labels, mark.dims, strict=True):
            columns.setdefault(label, []).append(dim)
    marks, dims = [mark for mark, _ in terms], []
    whole = any(mark.whole for mark in marks)
    for label, size in zip(out, shape, strict=True):
        column = columns.pop(label, [])
        dim = _common(column, size)
        if dim is None:
            return lost(DIFFERENT)
        whole = whole or (dim.spatial and any(other != dim and other.size > 1 for other in column))
        dims.append(dim)
    gone = [dim for column in columns.values() for dim in column]
    if any(_mixes(dim) for dim in gone) or sum(dim.images for dim in dims) > max(_folded(mark) for mark in marks):
        return lost(MIXED)
    axes = _axes(terms, out, dims, weights)
    if axes is None:
        return lost(DIFFERENT)
    mark = _pointed(Mark(tuple(dims), axes, whole), marks)
    return mark if mark.lost or not any(dim.axes for dim in gone) else _averaged(mark, gone)


def _simplest(mark: Mark) -> Mark:
    """The mark with its cells counted without gaps, and those that were split into parts as smaller cells."""
    return reduce(level, [j for j, _ in mark.spots], plainly(mark))


def _alike(mark: Mark, other: Mark) -> bool:
    return mark is other or (mark.dims, mark.axes, mark.taken) == (other.dims, other.axes, other.taken)


def level(mark: Mark, j: int) -> Mark:
    """The mark with cells along dimension j that were split into parts, side by side, as smaller cells."""
    f, *parts = mark.dims[j].factors
    a = f.axis
    if len(parts) != 1 or parts[0].axis is not None or mark.dims[j].rows is not None or a is None or a < 0:
        return mark
    if len(mark.parts(a)) > 1 or mark.axes[a].order is not None:
        return mark
    axes = changed(mark.axes, {a: apart(mark.axes[a], parts[0].size)})
    return replace(with_dim(mark, j, Dim((Factor(f.size * parts[0].size, a),))), axes=axes)


def _common(column: Sequence[Dim], size: int) -> Dim | None:
    """The dimension that several broadcast to; None where they tell of different cells."""
    informed = [dim for dim in column if dim.informed]
    full = [dim for dim in informed if dim.size == size] or informed
    if not full:
        return plain(size)
    dim: Dim | None = full[0]
    for other in full[1:]:
        dim = dim and _blended(dim, other)
    return dim if dim is None or dim.size == size else shaped(Mark((dim,), ()), (size,)).dims[0]


def _blended(dim: Dim, other: Dim) -> Dim | None:
    """What two dimensions tell together, of which each may tell nothing where the other tells of cells; None if they differ."""
    if dim == other:
        return dim
    if dim.rows is not None or other.rows is not None:
        return None
    left, right, factors = [*dim.factors], [*other.factors], []
    while left and right:
        a, b = left.pop(0), right.pop(0)
        if a.size != b.size and a.axis is None and a.size % b.size == 0:
            left.insert(0, Factor(a.size // b.size))
        elif a.size != b.size and b.axis is None and b.size % a.size == 0:
            right.insert(0, Factor(b.size // a.size))
        elif a != b and (a.size != b.size or None not in (a.axis, b.axis)):
            return None
        factors.append(a if a.axis is not None or a.size < b.size else b)
    return None if left or right else product([Dim(tuple(factors))])


def _axes(
    terms: Sequence[Term], out: Sequence[object], dims: Sequence[Dim], weights: Sequence[float]
) -> tuple[Axis, ...] | None:
    """The axes of the result: of those tensors alone that tell its cells apart most finely, the others act as gates."""
    axes = [*terms[0][0].axes]
    kept = [[f for label, dim in zip(labels, mark.dims, strict=True) if label in out and dim.spatial for f in dim.factors]
            for mark, labels in terms]  # fmt: skip
    for a in range(len(axes)):
        parts = [f for dim in dims for f in dim.factors if f.axis == a]
        finest = min([f.step for f in parts if f.size > 1], default=None)
        held = [(mark.axes[a], w) for (mark, _), factors, w in zip(terms, kept, weights, strict=True)
                if any(f.axis == a and (finest is None or (f.step == finest and f.size > 1)) for f in factors)
                or (not parts and a in mark.points)]  # fmt: skip
        if held:
            axes[a] = held[0][0] if all(axis == held[0][0] for axis, _ in held) else _mean(held)
            count = sum(f.step * (f.size - 1) for f in parts)
            if parts and any(_differs(axis, held[0][0], count) for axis, _ in held):
                return None
    return tuple(axes)


def _differs(axis: Axis, other: Axis, last: int) -> bool:
    """Do cells along two axes lie so far from one another that their mean would be the place of neither?"""
    if axis.order != other.order or (axis.stride < 0) != (other.stride < 0):
        return True
    near = 3 * max(abs(axis.stride), abs(other.stride))
    ends = (axis.first - other.first, axis.first - other.first + (axis.stride - other.stride) * last)
    return max(map(abs, ends)) > near


def _mean(axes: Sequence[tuple[Axis, float]]) -> Axis:
    """The mean of axes of one stride.  Where strides differ, coarse cells were enlarged to join finer ones, as gates are: then
    the axis whose cells see least decides, with those of its stride.
    """
    least = min((axis for axis, _ in axes), key=lambda axis: axis.high - axis.low)
    alike = [(axis, w) for axis, w in axes if abs(axis.stride - least.stride) < 1e-6 * abs(least.stride)]
    total = sum(w for _, w in alike)
    stride, first = (sum((axis.stride, axis.first)[k] * w for axis, w in alike) / total for k in (0, 1))
    bell = bells_mixed([(axis.bell, axis.first, w) for axis, w in alike], first)
    return Axis(stride, first, min(axis.low for axis, _ in axes), max(axis.high for axis, _ in axes), least.order, bell)


def _pointed(mark: Mark, marks: Sequence[Mark]) -> Mark:
    """The mark with those single entries that all the marks are of."""
    alike = [dim for dim in marks[0].taken if all(dim in other.taken for other in marks)]
    single = {dim for other in marks for dim in other.taken} - {*alike}
    images = [dim for dim in single if dim.images]
    if len(images) > 1 or (images and any(f.size > 1 for _, f in mark.parts(IMAGES))):
        return lost(MIXED)
    here = [dim for dim in images if not mark.parts(IMAGES)]
    return replace(mark, taken=(*alike, *here), whole=mark.whole or any(dim.spatial for dim in single))
