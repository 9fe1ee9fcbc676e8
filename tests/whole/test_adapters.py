"""What every adapter keeps: the same network gives the same maps wherever it lives, for every method that can run there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest

import seewhy
from seewhy import METHODS
from seewhy.errors import Misuse, NeedsGradients, NotApplicable
from seewhy.methods.making.method import lookup
from support.adapters import MAKERS, Adapted, images
from support.ask import ATTENTION, asked, values

NAMES = [name for name in METHODS if name not in ATTENTION] + ["smooth(grad-cam)", "smooth(gradient)", "augment(grad-cam)"]
AT_SCORES = {name for name in NAMES if lookup(name).reads == "scores"}
AT_IMAGE = {name for name in NAMES if {*lookup(name).requires} <= {"scores", "image", "relus"}}
AT_LAYERS = {name for name in NAMES if lookup(name).reads in ("activations", "nothing", "layer scores", "head")}
IN_CLOSED_FORM = {  # at the layer that is pooled
    "grad-cam", "grad-cam-pp", "hires-cam", "layer-cam", "xgrad-cam", "grad-cam-elementwise", "counterfactual",
    "eigen-grad-cam", "seg-eigen-cam", "smooth(grad-cam)", "augment(grad-cam)",
}  # fmt: skip
ALL = frozenset(NAMES)
ON_TORCH_ALONE = frozenset(
    name for name in NAMES
    if {*lookup(name).requires} & {"second derivative", "relevance", "products", "excitation", "balance", "biases"}
)  # fmt: skip
ABLE = {  # what has to run, by adapter
    "torch": ALL, "keras": ALL, "numpy": ALL - ON_TORCH_ALONE, "function": frozenset(AT_SCORES),
    "jax": frozenset(AT_IMAGE), "nnx": ALL - ON_TORCH_ALONE, "linen": ALL - ON_TORCH_ALONE,
    "onnx": frozenset(AT_SCORES | AT_LAYERS | IN_CLOSED_FORM),
}  # fmt: skip
CASES = [(adapter, name) for adapter in MAKERS if adapter != "torch" for name in NAMES]


@cache
def adapted(adapter: str) -> Adapted:
    return MAKERS[adapter]()


def able(adapter: str) -> frozenset[str]:
    return ABLE[adapter] if adapter != "keras" or _keras_on_torch() else ALL - ON_TORCH_ALONE


def _keras_on_torch() -> bool:
    return pytest.importorskip("keras").backend.backend() == "torch"


@cache
def reference(name: str) -> np.ndarray:
    network = MAKERS["torch"]().model
    return values(asked(name)(seewhy.wrap(network.network, geometry="plain"), images(2), target=[0, 3]))


@pytest.mark.parametrize(("adapter", "name"), CASES)
def test_every_adapter_gives_the_maps_of_torch_or_says_that_it_cannot(adapter, name):
    model, given, _ = adapted(adapter)
    if name not in able(adapter):
        with pytest.raises((NeedsGradients, NotApplicable), match=r"torch|scores only|gradients"):
            asked(name)(model, given(images(2)), target=[0, 3])
        return
    found, expected = values(asked(name)(model, given(images(2)), target=[0, 3])), reference(name)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * abs(expected).max())


QUICK = ("grad-cam", "guided-backprop", "gradient", "cam", "eigen-cam", "recipro-cam", "score-cam", "occlusion", "rise", "lime")
PROMISES = [(adapter, name) for adapter in MAKERS for name in QUICK if name in ABLE[adapter]]


@pytest.mark.parametrize(("adapter", "name"), PROMISES)
def test_a_batch_equals_its_singles_in_their_order(adapter, name):
    model, given, _ = adapted(adapter)
    x = given(images(3))
    together = asked(name)(model, x, target=[2, 0])
    alone = [heatmap for i in range(3) for heatmap in asked(name)(model, x[i : i + 1], target=[2, 0])]
    assert [m.place for m in together] == [0, 0, 1, 1, 2, 2]
    assert [m.source.index for m in together] == [m.source.index for m in alone]
    assert lookup(name).blind or [m.source.index for m in together] == [2, 0] * 3
    scale = abs(values(together)).max()
    assert scale > 0
    np.testing.assert_allclose(values(together), values(alone), rtol=1e-4, atol=1e-4 * scale)
    if not lookup(name).blind:
        assert [m.source.score for m in together] == pytest.approx([m.source.score for m in alone], rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(("adapter", "name"), PROMISES)
def test_the_same_twice_and_the_model_as_it_was(adapter, name):
    model, given, state = adapted(adapter)
    before, x = state(), given(images(2))
    kept = x.copy()
    first, second = (values(asked(name)(model, x, target=1)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(x, kept)
    assert state() == before


def broken(a, g=None):
    """Fails."""
    raise ArithmeticError("formula")


@pytest.mark.parametrize("adapter", [name for name in MAKERS if name not in ("function", "onnx", "jax")])
@pytest.mark.parametrize("decorated", [seewhy.from_gradients, seewhy.from_activations, seewhy.from_pixels])
def test_the_model_comes_back_after_an_exception(adapter, decorated):
    model, given, state = adapted(adapter)
    try:
        method, before = decorated()(broken), state()
        with pytest.raises(ArithmeticError):
            method(model, given(images(1)))
        with pytest.raises(Misuse):
            seewhy.grad_cam(model, given(images(1)), layer="no-such-layer")
        assert state() == before
    finally:
        METHODS.pop("broken", None)


@pytest.mark.parametrize(("adapter", "name"), PROMISES)
def test_threads_may_read_one_model_together(adapter, name):
    model, given, state = adapted(adapter)
    batches, before = [given(images(1, seed)) for seed in range(4)], state()
    alone = [values(asked(name)(model, x, target=1)) for x in batches]
    run: Callable[[np.ndarray], np.ndarray] = lambda x: values(asked(name)(model, x, target=1))  # noqa: E731
    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(run, batches), alone, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * abs(expected).max())
    assert state() == before


@pytest.mark.parametrize("adapter", MAKERS)
def test_the_answer_is_torchs(adapter):
    model, given, _ = adapted(adapter)
    (found,) = seewhy.occlusion.using(window=5, stride=5)(model, given(images(1)))
    (expected,) = seewhy.occlusion.using(window=5, stride=5)(adapted("torch").model, images(1))
    assert found.source.index == expected.source.index == found.source.predicted.index
    assert found.source.score == pytest.approx(expected.source.score, rel=1e-4)
    assert found.source.probability == pytest.approx(expected.source.probability, rel=1e-4)
    assert {"seewhy", "numpy", "python"} <= {*found.source.versions}


@pytest.mark.parametrize("adapter", [name for name in MAKERS if name not in ("function", "jax")])
def test_the_layers_and_the_default_are_torchs(adapter):
    model, given, _ = adapted(adapter)
    layers = model.layers(given(images(1)) if adapter == "torch" else images(1))
    expected = adapted("torch").model.layers(images(1))
    for name in ("conv1", "act1", "conv2", "act2"):
        assert layers[name].shape == expected[name].shape
    assert [name for name, layer in layers.items() if layer.default] == ["act2"]


@pytest.mark.parametrize("adapter", MAKERS)
def test_the_doctor_says_what_runs(adapter):
    model, given, _ = adapted(adapter)
    works = {verdict.method for verdict in seewhy.doctor(model, given(images(1))).methods if verdict.works}
    assert {*METHODS} & able(adapter) <= works
    assert not works & ({*NAMES} - able(adapter))
