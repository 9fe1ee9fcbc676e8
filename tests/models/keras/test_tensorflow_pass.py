"""A pass of a TensorFlow graph in two halves."""

import pytest

tf = pytest.importorskip("tensorflow")
import numpy as np  # noqa: E402

from seewhy.models.keras.tensorflow_pass import TwoHalves  # noqa: E402
from seewhy.models.keras.tensorflow_rules import reached  # noqa: E402

rng = np.random.default_rng(0)
W, V = (tf.Variable(rng.normal(size=shape).astype(np.float32)) for shape in ((4, 5), (5, 3)))
X = rng.normal(size=(2, 4)).astype(np.float32)


def halves(runs=None):
    def function(x):
        if runs is not None:
            runs.append(1)
        h = tf.identity(tf.nn.relu(x @ W))
        side = tf.identity(tf.sin(h))
        return tf.tanh(h) @ V, {"hidden": h, "side": side}

    return TwoHalves(function, tf.TensorSpec((None, 4), tf.float32))


def test_both_halves_give_what_a_tape_gives_for_every_target_and_number_of_images():
    runs = []
    made = halves(runs)
    for n in (2, 1, 5):
        x = tf.constant(np.resize(X, (n, 4)))
        output, kept, pull = made(x)
        np.testing.assert_allclose(kept["hidden"], tf.nn.relu(x @ W), rtol=1e-6)
        for k in range(3):
            cotangent = np.eye(3)[[k] * n]
            with tf.GradientTape() as tape:
                tape.watch(h := tf.nn.relu(x @ W))
                expected = tf.tanh(h) @ V
            np.testing.assert_allclose(output, expected, rtol=1e-5)
            back = pull(cotangent)
            np.testing.assert_allclose(
                back["hidden"], tape.gradient(expected, h, tf.constant(cotangent, tf.float32)), rtol=1e-5
            )
            assert not back["side"].numpy().any()  # nothing rests on it
    assert runs == [1]


def test_the_way_back_runs_nothing_of_the_way_there():
    made = halves()
    assert {op.type for op in operations(made.forward)} >= {"Relu", "Tanh"}
    assert not {op.type for op in operations(made.backward)} & {"Relu", "Tanh", "ReluGrad"}


def operations(function):
    """What it has to run: of the others, TensorFlow runs none."""
    return [function.graph.get_operation_by_name(name) for name in reached(function.graph, function.outputs, ())]


def test_edits_of_variables_are_seen():
    made, x = halves(), tf.constant(X)
    before = made(x)[0]
    V.assign(V * 2)
    output, _, pull = made(x)
    np.testing.assert_allclose(output, before * 2, rtol=1e-5)
    np.testing.assert_allclose(
        pull(np.ones((2, 3)))["hidden"], (1 - tf.tanh(tf.nn.relu(x @ W)) ** 2) * tf.reduce_sum(V, 1), rtol=1e-4
    )
    V.assign(V / 2)
