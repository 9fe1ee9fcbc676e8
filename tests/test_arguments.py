"""Arguments given to the wrong function: each error says where they belong, and what it says is so."""

import re
from typing import Any

import numpy as np
import pytest

import seewhy
from seewhy.api import PUBLIC
from seewhy.arguments import known_names
from seewhy.errors import BadParameter
from support import networks

why: Any = seewhy  # type checkers know these errors
X = networks.images(1, 16, 16, seed=2).astype(np.float32)
NETWORK = networks.pooled().float()
MODEL = seewhy.wrap(NETWORK, name="pooled")
MAP: Any = seewhy.grad_cam(MODEL, X, target=1)[0]

WRONG: dict[str, tuple[Any, str]] = {
    "explain, of a method": (lambda: why.explain(MODEL, X, signed=True), "grad_cam.using(signed=True)"),
    "explain, of the method asked for": (lambda: why.explain(MODEL, X, "sobol", hide=0), "sobol.using(hide=0)"),
    "explain, of one of several": (lambda: why.explain(MODEL, X, ["grad-cam", "rise"], fill=1), "rise.using(fill=1)"),
    "explain, of a method of another": (lambda: why.explain(MODEL, X, steps=9), "integrated_gradients.using(steps=9)"),
    "explain, of a method itself": (lambda: why.explain(MODEL, X, seewhy.occlusion, stride=4), "occlusion.using(stride=4)"),
    "explain, of wrap": (lambda: why.explain(MODEL, X, labels="imagenet"), "wrap(network, labels='imagenet')"),
    "explain, of a picture": (lambda: why.explain(MODEL, X, colours="jet"), "heatmap.save(path, colours='jet')"),
    "explain, of a preparation": (lambda: why.explain(MODEL, X, mean=0.5), "wrap(network, prepare={'mean': 0.5})"),
    "wrap, of the question": (lambda: why.wrap(NETWORK, target=1), "grad_cam(model, images, target=1)"),
    "wrap, of a method": (lambda: why.wrap(NETWORK, samples=3), "using(samples=3)"),
    "wrap, in other words": (lambda: why.wrap(NETWORK, class_names=["a"]), "labels=['a']"),
    "load, of the question": (lambda: why.load("demo/honest", layer="a"), "grad_cam(model, images, layer='a')"),
    "a method, of wrap": (lambda: why.rise(MODEL, X, batch_size=2), "wrap(network, batch_size=2)"),
    "a method, of a picture": (lambda: why.rise(MODEL, X, clip=99), "heatmap.save(path, clip=99)"),
    "a method, of another": (lambda: why.grad_cam(MODEL, X, masks=10), "rise.using(masks=10)"),
    "a method, in other words": (lambda: why.grad_cam(MODEL, X, class_idx=2), "grad_cam(model, images, target=2)"),
    "using, of the question": (lambda: why.grad_cam.using(tile=64), "grad_cam(model, images, tile=64)"),
    "save, of explain": (lambda: MAP.save("a.png", method="rise"), "explain(model, images, methods='rise')"),
    "save, of the question": (lambda: MAP.save("a.png", target=2), "grad_cam(model, images, target=2)"),
    "overlay, in other words": (lambda: MAP.overlay(cmap="jet"), "colours='jet'"),
    "smooth, of what it makes": (lambda: why.smooth(seewhy.grad_cam, sigma=0.1), "using(sigma=0.1)"),
    "top_units, of a method": (lambda: why.top_units(MODEL, X, signed=True), "grad_cam.using(signed=True)"),
    "drift, of a method": (lambda: why.drift(MODEL, MODEL, X, signed=True), "grad_cam.using(signed=True)"),
    "doctor, of the question": (lambda: why.doctor(MODEL, X, target=1), "grad_cam(model, images, target=1)"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_argument_that_belongs_elsewhere_is_told_where(wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked, place = WRONG[wrong]
    with pytest.raises(BadParameter, match="has no parameter") as told:
        asked()
    assert place in str(told.value)
    assert not [*tmp_path.iterdir()]


def test_what_is_advised_runs():
    """The words of each error about a method, evaluated as Python."""
    for wrong, (asked, place) in WRONG.items():
        if re.fullmatch(r"\w+\.using\(.*\)", place):
            with pytest.raises(BadParameter):
                asked()
            made = eval(place, {name: getattr(seewhy, name) for name in PUBLIC})
            assert made.params, wrong


def test_what_is_near_or_unknown_is_told_with_all_there_is():
    with pytest.raises(BadParameter, match=r"^explain has no parameter 'targte'\. It takes .*\. Closest: target"):
        why.explain(MODEL, X, targte=1)
    with pytest.raises(BadParameter, match=r"^grad-cam has no parameter 'xyz'\. It takes signed=False\.$"):
        why.grad_cam(MODEL, X, xyz=1)
    with pytest.raises(BadParameter, match=r"^explain has no parameter 'targets'\. It is called target: target=\[1, 2\]\.$"):
        why.explain(MODEL, X, targets=[1, 2])


@pytest.mark.parametrize("methods", [1, None, True, 2.5, {"grad-cam": 1}])
def test_methods_that_are_none_are_told(methods):
    with pytest.raises(BadParameter, match=f"^explain: methods={re.escape(repr(methods))} are none"):
        why.explain(MODEL, X, methods)


def test_a_function_that_knows_its_names_is_called_as_it_is():
    @known_names()
    def adding(a: int, /, b: int, *, c: int = 3) -> int:
        """The sum."""
        return a + b + c

    sum_of: Any = adding

    assert (sum_of(1, 2), sum_of(1, b=2, c=4), sum_of.__doc__) == (6, 7, "The sum.")
    with pytest.raises(BadParameter, match=r"adding has no parameter 'd'\. It takes b, c\.$"):
        sum_of(1, 2, d=4)
    with pytest.raises(TypeError, match="missing 1 required"):
        sum_of(1)
