"""ReLUs of TensorFlow graphs with another gradient."""

import pytest

tf = pytest.importorskip("tensorflow")
import numpy as np  # noqa: E402

from seewhy.errors import NotApplicable  # noqa: E402
from seewhy.models.keras.tensorflow_rules import reached, rewired, ruled  # noqa: E402
from seewhy.models.rule import deconv, guided  # noqa: E402

X = np.array([[-2.0, -1.0, 1.0, 3.0, 8.0]], np.float32)
G = np.array([[1.0, -1.0, 2.0, -2.0, 3.0]], np.float32)


def half(active, g):
    return g * active / 2


def passed(function, rule, x=X, g=G):
    graph = tf.function(lambda x: _in_rule(function, rule, x), autograph=False).get_concrete_function(tf.TensorSpec(x.shape))
    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        output = graph(given)
    return tape.gradient(output, given, tf.constant(g)).numpy(), graph


def _in_rule(function, rule, x):
    with ruled(rule):
        return function(x)


@pytest.mark.parametrize("rule", [guided, deconv, half])
@pytest.mark.parametrize(
    ("relu", "high"),
    [(tf.nn.relu, np.inf), (tf.nn.relu6, 6), (tf.raw_ops.Relu, np.inf), (tf.nn.leaky_relu, np.inf), (tf.nn.elu, np.inf)],
)
def test_the_gradient_is_the_rules_whatever_called_it(relu, high, rule):
    found, _ = passed(lambda x: relu(features=x), rule)
    np.testing.assert_allclose(found, rule((X > 0) & (high > X), G))


def test_ops_outside_keep_their_gradient():
    passed(tf.nn.relu, guided)
    with tf.GradientTape() as tape:
        x = tf.Variable(X)
        y = tf.nn.relu(x)
    np.testing.assert_allclose(tape.gradient(y, x, tf.constant(G)).numpy(), G * (X > 0))


def test_what_is_on_the_way():
    _, graph = passed(lambda x: tf.tanh(tf.nn.relu(tf.sin(x))) + tf.cos(x), guided)
    ops = {graph.graph.get_operation_by_name(name).type for name in reached(graph.graph, graph.outputs, graph.inputs)}
    assert {"Relu", "Sin", "Cos", "Tanh"} <= ops
    (sine,) = [op for op in graph.graph.get_operations() if op.type == "Sin"]
    ops = {graph.graph.get_operation_by_name(name).type for name in reached(graph.graph, graph.outputs, [sine.outputs[0]])}
    assert "Cos" not in ops
    assert "Relu" in ops


def test_notes_and_refusals():
    def said(function):
        _, graph = passed(function, guided)
        return rewired(graph.graph, graph.outputs[0], graph.inputs[:1], guided, "net")

    assert said(tf.nn.relu) == ()
    (note,) = said(lambda x: tf.maximum(tf.nn.relu(x), 1.0))
    assert "1 Maximum pass the plain gradient" in note
    with pytest.raises(NotApplicable, match="1 Tanh, which are never simply off"):
        said(tf.tanh)
    with pytest.raises(NotApplicable, match="none on the way"):
        said(tf.sin)
    inner = tf.function(lambda x: tf.nn.relu(x) * 2)
    with pytest.raises(NotApplicable, match="some of net run in a tf"):
        said(lambda x: inner(tf.nn.relu(x)))
