"""Calls that sum products over dimensions: matrices, einsum, attention, recurrent networks."""

from collections.abc import Callable, Sequence
from string import ascii_letters
from typing import Any

import numpy as np
from torch import Tensor

from .marks import Mark, lost, plain
from .merging import combined, merged, summed
from .moves import chosen, inserted, permuted, regrouped, with_dim

Of = Callable[[Any], Mark | None]
MarksMade = Mark | Sequence[Mark | None]


def contracted(of: Of, out: Any, terms: Sequence[tuple[Any, Sequence[object]]], labels: Sequence[object]) -> Mark:
    """The mark of a sum of products of tensors, each with labels for its dimensions; without those that are not in `labels`."""
    known = [(mark, names) for tensor, names in terms if (mark := of(tensor)) is not None]
    if any(len({*names}) < len(names) for _, names in known):
        return lost("a diagonal of a tensor")
    return combined(known, labels, out.shape)


def _batch(count: int) -> list[object]:
    return [*range(-count, 0)]


def matrices(of: Of, out: Tensor, a: Tensor, b: Tensor, *_: Any, **__: Any) -> Mark:
    """The rule of matmul, mm, bmm, mv and dot."""
    left = [*_batch(a.ndim - 2), "row", "sum"] if a.ndim > 1 else ["sum"]
    right = [*_batch(b.ndim - 2), "sum", "column"] if b.ndim > 1 else ["sum"]
    batch = _batch(max(a.ndim, b.ndim, 2) - 2)
    return contracted(of, out, [(a, left), (b, right)], [*batch, *["row"] * (a.ndim > 1), *["column"] * (b.ndim > 1)])


def reversed_matrices(of: Of, out: Tensor, b: Tensor, a: Tensor) -> Mark:
    return matrices(of, out, a, b)


def added_matrices(of: Of, out: Tensor, to: Tensor, a: Tensor, b: Tensor, *_: Any, **__: Any) -> Mark:
    """The rule of addmm, baddbmm and addmv: of `to`, with the product of a and b added."""
    marks = [mark for mark in (of(to), matrices(of, out, a, b) if of(a) or of(b) else None) if mark is not None]
    return merged(marks, out.shape)


def inner(of: Of, out: Tensor, a: Tensor, b: Tensor, *_: Any, **__: Any) -> Mark:
    left, right = [f"a{j}" for j in range(a.ndim - 1)], [f"b{j}" for j in range(b.ndim - 1)]
    return contracted(of, out, [(a, [*left, "sum"]), (b, [*right, "sum"])], [*left, *right])


def outer(of: Of, out: Tensor, a: Tensor, b: Tensor, *_: Any, **__: Any) -> Mark:
    return contracted(of, out, [(a, ["a"]), (b, ["b"])], ["a", "b"])


def tensordot(of: Of, out: Tensor, a: Tensor, b: Tensor, dims: Any = 2, *_: Any, **__: Any) -> Mark:
    at, bt = ([*range(-dims, 0)], [*range(dims)]) if isinstance(dims, int) else dims
    left, right = [f"a{j}" for j in range(a.ndim)], [f"b{j}" for j in range(b.ndim)]
    for label, (j, k) in enumerate(zip(at, bt, strict=True)):
        left[j] = right[k] = f"sum{label}"
    kept = [name for name in (*left, *right) if not name.startswith("sum")]
    return contracted(of, out, [(a, left), (b, right)], kept)


def distances(of: Of, out: Tensor, a: Tensor, b: Tensor, *_: Any, **__: Any) -> Mark:
    """The rule of cdist: (..., a, c) and (..., b, c) -> (..., a, b)."""
    terms = [(a, [*_batch(a.ndim - 2), "a", "sum"]), (b, [*_batch(b.ndim - 2), "b", "sum"])]
    return contracted(of, out, terms, [*_batch(out.ndim - 2), "a", "b"])


def bilinear(of: Of, out: Tensor, a: Tensor, b: Tensor, *_: Any, **__: Any) -> Mark:
    batch = _batch(out.ndim - 1)
    return contracted(of, out, [(a, [*batch, "a"]), (b, [*batch, "b"])], [*batch, "out"])


def einsum(of: Of, out: Tensor, equation: Any, *operands: Any) -> Mark:
    if not isinstance(equation, str):
        return lost("an einsum without an equation")
    tensors = [*operands[0]] if len(operands) == 1 and isinstance(operands[0], tuple | list) else [*operands]
    left, arrow, right = equation.replace(" ", "").partition("->")
    names = left.split(",")
    if not arrow:
        once = sorted(name for name in {*left} if name in ascii_letters and left.count(name) == 1)
        right = "..." * ("..." in left) + "".join(once)
    batch = max(tensor.ndim - len(name.replace("...", "")) for name, tensor in zip(names, tensors, strict=True))
    terms = [(tensor, _labels(name, tensor.ndim)) for name, tensor in zip(names, tensors, strict=True)]
    return contracted(of, out, terms, _labels(right, len(right.replace("...", "")) + batch * ("..." in right)))


def _labels(name: str, count: int) -> list[object]:
    before, dots, after = name.partition("...")
    return [*before, *(_batch(count - len(before) - len(after)) if dots else []), *after]


