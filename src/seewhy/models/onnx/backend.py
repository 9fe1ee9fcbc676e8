"""An ONNX graph as a `Backend`: what it gives, what its tensors hold, its last linear layer, the part behind a layer."""

import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import NodeProto, helper

from seewhy.errors import BadParameter, NeedsGradients, NotApplicable
from seewhy.models.backend.backend import NOTHING, Behind, LayerSight, LinearEnd, PassResult
from seewhy.models.kernels import Kernels
from seewhy.models.model import LAYERS_ALONE
from seewhy.models.rule import ReluRule
from seewhy.models.weights_digest import NEVER, NamedBytes, WeightsInMemory

from .batches import ArraysByName, RowBatches, as_floats, maps_of, rows_of
from .ending import RESHAPING, GraphEnd, check, linear_of, origin
from .graph import FLOATS, OnnxGraph, attributes
from .image_input import ImageInput
from .sessions import GraphSessions
from .shapes import TensorFacts, inferred, sides, told_by_shapes, viewed
from .tail import GraphTail, edge, same
from .views import TensorView

PASSED = ("Identity", "Cast", "Dropout", "Transpose", "Squeeze", "Unsqueeze")  # what they give is what they are given
MOST_SHARE = 2.0  # beyond, a box is given in pixels
NO_MAPS: Mapping[str, TensorView] = {}


class GraphAnatomy(NamedTuple):
    """What is known of a graph for images of one size."""

    known: Mapping[str, TensorFacts]
    views: Mapping[str, TensorView]
    tensors: Mapping[str, str]  # by the names of layers
    sights: Mapping[str, LayerSight]
    lost: str = ""  # the first tensor behind the last layer of which it is not known how it lies, if there is one


