"""Random programs of torch's calls that only move elements about, on tensors of any shape."""

from collections.abc import Callable
from math import prod

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from support.cells import NOTHING, Program

Random = np.random.Generator
Step = Callable[[Tensor], Tensor]
Drawn = Callable[[tuple[int, ...], Random], "tuple[str, Step] | None"]  # None: such a call does not fit that shape


def blank(*shape: int) -> Tensor:
    return torch.full(shape, NOTHING, dtype=torch.float64)


def _axis(shape: tuple[int, ...], r: Random) -> int:
    return int(r.integers(len(shape)))


def _divisor(size: int, r: Random) -> int:
    return int(r.choice([k for k in range(1, size + 1) if size % k == 0]))


def permute(shape, r):
    order = r.permutation(len(shape)).tolist()
    return f"permute{order}", lambda x: x.permute(*order)


def transpose(shape, r):
    a, b = _axis(shape, r), _axis(shape, r)
    return f"transpose({a}, {b})", lambda x: x.transpose(a, b)


def merge(shape, r):
    if len(shape) < 2:
        return None
    j = int(r.integers(len(shape) - 1))
    new = (*shape[:j], shape[j] * shape[j + 1], *shape[j + 2 :])
    return f"reshape{new}", lambda x: x.reshape(new)


