"""Which input of a graph takes the images, how they lie in it, and what its other inputs are given."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, ValueInfoProto, helper

from seewhy.errors import BadNetwork, BadParameter, NoSuchName, closest
from seewhy.models.settings import IMAGE, Fixed
from seewhy.printable import printable, quoted

from .graph import FLOATS, OnnxGraph
from .shapes import channels_of, sides

WHOLE = (TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32, TensorProto.INT64, TensorProto.UINT16, TensorProto.INT16)
RANKS = (3, 4, 5)  # signals, photos, volumes


class ImageInput(NamedTuple):
    """The input of the graph that takes images, and what the others are given."""

    name: str
    channels: int  # the dimension that holds them
    told: bool  # by the graph or the person, not by the sides alone
    shape: tuple[int | None, ...]  # as the graph states it
    kind: int  # of its numbers
    beside: Mapping[str, NDArray[Any]]  # what other inputs are given

    @property
    def pixels(self) -> bool:
        """Does it take pixels as whole numbers from 0 to 255?"""
        return self.kind == TensorProto.UINT8

    @property
    def space(self) -> tuple[int | None, ...]:
        """The sides of an image, None where any is taken."""
        return tuple(side for k, side in enumerate(self.shape[1:], 1) if k != self.channels)


def image_input(graph: OnnxGraph, name: str, inputs: Any, channels: int | None) -> ImageInput:
    """The input that takes images; inputs: what the person says of others, by name, with IMAGE for the images themselves.

    Raises BadParameter or BadNetwork where it does not tell itself.
    """
    given = _named(graph, inputs)
    image = next((key for key, value in given.items() if value is IMAGE), None)
    left = [key for key in graph.inputs if key not in given]
    if image is None:
        maps = [key for key in left if len(_shape(graph.inputs[key]) or ()) in RANKS]
        image = maps[0] if len(maps) == 1 else left[0] if len(left) == 1 else None
    if image is None or [key for key in left if key != image]:
        raise BadParameter(
            f"{name} has the inputs {_listed(graph)}. Say which takes the images and what the others are given: "
            "inputs={'NAME': seewhy.IMAGE, 'OTHER': array}."
        )
    info = graph.inputs[image]
    shape, kind = _shape(info), info.type.tensor_type.elem_type
    if shape is None or len(shape) not in RANKS or kind not in (*FLOATS, *WHOLE):
        raise BadNetwork(
            f"{name} takes {_listed(graph)}; images are numbers (n, c, h, w), signals (n, c, l), volumes (n, c, d, h, w). Run "
            "it yourself, and explain the function: seewhy.wrap(function from images to scores)."
        )
    if channels is not None:
        if not -len(shape) < channels < len(shape) or channels % len(shape) == 0:
            raise BadParameter(f"channels={channels}: a dimension of {_words(info)} other than the first.")
        return ImageInput(image, channels % len(shape), True, shape, kind, _arrays(graph, given))
    at, told = channels_of(graph, image, shape)
    return ImageInput(image, at, told, shape, kind, _arrays(graph, given))


def _shape(info: ValueInfoProto) -> tuple[int | None, ...] | None:
    shape = sides(info)
    return None if shape is None else tuple(shape)


def _named(graph: OnnxGraph, inputs: Any) -> dict[str, Any]:
    if inputs is None:
        return {}
    if isinstance(inputs, str):
        inputs = {inputs: IMAGE}
    if not isinstance(inputs, Mapping):
        raise BadParameter(f"inputs={quoted(inputs)}: of an ONNX model a dict from the names of its inputs, {_listed(graph)}.")
    for key in inputs:
        if key not in graph.inputs:
            raise NoSuchName("input", key, closest(str(key), [*graph.inputs]), f"The model's inputs: {_listed(graph)}.")
    return dict(inputs)


def _arrays(graph: OnnxGraph, given: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """What inputs beside the images are given, as numbers of the kind that each of them takes."""
    arrays = {}
    for key, value in given.items():
        if value is IMAGE:
            continue
        kind = graph.inputs[key].type.tensor_type.elem_type
        try:
            plain = value.value if isinstance(value, Fixed) else value
            arrays[key] = np.ascontiguousarray(plain, helper.tensor_dtype_to_np_dtype(kind)).reshape(np.shape(plain))
        except (TypeError, ValueError, KeyError) as error:
            raise BadParameter(f"inputs: {key!r} takes {_words(graph.inputs[key])}: {error}") from None
    return arrays


def _listed(graph: OnnxGraph) -> str:
    return ", ".join(f"{printable(name, 100)}: {_words(info)}" for name, info in [*graph.inputs.items()][:20])


def _words(info: ValueInfoProto) -> str:
    """The kind and the shape of a tensor, in words."""
    shape = sides(info)
    if not info.type.HasField("tensor_type"):
        return str(info.type.WhichOneof("value"))
    kind = TensorProto.DataType.Name(info.type.tensor_type.elem_type).lower()
    return f"{kind} ({', '.join('?' if side is None else str(side) for side in shape)})" if shape is not None else kind
