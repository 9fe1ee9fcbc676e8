"""Which adapter reads a network, and what is refused before any does."""

import sys
from types import ModuleType

import pytest
import torch

from seewhy.errors import BadParameter
from seewhy.models.function import FunctionModel
from seewhy.models.torch.model import TorchModel
from seewhy.models.torch.sealed import SealedModel
from seewhy.models.wrap import Adapter, wrap


def test_each_kind_of_network_has_its_adapter():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)).eval()
    assert type(wrap(network)) is TorchModel
    exported = torch.export.export(network, (torch.zeros(1, 3, 2, 2),))
    assert type(wrap(exported)) is SealedModel
    assert type(wrap(lambda x: x)) is FunctionModel


def test_a_framework_that_nobody_imported_reads_nothing(monkeypatch):
    adapter = Adapter("frame", ("part.Network",), "frame_adapter", "Model")
    assert not adapter.reads(object())
    frame = ModuleType("frame")
    frame.part = ModuleType("frame.part")  # type: ignore[attr-defined]
    frame.part.Network = type("Network", (), {})
    monkeypatch.setitem(sys.modules, "frame", frame)
    assert adapter.reads(frame.part.Network())
    assert not adapter.reads(object())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"scores": "softmax"}, "it is one of"), ({"batch_size": 0}, "a whole number"), ({"batch_size": 2.0}, "a whole number"),
     ({"batch_size": 10**7}, "a whole number")],
)  # fmt: skip
def test_arguments_that_mean_nothing_are_refused(arguments, words):
    with pytest.raises(BadParameter, match=words):
        wrap(lambda x: x, **arguments)


class Pipeline:
    def predict_proba(self, x):
        return x


@pytest.mark.parametrize(
    ("network", "words"),
    [(Pipeline(), r"wrap\(it\.predict_proba\)"), (Pipeline, "make one of it first"), (None, "not NoneType"),
     ("torchvision/resnet50", r"seewhy\.load")],
)  # fmt: skip
def test_what_is_no_network_is_told_what_would_be(network, words):
    with pytest.raises(BadParameter, match=words):
        wrap(network)
