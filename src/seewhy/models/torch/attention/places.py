"""Which tokens of an image each attention of a network joins, told from one pass in which torch's calls are followed.

`tracing.py` tells of the weights and the values of each attention from which tokens their rows were computed.  So the places of
windows are known, however they are shifted, those of tokens beside the patches, and whether tokens are mixed by anything else.
What no rule of a call tells is measured (`measured.py`).
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seewhy.models.torch.passes.outputs import activation_of
from seewhy.models.torch.passes.taps import hooked, modules_of
from seewhy.models.torch.places.layout import located
from seewhy.models.torch.places.marks import Mark
from seewhy.models.torch.places.merging import simple

from .attending import Attending, AttentionCall
from .emissions import length_of
from .met import Met, TokenAttention, TokenRow, met_by, numbered, unplaced
from .tracing import Tracing


@dataclass
class AttentionSurvey:
    """Which tokens the attentions of a network join, and how else tokens are joined."""

    attentions: list[TokenAttention]
    apart: list[str]  # for each square one but the first: what mixes tokens between it and the one before, "" for nothing
    beside: list[bool]  # for each square one: does anything beside it mix tokens, too?  Empty if `apart` is not
    reads: Tensor | None  # (tokens,): how strongly the scores depend on each token behind the last square one
    marks: Mapping[str, tuple[Mark, tuple[int, ...]]] = field(default_factory=dict)  # of what each layer emitted, and its shape
    unknown: frozenset[int] = frozenset()  # the attentions that no rule tells of
    proved: bool = True  # nothing but these attentions is known to join tokens

    @property
    def decided(self) -> bool:
        """Is it known without measuring whether they alone join tokens?"""
        first = min(self.unknown, default=len(self.attentions))
        return self.proved or any(not each.square and not each.beside for each in self.attentions[:first])

    @property
    def with_other_queries(self) -> "AttentionSurvey":
        """The same, with those queries in order that are known to lie nowhere in the image, though their keys do."""
        attentions = [*self.attentions]
        for i, each in enumerate(attentions):
            if i not in self.unknown and each.queries is None and each.columns is not None and not each.left_out:
                rows = torch.arange(each.size[0], device=each.columns.device).expand(len(each.columns), -1)
                attentions[i] = each._replace(queries=TokenRow(each.size[0], (), ()), rows=rows)
        return replace(self, attentions=attentions)

    def row(self, layer: str) -> tuple[int, str]:
        """How many tokens of an image a layer emits, and the kind of its layout; (0, "") where it emits none."""
        if layer not in self.marks:
            return 0, ""
        mark, shape = self.marks[layer]
        layout = located(mark if mark.lost else simple(mark), shape, [0] * len(mark.axes)).layout
        if layout is None:
            return 0, ""
        return length_of(layout, shape), layout.kind


class Lately(torch.autograd.graph.saved_tensors_hooks):
    """A graph that keeps only what was saved for it since `begin` was last called."""

    def __init__(self) -> None:
        self.kept: list[list[Tensor]] = []
        super().__init__(self._pack, lambda box: box[0])

    def _pack(self, tensor: Tensor) -> list[Tensor]:
        self.kept.append([tensor])
        return self.kept[-1]

    def begin(self) -> None:
        for box in self.kept:
            box.clear()
        self.kept.clear()


@torch.enable_grad()
def attention_survey(network: Any, noise: Tensor, run: Callable[[Tensor], tuple[Tensor, Tensor]]) -> AttentionSurvey:
    """Run noise (1, c, *space) forward and follow the tokens through each attention."""
    image = noise.detach().clone().requires_grad_().clone()
    follow, lately = Tracing(image), Lately()
    met: dict[int, Met] = {}  # by the id of the call
    last: list[tuple[Tensor, Tensor, Met]] = []  # what the last square one made, and its codes

    def passed(call: AttentionCall, out: Tensor) -> Tensor:
        with torch._C.DisableTorchFunction(), suppress(Exception):  # what rules fail at is measured
            met[id(call)], codes = met_by(follow, call, out)
            if met[id(call)].joined.square:
                lately.begin()
                last[:] = [(out, codes, met[id(call)])]
        return out

    mode = Attending(network, passed=passed)
    before = _drawn()
    with lately, follow, mode, _emitted(network, follow) as marks:
        raw, _ = run(image)
        drew = bool(follow.chance) or _drawn() != before
    calls = mode.attentions()
    all_met = [met.get(id(call)) or Met(unplaced(call), call.values is None) for call in calls]
    attentions = [each.joined._replace(layer=call.layer) for each, call in zip(all_met, calls, strict=True)]
    square = [each for each in all_met if each.joined.square]
    reads = _reads(raw, *last[0], follow.last_linear) if last else None
    unknown = frozenset(i for i, each in enumerate(all_met) if drew or not each.known)
    proved = not unknown and _chained(square, follow)
    return AttentionSurvey(attentions, [""] * (len(square) - 1), [False] * len(square), reads, marks, unknown, proved)


def _drawn() -> Any:
    """What moves on where a network draws from Python or numpy."""
    state: Any = np.random.get_state()
    return random.getstate(), state[1].tobytes(), state[2]


@contextmanager
def _emitted(network: Any, follow: Tracing) -> Iterator[dict[str, tuple[Mark, tuple[int, ...]]]]:
    """The marks of what each layer emits while the block runs, and its shape."""
    marks: dict[str, tuple[Mark, tuple[int, ...]]] = {}

    def hook_for(name: str) -> Callable[..., None]:
        def hook(module: Any, args: Any, output: Any) -> None:
            with torch._C.DisableTorchFunction():
                tensor = activation_of(output, args)
                follow.adopt(output, args, type(module).__name__)
                if tensor is not None and (mark := follow.raw(tensor)) is not None:
                    marks[name] = (mark, tuple(tensor.shape))

        return hook

    with hooked((module, hook_for(name)) for name, module in modules_of(network).items() if name):
        yield marks


def _chained(square: Sequence[Met], follow: Tracing) -> bool:
    """Do the tokens go from each of these attentions to the next, the same ones, mixed by nothing else?"""
    if square and square[-1].number in follow.mixed_beside:
        return False
    tokens = {codes for each in square for codes in (each.queries, each.keys)}
    return len(tokens) < 2 and all(behind.seen >> before.number & 1 for before, behind in pairwise(square))


def _reads(raw: Tensor, made: Tensor, codes: Tensor, met: Met, entered: Tensor | None) -> Tensor | None:
    """How strongly the scores depend on each token (tokens,) behind the last attention.

    Where the last linear layer is all zeros, as before training, its input stands for the scores.
    """
    for scores in (raw, entered):
        if scores is None or not scores.requires_grad:
            continue
        start = torch.arange(scores.numel(), device=scores.device, dtype=torch.float32).mul(2.4).cos().reshape(scores.shape)
        (g,) = torch.autograd.grad(scores, [made], start.to(scores), retain_graph=True, allow_unused=True)
        if g is not None and bool(g.any()):
            strength = g.float().square().sum(_channels(g, codes), keepdim=True)
            at = numbered(codes.expand(strength.shape), met.queries).flatten().to(g.device)
            there = at >= 0
            return strength.new_zeros(len(met.queries)).index_add(0, at[there], strength.flatten()[there]).sqrt()
    return None


def _channels(g: Tensor, codes: Tensor) -> list[int]:
    """The dimensions of numbers of one token."""
    return [j for j in range(g.ndim) if codes.shape[j] == 1]
