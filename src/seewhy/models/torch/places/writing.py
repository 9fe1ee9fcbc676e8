"""Calls that write to some entries of a tensor, at places that are known: rows of an image among those of words, sheets."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from torch import Tensor

from .choosing import BY_CONTENT, numbers_of, spelled_out, taken_from
from .dims import Index
from .joining import joined
from .marks import Mark, lie_alike, lost
from .moves import chosen, inserted, regrouped, shaped, with_dim
from .products import Of


def written(base: Mark | None, shape: Sequence[int], j: int, index: Index, value: Mark | None) -> Mark | None:
    """The mark of a tensor of that shape, after `value` was written to those entries along dimension j.

    base: its mark before; None for one that is not computed from the image, and so for the value.
    """
    j %= len(shape)
    back, size = j - len(shape), shape[j]
    if len(index) == 1 and value is not None and value.taken and not value.lost and not value.dims[j].informed:
        value = replace(with_dim(value, j, value.taken[-1]), taken=value.taken[:-1])  # the entry tells what was taken
    if len({*index.tolist()}) < len(index):
        return lost("writing to an entry twice")
    if base is None and len(index) and np.array_equal(index, np.arange(index[0], index[0] + len(index))):
        sizes = [int(index[0]), len(index), size - int(index[-1]) - 1]
        return joined([None, value, None], back, sizes, shape) if value is not None else None
    rest = np.setdiff1d(np.arange(size), index)
    parts = [value, None if base is None else chosen(base, j, rest)]
    if all(part is None for part in parts):
        return None
    mark = joined(parts, back, [len(index), len(rest)], shape, border=False) if len(rest) else value
    return mark if mark is None or mark.lost else chosen(mark, j, np.argsort(np.concatenate([index, rest])))


def assigned(of: Of, x: Tensor, index: Any, value: Any) -> Mark | None:
    """The mark of x after x[index] = value."""
    base, mark = of(x), of(value) if isinstance(value, Tensor) else None
    if mark is None and base is None:
        return None
    if mark is None and not _along_one(of, index, x.ndim):
        return base  # some numbers are replaced, as dropout does
    parts = spelled_out(of, index, x.ndim)
    if parts is None:
        return lost(BY_CONTENT)
    if mark is not None and mark.lost:
        return mark
    return base if base is not None and base.lost else _assigned(base, tuple(x.shape), parts, mark)


def _assigned(base: Mark | None, shape: tuple[int, ...], parts: Sequence[Any], value: Mark | None) -> Mark | None:
    if base is not None and value is not None:
        before = taken_from(base, parts)
        if (before.dims, before.taken) == (value.dims, value.taken) and lie_alike(
            before.axes, value.axes
        ):  # what was there was changed
            return base.everywhere() if value.whole else base
    return _written(base, shape, [part for part in parts if part is not None], value)


def _along_one(of: Of, index: Any, count: int) -> bool:
    parts = spelled_out(of, index, count)
    return parts is not None and sum(not (isinstance(part, slice) and part == slice(None)) for part in parts) == 1


def _written(base: Mark | None, shape: tuple[int, ...], parts: Sequence[Any], value: Mark | None) -> Mark | None:
    masks = [part for part in parts if isinstance(part, np.ndarray)]
    if masks:
        return _written_rows(base, shape, parts, value)
    indices = [np.arange(size)[part] if isinstance(part, slice) else np.array([range(size)[part]])
               for part, size in zip(parts, shape, strict=True)]  # fmt: skip
    if value is not None:
        for j, part in enumerate(parts):
            value = inserted(value, j) if isinstance(part, int) and len(value.dims) < len(shape) else value
            if isinstance(part, int) and shape[j] == 1 and len(value.dims) == len(shape):  # the only image, put where all stand
                value = joined([value], j - len(shape), [1], value.shape)
        value = shaped(value, tuple(len(index) for index in indices))
    partial = [j for j, index in enumerate(indices) if len(index) < shape[j]]
    if base is not None and len(partial) > 1:  # of images of several sizes, the next
        if not isinstance(parts[partial[0]], int) or value is None:
            return lost("writing to a part of a map")
        value = _written(None, (1, *shape[1:]), [slice(None), *parts[1:]], value) if partial[0] == 0 else None
        partial = partial[:1]
    width = [len(index) for index in indices]
    for j in reversed(partial):
        width[j] = shape[j]
        value = written(base, width if base is None else shape, j, indices[j], value)
        if value is None or value.lost:
            return value
    return value if value is not None else base


def _written_rows(base: Mark | None, shape: tuple[int, ...], parts: Sequence[Any], value: Mark | None) -> Mark | None:
    """The rule of writing at indices or masks over one dimension, or several neighbouring ones: image tokens among words."""
    at = [j for j, part in enumerate(parts) if not (isinstance(part, slice) and part == slice(None))]
    arrays: list[Index] = []
    for part in parts:
        if isinstance(part, np.ndarray):
            arrays += [*np.nonzero(part)] if part.dtype == bool else [part]
        elif isinstance(part, int):
            arrays.append(np.array(part))
    first = at[0]
    dims = [*range(first, first + len(arrays))]
    if at != [*range(first, first + len(at))]:
        return lost("an index through several dimensions")
    sizes = [shape[j] for j in dims]
    arranged = np.broadcast_arrays(*(array % size for array, size in zip(arrays, sizes, strict=True)))
    index = np.ravel_multi_index(arranged, sizes)
    flat = (*shape[:first], prod(sizes), *shape[dims[-1] + 1 :])
    source = None if value is None else _as_rows(value, (*flat[:first], *index.shape, *flat[first + 1 :]), first, index.ndim)
    before = base and regrouped(base, flat)
    if (source is not None and source.lost) or (before is not None and before.lost):
        return source if source is not None and source.lost else before
    mark = written(before, flat, first, index.ravel(), source)
    return mark if mark is None or mark.lost else regrouped(mark, shape)


def _as_rows(value: Mark, shape: tuple[int, ...], first: int, count: int) -> Mark:
    """The mark of a value that is broadcast to that shape, with `count` dimensions from `first` on taken as one."""
    value = shaped(value, shape)
    return (
        value if value.lost else regrouped(value, (*shape[:first], prod(shape[first : first + count]), *shape[first + count :]))
    )


def scattered(of: Of, out: Tensor, x: Tensor, mask: Tensor, source: Tensor) -> Mark | None:
    """The rule of masked_scatter: rows of an image in place of the words that stood for them."""
    mark, where = of(source), numbers_of(of, mask)
    if where is None:
        return lost(BY_CONTENT)
    if mark is None or mark.lost:
        return mark or of(x)
    where = np.broadcast_to(where, out.shape)
    rows, width = where.reshape(-1, out.shape[-1]), out.shape[-1]
    if not (rows == rows[:, :1]).all() or source.shape[-1] != width:
        return lost("writing to a part of a row")
    index = np.flatnonzero(rows[:, 0])
    flat = regrouped(mark, (source.numel() // width, width))
    flat = flat if flat.lost else chosen(flat, 0, np.arange(len(index)))
    base = of(x)
    before = base and regrouped(base, (len(rows), width))
    if flat.lost or (before is not None and before.lost):
        return flat if flat.lost else before
    made = written(before, (len(rows), width), 0, index, flat)
    return made if made is None or made.lost else regrouped(made, out.shape)


def index_copied(of: Of, out: Tensor, x: Tensor, dim: int, index: Any, source: Tensor, *_: Any, **__: Any) -> Mark | None:
    numbers = numbers_of(of, index)
    if numbers is None:
        return lost(BY_CONTENT)
    gone = next((mark for mark in (of(x), of(source)) if mark is not None and mark.lost), None)
    return gone or written(of(x), tuple(out.shape), dim, numbers.ravel(), of(source))


def onto(mark: Mark | None, part: Tensor, sheet: Tensor, base: Mark | None) -> Mark | None:
    """The mark of a tensor (`sheet`, whose mark was `base`) after a `part` of it was written to: images of several sizes are
    batched so.
    """
    if mark is None or mark.lost or (base is not None and base.lost):
        return base if mark is None or (base is not None and base.lost) else mark
    left, begins = part.storage_offset() - sheet.storage_offset(), []
    for step in sheet.stride():
        begins.append(left // step if step else 0)
        left -= begins[-1] * step
    new = sheet.ndim - len(mark.dims)
    if left or new < 0 or part.stride() != sheet.stride()[new:]:
        return base or lost("writing to a part of a tensor")
    where = [*begins[:new], *(slice(begin, begin + size) for begin, size in zip(begins[new:], mark.shape, strict=True))]
    return _assigned(base, tuple(sheet.shape), where, mark)
