"""The shapes of all tensors of a graph for one image, how each of them lies over it, and in which order images come in."""

from collections.abc import Container, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, ValueInfoProto, shape_inference

from .dims import CHANNELS, IMAGES, AxisLabel, labels
from .graph import SHAPE_ALONE, OnnxGraph, attributes
from .operators import WEIGHTS, NodeCall, view_of
from .rolling import rolled
from .views import TensorView, at_input

COLOURS = (1, 3, 4)  # channels of grey, colour, and colour with transparency
NO_VALUES: Mapping[str, NDArray[Any]] = {}
USUAL = 64  # a side of an image where the file leaves it open


class TensorFacts(NamedTuple):
    """What is known of a tensor before it is computed."""

    kind: int  # of its numbers, as ONNX counts kinds; 0 where it is not known
    shape: tuple[int, ...] | None


def sides(info: ValueInfoProto) -> list[int | None] | None:
    """The sides of a tensor as the file states them, None where one is left open; None where it states none."""
    kind: Any = info.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return [int(side.dim_value) if side.dim_value > 0 else None for side in kind.shape.dim]


def inferred(graph: OnnxGraph, given: Mapping[str, Sequence[int]], open_sides: int | None = None) -> dict[str, TensorFacts]:
    """What ONNX's own rules tell of all tensors, where the inputs have those shapes.

    open_sides: what to take for sides that they do not tell; None: the whole shape is then not known.
    """
    names = [name for name in graph.outputs if name not in graph.inputs]
    kinds = {name: each.type.tensor_type.elem_type for name, each in graph.inputs.items()}
    model = graph.part(names, kinds)
    for each in model.graph.input:  # type: ignore[attr-defined] - protobuf
        each.CopyFrom(_with_shape(each.name, kinds[each.name], given.get(each.name)))
    for each in model.graph.output:  # type: ignore[attr-defined]
        each.CopyFrom(_with_shape(each.name, graph.outputs[each.name].type.tensor_type.elem_type, None))
    try:
        model = shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # noqa: BLE001 - of operators that it cannot read; what is not known is run instead
        return {}
    return _known(model, open_sides)


def _with_shape(name: str, kind: int, shape: Sequence[int] | None) -> ValueInfoProto:
    info = ValueInfoProto(name=name)
    info.type.tensor_type.elem_type = kind
    if shape is not None:
        for side in shape:
            info.type.tensor_type.shape.dim.add(dim_value=side)
    return info


def _known(model: ModelProto, open_sides: int | None) -> dict[str, TensorFacts]:
    graph: Any = model.graph
    found = {}
    for info in [*graph.input, *graph.value_info, *graph.output]:
        shape = sides(info)
        filled = None if shape is None else tuple(open_sides if side is None else side for side in shape)
        whole = filled if filled is not None and None not in filled else None
        found[info.name] = TensorFacts(info.type.tensor_type.elem_type, whole)  # type: ignore[arg-type]
    return found


PARAMETERS = ("Slice", "Pad", "Resize", "Upsample", "Gather")  # operators with inputs that say where they read


def told_by_shapes(graph: OnnxGraph, nodes: Sequence[NodeProto], on_image: Container[str]) -> list[str]:
    """The tensors that say where operators read, and that the graph computes of shapes alone."""
    inputs = [name for node in nodes if node.op_type in PARAMETERS for name in node.input[1:]]
    return [
        name for name in dict.fromkeys(inputs) if name in graph.made_by and name not in on_image and graph.value(name) is None
    ]


def viewed(
    graph: OnnxGraph,
    known: Mapping[str, TensorFacts],
    image: str,
    channels: int,
    values: Mapping[str, NDArray[Any]] = NO_VALUES,
) -> dict[str, TensorView]:
    """How each tensor that depends on the image lies over it; those whose shapes are not known are left out.

    values: of tensors that are computed of shapes alone.
    """
    views = {image: at_input(known[image].shape or (), channels)}

    def value(node: NodeProto, place: int) -> NDArray[Any] | None:
        name = node.input[place] if place < len(node.input) else ""
        return values[name] if name in values else graph.value(name) if name else None

    for node in graph.nodes:
        if node.op_type in SHAPE_ALONE or not any(name in views for name in node.input):
            continue
        given = attributes(node)
        inputs = [views.get(name) for name in node.input]
        shapes = [_shape(graph, known, name) for name in node.input]
        for at, name in enumerate(node.output):
            shape = known[name].shape if name in known else None
            if name and shape is not None:
                call = NodeCall(node.op_type, given, inputs, shapes, partial(value, node), shape, at)
                views[name] = rolled(graph, node, views, value) or view_of(call)
    return views


def _shape(graph: OnnxGraph, known: Mapping[str, TensorFacts], name: str) -> tuple[int, ...] | None:
    if name in graph.constants:
        return tuple(graph.constants[name].dims)
    return known[name].shape if name in known else None


class ChannelsAt(NamedTuple):
    """Which dimension of the image that the graph takes holds the channels."""

    channels: int
    told: bool  # by an operator of the graph, and not by the sides alone


def channels_of(graph: OnnxGraph, image: str, shape: Sequence[int | None]) -> ChannelsAt:
    """The dimension of the image that the first operator on maps takes for its channels."""
    rank = len(shape)
    filled = [side or USUAL for side in shape]
    views = viewed(graph, inferred(graph, {image: filled}, USUAL), image, 1) if rank > 2 else {}
    where: dict[AxisLabel, int] = {IMAGES: 0, CHANNELS: 1, **{axis: axis + 2 for axis in range(rank - 2)}}
    for node in graph.nodes:
        if node.op_type in (*WEIGHTS, "BatchNormalization", "MaxPool", "AveragePool") and node.input[0] in views:
            seen = views[node.input[0]]
            found = labels(seen.dims[1]) if len(seen.shape) == rank else set()
            if len(found) == 1:
                return ChannelsAt(where[found.pop()], True)
    last = shape[-1] in COLOURS and shape[1] not in COLOURS
    return ChannelsAt(rank - 1 if last else 1, False)
