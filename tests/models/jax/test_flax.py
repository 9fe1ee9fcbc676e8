"""Modules of Flax: their submodules as layers, inference, and nothing of them changed."""

import pytest

jax = pytest.importorskip("jax")
pytest.importorskip("flax")
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from flax import linen, nnx  # noqa: E402

import seewhy  # noqa: E402
from seewhy.errors import BadParameter  # noqa: E402

X = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype(np.float32)


class NnxBlock(nnx.Module):
    def __init__(self, rngs):
        self.conv, self.norm = nnx.Conv(4, 4, (3, 3), rngs=rngs), nnx.BatchNorm(4, rngs=rngs)

    def __call__(self, x):
        return x + nnx.relu(self.norm(self.conv(x))), x.mean()


class NnxNet(nnx.Module):
    """A stem, a list of blocks, one of which runs twice, a Dropout and a linear layer."""

    def __init__(self, rngs):
        self.stem, self.blocks = nnx.Conv(3, 4, (3, 3), 2, rngs=rngs), nnx.List([NnxBlock(rngs), NnxBlock(rngs)])
        self.drop, self.head = nnx.Dropout(0.5, rngs=rngs), nnx.Linear(4, 5, rngs=rngs)

    def __call__(self, x):
        x = self.stem(x)
        for block in (*self.blocks, self.blocks[1]):
            x, _ = block(x)
        return self.head(self.drop(x.mean((1, 2))))


def nnx_net():
    network = NnxNet(nnx.Rngs(0))
    for block in network.blocks:
        block.norm.mean[...], block.norm.var[...] = jnp.full(4, 0.3), jnp.full(4, 0.7)
    return network


def nnx_state(network):
    graph, state = nnx.split(network)
    return hash(graph), [np.asarray(jax.random.key_data(v) if jnp.issubdtype(v.dtype, jax.dtypes.prng_key) else v).tobytes()
                         for v in jax.tree.leaves(state)]  # fmt: skip


def test_nnx_submodules_are_layers_by_their_path():
    model = seewhy.wrap(nnx_net())
    layers = model.layers(np.moveaxis(X, -1, 1))
    assert {name: (each.kind, each.shape, each.calls) for name, each in layers.items()} == {
        "stem": ("Conv", (4, 4, 3), 1), "blocks/0/conv": ("Conv", (4, 4, 3), 1), "blocks/0/norm": ("BatchNorm", (4, 4, 3), 1),
        "blocks/0": ("NnxBlock", (4, 4, 3), 1), "blocks/1/conv": ("Conv", (4, 4, 3), 2),
        "blocks/1/norm": ("BatchNorm", (4, 4, 3), 2), "blocks/1": ("NnxBlock", (4, 4, 3), 2),
    }  # fmt: skip
    assert model.default(np.moveaxis(X, -1, 1))[0] == "blocks/1"


def test_nnx_runs_in_inference_and_stays_in_training():
    network = nnx_net()
    before, kinds = nnx_state(network), {type(each) for _, each in nnx.iter_modules(network)}
    model = seewhy.wrap(network)
    expected_of = nnx.merge(*nnx.split(network))
    expected_of.eval()
    np.testing.assert_allclose(model.answer(np.moveaxis(X, -1, 1)).scores, expected_of(X), rtol=1e-4, atol=1e-5)
    maps = seewhy.grad_cam(model, X, target=1, layer="blocks/1#2")
    assert (nnx_state(network), {type(each) for _, each in nnx.iter_modules(network)}) == (before, kinds)
    assert not network.drop.deterministic
    assert len(maps) == 2


def test_nnx_gradients_are_those_of_jax():
    network = nnx_net()
    network.eval()

    def rest(h):
        for block in network.blocks, [network.blocks[1]]:
            for each in block:
                h, _ = each(h)
        return network.head(h.mean((1, 2)))[:, 3].sum()

    trace = seewhy.wrap(network).trace(np.moveaxis(X, -1, 1), [seewhy.Class(3)], ["stem"])
    expected = np.moveaxis(np.asarray(jax.grad(rest)(network.stem(X))), -1, 1)
    np.testing.assert_allclose(trace.evidence["stem"].g[0], expected, rtol=1e-4, atol=1e-6)


def test_edits_of_nnx_weights_and_modes_are_seen():
    network = nnx_net()
    model, x = seewhy.wrap(network), np.moveaxis(X, -1, 1)
    before = model.answer(x).scores
    network.head.kernel[...] = network.head.kernel[...] * 2
    network.head.bias[...] = network.head.bias[...] * 2
    np.testing.assert_allclose(model.answer(x).scores, before * 2, rtol=1e-4, atol=1e-5)
    with pytest.raises(BadParameter, match="holds its own weights"):
        seewhy.wrap(network, params={"w": jnp.ones(3)})


class LinenBlock(linen.Module):
    @linen.compact
    def __call__(self, x, train: bool = True):
        return x + linen.relu(linen.BatchNorm(use_running_average=not train)(linen.Conv(4, (3, 3))(x)))


class LinenNet(linen.Module):
    @linen.compact
    def __call__(self, x, train: bool = True):
        x = linen.Conv(4, (3, 3), 2, name="stem")(x)
        x = LinenBlock(name="block")(x, train)
        x = LinenBlock(name="last")(x, train)
        return linen.Dense(5, name="head")(x.mean((1, 2)))


@pytest.fixture(scope="module")
def variables():
    drawn = LinenNet().init(jax.random.key(0), X)
    return jax.tree.map(lambda value: value + 0.1, drawn)


def test_linen_submodules_are_layers_by_their_path(variables):
    model, x = seewhy.wrap(LinenNet(), variables), np.moveaxis(X, -1, 1)
    layers = model.layers(x)
    assert [*layers] == ["stem", "block/Conv_0", "block/BatchNorm_0", "block", "last/Conv_0", "last/BatchNorm_0", "last"]
    assert layers["block/Conv_0"].kind == "Conv"
    assert model.default(x)[0] == "last"
    expected, kept = LinenNet().apply(variables, X, train=False, capture_intermediates=True)
    np.testing.assert_allclose(model.answer(x).scores, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        model.activations(x, ["block/Conv_0"])[0]["block/Conv_0"],
        np.moveaxis(np.asarray(kept["intermediates"]["block"]["Conv_0"]["__call__"][0]), -1, 1), rtol=1e-4, atol=1e-6,
    )  # fmt: skip


def test_linen_modes_can_be_said_and_bound_modules_bring_their_variables(variables):
    bound = seewhy.wrap(LinenNet().bind(variables))
    said = seewhy.wrap(LinenNet(), variables, inputs={"x": seewhy.IMAGE, "train": False})
    for name in ("grad-cam", "guided-backprop", "cam"):
        method = seewhy.METHODS[name]
        np.testing.assert_array_equal(method(bound, X, target=2)[1].values, method(said, X, target=2)[1].values)


def test_a_linen_module_without_variables_is_refused(variables):
    with pytest.raises(BadParameter, match=r"wrap\(module, variables\)"):
        seewhy.wrap(LinenNet())
    with pytest.raises(BadParameter, match="all variables of the module"):
        seewhy.wrap(LinenNet(), variables["params"])
