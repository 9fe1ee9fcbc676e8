"""What is measured with noise is what the calls tell, where these tell it; and what they do not tell is measured."""

from contextlib import suppress
from functools import partial

import numpy as np
import pytest
import torch

import seewhy
from seewhy.models.torch.attention import attended
from seewhy.models.torch.attention.measured import measured_survey
from seewhy.models.torch.attention.places import attention_survey
from support.families import ALL

SAME = (
    "timm vit, 4 registers", "timm swin", "timm levit", "timm maxvit", "timm cait", "hf beit", "torchvision vit",
    "tokens before the batch", "registers at the end",
)  # fmt: skip


def both(name):
    model = seewhy.wrap(ALL[name].network())
    with model.runner.ready(ALL[name].images(1)) as x:
        told = attended._survey(attention_survey, model.runner, x, 1)
        return told, attended._survey(measured_survey, model.runner, x, 2)


def equal(one, other):
    return torch.equal(one, other) if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor) else one == other


@pytest.mark.parametrize("name", SAME)
def test_both_say_the_same(name):
    told, measured = both(name)
    assert not told.unknown
    for one, other in zip(told.attentions, measured.attentions, strict=True):
        assert one.layer == other.layer
        assert (one.size, one.left_out, one.square, one.beside) == (other.size, other.left_out, other.square, other.beside)
        assert equal(one.rows, other.rows)
        assert equal(one.columns, other.columns)
        for row, its in ((one.queries, other.queries), (one.keys, other.keys)):
            assert (row and row[:3]) == (its and its[:3])
    assert told.proved <= (not any(measured.apart) and not any(measured.beside))
    if told.proved:
        assert np.array_equal(attended._shares(told), attended._shares(measured))


def test_what_no_call_tells_is_measured(monkeypatch):
    asked = []
    measure = partial(measured_survey)
    monkeypatch.setattr(attended, "measured_survey", lambda *args: asked.append(args) or measure(*args))
    for name, times in (("timm vit", 0), ("timm mvitv2", 1)):
        model = seewhy.wrap(ALL[name].network())
        for _ in range(2):
            with suppress(seewhy.NotApplicable):
                seewhy.attention(model, ALL[name].images(1))
        assert len(asked) == times