class OnnxBackend:
    """A graph of ONNX, run by onnxruntime."""

    gives = LAYERS_ALONE
    refuses: Mapping[str, str] = NOTHING

    def __init__(
        self, graph: OnnxGraph, sessions: GraphSessions, image: ImageInput, end: GraphEnd, notes: tuple[str, ...] = ()
    ) -> None:
        self.graph, self.sessions, self.image, self.end = graph, sessions, image, end
        self.framework = f"onnxruntime ({sessions.provider[0].removesuffix('ExecutionProvider')})"
        self.signals, self.channels = len(image.shape) == 3, image.channels
        self.notes = (*notes, *end.notes)
        self.on_image = graph.depending(image.name)
        self.batches = RowBatches(image.shape[0], sessions.name)
        self.anatomies: dict[tuple[int, ...], GraphAnatomy] = {}

    def versions(self) -> Mapping[str, str]:
        return {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}

    def weights(self) -> WeightsInMemory:
        """All constants of the graph, by name."""
        return WeightsInMemory((self.graph,), lambda: (NamedBytes.of(*each) for each in self.graph.numbers()), NEVER)

    def conditions(self) -> Mapping[str, Any]:
        """The provider of onnxruntime, which is asked for results that are the same each time."""
        return {"provider": self.sessions.provider[0], **self.sessions.provider[1], "deterministic": True}

    def check(self) -> None:
        """Raise BadNetwork where onnxruntime cannot read the graph."""
        self.sessions.check([*self.end.tensors.values()], {name: self.kinds()[name] for name in self._names})

    @property
    def _names(self) -> list[str]:
        """The inputs of the graph, in the order in which they are given."""
        return [self.image.name, *self.image.beside]

    # images in, tensors out

    def output(self, x: NDArray[Any]) -> Any:
        """What the graph gives for images x (n, c, *space): the array of scores, or several arrays by their names."""
        return self._output(self.tensors(x, [*self.end.tensors.values()]), x.shape[2:])

    def _output(self, found: Mapping[str, NDArray[Any]], space: Sequence[int]) -> Any:
        named = {name: found[tensor] for name, tensor in self.end.tensors.items()}
        if self.end.pick is None and len(named) > 1:
            named = in_pixels(named, space)
        result = named if len(named) > 1 else next(iter(named.values()))
        return result if self.end.pick is None else self.end.pick(result)

    def tensors(self, x: NDArray[Any], names: Sequence[str], maps: Mapping[str, TensorView] = NO_MAPS) -> ArraysByName:
        """Tensors of the graph for images x (n, c, *space), a row for each image; maps: how some of them lie, which are given
        as (n, c, *space).
        """
        self._check_size(x)

        def at_once(part: NDArray[Any]) -> ArraysByName:
            n = len(part)
            found = self.sessions.run([*dict.fromkeys(names)], self.given(part), self.kinds())
            return {name: maps_of(a, maps[name], n) if name in maps else rows_of(a, n) for name, a in found.items()}

        return self.batches.run(x, at_once)

    def given(self, x: NDArray[Any]) -> ArraysByName:
        """All inputs of the graph, for images x (n, c, *space)."""
        return {self.image.name: self._laid(x), **self._beside(len(x))}

    def kinds(self) -> dict[str, int]:
        """The kinds of the numbers that the graph takes, by the names of its inputs."""
        return {name: info.type.tensor_type.elem_type for name, info in self.graph.inputs.items()}

    def _beside(self, n: int) -> dict[str, NDArray[Any]]:
        """The inputs beside n images; what has one row is repeated for each, where the graph lets it."""
        given = {}
        for name, value in self.image.beside.items():
            stated = sides(self.graph.inputs[name])
            one = value.ndim and len(value) == 1 and stated and stated[0] is None
            given[name] = np.repeat(value, n, 0) if one else value
        return given

    def _laid(self, x: NDArray[Any]) -> NDArray[Any]:
        """Images (n, c, *space) as the graph takes them."""
        dtype = helper.tensor_dtype_to_np_dtype(self.image.kind)
        if dtype.kind in "iu":
            bounds = np.iinfo(dtype)
            x = x.round().clip(bounds.min, bounds.max)
        return np.ascontiguousarray(np.moveaxis(x, 1, self.image.channels), dtype)

    def _check_size(self, x: NDArray[Any]) -> None:
        stated = (self.image.shape[self.image.channels], *self.image.space)
        given = tuple(x.shape[1:])
        if len(given) == len(stated) and all(side in (None, own) for side, own in zip(stated, given, strict=True)):
            return
        words = "x".join("?" if side is None else str(side) for side in stated)
        size = tuple(self.image.space)
        advice = (
            f" prepare={{'size': {size}, 'crop': None, ...}} makes photos so (--prepare size={size} crop=none)"
            if None not in size and len(size) == 2 and given[:1] == stated[:1]
            else ""
        )
        raise BadParameter(
            f"{self.sessions.name} takes images of {words} (channels, then space), and these are {'x'.join(map(str, given))}:"
            f"{advice or ' prepare them so'}, or export the model with dynamic sides."
        )

    # layers

    def anatomy(self, x: NDArray[Any]) -> GraphAnatomy:
        """What is known of the graph for images of the size of x (n, c, *space)."""
        key = tuple(x.shape[1:])
        found = self.anatomies.get(key)
        return found if found is not None else self.anatomies.setdefault(key, self._studied(x[:1]))

    def _studied(self, x: NDArray[Any]) -> GraphAnatomy:
        self._check_size(x)
        given = self.given(np.repeat(x, self.image.shape[0] or 1, 0))
        known = inferred(self.graph, {name: array.shape for name, array in given.items()})
        known.setdefault(self.image.name, TensorFacts(self.image.kind, given[self.image.name].shape))
        nodes = self.graph.needed([*self.end.tensors.values()])
        needed = {name for node in nodes for name in node.output if name}
        unclear = sorted(name for name in self.on_image & needed if name not in known or known[name].shape is None)
        told = told_by_shapes(self.graph, nodes, self.on_image)
        found = self.sessions.run([*unclear, *told], given, self.kinds()) if unclear or told else {}
        known |= {n: TensorFacts(helper.np_dtype_to_tensor_dtype(found[n].dtype), tuple(found[n].shape)) for n in unclear}
        views = viewed(self.graph, known, self.image.name, self.image.channels, {name: found[name] for name in told})
        return self._named(known, views)

    def _named(self, known: Mapping[str, TensorFacts], views: Mapping[str, TensorView]) -> GraphAnatomy:
        connected = {name for node in self.graph.needed([*self.end.tensors.values()]) for name in node.output}
        tensors, sights, maps, lost = {}, {}, set(), ""
        for node in self.graph.nodes:
            for tensor in node.output:
                view = views.get(tensor)
                order = view.order() if view is not None else None
                if view is None or order is None or known[tensor].kind not in FLOATS:
                    unclear = view is not None and tensor in connected and view.unclear()
                    lost = lost or (name_of(node, tensor) if unclear else "")
                    continue
                passed = node.op_type in PASSED and node.input[0] in maps
                maps.add(tensor)
                if passed:
                    continue
                name = name_of(node, tensor)
                name = tensor if name in tensors else name
                tensors[name], lost = tensor, ""
                shape = tuple(view.shape[k] for k in order)
                sights[name] = LayerSight(node.op_type, shape, 1, tensor in connected, view.place())
        return GraphAnatomy(known, views, tensors, sights, lost)

    def survey(self, x: NDArray[Any]) -> Mapping[str, LayerSight]:
        return self.anatomy(x).sights

    def alias(self, name: str, x: NDArray[Any]) -> str:
        """The layer that a name means: its own, its tensor's, or a torch module's whose last result it is."""
        anatomy = self.anatomy(x)
        if name in anatomy.tensors:
            return name
        found = name
        by_tensor = {tensor: layer for layer, tensor in anatomy.tensors.items()}
        for node in self.graph.nodes:
            layers = [by_tensor[tensor] for tensor in node.output if tensor in by_tensor]
            if layers and (name in node.output or name == node.name or name in scopes(node)):
                found = layers[-1]
        return found

    def emitted(self, x: NDArray[Any], layers: Sequence[str]) -> PassResult:
        return PassResult(None, self._layers(x, layers)[0])

    def _layers(self, x: NDArray[Any], layers: Sequence[str], *more: str) -> tuple[ArraysByName, ArraysByName]:
        """What layers emit (n, c, *space), and further tensors; of one pass."""
        anatomy = self.anatomy(x)
        tensors = {layer: anatomy.tensors[layer] for layer in layers}
        found = self.tensors(x, [*tensors.values(), *more], {name: anatomy.views[name] for name in tensors.values()})
        return {layer: found[name] for layer, name in tensors.items()}, found

    def traced(self, x: NDArray[Any], layers: Sequence[str], rule: ReluRule | None) -> PassResult:
        raise NeedsGradients(f"{self.framework} gives no gradients.")

    def linear_end(self, x: NDArray[Any], layers: Sequence[str]) -> LinearEnd:
        scores = self.end.alone
        if scores is None:
            raise NotApplicable("CAM needs a network with one output, of a score per class.")
        linear = linear_of(self.graph, scores, self.on_image.__contains__)
        weights = linear.turn(self._constant(linear.weights))
        bias = None if linear.bias is None else linear.scale * self._constant(linear.bias)
        exact = origin(self.graph, linear.entered, RESHAPING)  # before it was rounded, where the graph is quantised
        emitted, found = self._layers(x, layers, scores, linear.entered, exact)
        entered, output = found[linear.entered], found[scores].reshape(len(x), -1)
        if prod(entered.shape[1:]) != max(entered.shape[1:], default=0):
            raise NotApplicable("CAM needs global average pooling before the linear layer; this graph's reads more than a row.")
        check(output, entered.reshape(len(x), -1), weights, bias)
        return LinearEnd(PassResult(output, emitted), weights, found[exact].reshape(len(x), -1))

    def kernels(self, layer: str, x: NDArray[Any]) -> Kernels:
        """What the convolution that makes this layer multiplies with.  Raises NotApplicable where another operator makes it."""
        node = self.graph.made_by[self.anatomy(x).tensors[layer]]
        convolutions = [each for each in self.graph.nodes if each.op_type in ("Conv", "ConvTranspose")]
        if node not in convolutions or node.input[1] in self.on_image:
            names = ", ".join(each.name or each.output[0] for each in convolutions[:6])
            raise NotApplicable(f"Layer {layer} ({node.op_type}) of {self.sessions.name} has no kernels of its own; "
                                f"{f'convolutions are {names}' if names else 'the graph has no convolution'}.")  # fmt: skip
        weights, groups = self._constant(node.input[1]), attributes(node).get("group", 1)
        if node.op_type == "ConvTranspose":
            return Kernels.transposed(weights, groups)
        return Kernels(weights, groups, node is convolutions[0] and weights.shape[1] * groups == x.shape[1])

    def _constant(self, name: str) -> NDArray[Any]:
        value = self.graph.value(name)
        return as_floats(self.sessions.run([name], {}, {})[name] if value is None else value)

    # the part behind a layer

    def behind(self, image: NDArray[Any], layer: str) -> Behind:
        x, ends = image[None], [*self.end.tensors.values()]
        anatomy = self.anatomy(x)
        tensor, fixed = anatomy.tensors[layer], self.image.shape[0]
        view = anatomy.views[tensor]
        beside = edge(self.graph, ends, tensor, self.on_image)
        filled = np.repeat(x, fixed or 1, 0)
        given = self.given(filled)
        names = dict.fromkeys([tensor, *beside, *ends])
        found = {**given, **self.sessions.run([name for name in names if name not in given], given, self.kinds())}
        inputs = {name: given[name] for name in self.graph.unknown(ends, {tensor, *beside})}
        tail = GraphTail(self.sessions, ends, tensor, view, found, beside, inputs, fixed)
        a = maps_of(found[tensor], view, len(filled))[0]
        plain = self._output({name: rows_of(found[name], len(filled))[:1] for name in ends}, x.shape[2:])
        if not same(plain, self._output(tail.run(a[None]), x.shape[2:])):
            raise NotApplicable(f"The part of {self.sessions.name} behind {layer} does not give its scores when run alone.")
        return Behind(a, lambda edits: self._output(tail.run(edits), x.shape[2:]))


