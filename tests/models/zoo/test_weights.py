"""Checkpoints of every shape: what fits is found inside, whatever stands before it, and what was stripped is said."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from seewhy.errors import BadWeights
from seewhy.models.zoo.weights import fill


def made() -> nn.Module:
    network = nn.Sequential()
    network.add_module("see", nn.Conv2d(3, 4, 3))
    network.add_module("norm", nn.BatchNorm2d(4))
    network.add_module("weigh", nn.Linear(4, 5))
    return network


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return made().state_dict()


@pytest.fixture(scope="module")
def other() -> dict[str, torch.Tensor]:
    return {name: tensor + 1 for name, tensor in made().state_dict().items()}


def behind(prefix: str, state: dict) -> dict:
    return {prefix + name: tensor for name, tensor in state.items()}


LOSS = {"criterion.weight": torch.ones(5), "loss_fn.scale": torch.ones(1)}
SHAPES = {  # what lies in the file, of the right weights and others; and what is said of it
    "lightning": (lambda a, b: {"state_dict": behind("model.", a), "hyper_parameters": {"lr": 0.1}, "epoch": 1},
                  "of state_dict, without 'model.'"),
    "lightning with a loss": (lambda a, b: {"state_dict": {**behind("model.", a), **LOSS}},
                              "of state_dict, without 'model.', leaving criterion.weight, loss_fn.scale"),
    "data parallel": (lambda a, b: behind("module.", a), "without 'module.'"),
    "compiled": (lambda a, b: behind("_orig_mod.", a), ""),
    "compiled inside": (lambda a, b: {name.replace("see.", "see._orig_mod."): t for name, t in a.items()}, ""),
    "all of these": (lambda a, b: {"state_dict": behind("model.module._orig_mod.", a)},
                     "of state_dict, without 'model.module.'"),
    "net": (lambda a, b: behind("net.", a), "without 'net.'"),
    "backbone beside others": (lambda a, b: {**behind("backbone.", a), "head.weight": torch.ones(2)},
                               "without 'backbone.', leaving head.weight"),
    "nested": (lambda a, b: {"model": {"state_dict": a}}, "of model.state_dict"),
    "optimizer beside": (lambda a, b: {"model": a, "optimizer": {"state": {0: {"step": torch.ones(1)}}, "groups": [1]}},
                         "of model"),
    "ema_state_dict": (lambda a, b: {"state_dict": b, "ema_state_dict": a}, "of ema_state_dict"),
    "state_dict_ema": (lambda a, b: {"state_dict_ema": a, "state_dict": b}, "of state_dict_ema"),
    "torchvision's model_ema": (lambda a, b: {"model": b, "model_ema": {"n_averaged": torch.ones(1), **behind("module.", a)}},
                                "of model_ema, without 'module.', leaving n_averaged"),
    "shadow": (lambda a, b: {"model": b, "shadow": a}, "of shadow"),
    "ema beside raw names": (lambda a, b: {**b, **behind("ema.", a)},
                             "without 'ema.', leaving see.weight, see.bias, norm.weight"),
    "ema beside raw prefix": (lambda a, b: {"state_dict": {**behind("model.", b), **behind("ema_model.", a)}},
                              "without 'ema_model.'"),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_what_fits_is_found_and_what_was_stripped_is_said(tmp_path, state, other, shape):
    hold, said = SHAPES[shape]
    torch.save(hold(state, other), tmp_path / "w.ckpt")
    network = made()
    tag, _ = fill(network, tmp_path / "w.ckpt")
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in state.items())
    assert said in tag
    assert said or tag.count("(") == 0


def test_weights_that_fit_in_two_places_are_asked_back(tmp_path, state, other):
    for held in ({"student": state, "teacher": other}, {**behind("encoder_q.", state), **behind("encoder_k.", other)}):
        torch.save(held, tmp_path / "two.pth")
        with pytest.raises(BadWeights, match=r"fit in several places: (student, teacher|encoder_q, encoder_k)"):
            fill(made(), tmp_path / "two.pth")


def test_what_does_not_fit_is_named_with_what_stands_beside_it(tmp_path, state):
    held = {name: tensor for name, tensor in behind("model.", state).items() if name != "model.weigh.bias"}
    torch.save({"state_dict": {**held, **LOSS}}, tmp_path / "less.ckpt")
    with pytest.raises(BadWeights) as caught:
        fill(made(), tmp_path / "less.ckpt")
    for said in ("of state_dict, without 'model.'", "1 missing (weigh.bias)", "2 unknown (criterion.weight, loss_fn.scale)"):
        assert said in str(caught.value)
    torch.save({**state, **LOSS}, tmp_path / "more.pth")
    with pytest.raises(BadWeights, match=r"2 unknown \(criterion\.weight, loss_fn\.scale\)"):
        fill(made(), tmp_path / "more.pth")
    wide = {**state, "weigh.weight": torch.ones(7, 4), "weigh.bias": torch.ones(7)}
    torch.save({"state_dict": behind("net.", wide)}, tmp_path / "wide.pth")
    with pytest.raises(BadWeights, match=r"2 of another shape \(weigh\.weight \(7, 4\) for \(5, 4\)"):
        fill(made(), tmp_path / "wide.pth")


@dataclass
class Settings:
    """Hyper-parameters that are no plain numbers."""

    rate: float


def test_hyper_parameters_that_need_code_are_refused_with_what_to_do(tmp_path, state):
    torch.save({"state_dict": behind("model.", state), "hyper_parameters": Settings(0.1)}, tmp_path / "lit.ckpt")
    with pytest.raises(BadWeights, match=r"needs code \(.*Settings.*not run.*state_dict.*--trust"):
        fill(made(), tmp_path / "lit.ckpt")
    network = made()
    fill(network, tmp_path / "lit.ckpt", trust=True)
    assert torch.equal(network.see.weight, state["see.weight"])


def test_a_whole_network_gives_its_weights_where_it_is_trusted(tmp_path, state):
    whole = made()
    whole.load_state_dict(state)
    torch.save(whole, tmp_path / "whole.pth")
    with pytest.raises(BadWeights, match="needs code"):
        fill(made(), tmp_path / "whole.pth")
    network = made()
    fill(network, tmp_path / "whole.pth", trust=True)
    assert torch.equal(network.weigh.weight, state["weigh.weight"])