def attended(of: Of, out: Tensor, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Mark:
    """The cells of the query, each of which now depends on all that is attended to; other queries lie nowhere."""
    batch = _batch(out.ndim - 2)
    terms = [(query, "query", "q"), (key, "key", "q"), (value, "key", "out")]
    named = [(tensor, [*batch[len(batch) + 2 - tensor.ndim :], row, c]) for tensor, row, c in terms]
    return contracted(of, out, named, [*batch, "query", "out"])


def multi_head(of: Of, out: Any, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> MarksMade:
    """The rule of F.multi_head_attention_forward: (l, n, c), and the weights of the attention (n, heads, l, keys)."""
    return _heads(of, out, (query, key, value), ["query", "n"], ["key", "n"])


def native_multi_head(of: Of, out: Any, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> MarksMade:
    return _heads(of, out, (query, key, value), ["n", "query"], ["n", "key"])


def _heads(of: Of, out: Any, tensors: Sequence[Tensor], rows: list[str], keys: list[str]) -> MarksMade:
    emitted, weights = out
    if tensors[0].ndim == 2:
        rows, keys = [name for name in rows if name != "n"], [name for name in keys if name != "n"]
    query, key, value = tensors
    terms = [(query, [*rows, "q"]), (key, [*keys, "k"]), (value, [*keys, "v"])]
    cells = contracted(of, emitted, terms, [*rows, "out"])
    if weights is None or not weights.numel():
        return [cells, None]
    several = query.ndim == 3
    labels = ["n"] * several + ["heads"] * (weights.ndim > 2 + several) + ["query", "key"]
    return [cells, contracted(of, weights, terms[:2], labels)]


def bidirectional(mark: Mark, out: Any) -> Mark:
    """The mark of a row (..., c) of which every cell may depend on all others."""
    mark = summed(mark, -1, out.shape[-1])
    return mark.everywhere() if mark.spots else mark


def recurrent(of: Of, out: Any, data: Tensor, second: Any, *rest: Any, **__: Any) -> MarksMade:
    """The rule of torch.lstm, gru and rnn: (rows, n, c), or (n, rows, c), or packed (rows, c); and the last states."""
    mark = of(data)
    if mark is None:
        return lost("a recurrent network whose state is computed from the image")
    if mark.lost:
        return mark
    batch = None if isinstance(second, Tensor) and data.ndim == 2 else 0 if rest[-1] is True else 1
    row = bidirectional(mark, out[0])
    state = lost("the last states of packed rows")
    if batch is not None:
        last = summed(mark, 1 - batch, None)
        last = last if last.lost else inserted(summed(last, -1, out[1].shape[-1]), 0, plain(out[1].shape[0]))
        state = last.everywhere() if not last.lost else last
    return [row, *(_width(state, part) for part in out[1:])]


def _width(mark: Mark, part: Tensor) -> Mark:
    return mark if mark.lost else with_dim(mark, -1, plain(part.shape[-1]))


def recurrent_cell(of: Of, out: Any, x: Tensor, state: Any, *_: Any, **__: Any) -> MarksMade:
    """The rule of torch.lstm_cell, gru_cell and rnn cells: (n, c) and the states before."""
    states = [state] if isinstance(state, Tensor) else [*state]
    parts = [out] if isinstance(out, Tensor) else [*out]
    shape = parts[0].shape
    marks = [summed(mark, -1, shape[-1]) for tensor in (x, *states) if (mark := of(tensor)) is not None]
    made = merged(marks, shape)
    return made if isinstance(out, Tensor) else [made] * len(parts)


def packed(of: Of, out: Any, x: Tensor, lengths: Tensor, batch_first: bool = False) -> MarksMade:
    """The rule of pack_padded_sequence: the entries of all rows, step by step."""
    mark = of(x)
    if mark is None or of(lengths) is not None:
        return lost("rows whose lengths are computed from the image")
    if mark.lost:
        return mark
    mark = permuted(mark, [1, 0, *range(2, len(mark.dims))]) if batch_first else mark
    steps, n, *rest = mark.shape
    there = np.arange(steps)[:, None] < np.array(lengths.tolist())[None]
    flat = regrouped(mark, (steps * n, *rest))
    return [flat if flat.lost else chosen(flat, 0, np.flatnonzero(there)), None]


def unpacked(of: Of, out: Any, data: Tensor, batch_sizes: Tensor, batch_first: bool = False, *_: Any, **__: Any) -> MarksMade:
    """The rule of pad_packed_sequence."""
    mark = of(data)
    if mark is None or mark.lost:
        return mark or lost("rows whose lengths are computed from the image")
    sizes = np.array(batch_sizes.tolist())
    steps, n = out[0].shape[:2][:: -1 if batch_first else 1]
    table = np.full((steps, n), -1)
    table[: len(sizes)][np.arange(n)[None] < sizes[:, None]] = np.arange(sizes.sum())
    full = regrouped(chosen(mark, 0, table.ravel()), (steps, n, *mark.shape[1:]))
    if full.lost:
        return [lost("rows of several lengths in one batch"), None]
    return [full if not batch_first else permuted(full, [1, 0, *range(2, len(full.dims))]), None]
