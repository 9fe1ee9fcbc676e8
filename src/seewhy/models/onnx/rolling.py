"""A map that is rolled along an axis of space: what ONNX writes as two slices of it, set one behind the other."""

from collections.abc import Callable

from numpy.typing import NDArray
from onnx import NodeProto

from .dims import AxisPart
from .graph import OnnxGraph, attributes
from .views import TensorView

Value = Callable[[NodeProto, int], NDArray | None]  # of a node's input that no image changes


def rolled(graph: OnnxGraph, node: NodeProto, views: dict[str, TensorView], value: Value) -> TensorView | None:
    """The view of what a Concat of the two ends of one tensor gives, the second end first; None of any other node."""
    if node.op_type != "Concat" or len(node.input) != 2:
        return None
    ends = [graph.made_by.get(name) for name in node.input]
    if any(end is None or end.op_type != "Slice" for end in ends) or len({end.input[0] for end in ends if end}) > 1:
        return None
    back, front = (end for end in ends if end is not None)
    view = views.get(back.input[0])
    if view is None:
        return None
    k = attributes(node)["axis"] % len(view.shape)
    (start, stop), (first, middle) = (_bounds(end, k, len(view.shape), value) for end in (back, front))
    dim = view.dims[k]
    if dim is None or len(dim) != 1 or dim[0].step != 1 or first != 0 or start is None or middle is None or stop is None:
        return None
    size = view.shape[k]
    start, middle = (place + size if place < 0 else place for place in (start, middle))
    if start != middle or stop < size:
        return None
    part = AxisPart(dim[0].label, size, 1, (dim[0].rolled + start) % size)
    return view.like(view.shape, (*view.dims[:k], (part,), *view.dims[k + 1 :]))


def _bounds(node: NodeProto, k: int, rank: int, value: Value) -> tuple[int | None, int | None]:
    """From where to where a Slice of that dimension alone goes; None where it is another."""
    given = attributes(node)
    read = [
        given.get(name) if name in given else value(node, place) for name, place in (("starts", 1), ("ends", 2), ("axes", 3))
    ]
    steps = value(node, 4)
    lists = [None if each is None else [int(number) for number in each] for each in read]
    starts, ends, axes = lists
    if starts is None or ends is None or len(starts) != 1 or (steps is not None and [*steps] != [1]):
        return None, None
    if axes is None or axes[0] % rank != k:
        return None, None
    return starts[0], ends[0]
