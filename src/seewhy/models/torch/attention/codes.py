"""For each number of a tensor, the code of the token that it was computed from, in the smallest shape that broadcasts to it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

CONSTANT, MIXED = -1, -2  # computed from no token, and from several, or from one that is not known


class Coded(NamedTuple):
    """What a tensor was computed from."""

    codes: Tensor  # of as many dimensions as the tensor, those along which it does not change of size 1
    pairs: Tensor | None = None  # of weights, whose numbers belong to a query and a key: the codes of the keys
    seen: int = 0  # through which attentions it came, one bit for each

    @property
    def mixed(self) -> bool:
        return self.pairs is None and self.codes.numel() == 1 and self.codes.item() == MIXED


def starts_with(tensor: Tensor, number: int) -> bool:
    """Is its first number that one?  Most tensors are told apart by it."""
    return tensor.numel() > 0 and tensor[(0,) * tensor.ndim].item() == number


def constant(like: Tensor) -> Tensor:
    """The codes of a tensor that was computed from no token."""
    return torch.full((1,) * like.ndim, CONSTANT, dtype=torch.int32, device=like.device)


def mixture(like: Tensor, seen: int = 0) -> Coded:
    """Of a tensor none of whose tokens is known."""
    return Coded(torch.full((1,) * like.ndim, MIXED, dtype=torch.int32, device=like.device), None, seen)


def thin(codes: Tensor) -> Tensor:
    """The same in the smallest shape: without repeats along dimensions."""
    for j, (size, stride) in enumerate(zip(codes.shape, codes.stride(), strict=True)):
        codes = codes.narrow(j, 0, 1) if size > 1 and stride == 0 else codes
    if codes.numel() > 1:
        for j, size in enumerate(codes.shape):
            if size > 1 and torch.equal(codes, codes.narrow(j, 0, 1).expand_as(codes)):
                codes = codes.narrow(j, 0, 1)
    return codes


def summed(codes: Tensor, dims: Iterable[int]) -> Tensor:
    """The codes of a sum over dimensions, which are then of size 1."""
    over = [j % codes.ndim for j in dims if codes.shape[j] > 1]
    if not over:
        return codes
    high = codes.amax(over, keepdim=True)
    low = torch.where(codes == CONSTANT, high, codes).amin(over, keepdim=True)
    return thin(torch.where(low == high, high, MIXED))


def merged(several: Sequence[Tensor]) -> Tensor:
    """The codes of a tensor that combines several number by number."""
    out = several[0]
    for codes in several[1:]:
        if codes is not out and not (codes.shape == out.shape and torch.equal(codes, out)):
            either = torch.where(codes == CONSTANT, out, codes)
            out = thin(torch.where((codes == out) | (out == CONSTANT) | (codes == CONSTANT), either, MIXED))
    return out


def combined(several: Sequence[Coded]) -> Coded:
    """What a tensor was computed from that combines several number by number, all of as many dimensions."""
    seen = seen_by(several)
    paired = [each for each in several if each.pairs is not None]
    if not paired:
        return Coded(merged([each.codes for each in several]), None, seen)
    codes, pairs = paired[0].codes, paired[0].pairs
    if pairs is None:
        raise AssertionError("pairs were told apart")
    for each in several:
        if each.pairs is None:
            fits = any(_same(each.codes, side) for side in (codes, pairs))
        else:
            fits = _same(each.codes, codes) and _same(each.pairs, pairs)
        if not fits:
            return mixture(codes, seen)
    return Coded(codes, pairs, seen)


def _same(codes: Tensor, others: Tensor) -> bool:
    """Are they of the same tokens, but for numbers that are of none?"""
    return bool(((codes == others) | (codes == CONSTANT)).all())


def seen_by(several: Iterable[Any]) -> int:
    """The attentions through which any of them came."""
    seen = 0
    for each in several:
        seen |= each.seen
    return seen


def moved(coded: Coded, shape: Sequence[int], move: Callable[[Tensor], Any]) -> list[Coded] | Coded:
    """What the results of a call were computed from that only moves the numbers of a tensor of that shape about."""
    sides = [coded.codes] if coded.pairs is None else [coded.codes, coded.pairs]
    made = [move(side.expand(tuple(shape))) for side in sides]
    if isinstance(made[0], Tensor):
        return Coded(thin(made[0]), thin(made[1]) if len(made) > 1 else None, coded.seen)
    several = [[thin(part) for part in parts] for parts in made]
    return [Coded(parts[0], parts[1] if len(parts) > 1 else None, coded.seen) for parts in zip(*several, strict=True)]
