"""Networks that JAX runs, as the backend of a model: layouts, filled batches, precision."""

import pytest

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

from seewhy.errors import NoSuchName, NotApplicable  # noqa: E402
from seewhy.models.jax.backend import JaxBackend, JaxNetwork  # noqa: E402
from seewhy.models.jax.equations import marked  # noqa: E402

rng = np.random.default_rng(0)
W = rng.normal(size=(3, 4)).astype(np.float32)
X = rng.normal(size=(3, 3, 2, 5)).astype(np.float32)  # (n, c, h, w)


def backend(dtype=jnp.float32, axes=None, channels=-1, key=tuple):
    batches = []

    def call(w, x):
        batches.append(x.shape)
        x = x if channels == -1 else jnp.moveaxis(x, 1, -1)
        h = marked(jax.nn.relu(x.astype(dtype) @ w.astype(dtype)), "mix")
        marked(jnp.argmax(h, -1), "index")
        return marked(h.mean((1, 2)), "pool")

    network = JaxNetwork(
        "JAX", "net", call, lambda: jnp.asarray(W), channels, lambda: {"more": "1"}, {"mix": "Mix"}, axes or {}, key
    )
    return JaxBackend(network), batches


def expected(x):
    return np.maximum(np.einsum("nchw,ck->nkhw", x, W), 0)


@pytest.mark.parametrize("channels", [1, -1])
def test_all_is_channels_first_at_the_border(channels):
    net, _ = backend(channels=channels, axes={"mix": -1})
    (sight,) = net.survey(X).values()  # no axes of space behind the pooling, no gradient through an argmax
    assert (sight.kind, sight.shape, sight.calls, sight.connected) == ("Mix", (4, 2, 5), 1, True)
    np.testing.assert_allclose(net.emitted(X, ["mix"]).layers["mix"], expected(X), rtol=1e-5, atol=1e-6)
    traced = net.traced(X, ["mix", "input"], None)
    cotangents = rng.normal(size=(2, 3, 4))
    g = traced.pull(cotangents)
    np.testing.assert_allclose(g["mix"], np.broadcast_to(cotangents[..., None, None] / 10, (2, 3, 4, 2, 5)), rtol=1e-5)
    image = np.einsum("tnk,nkhw,ck->tnchw", cotangents / 10, expected(X) > 0, W)
    np.testing.assert_allclose(g["input"], image, rtol=1e-4, atol=1e-5)


def test_batches_are_filled_up_so_that_few_programs_are_made():
    net, batches = backend()
    for n in (3, 4, 3, 1, 2):
        x = np.resize(X, (n, *X.shape[1:]))
        np.testing.assert_allclose(net.output(x), expected(x).mean((2, 3)), rtol=1e-5, atol=1e-6)
    assert batches == [(4, 2, 5, 3), (1, 2, 5, 3), (2, 2, 5, 3)]


def test_edits_replace_what_a_layer_emits():
    net, _ = backend()
    behind = net.behind(X[0], "mix")
    np.testing.assert_allclose(behind.a, expected(X)[0], rtol=1e-5, atol=1e-6)
    edits = rng.normal(size=(5, 4, 2, 5)).astype(np.float32)
    np.testing.assert_allclose(behind.run(edits), edits.mean((2, 3)), rtol=1e-5, atol=1e-6)


def test_half_precision_comes_back_as_float32():
    net, _ = backend(jnp.bfloat16)
    result = net.traced(X, ["mix"], None)
    assert result.layers["mix"].dtype == result.output.dtype == np.float32
    assert result.pull(np.ones((1, 3, 4)))["mix"].dtype == np.float32
    np.testing.assert_allclose(result.layers["mix"], expected(X), rtol=0.05, atol=0.05)


def test_a_new_program_is_made_where_the_key_changes():
    keys = iter([1, 1, 2])
    net, batches = backend(key=lambda: next(keys))
    for _ in range(3):
        net.output(X)
    assert len(batches) == 2


def test_what_it_is_and_cannot():
    net, _ = backend()
    assert net.versions() == {"jax": jax.__version__, "more": "1"}
    with pytest.raises(NoSuchName, match="mix"):
        net.emitted(X, ["mixed"])
    with pytest.raises(NotApplicable, match="net, its scores do not come from one linear layer"):
        net.linear_end(X, ["mix"])
