"""Functions of JAX traced once: scores, layers, gradients and edits against plain JAX."""

import pytest

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

from seewhy.errors import NotApplicable  # noqa: E402
from seewhy.models.jax.equations import marked  # noqa: E402
from seewhy.models.jax.program import JaxProgram  # noqa: E402
from seewhy.models.rule import deconv, guided  # noqa: E402

rng = np.random.default_rng(0)
P = {
    name: jnp.asarray(rng.normal(size=shape).astype(np.float32))
    for name, shape in {"a": (5, 6), "b": (6, 6), "c": (6, 3)}.items()
}
X = jnp.asarray(rng.normal(size=(4, 5)).astype(np.float32))


def network(p, x):
    x = marked(jax.nn.relu(x @ p["a"]), "first")
    for _ in range(2):
        x = marked(x + jax.nn.relu(x @ p["b"]), "twice")
    marked(x * 2, "lost")
    return x @ p["c"]


def behind_first(h):
    for _ in range(2):
        h = h + jax.nn.relu(h @ P["b"])
    return h @ P["c"]


@pytest.fixture(scope="module")
def program():
    return JaxProgram(network, P, X)


def test_layers_are_named_with_their_calls_and_whether_they_matter(program):
    assert {name: each.connected for name, each in program.marks.items()} == {
        "first": True, "twice#1": True, "twice#2": True, "lost": False,
    }  # fmt: skip


def test_scores_and_what_layers_emit(program):
    np.testing.assert_allclose(program.scores(P, X), network(P, X), rtol=1e-6)
    output, kept = program.emitted(P, X, ["first", "twice#2"])
    np.testing.assert_allclose(output, network(P, X), rtol=1e-6)
    np.testing.assert_allclose(kept["first"], jax.nn.relu(X @ P["a"]), rtol=1e-6)
    np.testing.assert_allclose(kept["twice#2"] @ P["c"], output, rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_plain_jax(program):
    cotangent = jnp.asarray(rng.normal(size=(4, 3)).astype(np.float32))
    traced = program.traced(P, X, ["input", "first", "lost"], None)
    pulled = traced.pull(cotangent)
    h = jax.nn.relu(X @ P["a"])
    np.testing.assert_allclose(pulled["first"], jax.vjp(behind_first, h)[1](cotangent)[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(pulled["input"], jax.vjp(lambda x: network(P, x), X)[1](cotangent)[0], rtol=1e-5, atol=1e-5)
    assert not pulled["lost"].any()


@pytest.mark.parametrize("rule", [guided, deconv])
def test_rules_by_hand(program, rule):
    def through(x, g):
        return np.maximum(g, 0) * (x > 0) if rule is guided else np.maximum(g, 0)

    a, b, c, x = (np.asarray(value) for value in (P["a"], P["b"], P["c"], X))
    cotangent = rng.normal(size=(4, 3)).astype(np.float32)
    hidden = [np.maximum(x @ a, 0)]
    for _ in range(2):
        hidden.append(hidden[-1] + np.maximum(hidden[-1] @ b, 0))
    g = cotangent @ c.T
    for h in hidden[1::-1]:
        g = g + through(h @ b, g) @ b.T
    g = through(x @ a, g) @ a.T
    found = program.traced(P, X, ["input"], rule).pull(jnp.asarray(cotangent))["input"]
    np.testing.assert_allclose(found, g, rtol=1e-4, atol=1e-4)


def test_edits_of_a_layer_go_on_from_there(program):
    edits = jnp.asarray(rng.normal(size=(4, 6)).astype(np.float32))
    np.testing.assert_allclose(program.behind(P, X, "first", edits), behind_first(edits), rtol=1e-5, atol=1e-5)


def test_the_linear_end(program):
    output, kept, weights, entered = program.linear_end(P, X, ["twice#2"])
    np.testing.assert_allclose(weights, P["c"].T)
    np.testing.assert_allclose(entered @ weights.T, output, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(entered, kept["twice#2"])
    with pytest.raises(NotApplicable, match="one linear layer"):
        JaxProgram(lambda p, x: jnp.tanh(network(p, x)), P, X).linear_end(P, X, [])


def test_other_weights_are_seen_and_nothing_is_compiled_again():
    traced = []

    def counted(p, x):
        traced.append(1)
        return network(p, x)

    program = JaxProgram(counted, P, X)
    for scale in (1.0, 2.0, 3.0):
        p = {name: value * scale for name, value in P.items()}
        np.testing.assert_allclose(program.scores(p, X), network(p, X), rtol=1e-5)
        program.traced(p, X, ["first"], guided).pull(jnp.ones((4, 3)))
    assert len(traced) == 1
    assert {name[0]: function._cache_size() for name, function in program.compiled.items()} == {"scores": 1, "traced": 1}
    assert program.pull._cache_size() == 1


def test_a_rule_that_meets_no_relu_is_refused(program):
    with pytest.raises(NotApplicable, match="none on the way"):
        program.rewired(["twice#2"], guided, "net")
    with pytest.raises(NotApplicable, match="1 tanh, which are never simply off"):
        JaxProgram(lambda p, x: jnp.tanh(x @ p["a"]), P, X).rewired(["input"], guided, "net")
    with pytest.raises(NotApplicable, match="2 of net run in loops"):
        JaxProgram(lambda p, x: _looped(network(p, x)), P, X).rewired(["input"], guided, "net")
    assert program.rewired(["first"], guided, "net") == ()
    (note,) = JaxProgram(lambda p, x: jnp.tanh(network(p, x)), P, X).rewired(["input"], deconv, "net")
    assert "1 tanh" in note


def _looped(x):
    return jax.lax.fori_loop(0, 3, lambda _, y: jax.nn.relu(jax.nn.relu(y) - 1), x)
