"""A pass of a TensorFlow graph in two halves: forward, and back from what the forward half left, once for each target."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

KeepingForward = Callable[[Any], tuple[Any, Mapping[str, Any]]]  # images -> the scores, and what asked layers emit


ANY_SHAPE: Any = None


class TwoHalves:
    """A function of images, and the gradients of its scores toward what it keeps, which go no further back than these."""

    def __init__(self, function: KeepingForward, images: Any) -> None:
        forward: set[str] = set()
        self.names: list[str] = []

        def whole(x: Any, cotangent: Any) -> Any:
            output, kept = function(x)
            forward.update(op.name for op in output.graph.get_operations())
            self.names = [*kept]
            cotangent = tf.ensure_shape(tf.cast(cotangent, output.dtype), output.shape)
            back = tf.gradients(output, [*kept.values()], cotangent, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return output, [*kept.values()], [tf.convert_to_tensor(each) for each in back]

        self.whole = tf.compat.v1.wrap_function(whole, [images, tf.TensorSpec(ANY_SHAPE, tf.float32)])
        output, kept, back = self.whole.structured_outputs
        self.graph, self.output, self.kept = self.whole.graph, output, kept
        x, cotangent = self.whole.inputs[:2]
        self.left = _left(self.graph, forward, cotangent)
        self.forward = _part(self.graph, [x], [output, *kept, *self.left])
        self.backward = _part(self.graph, [cotangent, *self.left], back)

    def __call__(self, x: Any) -> tuple[Any, Mapping[str, Any], Callable[[Any], Mapping[str, Any]]]:
        """The scores, what layers emit, and what pulls a cotangent (n, k) back to each of them."""
        output, *rest = self.forward(x)
        kept, left = rest[: len(self.names)], rest[len(self.names) :]

        def pull(cotangent: Any) -> Mapping[str, Any]:
            back = self.backward(tf.constant(cotangent.reshape(output.shape), tf.float32), *left)
            return dict(zip(self.names, back, strict=True))

        return output, dict(zip(self.names, kept, strict=True)), pull


def _part(graph: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
    """The part of a graph between tensors, as a function of its own; the variables stay the same ones."""
    given = [*(each.name for each in inputs), *(inner.name for _, inner in graph.captures)]
    names = {name: f"given_{i}" for i, name in enumerate(dict.fromkeys(given))}
    dtypes = {each.name: each.dtype.as_datatype_enum for each in (*inputs, *(inner for _, inner in graph.captures))}
    definition = _between(graph.as_graph_def(), names, dtypes, [each.name for each in outputs])

    def of(tensor: Any) -> str:
        return f"{names[tensor.name]}:0" if tensor.name in names else tensor.name

    def run(*values: Any) -> Any:
        capture = tf.compat.v1.get_default_graph().capture
        put = {names[inner.name]: capture(outer) for outer, inner in graph.captures}
        put |= {names[each.name]: value for each, value in zip(inputs, values, strict=True)}
        return tf.import_graph_def(definition, put, [of(each) for each in outputs], name="")

    specs = [tf.TensorSpec(each.shape, each.dtype) for each in inputs]
    return tf.function(run, autograph=False).get_concrete_function(*specs)


def _between(whole: Any, names: Mapping[str, str], dtypes: Mapping[str, int], outputs: Sequence[str]) -> Any:
    """The nodes that lead from given tensors to the outputs, and no others: TensorFlow runs every node with a state, such as a
    compiled convolution, also where nothing reads it.  names: of the placeholders that stand for the given tensors.
    """
    part = tf.compat.v1.GraphDef(versions=whole.versions, library=whole.library)
    for tensor, name in names.items():
        part.node.add(op="Placeholder", name=name).attr["dtype"].type = dtypes[tensor]
    nodes, waiting = {node.name: node for node in whole.node}, [name for name in outputs if name not in names]
    taken: set[str] = set()
    while waiting:
        name = waiting.pop().partition(":")[0]
        if name in taken:
            continue
        taken.add(name)
        node = part.node.add()
        node.CopyFrom(nodes[name])
        node.attr.pop("_class", None)  # beside which node it is to run, which may be none of these
        tensors = [each if ":" in each else f"{each}:0" for each in node.input if not each.startswith("^")]
        node.ClearField("input")
        node.input.extend(names.get(each, each) for each in tensors)
        waiting += [each for each in tensors if each not in names]
    return part


def _left(graph: Any, forward: set[str], cotangent: Any) -> Sequence[Any]:
    """The tensors of the forward half that the way back reads."""
    read = {
        each.ref(): each
        for op in graph.get_operations()
        if op.name not in forward
        for each in op.inputs
        if each.op.name in forward and each is not cotangent and each.dtype != tf.resource
    }
    return [*read.values()]
