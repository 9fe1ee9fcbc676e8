"""How a graph ends: which tensor holds the scores, which linear layer makes them, and what was left away behind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from seewhy.errors import BadParameter, NoSuchName, NotApplicable, closest
from seewhy.printable import printable, quoted

from .graph import FLOATS, OnnxGraph, attributes
from .shapes import sides

PASSING = ("Identity", "Cast", "Dropout", "QuantizeLinear", "DequantizeLinear")  # these pass numbers on, one by one
RESHAPING = (*PASSING, "Flatten", "Reshape", "Squeeze", "Unsqueeze")
MULTI = "multi-label"
EXPORTED = "seewhy"  # in the metadata of what `seewhy export` wrote


class GraphEnd(NamedTuple):
    """Which tensors of the graph are read as what the network gives."""

    tensors: Mapping[str, str]  # by the names of outputs: the outputs themselves, or what stands before a softmax
    pick: Callable[[Any], Any] | None = None  # a person's own function of all of them
    notes: tuple[str, ...] = ()
    task: str | None = None  # what the scores mean, where the graph tells

    @property
    def alone(self) -> str | None:
        """The one tensor that is read; None where there are several."""
        return next(iter(self.tensors.values())) if len(self.tensors) == 1 and self.pick is None else None


def end_of(graph: OnnxGraph, output: Any, task: str | None) -> GraphEnd:
    """The end of a graph, where a person says `output` (a name, a place, a function, None) and `task`."""
    names = [*graph.outputs]
    if callable(output):
        return GraphEnd({name: name for name in names}, output)
    if isinstance(output, str):
        if output not in names:
            raise NoSuchName("output", output, closest(output, names), f"The model's outputs: {_listed(graph)}.")
        return _before_softmax(graph, output, task)
    if output is not None:
        if isinstance(output, bool) or not isinstance(output, int) or not -len(names) <= output < len(names):
            raise BadParameter(f"output={quoted(output)}: a name, or a place from 0 to {len(names) - 1} in {_listed(graph)}.")
        return _before_softmax(graph, names[output], task)
    if len(names) == 1:
        return _before_softmax(graph, names[0], task)
    tables = [name for name in names if _is_table(graph, name)]
    if len(tables) == 1:
        end = _before_softmax(graph, tables[0], task)
        if EXPORTED in graph.facts:  # the others are its maps
            return end
        others = f"of the outputs {_listed(graph)}, {printable(tables[0], 100)} is explained: the one with a score per class"
        return end._replace(notes=(*end.notes, others))
    return GraphEnd({name: name for name in names})


def _is_table(graph: OnnxGraph, name: str) -> bool:
    kind = graph.outputs[name].type.tensor_type.elem_type
    shape = sides(graph.outputs[name])
    return kind in FLOATS and shape is not None and len(shape) == 2


def _listed(graph: OnnxGraph) -> str:
    parts = []
    for name, info in graph.outputs.items():
        shape = sides(info)
        words = "x".join("?" if side is None else str(side) for side in shape) if shape is not None else "?"
        parts.append(f"{printable(name, 100)} ({words})")
    return ", ".join(parts[:20]) + (", ..." if len(parts) > 20 else "")


def _before_softmax(graph: OnnxGraph, name: str, task: str | None) -> GraphEnd:
    """The tensor before the softmax or sigmoid that a graph ends in."""
    shape = sides(graph.outputs[name])
    node = _back(graph, name, PASSING)
    rank = len(shape) if shape is not None else 2
    axis = attributes(node).get("axis", -1 if rank > 2 else 1) if node is not None else 0
    over_classes = axis % rank == (1 if rank != 3 else -1)
    if node is None or rank == 3 or task == "regression":
        return GraphEnd({name: name})
    if node.op_type in ("Softmax", "LogSoftmax", "QLinearSoftmax") and over_classes and task != MULTI:
        note = f"the {node.op_type} that the network ends in was taken off: its scores are the logits before it"
        return GraphEnd({name: node.input[0]}, notes=(note,))
    if node.op_type in ("Sigmoid", "QLinearSigmoid") and task in (None, MULTI):
        note = f"the {node.op_type} that the network ends in was taken off: its scores are the logits before it"
        return GraphEnd({name: node.input[0]}, notes=(note,), task=MULTI)
    return GraphEnd({name: name})


def _back(graph: OnnxGraph, name: str, through: Sequence[str]) -> NodeProto | None:
    """What made a tensor, but for operators that only pass it on."""
    return graph.made_by.get(origin(graph, name, through))


def origin(graph: OnnxGraph, name: str, through: Sequence[str]) -> str:
    """The tensor that operators which only pass numbers on, or round them, were given to make this one of."""
    node = graph.made_by.get(name)
    while node is not None and node.op_type in through:
        name = node.input[0]
        node = graph.made_by.get(name)
    return name


class LastLinear(NamedTuple):
    """A linear layer of the graph, by the names of its tensors."""

    entered: str  # what it is given
    weights: str
    bias: str | None
    turn: Callable[[NDArray[Any]], NDArray[Any]]  # from the weights as they stand in the graph to (k, c)
    scale: float = 1.0  # of the bias


def linear_of(graph: OnnxGraph, scores: str, on_image: Callable[[str], bool]) -> LastLinear:
    """The linear layer that makes a tensor of scores; NotApplicable where something else does.

    on_image: does a tensor depend on the image?
    """
    node, bias = _back(graph, scores, RESHAPING), None
    if node is not None and node.op_type == "Add":
        fixed = [name for name in node.input if not on_image(name)]
        moving = [name for name in node.input if on_image(name)]
        if len(fixed) == len(moving) == 1:
            bias, node = fixed[0], _back(graph, moving[0], PASSING)
    kind = node.op_type if node is not None else "an input"
    if node is None or kind not in ("Gemm", "MatMul", "Conv") or on_image(node.input[1]):
        raise NotApplicable(f"CAM needs a network that ends in one linear layer; this graph ends in {kind}.")
    given = attributes(node)
    if kind != "MatMul" and len(node.input) > 2 and node.input[2]:
        if bias is not None:
            raise NotApplicable("CAM needs a network that ends in one linear layer; after that of this graph more is added.")
        bias = node.input[2]
    if kind == "Conv":
        return LastLinear(node.input[0], node.input[1], bias, lambda w: w.reshape(len(w), -1))
    if given.get("transA"):
        raise NotApplicable("CAM needs a linear layer on rows (n, c); that of this graph takes columns.")
    alpha, turned = given.get("alpha", 1.0), bool(given.get("transB"))
    return LastLinear(node.input[0], node.input[1], bias, lambda w: alpha * (w if turned else w.T), given.get("beta", 1.0))


def check(scores: NDArray[Any], entered: NDArray[Any], weights: NDArray[Any], bias: NDArray[Any] | None) -> None:
    """Raise NotApplicable where the scores (n, k) are not what the linear layer makes of what it was given (n, c)."""
    if weights.ndim != 2 or entered.shape[1:] != weights.shape[1:] or scores.shape != (len(entered), len(weights)):
        raise NotApplicable("CAM needs global average pooling before the linear layer; that of this graph reads more.")
    with np.errstate(invalid="ignore", over="ignore"):  # of infinities
        made = entered @ weights.T + (0 if bias is None else bias.reshape(-1))
        near = np.allclose(made, scores, rtol=0, atol=0.02 * float(np.ptp(scores)) + 1e-4 * float(abs(scores).max()) + 1e-6)
    if not near:
        raise NotApplicable("CAM needs one linear layer at the end; in this graph something else changes the scores behind it.")
