"""What layers emit over the tokens of an image, and codes that tell from which of these tokens something came."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seewhy.images.places import Place
from seewhy.models.torch.adapted import is_linear
from seewhy.models.torch.passes.outputs import activation_of
from seewhy.models.torch.passes.taps import hooked, modules_of
from seewhy.models.torch.places.layout import FIRST, LAST, OTHER, SEQUENCE, TOKENS, Layout, Located

from .attending import Attending

Lies = Callable[[Tensor], Located | None]  # what was emitted -> where it lies


class Emission(NamedTuple):
    """What a layer emitted or was given, over the tokens of the image."""

    a: Tensor
    lies: Layout
    attentions: int  # attentions that had run
    length: int  # tokens of one image
    place: Place | None = None  # where their cells lie in it

    def tokens(self, a: Tensor) -> Tensor:
        """The same as (n, tokens, c), a view of it where it can be."""
        if self.lies.kind == FIRST:
            return a.flatten(2).transpose(1, 2)
        if self.lies.kind == LAST:
            return a.flatten(1, -2)
        return a.transpose(0, 1) if self.lies.kind == SEQUENCE else a

    def codes(self, of: Tensor) -> Tensor:
        """One number for each token of all images (n * tokens), shaped like what was emitted."""
        codes = torch.empty(self.a.shape, dtype=self.a.dtype, device=self.a.device)
        tokens = self.tokens(codes)
        tokens.copy_(of.to(codes).reshape(*tokens.shape[:2], 1).expand(tokens.shape))
        return codes


@contextmanager
def emissions(
    network: Any, mode: Attending, emitted: list[Emission], entered: list[Tensor], lies: Lies
) -> Iterator[None]:  # fmt: skip
    """While the block runs, fill `emitted` with what layers emit over tokens, and `entered` with what enters linear layers."""
    handed: dict[int, Tensor] = {}  # copies of what is noted already

    def note(a: Any) -> None:
        at = lies(a) if isinstance(a, Tensor) and a.is_floating_point() and a.requires_grad else None
        if at is not None and at.layout is not None and at.layout.kind != OTHER:
            emitted.append(Emission(a, at.layout, len(mode.calls), length_of(at.layout, a.shape), at.place))

    def hook(module: Any, args: Any, output: Any) -> Any:
        with torch._C.DisableTorchFunction():
            for arg in args[:1]:
                if id(arg) not in handed:
                    note(arg)
            if is_linear(module) and args:
                entered.append(args[0])
            note(activation_of(output, args))
        if not isinstance(output, Tensor):
            return None
        copy = output.clone()  # what is written over later is not what is kept
        return handed.setdefault(id(copy), copy)

    with hooked((module, hook) for name, module in modules_of(network).items() if name):
        yield


def length_of(lies: Layout, shape: Sequence[int]) -> int:
    """How many tokens of one image an emission of that shape holds."""
    return shape[0 if lies.kind == SEQUENCE else 1] if lies.kind in (TOKENS, SEQUENCE) else prod(lies.space)


def decoded(sent: Callable[[Tensor], Tensor | None], emission: Emission) -> Tensor | None:
    """Which token's code arrived at each row (..., c): (...), -1 where nothing did; None where codes of several arrived.

    Codes are shares of what arrives with the code 1 everywhere, of as many levels as the number format tells apart.
    """
    count = len(emission.a) if emission.lies.kind != SEQUENCE else emission.a.shape[1]
    count *= emission.length
    levels = min(count, max(2, int(0.01 / torch.finfo(emission.a.dtype).eps)))
    number = torch.arange(count, device=emission.a.device)
    whole = sent(emission.codes(torch.ones_like(number)))
    if whole is None:
        return None
    size = whole.square().sum(-1)
    token, step = torch.zeros_like(size, dtype=torch.long), 1
    while step < count:
        share = sent(emission.codes((number // step % levels) / max(1, levels - 1)))
        if share is None:
            return None
        code = (share * whole).sum(-1) / size
        digit = (code * (levels - 1)).round().nan_to_num(0)
        off = (share - digit[..., None] / max(1, levels - 1) * whole).square().sum(-1)
        if bool((off > (0.3 / max(1, levels - 1)) ** 2 * size).any()):
            return None
        token, step = token + digit.long() * step, step * levels
    return torch.where(size > 0, token, -1)
