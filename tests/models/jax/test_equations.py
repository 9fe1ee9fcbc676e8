"""Programs of JAX read equation by equation."""

import pytest

jax = pytest.importorskip("jax")
from functools import partial  # noqa: E402

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

from seewhy.models.jax.equations import (  # noqa: E402
    bound,
    dependent,
    evaluated,
    flat,
    hidden_relus,
    linear_end,
    mark_of,
    marked,
    needed,
    relus,
)  # fmt: skip

X = jnp.asarray(np.random.default_rng(0).normal(0, 4, (3, 6)).astype(np.float32))
SPELLINGS = {  # of a ReLU, and where it is off again
    "nn.relu": (jax.nn.relu, np.inf), "maximum": (lambda x: jnp.maximum(x, 0), np.inf),
    "0 first": (lambda x: jnp.maximum(0.0, x), np.inf), "where": (lambda x: jnp.where(x > 0, x, 0), np.inf),
    "where, other way": (lambda x: jnp.where(x > 0, x, 0.0), np.inf), "product": (lambda x: x * (x > 0), np.inf),
    "clip": (lambda x: jnp.clip(x, 0), np.inf), "relu6": (jax.nn.relu6, 6), "clip to 4": (lambda x: jnp.clip(x, 0, 4), 4),
    "min of max": (lambda x: jnp.minimum(jnp.maximum(x, 0), 5), 5), "clamp": (lambda x: jax.lax.clamp(0.0, x, 3.0), 3),
    "leaky": (jax.nn.leaky_relu, np.inf), "elu": (jax.nn.elu, np.inf), "selu": (jax.nn.selu, np.inf),
    "celu": (jax.nn.celu, np.inf),
    "jit in jit": (jax.jit(lambda x: jax.jit(jax.nn.relu)(x)), np.inf),
    "checkpoint": (jax.checkpoint(lambda x: jnp.maximum(x, 0)), np.inf),
}  # fmt: skip
OTHERS = {
    "gelu": jax.nn.gelu, "silu": jax.nn.silu, "softplus": jax.nn.softplus, "floor": lambda x: jnp.maximum(x, 1e-6),
    "softmax": jax.nn.softmax, "abs": abs, "of another": lambda x: jnp.where(x > 0, 2 * x, 0), "sigmoid": jax.nn.sigmoid,
    "two": lambda x: jnp.maximum(x, x[::-1]),
}  # fmt: skip


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_relu_is_known_however_it_is_spelled(name):
    function, high = SPELLINGS[name]
    program = flat(lambda x: function(x * 2), X)
    last = [*relus(program.equations).values()][-1]
    assert last.high == high
    assert last.x is next(e.outvars[0] for e in program.equations if e.primitive.name == "mul")


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_relu_is_none(name):
    assert relus(flat(OTHERS[name], X).equations) == {}


def test_a_flat_program_gives_what_the_function_gives_and_holds_no_calls():
    function = jax.jit(lambda p, x: {"a": jax.checkpoint(jax.jit(jnp.sin))(x) @ p["w"], "b": jax.nn.relu(x)})
    p = {"w": jnp.ones((6, 2))}
    program = flat(function, p, X)
    kinds = {equation.primitive.name for equation in program.equations}
    assert not kinds & {"jit", "pjit", "remat", "remat2", "checkpoint"}
    outputs = evaluated(program.program.jaxpr, program.program.consts, [p["w"], X], lambda _, e, inputs, __: bound(e, inputs))
    found, expected = jax.tree.unflatten(program.structure, outputs), function(p, X)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


def test_functions_with_a_gradient_of_their_own_keep_it():
    @jax.custom_jvp
    def straight(x):
        return jnp.round(x)

    straight.defjvp(lambda x, t: (straight(*x), t[0] * 7))
    program = flat(lambda x: straight(x).sum(), X).program
    run = lambda x: evaluated(program.jaxpr, program.consts, [x], lambda _, e, inputs, __: bound(e, inputs))[0]  # noqa: E731
    assert set(np.asarray(jax.grad(run)(X)).ravel()) == {7.0}


def test_marks_are_found_in_calls_also_in_those_with_a_gradient_of_their_own():
    @jax.custom_jvp
    def own(x):
        return marked(x * 2, "inside")

    own.defjvp(lambda x, t: (own(*x), t[0]))
    program = flat(lambda x: marked(jax.jit(own)(x), "block/conv"), X)
    assert [name for e in program.equations if (name := mark_of(e))] == ["inside", "block/conv"]


def test_what_depends_on_what():
    program = flat(lambda p, x: (x * p).sum() + p.sum(), jnp.ones(6), X)
    p, x = program.program.jaxpr.invars
    (output,) = program.program.jaxpr.outvars
    assert output in dependent(program.equations, [x])
    product = next(e.outvars[0] for e in program.equations if e.primitive.name == "mul")
    assert {p, x, product} <= needed(program.equations, [output])
    assert product not in dependent(program.equations, [output])
    unused = flat(lambda x: (jnp.sin(x), x.sum())[1], X)
    sine = next(e.outvars[0] for e in unused.equations if e.primitive.name == "sin")
    assert sine not in needed(unused.equations, unused.program.jaxpr.outvars)


def test_relus_in_loops_are_counted_as_hidden():
    def looped(x):
        return jax.lax.fori_loop(0, 3, lambda _, y: jax.nn.relu(y), x)

    def branched(x):
        return jax.lax.cond(x.sum() > 0, lambda y: jnp.maximum(y, 0), lambda y: y, x)

    assert [sum(map(hidden_relus, flat(f, X).equations)) for f in (looped, branched, jax.nn.relu, jnp.sin)] == [1, 1, 0, 0]


def kernel(*shape):
    return jnp.asarray(np.random.default_rng(1).normal(size=shape).astype(np.float32))


def convolved(x, w):
    return jax.lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


@pytest.mark.parametrize(
    ("head", "w", "ends"),
    [
        (lambda w, x: x @ w + 1, kernel(6, 4), True),
        (lambda w, x: jnp.ones(4) + x @ w, kernel(6, 4), True),
        (lambda w, x: x @ w.T, kernel(4, 6), True),
        (lambda w, x: (jax.nn.relu(x) @ w).astype(jnp.float32), kernel(6, 4), True),
        (lambda w, x: convolved(x[:, None, None], w).reshape(3, 4), kernel(1, 1, 6, 4), True),
        (lambda w, x: 2 * (x @ w), kernel(6, 4), False),
        (lambda w, x: jax.nn.relu(x @ w), kernel(6, 4), False),
        (lambda w, x: x @ w + x[:, :4], kernel(6, 4), False),
        (lambda w, x: x * w, kernel(6), False),
    ],
)
def test_the_linear_layer_at_the_end_is_found(head, w, ends):
    program = flat(head, w, X)
    jaxpr = program.program.jaxpr
    end = linear_end(program.equations, jaxpr.outvars[0], jaxpr.invars[1])
    assert (end is not None) == ends
    if end is not None:
        assert (end.weights.aval.shape[end.inward], end.weights.aval.shape[end.outward]) == (6, 4)
        assert end.entered.aval.size == X.size


def test_partial_functions_can_be_read():
    assert len(relus(flat(partial(jnp.maximum, 0), X).equations)) == 1
