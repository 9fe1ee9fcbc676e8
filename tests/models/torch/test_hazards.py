"""Each hazard is seen where it is, and nowhere else."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import seewhy
from seewhy.diagnosis.doctor import doctor
from support import networks
from support.hazards import HAS, X, hazards, seen


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


@pytest.mark.parametrize("load", ["load_state_dict", "a step", "another parameter"])
def test_weights_that_were_written_since_they_were_drawn_are_not_drawn_at_random(load):
    network = networks.pooled()
    model = seewhy.wrap(network, weights="random")
    assert "random-weights" in hazards(doctor(model, X))
    if load == "load_state_dict":
        network.load_state_dict(networks.pooled(seed=1).state_dict())
    elif load == "a step":
        network(torch.tensor(X)).sum().backward()
        torch.optim.SGD(network.parameters(), 0.1).step()
    else:
        network.fc.weight = nn.Parameter(networks.pooled(seed=1).fc.weight.detach())
    assert "random-weights" not in hazards(doctor(model, X))