def split(shape, r):
    j = _axis(shape, r)
    k = _divisor(shape[j], r)
    new = (*shape[:j], k, shape[j] // k, *shape[j + 1 :])
    return (f"reshape{new}", lambda x: x.reshape(new)) if len(shape) < 7 else None


def flip(shape, r):
    j = _axis(shape, r)
    return f"flip({j})", lambda x: x.flip(j)


def roll(shape, r):
    j, by = _axis(shape, r), int(r.integers(-3, 4))
    return f"roll({by}, {j})", lambda x: torch.roll(x, by, j)


def cut(shape, r):
    j = _axis(shape, r)
    start, step = int(r.integers(0, max(shape[j] // 2, 1))), int(r.integers(1, 3))
    return f"[{start}::{step}] along {j}", lambda x: x[(slice(None),) * j + (slice(start, None, step),)]


def narrow(shape, r):
    j = _axis(shape, r)
    start = int(r.integers(0, shape[j]))
    length = int(r.integers(1, shape[j] - start + 1))
    return f"narrow({j}, {start}, {length})", lambda x: x.narrow(j, start, length)


def choose(shape, r):
    j = _axis(shape, r)
    index = r.integers(0, shape[j], int(r.integers(1, shape[j] + 1))) if r.random() < 0.5 else r.permutation(shape[j])
    how = r.integers(4)
    ids = torch.as_tensor(index)
    if how == 0:
        return f"index_select({j}, {index.tolist()})", lambda x: x.index_select(j, ids)
    if how == 1:
        return f"x[idx] along {j}, {index.tolist()}", lambda x: x[(slice(None),) * j + (ids,)]
    view = [-1 if i == j else 1 for i in range(len(shape))]
    if how == 2:
        wide = [-1 if i == j else side for i, side in enumerate(shape)]
        return f"gather({j}, {index.tolist()})", lambda x: x.gather(j, ids.view(view).expand(*wide))
    return f"take_along_dim({j}, {index.tolist()})", lambda x: x.take_along_dim(ids.view(view), j)


def mask(shape, r):
    j = int(r.integers(len(shape)))
    k = int(r.integers(j, min(j + 2, len(shape)))) + 1
    keep = torch.as_tensor(r.random(shape[j:k]) < 0.7)
    if not keep.any():
        return None
    return f"x[mask{keep.tolist()}] along {j}..{k}", lambda x: x[(slice(None),) * j + (keep,)]


def parts_and_back(shape, r):
    j = _axis(shape, r)
    if shape[j] < 2:
        return None
    count = int(r.integers(2, min(shape[j], 4) + 1))
    order = r.permutation(count).tolist() if r.random() < 0.5 else [*range(count)]

    def run(x: Tensor) -> Tensor:
        parts = x.tensor_split(count, j)
        return torch.cat([parts[i] for i in order], j)

    return f"tensor_split({count}, {j}), cat {order}", run


def singles_and_back(shape, r):
    j, k = _axis(shape, r), _axis(shape, r)
    order = r.permutation(shape[j]).tolist() if r.random() < 0.5 else [*range(shape[j])]
    return f"unbind({j}), stack {order} at {k}", lambda x: torch.stack([x.unbind(j)[i] for i in order], k)


def beside(shape, r):
    j = _axis(shape, r)
    if shape[j] == 1:  # what is put beside a single channel stands beside all cells
        return None
    before, after = int(r.integers(0, 3)), int(r.integers(0, 3))
    sides = [blank(*shape[:j], k, *shape[j + 1 :]) for k in (before, after)]
    return f"cat {before} before, {after} behind along {j}", lambda x: torch.cat([sides[0], x, sides[1]], j)


def between(shape, r):
    j = _axis(shape, r)
    if shape[j] == 1:  # what is put beside a single channel stands beside all cells
        return None
    at = int(r.integers(0, shape[j] + 1))
    token = blank(*shape[:j], 1, *shape[j + 1 :])
    return f"cat a token at {at} along {j}", lambda x: torch.cat(
        [*x.split([at, shape[j] - at], j)[:1], token, x.narrow(j, at, shape[j] - at)], j
    )


def again(shape, r):
    j, k = _axis(shape, r), int(r.integers(2, 4))
    if prod(shape) > 3000:
        return None
    how = r.integers(3)
    times = [k if i == j else 1 for i in range(len(shape))]
    if how == 0:
        return f"repeat{times}", lambda x: x.repeat(*times)
    if how == 1:
        return f"repeat_interleave({k}, {j})", lambda x: x.repeat_interleave(k, j)
    return f"cat {k} times along {j}", lambda x: torch.cat([x] * k, j)


def wider(shape, r):
    j = _axis(shape, r)
    if len(shape) > 5 or prod(shape) > 3000:
        return None
    new = (*shape[:j], 2, *shape[j:])
    return f"unsqueeze({j}).expand{new}", lambda x: x.unsqueeze(j).expand(*new)


def one_of(shape, r):
    j = _axis(shape, r)
    at = int(r.integers(-shape[j], shape[j]))
    return (f"select({j}, {at})", lambda x: x.select(j, at)) if len(shape) > 2 else None


def squeeze(shape, r):
    return "squeeze()", lambda x: x.squeeze()


def unsqueeze(shape, r):
    j = int(r.integers(len(shape) + 1))
    return (f"unsqueeze({j})", lambda x: x.unsqueeze(j)) if len(shape) < 6 else None


def shuffles(shape, r):
    if len(shape) != 4 or shape[2] % 2 or shape[3] % 2:
        return None
    return "pixel_unshuffle, pixel_shuffle", lambda x: F.pixel_shuffle(F.pixel_unshuffle(x, 2), 2)


def unshuffle(shape, r):
    return (
        ("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2)) if len(shape) == 4 and not shape[2] % 2 + shape[3] % 2 else None
    )


def unfold(shape, r):
    if len(shape) != 4 or shape[2] % 2 or shape[3] % 3:
        return None
    if r.random() < 0.5:
        return "unfold", lambda x: F.unfold(x, (2, 3), stride=(2, 3))
    return "unfold, fold", lambda x: F.fold(F.unfold(x, (2, 3), stride=(2, 3)), shape[2:], (2, 3), stride=(2, 3))


def windows(shape, r):
    j = _axis(shape, r)
    k = int(r.integers(1, shape[j] + 1))
    return (f"Tensor.unfold({j}, {k}, {k})", lambda x: x.unfold(j, k, k)) if len(shape) < 7 else None


def rot90(shape, r):
    if len(shape) < 2:
        return None
    a, b = r.choice(len(shape), 2, replace=False).tolist()
    k = int(r.integers(-1, 4))
    return f"rot90({k}, {a}, {b})", lambda x: torch.rot90(x, k, (a, b))


def pad(shape, r):
    p = r.integers(0, 3, 2).tolist()
    return f"pad{p}", lambda x: F.pad(x, p, value=NOTHING)


def write(shape, r):
    j, more = _axis(shape, r), int(r.integers(0, 4))
    if shape[j] == 1:  # what is put beside a single channel stands beside all cells
        return None
    at = np.sort(r.permutation(shape[j] + more)[: shape[j]])
    sheet = blank(*shape[:j], shape[j] + more, *shape[j + 1 :])
    how, begin = r.integers(3), int(r.integers(0, more + 1))
    ids = torch.as_tensor(at)
    here = (slice(None),) * j

    def run(x: Tensor) -> Tensor:
        to = sheet.clone()
        if how == 0:
            to[(*here, slice(begin, begin + shape[j]))] = x
        elif how == 1:
            to[(*here, ids)] = x
        else:
            to.index_copy_(j, ids, x)
        return to

    return f"write to {at.tolist() if how else begin} of {shape[j] + more} along {j} ({how})", run


def scatter(shape, r):
    if len(shape) != 3 or shape[1] == 1:
        return None
    more = int(r.integers(1, 4))
    where = torch.zeros(shape[0], shape[1] + more, dtype=torch.bool)
    where[:, torch.as_tensor(r.permutation(shape[1] + more)[: shape[1]].copy())] = True
    sheet = blank(shape[0], shape[1] + more, shape[2])
    if r.random() < 0.5:
        return f"masked_scatter {where[0].int().tolist()}", lambda x: sheet.masked_scatter(where[..., None].expand_as(sheet), x)

    def run(x: Tensor) -> Tensor:
        to = sheet.clone()
        to[where] = x.reshape(-1, shape[2])
        return to

    return f"[mask {where[0].int().tolist()}] =", run


DRAWN: list[Drawn] = [
    permute, transpose, merge, merge, split, split, flip, roll, cut, narrow, choose, mask, parts_and_back,
    singles_and_back, beside, between, again, wider, one_of, squeeze, unsqueeze, shuffles, unshuffle, unfold, windows,
    rot90, pad, write, scatter,
]  # fmt: skip


def random_program(shape: tuple[int, ...], r: Random, steps: int, drawn: list[Drawn] = DRAWN) -> tuple[str, Program]:
    """A program of so many random calls for an image of that shape, and its text."""
    x, names, calls = blank(*shape), [], []
    while len(calls) < steps:
        step = drawn[int(r.integers(len(drawn)))](tuple(x.shape), r)
        if step is None:
            continue
        y = step[1](x)
        if y.numel() == 0 or y.numel() > 20000 or y.ndim == 0 or y.ndim > 7:
            continue
        x = y
        names.append(step[0])
        calls.append(step[1])

    def program(x: Tensor) -> Tensor:
        for call in calls:
            x = call(x)
        return x

    return "; ".join(names), program
