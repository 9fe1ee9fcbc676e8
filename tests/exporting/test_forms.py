"""Which methods have a form as a graph."""

import pytest

from seewhy import METHODS, NotApplicable
from seewhy.exporting.forms import exportable, form_of
from seewhy.methods.making.method import lookup

CLOSED = ["cam", "grad-cam", "grad-cam-pp", "hires-cam", "xgrad-cam", "layer-cam", "grad-cam-elementwise", "counterfactual"]


def test_methods_of_one_pass_have_a_form_and_others_have_none():
    assert sorted(exportable()) == sorted([*CLOSED, "recipro-cam", "eigen-cam", "eigen-grad-cam", "seg-eigen-cam"])
    for name in {*METHODS} - {*exportable()}:
        with pytest.raises(NotApplicable, match=rf"^{name} has no form as a graph. Methods that have one: cam, grad-cam, "):
            form_of(METHODS[name])


@pytest.mark.parametrize("name", ["smooth(grad-cam)", "libra(grad-cam)", "product(guided-backprop, grad-cam)", "augment(cam)"])
def test_methods_made_of_others_have_none(name):
    with pytest.raises(NotApplicable, match="has no form as a graph"):
        form_of(lookup(name))


def test_a_form_tells_whether_a_relu_comes_last():
    assert form_of(METHODS["grad-cam"]).rectified
    assert not form_of(lookup("grad-cam", {"signed": True})).rectified
    assert not form_of(METHODS["recipro-cam"]).rectified
    assert form_of(METHODS["recipro-cam"]).params == {}
    assert form_of(lookup("eigen-cam", {"centred": True})).params == {"centred": True}
