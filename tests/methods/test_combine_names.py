"""Methods made of methods: by which name they are known, what they take, what they tell."""

import pickle

import numpy as np
import pytest

import seewhy
from seewhy import METHODS, Class, augment, product, smooth
from seewhy.methods.making.method import lookup
from support import ask, networks
from support.references import cams as references

X = networks.images(2, 8, 12, seed=31)


def test_names_are_expressions():
    for name in ("smooth(grad-cam)", "augment(smooth(lrp))", "product(guided-backprop, smooth(grad-cam))"):
        made = lookup(name)
        assert made.name == name
        assert lookup(f"  {name.upper().replace('-', '_').replace(', ', ',')} ") == made
    assert smooth(METHODS["grad-cam"]) == smooth("grad-cam") == lookup("smooth(grad-cam)") != smooth("layer-cam")
    assert METHODS["guided-grad-cam"].name == "guided-grad-cam"


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("smoth(grad-cam)", seewhy.NoSuchName, r"smooth\(METHOD\)"),
        ("grad-cam(smooth)", seewhy.NoSuchName, "made of others by"),
        ("smoth(grad-cam)", seewhy.NoSuchName, r"Closest: smooth\(METHOD\)"),
        ("smooth(grad-cam", seewhy.BadParameter, "a bracket is missing"),
        ("smooth(grad-cam))", seewhy.BadParameter, "a bracket is missing"),
        ("smooth(grad-cam)(cam)", seewhy.BadParameter, "a bracket is missing"),
        ("smooth()", seewhy.NoSuchName, "No method"),
        ("smooth(gradcam)", seewhy.NoSuchName, "Closest: grad-cam"),
        ("product(grad-cam)", seewhy.BadParameter, r"write product\(METHOD, METHOD\)"),
        ("smooth(grad-cam, cam)", seewhy.BadParameter, r"write smooth\(METHOD\)"),
        ("smooth(augment(smooth(cam)))", seewhy.BadParameter, "samples, sigma of its own already"),
        ("smooth(rise)", seewhy.BadParameter, "masks of its own already"),
        ("smooth(product(cam, lime))", seewhy.BadParameter, "samples of its own already"),
        ("augment(augment(cam))", seewhy.BadParameter, "flips, scales of its own already"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused(text, error, said):
    with pytest.raises(error, match=said):
        lookup(text)


def test_what_two_methods_take_they_take_together():
    few = METHODS["smooth-grad"].using(samples=3)
    with pytest.raises(seewhy.BadParameter, match="samples is 3 in one method and 25 in the other"):
        product(few, "smooth(grad-cam)")
    assert product(few, smooth("grad-cam").using(samples=3)).settings["samples"] == 3


@pytest.mark.parametrize(
    ("name", "params"),
    [("smooth-grad", {"samples": 0}), ("smooth-grad", {"samples": 2.5}), ("smooth-grad", {"samples": "many"}),
     ("smooth-grad", {"samples": float("nan")}), ("smooth-grad", {"sigma": -1}), ("smooth-grad", {"sigma": float("inf")}),
     ("smooth(cam)", {"seed": -1}), ("smooth(cam)", {"flips": True}), ("augment(cam)", {"scales": ()}),
     ("augment(cam)", {"scales": (1, 0)}), ("augment(cam)", {"scales": "big"}), ("augment(cam)", {"flips": "both"})],
)  # fmt: skip
def test_parameters_are_checked(name, params):
    with pytest.raises(seewhy.BadParameter, match=next(iter(params))):
        lookup(name)(seewhy.wrap(networks.pooled()), X, **params)


@pytest.mark.parametrize(
    ("inside", "outside"),
    [(lambda: smooth(METHODS["grad-cam"].using(signed=True)), lambda: smooth("grad-cam").using(signed=True)),
     (lambda: augment(METHODS["eigen-cam"].using(centred=True)), lambda: augment("eigen-cam").using(centred=True)),
     (lambda: product(METHODS["gradient"].using(reduce="sum"), "input-x-gradient"), lambda: None)],
)  # fmt: skip
def test_parameters_given_inside_count_and_travel(inside, outside):
    method, same = inside(), outside()
    model = seewhy.wrap(networks.pooled())
    again = pickle.loads(pickle.dumps(method))
    assert again == method
    assert again.settings == method.settings
    np.testing.assert_array_equal(ask.values(again(model, X)), ask.values(method(model, X)))
    if same is not None:
        assert method.settings == same.settings
        np.testing.assert_array_equal(ask.values(same(model, X)), ask.values(method(model, X)))
        assert method != lookup(method.name), "other parameters, another method"


@pytest.mark.parametrize("made", [smooth, augment, lambda m: product(m, "grad-cam")])
def test_what_is_odd_about_the_inner_method_is_told(made):
    """A GELU passes the plain gradient under the guided name: never without a word."""
    (said,) = METHODS["guided-backprop"](seewhy.wrap(networks.nhwc()), X[:1])[0].source.warnings
    assert "GELU" in said
    assert said in made(METHODS["guided-backprop"])(seewhy.wrap(networks.nhwc()), X[:1])[0].source.warnings


def test_the_source_says_what_was_done():
    (one,) = smooth("grad-cam")(seewhy.wrap(networks.pooled()), X[:1], target=Class(2), samples=4, layer="act2")
    assert (one.source.method, one.source.layer, one.source.target) == ("smooth(grad-cam)", "act2", "2")
    assert one.source.params == {"signed": False, "samples": 4, "sigma": 0.15, "seed": 0}
    assert one.source.score == pytest.approx(references.scores(networks.pooled(), X[0])[2])
    assert "4 x (" in lookup("smooth(grad-cam)").using(samples=4).cost
