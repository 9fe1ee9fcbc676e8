"""Grad-CAM beside HiResCAM of the same pass."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.methods.making.against_hires import NAME
from seewhy.objects.shift import PARTED, energy_shift

X = torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(0)).numpy()


def network(head: str) -> nn.Module:
    """A body of six channels; "flat": each class counts the cells of a channel alike, the later the less."""
    torch.manual_seed(2)
    body = [nn.Conv2d(3, 6, 3), nn.ReLU()]
    ends = {
        "pooled": [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)],
        "flat": [nn.Flatten(), nn.Linear(600, 4)],
    }
    net = nn.Sequential(*body, *ends[head]).eval()
    if head == "flat":
        spread = torch.tensor([0.1, 0.5, 2, 20])[:, None, None]
        net[3].weight.data = (torch.rand(4, 6, 1) + spread * torch.randn(4, 6, 100)).flatten(1) / 600
    return net


def by_hand(net: nn.Sequential, target: int) -> list[float]:
    """The total-variation distance of relu(sum mean(g) a) and relu(sum g a), image by image."""
    found = []
    for x in torch.tensor(X):
        a = net[1](net[0](x[None])).detach().requires_grad_()
        (g,) = torch.autograd.grad(net[2:](a)[0, target], a)
        grad = (g.mean((2, 3), keepdim=True) * a).sum(1).relu().detach().numpy()
        hires = (g * a).sum(1).relu().detach().numpy()
        found.append(0.5 * np.abs(grad / grad.sum() - hires / hires.sum()).sum())
    return found


@pytest.mark.parametrize("target", [0, 1, 2])
def test_it_is_measured_where_cells_do_not_count_alike(target):
    net = network("flat")
    maps = seewhy.grad_cam(seewhy.wrap(net), X, target=target, layer="1")
    assert [m.source.measured[NAME] for m in maps] == pytest.approx(by_hand(net, target), abs=1e-4)
    for m in maps:
        doubted = [w for w in m.warnings if w.startswith("hires-cam has")]
        assert bool(doubted) == (m.source.measured[NAME] >= PARTED)


def test_many_targets_and_single_images_say_the_same():
    model = seewhy.wrap(network("flat"))
    together = seewhy.grad_cam(model, X, target=[0, 1, 2, 3], layer="1")
    assert {bool([w for w in m.warnings if "hires-cam" in w]) for m in together} == {True, False}
    for m in together:
        (alone,) = seewhy.grad_cam(model, X[m.place : m.place + 1], target=m.source.index, layer="1")
        assert (alone.source.measured, alone.warnings) == (m.source.measured, m.warnings)


def test_nothing_is_said_where_the_two_are_one():
    maps = seewhy.grad_cam(seewhy.wrap(network("pooled")), X, target=[0, 1], layer="1")
    assert all(m.source.measured == {} and not any("hires" in w for w in m.warnings) for m in maps)


def test_no_pass_is_added():
    net, passes = network("flat"), []
    net[0].register_forward_hook(lambda *_: passes.append(1))
    model = seewhy.wrap(net)
    seewhy.hires_cam(model, X, target=0, layer="1")
    passes.clear()
    seewhy.hires_cam(model, X, target=1, layer="1")
    count = len(passes)
    seewhy.grad_cam(model, X, target=1, layer="1")
    assert len(passes) == 2 * count


@pytest.mark.parametrize("signed", [False, True])
def test_it_is_of_positive_evidence_whether_the_map_is_signed_or_not(signed):
    maps = seewhy.grad_cam(seewhy.wrap(network("flat")), X, target=2, layer="1", signed=signed)
    hires = seewhy.hires_cam(seewhy.wrap(network("flat")), X, target=2, layer="1", signed=True)
    for m, h in zip(maps, hires, strict=True):
        assert m.source.measured[NAME] == pytest.approx(energy_shift(m.values, h.values), abs=1e-4)
