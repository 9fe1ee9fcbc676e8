"""Relevance, the biases' share and Guided Grad-CAM of signals, pictures and volumes, derived a second time."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from support import ask
from support.dimensions import CONVOLVED, NETS, PLAIN, TARGETS, led_back
from support.references import cams as references
from support.references import relevance as by_hand

Floats = NDArray[np.float64]


def drawn(old: int, new: int) -> Floats:
    """(new, old): what linear interpolation makes of each cell of a line."""
    return np.stack([by_hand.resized(one[:, None], new, 1)[:, 0] for one in np.eye(old)], 1)


def along_axes(m: Floats, space: tuple[int, ...], spread: bool = False) -> Floats:
    """(*cells) drawn out, or divided among the pixels that it is drawn to."""
    for axis, new in enumerate(space):
        weights = drawn(m.shape[axis], new)
        weights = weights / weights.sum(0) if spread else weights
        m = np.moveaxis(np.tensordot(weights, m, (1, axis)), 0, axis)
    return m


@pytest.mark.parametrize("name", PLAIN)
def test_guided_grad_cam(name):
    net = NETS[name]
    (found,) = ask.maps(net.network, "guided-grad-cam", net.images, TARGETS, ["5"]).values()
    for t, i in np.ndindex(2, 2):
        a, g = references.evidence(net.network, "5", net.images[i], np.eye(5)[TARGETS[t]])
        cam = np.maximum(np.tensordot(g.reshape(8, -1).mean(1), a, 1), 0)
        guided = led_back(net, net.images[i], TARGETS[t], "guided")
        expected = guided * along_axes(cam, net.space)
        np.testing.assert_allclose(found[t, i], expected, rtol=1e-9, atol=1e-12)
    assert found.any()


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("name", CONVOLVED)
def test_full_grad(name, scaled):
    net = NETS[name]
    (found,) = ask.maps(net.network, "full-grad", net.images, TARGETS, ["input"], signed=False, scaled=scaled).values()
    (signed,) = ask.maps(net.network, "full-grad", net.images, TARGETS, ["input"], signed=True).values()
    for t, i in np.ndindex(2, 2):
        pixels, terms = by_hand.bias_terms(net.network, net.images[i], np.eye(5)[TARGETS[t]])
        placed = [term for term in terms.values() if term.ndim > 1]
        ask.close(signed[t, i], pixels.sum(0) + sum(along_axes(term.sum(0), net.space, spread=True) for term in placed), 1e-8)
        parts = [pixels, *placed]
        sizes = [abs(part) for part in parts]
        if scaled:
            sizes = [(size - size.min()) / (size - size.min()).max() for size in sizes]
        expected = sum(along_axes(size.sum(0), net.space, spread=not scaled) for size in sizes)
        ask.close(found[t, i], expected, 1e-8)
        whole = references.scores(net.network, net.images[i])[TARGETS[t]]
        assert signed[t, i].sum() + sum(term.sum() for term in terms.values() if term.ndim == 1) == pytest.approx(whole)


class Relevance(by_hand.Relevance):
    """Max pools of any dimension hand all to the largest."""

    def down(self, part: nn.Module, x: Tensor, above: Floats) -> Floats:
        if not isinstance(
            part, nn.MaxPool1d | nn.MaxPool3d | nn.AdaptiveMaxPool1d | nn.AdaptiveMaxPool2d | nn.AdaptiveMaxPool3d
        ):
            return self.linear("exact", part, x, above) if isinstance(part, nn.AvgPool3d) else super().down(part, x, above)
        self.at[part] = above
        leaf = x.clone().requires_grad_()
        return torch.autograd.grad(part(leaf), leaf, torch.tensor(above))[0].numpy()


RULES = {"epsilon-plus": ("z-plus", "epsilon"), "epsilon": ("epsilon", "epsilon"), "gamma": ("gamma", "gamma")}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", CONVOLVED)
def test_relevance(name, rule):
    net, (conv, dense) = NETS[name], RULES[rule]
    (found,) = ask.maps(net.network, "lrp", net.images[:1], [3], ["input"], rule=rule).values()
    start = np.eye(5)[3] * references.scores(net.network, net.images[0])
    ask.close(found[0, 0], by_hand.relevance(net.network, net.images[0], start, Relevance(conv, dense)), 1e-7)


@pytest.mark.parametrize("name", CONVOLVED)
def test_excitation(name):
    net = NETS[name]
    (found,) = ask.maps(net.network, "excitation-backprop", net.images[:1], [3], [net.last]).values()
    rule = Relevance("z-plus", "z-plus", epsilon=0, bias=False)
    by_hand.relevance(net.network, net.images[0], np.eye(5)[3], rule)
    ask.close(found[0, 0], rule.at[net.network[int(net.last)]][0].sum(0), 1e-6)
