"""ReLUs of a TensorFlow graph with another gradient: whatever called them, they are the same few operations."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from math import inf
from threading import Lock
from typing import Any

import tensorflow as tf

from seewhy.errors import NotApplicable
from seewhy.models.rule import ReluRule, deconv, guided

RELUS = {"Relu": inf, "Relu6": 6.0, "LeakyRelu": inf, "Elu": inf, "Selu": inf}  # and where each is off again
SMOOTH = ("Sigmoid", "Tanh", "Softplus", "Erf")
DISGUISES = ("Maximum", "Minimum", "SelectV2", "Abs", "ClipByValue")  # of which a ReLU can be made
LOCK = Lock()
REGISTERED: dict[tuple[ReluRule, str], str] = {}  # gradients that TensorFlow knows by these names


@contextmanager
def ruled(rule: ReluRule) -> Iterator[None]:
    """While it is entered, ReLUs that come into the graph have a gradient by the rule."""
    graph = tf.compat.v1.get_default_graph()
    with graph.gradient_override_map({kind: _registered(rule, kind) for kind in RELUS}):
        yield


def _registered(rule: ReluRule, kind: str) -> str:
    with LOCK:
        if (rule, kind) not in REGISTERED:
            name = f"seewhy/{rule.__name__}/{kind}/{len(REGISTERED)}"
            tf.RegisterGradient(name)(partial(_gradient, rule, RELUS[kind]))
            REGISTERED[rule, kind] = name
        return REGISTERED[rule, kind]


def _gradient(rule: ReluRule, high: float, relu: Any, g: Any) -> Any:
    x = relu.inputs[0]
    active = (x > 0) if high == inf else (x > 0) & (x < tf.cast(high, x.dtype))
    if rule is deconv:
        return tf.maximum(g, 0)
    if rule is guided:
        return tf.maximum(g, 0) * tf.cast(active, g.dtype)
    passed = tf.numpy_function(lambda active, g: rule(active, g).astype(g.dtype), (active, g), g.dtype)
    passed.set_shape(g.shape)
    return passed


def rewired(graph: Any, output: Any, leaves: Iterable[Any], rule: ReluRule, name: str) -> tuple[str, ...]:
    """What a person should know of a rule on the way from leaves to an output of a graph.

    Raises NotApplicable where there is no ReLU on it, and where one lies inside of a function that was compiled apart.
    """
    between = reached(graph, [output], leaves)
    kinds = Counter(graph.get_operation_by_name(each).type for each in between)
    said = f"The {rule.__name__} rule"
    apart = {node.op for function in graph.as_graph_def().library.function for node in function.node_def}
    if apart & {*RELUS} and any("Call" in kind or kind.endswith(("While", "If", "Case")) for kind in kinds):
        raise NotApplicable(
            f"{said} has to reach every ReLU, and some of {name} run in a tf.function, a loop or a branch of their own, where "
            "no rule reaches them. Use gradient."
        )
    smooth, others = _listed(kinds, SMOOTH), _listed(kinds, DISGUISES)
    if not any(kinds[kind] for kind in RELUS):
        has = f"it has {smooth}, which are never simply off" if smooth else "there is none on the way"
        raise NotApplicable(
            f"{said} is one for ReLUs: {has}. It would give the plain gradient under another name; ask for gradient."
        )
    notes = [f"{smooth} have no state in which they are off: the plain gradient passes them"] * bool(smooth)
    return (*notes, *[f"{others} pass the plain gradient: a ReLU written with them is not reached"] * bool(others))


def _listed(kinds: Counter[str], which: Iterable[str]) -> str:
    return ", ".join(f"{kinds[kind]} {kind}" for kind in which if kinds[kind])


def reached(graph: Any, outputs: Iterable[Any], leaves: Iterable[Any]) -> set[str]:
    """The operations that outputs are made of, by name; where leaves are given, those alone that are made of these."""
    back = _walked([each.op for each in outputs], lambda op: [each.op for each in op.inputs])
    starts = [each.op for each in leaves]
    if not starts:
        return back
    return back & _walked(starts, lambda op: [after for each in op.outputs for after in each.consumers()])


def _walked(starts: Iterable[Any], further: Callable[[Any], Iterable[Any]]) -> set[str]:
    waiting, met = [*starts], set[str]()
    while waiting:
        op = waiting.pop()
        if op.name not in met:
            met.add(op.name)
            waiting += further(op)
    return met
