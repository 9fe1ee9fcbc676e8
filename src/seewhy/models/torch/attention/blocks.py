"""The scores that a network's own end makes of the tokens behind each of its blocks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from seewhy.errors import BadNetwork, NotApplicable
from seewhy.memory import out_of_memory
from seewhy.models.torch.passes.outputs import emitted
from seewhy.models.torch.passes.taps import hooked, modules_of
from seewhy.models.torch.places.layout import SEQUENCE
from seewhy.models.torch.runner import Runner
from seewhy.models.torch.scores import picked, raw_scores
from seewhy.printable import words_of

from .places import AttentionSurvey


def at_each_block(runner: Runner, x: Tensor, survey: AttentionSurvey, copies: bool = False) -> tuple[Tensor, Tensor]:
    """What the network gives, and the scores (blocks * n, k), of the tokens behind each block, by its own end.

    The tokens of all blocks go on together behind the last one: as so many images more than came in, which an end cannot take
    that knows how many these were.  copies: as many copies of the images come in as there are blocks, instead.
    """
    if runner.end is not None:
        raise NotApplicable("A unit's activation has no end of the network behind each block. Explain a class.")
    blocks = _blocks(survey)
    many = x.repeat(len(blocks), *[1] * (x.ndim - 1))
    with _ends_at(runner, blocks, survey, len(blocks) if copies else 1):
        try:
            output = runner.called(many if copies else x)
            if runner.aims:
                raw = runner.read(output, many)
            else:
                part = picked(output, runner.settings.output, len(many))
                raw = raw_scores(part, len(many), output if runner.settings.output is None else part)
        except (BadNetwork, RuntimeError, ValueError, LookupError) as error:
            if out_of_memory(error):
                raise
            why = words_of(error).splitlines()[0] if words_of(error) else type(error).__name__
            raise NotApplicable(
                f"Behind {blocks[-1]} {runner.name} does not take the tokens of all blocks, of {len(many)} images in place of "
                f"{len(x)}: {why} transformer-relevance and attention-rollout need no more than the network's own pass."
            ) from error
    return raw, runner.scores(raw)


@contextmanager
def _ends_at(runner: Runner, blocks: list[str], survey: AttentionSurvey, copies: int) -> Iterator[None]:
    """While it is entered, each block starts from its input anew, and behind the last one go on the tokens of all: of block l,
    where there are copies of the images, those of the l-th.
    """
    tokens: list[Tensor] = []

    def hook_for(name: str) -> Callable[..., Any]:
        dim = 1 if survey.row(name)[1] == SEQUENCE else 0

        def hook(_module: Any, args: Any, output: Any) -> Any:
            a, put_back = emitted(output, name, args)
            tokens.append(a.chunk(copies, dim)[len(tokens)] if copies > 1 else a)
            if name != blocks[-1]:
                return put_back(a.detach().clone().requires_grad_())
            return put_back(torch.cat(tokens, dim))

        return hook

    modules = modules_of(runner.network)
    with hooked((modules[name], hook_for(name)) for name in blocks):
        yield


def _blocks(survey: AttentionSurvey) -> list[str]:
    """Of each attention over tokens the largest module around it that holds no other attention and emits the tokens."""
    names = [attention.layer.partition("#")[0] for attention in survey.attentions]
    blocks = []
    for attention, name in zip(survey.attentions, names, strict=True):
        if not attention.square or attention.queries is None:
            continue
        parts = name.split(".")
        around = [".".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        alone = [b for b in around if sum(other == b or other.startswith(f"{b}.") for other in names) == 1]
        fitting = [block for block in alone if survey.row(block)[0] == attention.queries.length]
        if not fitting:
            raise NotApplicable(
                f"{attention.layer} lies in no block of its own that emits the tokens behind it, for the network's end to "
                "read. transformer-relevance needs none."
            )
        blocks.append(fitting[0])
    return blocks
