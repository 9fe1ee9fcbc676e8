"""The scores that a network's own end makes of the tokens behind each of its blocks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from seewhy.errors import BadNetwork, NotApplicable
from seewhy.models.torch.passes.taps import emitted, hooked
from seewhy.models.torch.places.layout import SEQUENCE
from seewhy.models.torch.runner import Runner
from seewhy.models.torch.scores import picked, raw_scores

from .places import AttentionSurvey


def at_each_block(runner: Runner, x: Tensor, survey: AttentionSurvey) -> tuple[Tensor, Tensor]:
    """What the network gives, and the scores (blocks * n, k), of the tokens behind each block, by its own end."""
    if runner.end is not None:
        raise NotApplicable("A unit's activation has no end of the network behind each block. Explain a class.")
    blocks = _blocks(survey)
    with _ends_at(runner, blocks, survey) as tokens:
        try:
            output = runner.called(x)
        except BadNetwork as error:
            if len(tokens) < len(blocks):
                raise
            raise NotApplicable(f"Behind {blocks[-1]} {runner.name} does not take the tokens of all blocks: {error}") from error
    many = x.detach().repeat(len(blocks), *[1] * (x.ndim - 1))
    if runner.aims:
        raw = runner.read(output, many)
    else:
        part = picked(output, runner.settings.output, len(many))
        raw = raw_scores(part, len(many), output if runner.settings.output is None else part)
    return raw, runner.scores(raw)


@contextmanager
def _ends_at(runner: Runner, blocks: list[str], survey: AttentionSurvey) -> Iterator[list[Tensor]]:
    """While it is entered, each block starts from its input anew, and behind the last one go on the tokens of all."""
    tokens: list[Tensor] = []

    def hook_for(name: str) -> Callable[..., Any]:
        def hook(_module: Any, _args: Any, output: Any) -> Any:
            a, put_back = emitted(output, name)
            tokens.append(a)
            if name != blocks[-1]:
                return put_back(a.detach().clone().requires_grad_())
            return put_back(torch.cat(tokens, 1 if survey.row(name)[1] == SEQUENCE else 0))

        return hook

    with hooked((runner.network.get_submodule(name), hook_for(name)) for name in blocks):
        yield tokens


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
