"""The doctor's evidence: what of a network can be read, and for each obstacle why the rest cannot."""

from warnings import catch_warnings, simplefilter

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd.function import once_differentiable

import seewhy
from seewhy.models.torch.examination import examination
from support import networks
from support.hazards import HAS, Around, Halved, X
from support.programs import X as SMALL
from support.programs import in_one_piece, normed

SEEN = "has no attention that can be seen"


class Between(nn.Module):
    """`pooled`, and something done to the image or to what act2 emits."""

    def __init__(self, before=None, behind=None) -> None:
        super().__init__()
        self.body, self.rest = networks.pooled()[:4], networks.pooled()[4:]
        self.before, self.behind = before or nn.Identity(), behind or nn.Identity()

    def forward(self, x):
        return self.rest(self.behind(self.body(self.before(x))))


class Once(torch.autograd.Function):
    """The square, of which only the first derivative is written down."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0] * g


def seen(network, **settings):
    model = seewhy.wrap(network, **settings)
    return examination(model.runner, X, model.layers(X))


LOGITS = "it takes logits apart; this model explains"
FREED = "no gradient reaches {}: on the way there the network runs under no_grad, on detached or on quantised numbers"
ZERO = "the gradient at {} is zero: what follows is saturated, or its weights are still zero"
RULES = "Relevance propagation knows convolutions"
OBSTACLES = {  # a network, and all that is refused of it, beside attention
    "none": (networks.pooled, {}),
    "written over": (networks.inplace, {}),
    "in train mode": (lambda: networks.bn_dropout().train(), {}),
    "no ReLU": (networks.signed_features, {"relus": "it has 2 SiLU"}),
    "no pooling": (networks.flat_head, {"head": "right after act2; in Sequential something else lies between"}),
    "softmax": (
        lambda: Around(behind=lambda s: s.softmax(1)),
        {"head": "no linear layer makes the scores", "relevance": RULES, "excitation": RULES, "products": "ends in a softmax"},
    ),
    "frozen": (Halved, {"image": FREED.format("the image")}),
    "detached": (
        lambda: Between(behind=torch.Tensor.detach),
        {"image": FREED.format("the image"), "layer gradient": FREED.format("body")},
    ),
    "rounded": (
        lambda: Between(before=torch.round),
        {"image": ZERO.format("the image"), "relevance": RULES, "products": RULES},
    ),
    "zero head": (HAS["zero-head"][0], {"image": ZERO.format("the image"), "layer gradient": ZERO.format("act2")}),
    "NaN": (HAS["nan"][0], dict.fromkeys(("scores", "products", "second derivative"), "hold NaN or infinity")),
    "unknown operation": (
        lambda: Between(behind=lambda a: a + torch.fft.fft2(a).real),
        {"head": "something else lies between", "relevance": RULES, "excitation": RULES, "products": RULES},
    ),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_each_obstacle_is_the_reason_of_what_it_stops_and_of_nothing_else(obstacle):
    build, expected = OBSTACLES[obstacle]
    refused = dict(seen(build()).refused)
    assert SEEN in refused.pop("attention")
    assert {*refused} == {*expected}
    for need, words in expected.items():
        assert words in refused[need], need


def test_an_operation_with_one_derivative_has_no_second():
    refused = seen(Between(behind=Once.apply)).refused
    assert "second derivative" in refused
    assert "layer gradient" not in refused
    assert "second derivative" not in seen(Between(behind=torch.square)).refused


def test_of_a_transformer_attention_can_be_read_and_rules_for_relus_cannot():
    refused = seen(networks.tokens()).refused
    assert not {"attention", "products"} & {*refused}
    assert "it has 2 GELU" in refused["relus"]


@pytest.mark.parametrize("kind", ["probability", "log-probability"])
def test_what_takes_logits_apart_is_refused_where_others_are_explained(kind):
    refused = seen(networks.pooled(), scores=kind).refused
    assert {need for need, why in refused.items() if why == f"{LOGITS} {kind}"} == {
        "head", "logits", "relevance", "excitation", "products"
    }  # fmt: skip


def test_the_evidence_is_what_the_network_gives():
    network = networks.pooled()
    evidence = seen(network)
    x = torch.tensor(X)
    with torch.no_grad():
        np.testing.assert_allclose(evidence.answer.scores, network(x), rtol=1e-12)
        np.testing.assert_allclose(evidence.activation, network[:4](x)[0], rtol=1e-12)
    assert evidence.layer == "act2"
    assert evidence.layers["act2"].shape == evidence.activation.shape
    assert evidence.hazards == ()


def test_hazards_of_the_network_are_part_of_it():
    assert [hazard.name for hazard in seen(networks.inplace()).hazards] == ["in-place"]


def test_where_no_layer_can_be_read_nothing_inside_is():
    evidence = examination(seewhy.wrap(in_one_piece(normed(), "trace")).runner, SMALL[:1], {})
    assert (evidence.layer, evidence.activation) == (None, None)
    assert evidence.refused["biases"] == "no bias can be read inside"
    assert evidence.refused["balance"] == "nothing inside can be balanced"
    assert "cannot be read inside" in evidence.refused["products"]
    assert "second derivative" not in evidence.refused, "of no layer was it asked"
    assert not {"image", "scores"} & {*evidence.refused}


def test_no_gradient_comes_back_from_quantised_layers_and_nothing_breaks_on_it():
    """Torch warns of them and hands hooks None for a gradient: neither reaches a person; what reads no gradient works."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with catch_warnings():
        simplefilter("ignore")  # of torch's, which names what will quantise one day
        network = torch.ao.quantization.quantize_dynamic(nn.Sequential(*body, nn.Linear(8, 4)).eval(), {nn.Linear})
    x = X.astype(np.float32)
    refused = seewhy.wrap(network).examine(x).refused
    assert refused["layer gradient"] == FREED.format("2")
    assert not {"scores", "layer", "tail"} & {*refused}
    model = seewhy.wrap(network)
    for name in ("grad-cam", "gradient", "shapley-cam", "full-grad"):
        with pytest.raises(seewhy.NeedsGradients, match="cut in 5, by an operation without a derivative"):
            seewhy.explain(model, x[:1], name)
    assert seewhy.recipro_cam(model, x[:1])[0].values.any()