def in_pixels(outputs: ArraysByName, space: Sequence[int]) -> ArraysByName:
    """A detector's outputs; boxes (n, q, 4) that are given in shares of the image, from 0 to 1, in its pixels."""
    boxes = outputs.get("boxes")
    if boxes is None or boxes.ndim != 3 or boxes.shape[2] != 4 or len(space) != 2 or abs(boxes).max(initial=0) > MOST_SHARE:
        return outputs
    return {**outputs, "boxes": boxes * np.tile(np.asarray(space[::-1], boxes.dtype), 2)}


def name_of(node: NodeProto, tensor: str) -> str:
    """What a layer is called: the node or the tensor that it makes, whichever name is the shorter."""
    alone = len([name for name in node.output if name]) == 1
    return node.name if alone and node.name and len(node.name) < len(tensor) else tensor


SCOPES = "pkg.torch.onnx.name_scopes"  # under which torch's exporter notes of a node the modules around it


def scopes(node: NodeProto) -> set[str]:
    """The torch modules that a node belongs to, as far as the exporter said: layer4, layer4.2, layer4.2.relu."""
    noted = next((entry.value for entry in node.metadata_props if entry.key == SCOPES), None)
    if noted is not None:
        return {*re.findall(r"'([^']+)'", noted)[:-1]}
    return {*node.name.strip("/").split("/")[:-1]} if node.name.startswith("/") else set()
