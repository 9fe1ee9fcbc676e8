"""Every operation that is done on boxes alone, against the same on whole copies."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seewhy.models.torch.variants import incremental
from seewhy.models.torch.variants.patch_ops import (
    OPERATIONS,
    along_lead,
    concatenated,
    indexed,
    normalised,
    pointwise,
    reshaped,
    turned,
    unchanged,
)
from seewhy.models.torch.variants.patches import Boxes
from support.boxes import check, doubles, on_boxes


@pytest.fixture(autouse=True)
def never_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental, "DENSE", 2.0)


def channel(seed: int) -> Tensor:
    return doubles(1, 4, 1, 1, seed=seed)


def shuffle(x: Tensor) -> Tensor:
    n, c, h, w = x.size()
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)


MEAN, VAR = doubles(4, seed=5), doubles(4, seed=6).abs() + 0.1


BY_BOX: dict[str, Callable[[Tensor], Any]] = {
    "relu": F.relu, "relu_": lambda x: F.relu(x + 0, inplace=True), "torch.relu_": lambda x: torch.relu_(x + 0),
    "relu6": F.relu6, "hardtanh": lambda x: F.hardtanh(x, -0.3, 0.4), "hardtanh_": lambda x: F.hardtanh_(x + 0),
    "clamp": lambda x: x.clamp(-0.1, 0.3), "clamp_": lambda x: (x + 0).clamp_(min=0), "silu": F.silu, "mish": F.mish,
    "gelu": F.gelu, "gelu tanh": lambda x: F.gelu(x, approximate="tanh"), "hardswish": nn.Hardswish(inplace=True),
    "hardsigmoid": F.hardsigmoid, "sigmoid": torch.sigmoid, "sigmoid_": lambda x: (x * 1).sigmoid_(), "tanh": torch.tanh,
    "leaky": nn.LeakyReLU(0.2, inplace=True), "elu": F.elu, "selu": F.selu, "softplus": F.softplus,
    "prelu": lambda x: F.prelu(x, MEAN), "threshold": lambda x: F.threshold(x, 0.1, 7.0),
    "scalars": lambda x: 3 - 2 / ((1 + x * 2 - 0.5) / 3 + 20), "square": lambda x: x**2 + x.square() - x.pow(3),
    "channels": lambda x: (x * channel(7) + channel(8)) / channel(9) - doubles(4, 1, 1, seed=10) * doubles(1, seed=11),
    "written": lambda x: torch.clone(x).mul_(2).add_(channel(7)).sub_(1).div_(3), "dropout": nn.Dropout(0.5).eval(),
    "batch norm": lambda x: F.batch_norm(x, MEAN, VAR, doubles(4, seed=7), doubles(4, seed=8)),
    "chunk": lambda x: x.chunk(2, dim=1), "split": lambda x: x.split([1, 3], 1), "narrow": lambda x: x.narrow(1, 1, 2),
    "slice": lambda x: x[:, 1:3], "steps": lambda x: (x[:, ::2] + x[:, 1::2], x[:, 0], x[:, None, 1]),
    "one channel": lambda x: torch.cat([torch.unsqueeze(x[:, 0], 1) * 2 + 1, torch.unsqueeze(x[:, 2], 1)], 1),
    "shuffle": shuffle, "channel_shuffle": nn.ChannelShuffle(2), "unbind": lambda x: x.unbind(1),
    "detach": lambda x: x.detach(),
    "to": lambda x: x.to(torch.float64).double().contiguous(memory_format=torch.channels_last),
    "identity": nn.Identity(), "twice": lambda x: x + x, "product": lambda x: x * x.sigmoid(),
    "grown sum": lambda x: F.max_pool2d(x, 3, 1, 1) + x * 2, "shrunk sum": lambda x: x - F.avg_pool2d(x, 5, 1, 2),
    "gate": lambda x: x * F.max_pool2d(x, 3, 1, 1)[:, 1:2].sigmoid(), "minimum": lambda x: torch.minimum(x, -x),
    "cat": lambda x: torch.cat([x, F.max_pool2d(x, 3, 1, 1), F.avg_pool2d(x, 5, 1, 2)[:, :1]], 1),
    "cat alike": lambda x: torch.cat((x, -x), dim=-3), "sizes": lambda x: x * x.shape[-1] + x.size(0) + x.dim() + len(x),
}  # fmt: skip


PLACES = torch.tensor([[0, 0], [0, 0], [5, 2], [6, 7], [0, 7], [3, 3]])


@pytest.mark.parametrize("name", BY_BOX)
def test_what_is_done_on_boxes(name: str) -> None:
    x = doubles(1, 4, 9, 10)
    check(on_boxes(BY_BOX[name]), x, doubles(6, 4, 3, 3, seed=1), PLACES)


def anew(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """In place of what is remembered of the unchanged map."""
    return fn(*args, **kwargs)


UNKNOWN: dict[str, Callable[[Boxes], Any]] = {
    "numbers that differ in space": lambda x: pointwise(anew, torch.add, x, doubles(9, 10)),
    "the batch's own statistics": lambda x: normalised(anew, F.batch_norm, x, None, None, training=True),
    "an axis of space": lambda x: along_lead(anew, torch.chunk, x, 2, 2, place=1),
    "the axis of copies": lambda x: along_lead(anew, torch.chunk, x, 2, 0, place=1),
    "space turned": lambda x: turned(anew, torch.transpose, x, 2, 3),
    "a cut of space": lambda x: indexed(anew, Tensor.__getitem__, x, (slice(None), slice(None), slice(1, 3))),
    "one of the copies": lambda x: indexed(anew, Tensor.__getitem__, x, 0),
    "a mask": lambda x: indexed(anew, Tensor.__getitem__, x, (slice(None), torch.ones(4, dtype=torch.bool))),
    "space strung out": lambda x: reshaped(anew, torch.reshape, x, 6, 4, -1),
    "what drops": lambda x: unchanged(anew, F.dropout, x),
    "maps of two sizes": lambda x: concatenated(anew, torch.cat, [x, doubles(1, 4, 9, 10)], 1),
}  # fmt: skip


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_cannot_be_done_on_boxes_is_not_tried(what: str) -> None:
    x = Boxes(doubles(1, 4, 9, 10), doubles(6, 4, 3, 3, seed=1), PLACES.numpy())
    assert UNKNOWN[what](x) is None


def test_every_spelling_of_an_operation_is_known() -> None:
    for fn in (torch.relu, torch.relu_, F.relu, Tensor.relu, Tensor.__add__, Tensor.__iadd__, torch.special.erf, F.batch_norm):
        assert fn in OPERATIONS
    assert {OPERATIONS[fn].returns for fn in (torch.relu_, Tensor.add_, Tensor.__imul__)} == {"written"}
    assert {OPERATIONS[fn].returns for fn in (torch.relu, Tensor.__add__)} == {"new"}
    assert {OPERATIONS[fn].returns for fn in (Tensor.view, torch.split, Tensor.detach)} == {"view"}
    assert torch.matmul not in OPERATIONS
