"""Excitation backprop: chances, handed down in shares of excitatory products, at every layer."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import Contrast
from seewhy.models.model import INPUT
from support import ask, networks
from support.references import relevance as plain

X = networks.images(2, 6, 8)


def chances(network, x, layers, targets=(1,)):
    """{layer: (t, n, h, w)}"""
    return ask.run("excitation-backprop", ask.case(network, x, targets, layers, gradients=False))


def layers_of(network):
    """Those on the trunk that have space, and are no convolution folded into the norm behind it; and the image."""
    names = [name for name, layer in seewhy.wrap(network).layers(X).items() if len(layer.shape) == 3 and "." not in name]
    norm_next = {name: isinstance(then, plain.NORMS) for name, then in zip(names, [*network][1:], strict=False)}
    return [name for name in names if not (norm_next[name] and isinstance(network[int(name)], plain.CONVS[:3]))] + [INPUT]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("toy", plain.TOYS)
def test_a_chance_is_handed_down_in_shares_of_positive_products(toy, bias):
    """Zhang et al. 2016, eq. 5; what a bias adds is no unit's doing, be it a layer's or that of a norm on its own."""
    network = plain.built(plain.TOYS[toy], bias)
    names = {part: name for name, part in network.named_modules()}
    found = chances(network, X, layers_of(network), [1, 2])
    for t, index in enumerate((1, 2)):
        for i, image in enumerate(X):
            by = plain.Relevance("z-plus", "z-plus", epsilon=0, bias=False)
            expected = {INPUT: plain.relevance(network, image, np.eye(5)[index], by)}
            expected |= {names[part]: arrived[0] for part, arrived in by.at.items() if names[part] in found}
            assert expected.keys() == found.keys()
            for layer, p in expected.items():
                at = found[layer][t, i]
                ask.close(at.sum() if p.ndim == 1 else at, p.sum(0))  # what is flattened still has a place


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "toy", ["plain", "dense", "norm", "average", "max", "residual", "concat", "squeezed", "relu6", "leaky"]
)
def test_chances_sum_to_one(toy, bias):
    """Where every unit has an input that excites it."""
    network = plain.built(plain.TOYS[toy], bias)
    found = chances(network, X, layers_of(network), [0, 1, 2])
    for layer in found.values():
        np.testing.assert_allclose(layer.sum((2, 3)), 1, rtol=1e-9)


@pytest.mark.parametrize("score", [3.0, -2.0, 1e-7, 1e-13, 0.0])
def test_the_score_itself_plays_no_part(score):
    """The bias of the scores moves them anywhere, and the chances not at all."""
    network = plain.built(plain.TOYS["plain"])
    x = X[:1]
    before = chances(network, x, ["1", INPUT])
    with torch.no_grad():
        for _ in range(3):  # to the last bit
            network[-1].bias[1] += score - network(torch.tensor(x))[0, 1]
        assert abs(network(torch.tensor(x))[0, 1].item() - score) < 1e-15
    after = chances(network, x, ["1", INPUT])
    for layer in before:
        ask.close(after[layer], before[layer], rel=1e-6)
    (m,) = seewhy.excitation_backprop(seewhy.wrap(network), x, target=1)
    assert m.source.score == pytest.approx(score, abs=1e-12)
    assert m.warnings == ()


@pytest.mark.parametrize("scores", ["log-probability", "probability"])
def test_what_is_made_of_the_scores_plays_no_part_either(scores):
    """The chance starts at the class, whatever its score is called; or the question is refused."""
    network = plain.built(plain.TOYS["plain"])
    expected = chances(network, X, [INPUT])[INPUT]
    try:
        found = ask.run("excitation-backprop", ask.case(network, X, [1], [INPUT], scores=scores, gradients=False))[INPUT]
    except seewhy.NotApplicable:
        return
    ask.close(found, expected)


def test_images_do_not_see_each_other():
    x = networks.images(3, 6, 8)
    x[0], x[1, :, :, :4] = abs(x[0]), 0
    for toy in ("plain", "norm", "leaky"):
        network = plain.built(plain.TOYS[toy])
        together = chances(network, x, ["2", INPUT], [0, 1])
        for i in range(3):
            alone = chances(network, x[i : i + 1], ["2", INPUT], [0, 1])
            for layer in together:
                ask.close(together[layer][:, i], alone[layer][:, 0])
        assert not together[INPUT][:, 1, :, :4].any()


def test_a_contrast_of_chances():
    one, other, both = chances(plain.built(plain.TOYS["norm"]), X, ["2"], [1, 3, Contrast(1, 3, strength=0.5)])["2"]
    ask.close(both, one - 0.5 * other)


def test_the_source_tells_of_the_untouched_scores():
    network = plain.built(plain.TOYS["max"])
    with torch.no_grad():
        said = network(torch.tensor(X)).numpy()
    for target, expected in ((2, said[:, 2]), (Contrast(1, 3, strength=0.5), said[:, 1] - 0.5 * said[:, 3])):
        maps = seewhy.excitation_backprop(seewhy.wrap(network), X, target=target)
        for m, score, logits in zip(maps, expected, said, strict=True):
            ask.close(m.source.score, score)
            assert m.source.predicted.index == logits.argmax()


def test_a_layer_by_hand():
    """Inputs (1, 2, -1), weights (3, -1, -2): the first and the last excite, by 3 and 2."""
    network = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Flatten()).double()
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([3.0, -1, -2]).view(1, 3, 1, 1))
    x = np.array([1.0, 2, -1]).reshape(1, 3, 1, 1)
    trace = seewhy.wrap(network).trace(x, [lambda s: 1 / s], [INPUT], seewhy.methods.relevance.MARGINAL)
    a, g = trace.evidence[INPUT].a, trace.evidence[INPUT].g
    ask.close((a * g[0]).numpy().ravel(), [0.6, 0, 0.4])
