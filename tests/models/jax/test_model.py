"""wrap(function, params): pure functions of JAX."""

import pytest

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

import seewhy  # noqa: E402
from seewhy.errors import BadNetwork, BadParameter, NeedsGradients  # noqa: E402

rng = np.random.default_rng(0)
P = {"w": jnp.asarray(rng.normal(size=(8 * 6 * 3, 4)).astype(np.float32)), "b": jnp.zeros(4)}
X = rng.normal(size=(2, 8, 6, 3)).astype(np.float32)
PHOTO = Image.fromarray(rng.integers(0, 255, (30, 40, 3), np.uint8))
FIT = {"size": (8, 6), "crop": None, "mean": 0.5, "std": 0.5}


def linear(p, x):
    return x.reshape(len(x), -1) @ p["w"] + p["b"]


@pytest.mark.parametrize(
    "wrapped", [lambda: seewhy.wrap(linear, P), lambda: seewhy.wrap(linear, params=P),
                lambda: seewhy.wrap(jax.jit(lambda x: linear(P, x)))],
)  # fmt: skip
def test_the_weights_stand_in_the_second_place_or_by_name_or_in_a_compiled_function(wrapped):
    model = wrapped()
    assert model.gives == {"scores", "gradients"}
    np.testing.assert_allclose(model.answer(np.moveaxis(X, -1, 1)).scores, linear(P, X), rtol=1e-5)


def test_values_are_those_of_jax():
    model = seewhy.wrap(linear, P)
    trace = model.trace(np.moveaxis(X, -1, 1), [seewhy.Class(1), seewhy.Class(3)], ["input"])
    g = trace.evidence["input"].g
    for t, k in enumerate((1, 3)):
        for n in range(2):
            np.testing.assert_allclose(g[t, n], np.asarray(P["w"])[:, k].reshape(8, 6, 3).transpose(2, 0, 1), rtol=1e-6)


@pytest.mark.parametrize("scores", ["logits", "log-probability", "probability"])
def test_the_explained_score_is_differentiated(scores):
    def explained(x):
        raw = linear(P, x)
        return {"logits": raw, "probability": jax.nn.softmax(raw), "log-probability": jax.nn.log_softmax(raw)}[scores][
            :, 2
        ].sum()

    trace = seewhy.wrap(linear, P, scores=scores).trace(np.moveaxis(X, -1, 1), [seewhy.Class(2)], ["input"])
    expected = np.moveaxis(np.asarray(jax.grad(explained)(X)), -1, 1)
    np.testing.assert_allclose(trace.evidence["input"].g[0], expected, rtol=1e-3, atol=1e-6)


def test_photos_signals_and_channels_first():
    photos = seewhy.wrap(linear, params=P, prepare=FIT)
    (heatmap,) = seewhy.integrated_gradients(photos, PHOTO)
    assert heatmap.image is not None
    assert heatmap.source.versions["jax"] == jax.__version__
    first = seewhy.wrap(lambda p, x: linear(p, jnp.moveaxis(x, 1, -1)), P, channels=1)
    np.testing.assert_allclose(
        seewhy.gradient(first, np.moveaxis(X, -1, 1))[0].values, seewhy.gradient(seewhy.wrap(linear, P), X)[0].values, rtol=1e-6
    )
    signals = seewhy.wrap(lambda p, x: x.mean(1) @ p, jnp.ones((3, 4)))
    assert seewhy.gradient(signals, rng.normal(size=(2, 16, 3)).astype(np.float32))[0].values.shape == (16,)


def test_it_is_compiled_once_for_each_shape_whatever_the_weights():
    traced = []

    def counted(p, x):
        traced.append(x.shape)
        return linear(p, x)

    weights = dict(P)
    model = seewhy.wrap(counted, weights)
    for _ in range(3):
        seewhy.gradient(model, X, target=1)
        seewhy.integrated_gradients(model, X, target=1)
        seewhy.occlusion(model, X, target=1, window=3, stride=3)
    before = seewhy.gradient(model, X, target=1)[0].values
    weights["w"] = weights["w"] * 2
    np.testing.assert_allclose(seewhy.gradient(model, X, target=1)[0].values, before * 2, rtol=1e-5)
    assert len(traced) == len({*traced})


def test_other_inputs_and_outputs():
    model = seewhy.wrap(
        lambda p, x, scale: {"aux": x.sum(), "scores": linear(p, x) * scale},
        P,
        inputs=(seewhy.IMAGE, np.float32(2)),
        output="scores",
    )
    np.testing.assert_allclose(model.answer(np.moveaxis(X, -1, 1)).scores, 2 * linear(P, X), rtol=1e-5)


def test_what_cannot_be_had_says_so():
    model = seewhy.wrap(linear, P)
    with pytest.raises(NeedsGradients, match="run by JAX, gives scores and gradients at the images, and no layers"):
        seewhy.grad_cam(model, X)
    with pytest.raises(BadParameter, match="JAX runs where the params lie"):
        seewhy.wrap(linear, P, device="cpu")
    with pytest.raises(BadNetwork, match="failed on 1 images"):
        seewhy.gradient(model, X[:1, :4])
    with pytest.raises(BadParameter, match="params= are of functions of JAX"):
        seewhy.wrap(__import__("torch").nn.Linear(3, 4), params=P)
    assert seewhy.wrap(lambda x: np.ones((len(x), 2)), {"size": 8}).gives == {"scores"}  # numbers are no arrays of JAX


def test_double_precision_stays():
    with jax.enable_x64(True):
        p = {name: jnp.asarray(np.asarray(value), jnp.float64) for name, value in P.items()}
        model = seewhy.wrap(linear, p)
        trace = model.trace(np.moveaxis(X, -1, 1).astype(np.float64), [seewhy.Class(0)], ["input"])
        assert trace.evidence["input"].g.dtype == np.float64
