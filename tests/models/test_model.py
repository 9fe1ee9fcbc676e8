"""Records that every adapter gives."""

from pathlib import Path

import numpy as np
import pytest

import seewhy
from seewhy.arrays import softmax
from seewhy.errors import BadParameter, NeedsGradients
from seewhy.models.model import Evidence, Tokens, require
from seewhy.models.wrap import wrap
from support import networks


def test_softmax_sums_to_one_and_does_not_overflow():
    logits = np.array([[0.0, np.log(3)], [1000.0, 1000.0], [-1000.0, 0.0]])
    np.testing.assert_allclose(softmax(logits), [[0.25, 0.75], [0.5, 0.5], [0, 1]], atol=1e-12)


def test_one_logit_is_a_sigmoid():
    np.testing.assert_allclose(softmax(np.array([[0.0], [np.log(3)]])), [[0.5], [0.75]])


def test_a_second_derivative_is_asked_for_by_the_rules():
    a = np.ones((1, 2, 3))
    with pytest.raises(BadParameter, match="twice=True"):
        Evidence(a, a[None]).hessian(0, a)
    evidence = Evidence(a, a[None], lambda t, v: (t + 1) * v)
    assert (evidence.hessian(1, a) == 2).all()
    with pytest.raises(BadParameter, match=r"\(1, 2, 3\) numbers is multiplied by as many, not by \(1, 2\)"):
        evidence.hessian(0, a[..., 0])


def test_tokens_of_a_grid_are_put_back_into_it():
    tokens = Tokens(8, (2, 3), (1, 2, 3, 4, 5, 6))  # a class token, 2 x 3 patches, and one more
    rows = np.arange(16).reshape(2, 8)
    assert tokens.in_image.tolist() == [1, 2, 3, 4, 5, 6]
    assert tokens.grid_of(rows)[1].tolist() == [[9, 10, 11], [12, 13, 14]]


FUNCTION = wrap(lambda x: x.mean((1, 2)), name="mean", takes="uint8")


def test_what_a_model_gives_is_not_refused():
    require(FUNCTION, "scores")
    for kind in ("scores", "gradients", "layers"):
        require(wrap(networks.pooled()), kind, "this reads the inside")


def test_scores_alone_are_refused_to_what_reads_more():
    with pytest.raises(NeedsGradients) as refusal:
        require(FUNCTION, "gradients", "this reads gradients")
    assert str(refusal.value) == "this reads gradients; mean gives scores only. Try occlusion, rise or lime."
    with pytest.raises(NeedsGradients) as refusal:
        require(FUNCTION, "layers", "a unit lies inside", "Explain a class.", "this model")
    assert str(refusal.value) == "a unit lies inside; this model gives scores only. Explain a class."


@pytest.mark.parametrize("kind", ["scores", "gradients", "layers"])
def test_what_is_no_model_is_refused_whatever_is_needed_of_it(kind):
    with pytest.raises(BadParameter) as refusal:
        require(object(), kind, "this reads gradients")
    assert str(refusal.value) == "object is no model. Make one: seewhy.wrap(network) or seewhy.load(spec)."


def askers():
    """Every public function that takes a model, asked with the model alone."""
    photo = np.zeros((8, 8, 3), np.uint8)
    return {
        "explain": lambda model: seewhy.explain(model, photo),
        "a method": lambda model: seewhy.rise(model, photo),
        "a made method": lambda model: seewhy.smooth(seewhy.grad_cam)(model, photo),
        "doctor": seewhy.doctor,
        "top_units": lambda model: seewhy.top_units(model, photo),
        "attention": lambda model: seewhy.attention(model, photo),
        "detections": lambda model: seewhy.detections(model, photo),
        "export": lambda model: seewhy.export(model, "net.onnx"),
        "drift, first": lambda model: seewhy.drift(model, FUNCTION, photo),
        "drift, second": lambda model: seewhy.drift(FUNCTION, model, photo),
    }


@pytest.mark.parametrize("asked", askers().values(), ids=askers())
def test_whoever_takes_a_model_says_how_to_make_one_of_what_is_none(asked):
    made = r"Make one: seewhy\.wrap\(network\) or seewhy\.load\(spec\)\.$"
    for given, said in (
        ("torchvision/resnet50", r"^'torchvision/resnet50' is no model\. Load .*: seewhy\.load\('torchvision/resnet50'\)\.$"),
        (Path("net.onnx"), r"^'net\.onnx' is no model\. Load the one that it names: seewhy\.load\('net\.onnx'\)\.$"),
        (type(wrap(networks.pooled())), rf"^the class TorchModel is no model\. {made}"),
        (networks.pooled(), rf"^[A-Za-z]+ is no model\. {made}"),
        (seewhy.grad_cam, rf"^Method is no model\. {made}"),
        (None, rf"^NoneType is no model\. {made}"),
    ):
        with pytest.raises(BadParameter, match=said):
            asked(given)
