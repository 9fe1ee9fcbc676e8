"""Each hazard is seen where it is, and nowhere else."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import networks
import seewhy
from seewhy.diagnosis.doctor import Report, doctor

X = networks.images(1)


def seen(network: nn.Module, x=X, **settings) -> Report:
    return doctor(seewhy.wrap(network, **settings), x)


def hazards(report: Report) -> dict:
    return {hazard.name: hazard for hazard in report.hazards}


class Around(nn.Module):
    """`pooled`, and something done before or behind it."""

    def __init__(self, before=None, behind=None) -> None:
        super().__init__()
        self.inner = networks.pooled()
        self.before, self.behind = before, behind

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.before is None else self.before(x)
        x = self.inner(x)
        return x if self.behind is None else self.behind(x)


class Halved(nn.Module):
    """A backbone under no_grad, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = networks.pooled()[:4], networks.pooled()[4:]

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            a = self.body(x)
        return self.head(a)


def changed(change) -> nn.Module:
    network = networks.pooled()
    with torch.no_grad():
        change(network)
    return network


def trained(network: nn.Module, name: str) -> nn.Module:
    network.get_submodule(name).train()
    return network


HAS = {  # hazard: a network that has it, its severity, what is said, where
    "in-place": (networks.inplace, "note", "2 layers", ("conv1 by act1", "conv2 by act2")),
    "functional-relu": (networks.functional, "note", "2 of 2 ReLUs", ()),
    "no-relu": (networks.signed_features, "note", "2 SiLU", ()),
    "normalised": (lambda: Around(behind=lambda s: s.softmax(1)), "warning", "softmax", ()),
    "train-mode": (lambda: networks.bn_dropout().train(), "warning", "2 BatchNorm and 1 dropout", ("bn1", "bn2", "drop1")),
    "frozen": (lambda: networks.pooled().requires_grad_(False), "note", "6 of 6", ()),
    "cut": (Halved, "warning", "no gradient reaches the image", ()),
    "nan-weights": (lambda: changed(lambda n: n.conv2.bias[0].fill_(np.nan)), "error", "NaN", ("conv2.bias",)),
    "nan": (lambda: changed(lambda n: n.conv2.weight.fill_(1e308)), "error", "first at conv2", ("conv2",)),
    "non-deterministic": (lambda: Around(lambda x: F.dropout(x, 0.5, True)), "warning", "two passes", ()),
    "mixed-batch": (lambda: Around(lambda x: x - x.mean(0)), "warning", "others in the batch", ()),
    "one-at-a-time": (lambda: Around(behind=lambda s: s.reshape(1, 5)), "note", "one image", ()),
    "half-precision": (lambda: networks.pooled().bfloat16(), "note", "bfloat16", ()),
    "zero-head": (lambda: changed(lambda n: n.fc.weight.zero_()), "warning", "all zero", ()),
    "repeated": (networks.reused, "note", "1 layer runs several", ("act (3 times)",)),
    "compiled": (lambda: Around(behind=torch.compile(nn.Identity(), backend="eager")), "note", "compiled", ()),
}  # fmt: skip


@pytest.mark.parametrize(("name", "network", "severity", "words", "where"), [(name, *rest) for name, rest in HAS.items()])
def test_each_hazard_is_seen_where_it_is(name, network, severity, words, where):
    found = hazards(seen(network()))[name]
    assert found.severity == severity
    assert words in found.words
    assert found.where == where


def test_a_network_that_is_split_over_devices():
    accelerate = pytest.importorskip("accelerate")
    network = networks.pooled()
    accelerate.cpu_offload(network)
    report = seen(network)
    assert {name: hazard.severity for name, hazard in hazards(report).items()} == {"split": "note"}
    assert "offloaded" in hazards(report)["split"].words
    assert [verdict.works for verdict in report.methods] == [v.works for v in seen(networks.pooled()).methods]


def test_no_hazard_is_seen_where_there_is_none():
    assert seen(networks.pooled()).hazards == ()
    assert {*hazards(seen(networks.bn_dropout()))} == set()
    assert {*hazards(seen(networks.tokens()))} == {"no-relu"}


def test_hazards_of_the_wrapping():
    found = hazards(seen(networks.pooled(), labels=["a", "b"], weights="random", inputs=(seewhy.IMAGE,)))
    assert {name: found[name].severity for name in found} == {
        "labels": "warning", "random-weights": "warning", "side-inputs": "note"
    }  # fmt: skip
    assert "2 labels for 5 scores" in found["labels"].words
    assert hazards(seen(networks.pooled(), labels=list("abcde"))) == {}


@pytest.mark.parametrize(("x", "severity"), [(X * 0 + np.linspace(0, 255, 16), "warning"), (abs(X) / 5, "note"), (X, None)])
def test_the_scale_of_the_input(x, severity):
    found = hazards(seen(networks.pooled(), x)).get("input-scale")
    assert (found and found.severity) == severity


def test_what_train_mode_changes_is_measured():
    """Against the network itself, run in train mode."""
    network = networks.bn_dropout()
    for name in ("bn1", "bn2"):
        network.get_submodule(name).train()
    words = hazards(seen(network))["train-mode"].words
    other = seewhy.wrap(networks.bn_dropout()).answer(X).scores
    with torch.no_grad():
        own = network(torch.tensor(X)).numpy()  # BatchNorm by this image
    assert f"up to {abs(own - other).max():.2g}" in words
    assert f"in eval mode class {other.argmax()}" in words


def test_an_exported_program_has_no_modes_to_stand_in():
    """Exported in eval mode, its parts still say that they are in training."""
    model = seewhy.wrap(torch.export.export(networks.bn_dropout(), (torch.tensor(X),)))
    assert any(part.training for part in model.network.modules())
    assert "train-mode" not in hazards(doctor(model, X))
    assert "sealed" in hazards(doctor(model, X))


class Auxiliary(nn.Module):
    """In train mode it gives more scores, or refuses; or it lets nobody copy it."""

    def __init__(self, error: Exception | None = None, copied: Exception | None = None) -> None:
        super().__init__()
        self.inner, self.error, self.copied = networks.pooled(), error, copied

    def forward(self, x: Tensor) -> Tensor:
        scores = self.inner(x)
        if self.training and self.error:
            raise self.error
        return torch.cat([scores, scores[:, :3]], 1) if self.training else scores

    def __deepcopy__(self, memo: dict) -> nn.Module:
        if self.copied:
            raise self.copied
        return type(self)(self.error)


OTHERWISE = [
    ((None, None), "it gives 8 scores, in eval mode 5"),
    ((ValueError("no target"), None), "ValueError: no target"),
    ((None, AssertionError()), "cannot take this one image (AssertionError)"),
    ((None, NotImplementedError("no copies")), "cannot take this one image (no copies)"),
]


@pytest.mark.parametrize(("errors", "said"), OTHERWISE)
def test_what_train_mode_gives_may_be_something_else(errors, said):
    report = seen(Auxiliary(*errors).train())
    assert said in hazards(report)["train-mode"].words
    assert report.method == "grad-cam"
