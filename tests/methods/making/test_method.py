"""A method as a thing: its name, its parameters, its words; and how it is looked up."""

import inspect
import pickle

import numpy as np
import pytest

import seewhy
from seewhy import METHODS
from seewhy.methods.making.method import DEEPEST, LONGEST, MAKERS, Method, lookup, method_of


def test_parameters_are_checked_by_kind_before_anything_runs():
    for method, params, said in (
        ("grad-cam", {"sigma": 1}, "grad-cam has no parameter 'sigma'. It takes signed=False"),
        ("gradient", {"reduce": "mean"}, "reduce is one of max, sum, l2, not 'mean'"),
        ("grad-cam", {"signed": "yes"}, "signed is either True or False, not 'yes'"),
        ("smooth-grad", {"samples": "many"}, "samples is a whole number, not 'many'"),
        ("smooth-grad", {"samples": 10**400}, "is beyond all bounds"),
        ("occlusion", {"window": [[[[[[[[[[1]]]]]]]]]]}, "is beyond all bounds"),
    ):
        with pytest.raises(seewhy.BadParameter) as refused:
            METHODS[method].using(**params)
        assert said in str(refused.value), params
    assert METHODS["grad-cam"].using(signed=1).settings == {"signed": 1}
    assert METHODS["rise"].using(keep=np.float32(0.25)).settings["keep"] == 0.25
    assert METHODS["occlusion"].using(window=(3, 4)).settings["window"] == (3, 4)  # which may be of any kind


def test_other_parameters_are_another_method_and_the_first_stays():
    plain, signed = seewhy.grad_cam, seewhy.grad_cam.using(signed=True)
    assert plain.settings == {"signed": False}
    assert signed.using(signed=False) == plain != signed
    assert signed.name == plain.name
    assert signed in {signed} and hash(signed) == hash(plain)  # noqa: PT018
    assert signed != "grad-cam"
    assert pickle.loads(pickle.dumps(signed)) == signed


def test_its_words_come_from_its_docstring():
    assert seewhy.hires_cam.formula == "relu(sum_c g a)."
    assert seewhy.hires_cam.source.startswith("Draelos & Carin 2020, HiResCAM.")
    assert seewhy.hires_cam.caveat == "sums to the score only where what follows the layer is linear, up to its bias."
    assert "\n\nCosts 1 forward, and the tail behind the layer back per target.\n\n" in seewhy.hires_cam.__doc__
    assert seewhy.smooth_grad.cost == "25 x (1 forward, and the whole way back per target), and 1 forward"
    assert seewhy.smooth_grad.using(samples=4).cost.startswith("4 x (")


def test_its_signature_shows_the_parameters_as_they_are_set():
    shown = inspect.signature(seewhy.integrated_gradients.using(steps=9))
    names = [*shown.parameters]
    assert names[:7] == ["model", "images", "target", "layer", "tile", "overlap", "on_error"]
    assert shown.parameters["steps"].default == 9
    assert shown.parameters["steps"].kind is inspect.Parameter.KEYWORD_ONLY
    assert shown.parameters["reduce"].default == "sum"
    assert "case" not in names


def test_a_method_is_named_and_parametrised_by_its_function():
    def my_way(case, *, steps: int = 3, how="a"):
        """What it does.

        Source: me.
        """

    try:
        method = method_of(my_way, my_way, "pixels", rectified=True, layered=False)
        assert METHODS["my-way"] is method
        assert method.defaults == {"signed": False, "steps": 3, "how": "a"}
        assert (method.formula, method.source, method.caveat) == ("What it does.", "me.", "")
        assert pickle.loads(pickle.dumps(method)) is not method
    finally:
        del METHODS["my-way"]


def test_names_are_looked_up_however_they_are_written():
    for name in ("grad-cam", "grad_cam", " Grad-CAM ", seewhy.grad_cam):
        assert lookup(name) == seewhy.grad_cam
    assert lookup("smooth( grad_cam )").name == "smooth(grad-cam)"
    assert lookup("grad-cam", {"signed": True}) == seewhy.grad_cam.using(signed=True)
    assert lookup("product(smooth(cam), product(lrp, gradient))").name == "product(smooth(cam), product(lrp, gradient))"


def test_what_is_no_method_is_told_what_there_is():
    with pytest.raises(seewhy.NoSuchName, match=r"grad-cam.*Or one made of others: smooth\(\.\.\.\)"):
        lookup("gradcam")
    with pytest.raises(seewhy.BadParameter, match="a bracket is missing"):
        lookup("smooth(grad-cam")
    with pytest.raises(seewhy.NoSuchName, match=r"smooth\(METHOD\)"):
        lookup("smoth(grad-cam)")
    with pytest.raises(seewhy.BadParameter, match=r"write product\(METHOD, METHOD\)"):
        lookup("product(cam)")
    with pytest.raises(seewhy.BadParameter, match=f"{DEEPEST} around each other are the most"):
        lookup("libra(" * (DEEPEST + 1) + "cam" + ")" * (DEEPEST + 1))
    with pytest.raises(seewhy.BadParameter, match="is made of too many"):
        lookup("a" * (LONGEST + 1))
    assert {*MAKERS} == {"smooth", "product", "augment", "libra", "refine", "sess"}


def test_a_name_too_long_is_refused_where_the_method_is_made():
    with pytest.raises(seewhy.BadParameter, match="is made of too many others"):
        Method("a" * (LONGEST + 1), lambda case: {})
