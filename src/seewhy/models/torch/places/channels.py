"""Which dimension of its images a network takes as channels: the first whole one that a call of torch sums over."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from seewhy.memory import out_of_memory
from seewhy.models.torch.passes.taps import Stop
from seewhy.models.torch.passes.torch_calls import name_of

from .following import Following
from .marks import IMAGES, Axis, Dim, Factor, Mark

LAST = ("linear", "lstm", "gru", "rnn_tanh", "rnn_relu", "multi_head_attention_forward", "transformer_encoder_layer_fwd")
CONVOLUTIONS = {f"conv{more}{d}d": d for d in (1, 2, 3) for more in ("", "_transpose")}
PRODUCTS = {"matmul": 0, "mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1}  # the place of the first factor among the arguments


class Summing(Following):
    """Follows every dimension of images x (n, ...) until a whole one is summed over.

    channels: which that was; ran: no call failed until then.
    """

    def __init__(self, x: Tensor) -> None:
        super().__init__(x)
        self.sides = tuple(x.shape[1:])
        self.channels: int | None = None
        self.ran = False
        dims = [Dim((Factor(side, a),)) for a, side in enumerate(self.sides)]
        self._keep(x, Mark((Dim((Factor(len(x), IMAGES),)), *dims), (Axis(),) * len(dims)))

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.channels is None:
            with torch._C.DisableTorchFunction():
                self.channels = self._summed(name_of(fn).strip("_"), args, kwargs or {})
        out = super().__torch_function__(fn, types, args, kwargs)
        if self.channels is not None:
            self.ran = True
            raise Stop
        return out

    def _summed(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int | None:
        """The dimension of the images that this call sums over as a whole, if it is one that can hold channels."""
        for tensor, j in _sums(name, args, kwargs):
            mark = self._of(tensor) if isinstance(tensor, Tensor) else None
            if mark is None or mark.lost or not -len(mark.dims) <= j:
                continue
            dim = mark.dims[j]
            whole = [a for a in {*dim.axes} if prod(f.size for f in dim.factors if f.axis == a) == self.sides[a]]
            if len(whole) == 1 and whole[0] in (0, 1, len(self.sides) - 1):
                return whole[0] + 1
        return None


def _sums(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[tuple[Any, int]]:
    """The tensors whose entries a call sums with weights, and along which dimension, counted from the end."""
    first = args[0] if args else kwargs.get("input", kwargs.get("query"))
    if name in CONVOLUTIONS:
        yield first, -1 - CONVOLUTIONS[name]
    elif name in LAST:
        yield first, -1
    elif name in PRODUCTS and len(args) > PRODUCTS[name] + 1:
        yield args[PRODUCTS[name]], -1
        yield args[PRODUCTS[name] + 1], -2
    elif name == "einsum" and isinstance(first, str) and "->" in first and "." not in first:
        read, _, made = first.replace(" ", "").partition("->")
        for letters, tensor in zip(read.split(","), args[1:], strict=False):
            yield from ((tensor, j - len(letters)) for j, letter in enumerate(letters) if letter not in made)


def first_summed(run: Callable[[Tensor], Any], x: Tensor) -> tuple[int | None, bool]:
    """Which dimension of images x a network sums over first, None where that cannot be told; and did it run so far?"""
    entered = x.detach().clone()
    follow = Summing(entered)
    try:
        with torch.no_grad(), follow:
            run(entered)
        follow.ran = True
    except Stop:
        pass
    except Exception as error:  # whatever the network raises on images that lie otherwise than it takes them
        if out_of_memory(error):
            raise
    return follow.channels, follow.ran
