"""The part of a graph behind one layer, run on its own."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from seewhy.errors import NotApplicable

from .batches import ArraysByName, RowBatches, repeated, rows_of, tensor_of
from .graph import OnnxGraph, read_by
from .sessions import GraphSessions
from .views import TensorView


def edge(graph: OnnxGraph, ends: Sequence[str], tensor: str, on_image: set[str]) -> list[str]:
    """The other tensors that the part behind one reads, and that can be computed once: they depend on the image alone.

    Raises NotApplicable where nothing of the tensor reaches the ends.
    """
    if graph.depending(tensor).isdisjoint(ends):
        raise NotApplicable(f"nothing of {tensor} reaches the scores")
    before = on_image - graph.depending(tensor, shapes=True)
    nodes = graph.needed(ends, {tensor, *before})
    read = {name for node in nodes for name in read_by(node)} | {*ends}
    return sorted(read & before)


class GraphTail:
    """The part of a graph behind a tensor, for one image; the tensors beside it that it reads are constants."""

    def __init__(
        self, sessions: GraphSessions, ends: Sequence[str], tensor: str, view: TensorView, found: Mapping[str, NDArray[Any]],
        beside: Sequence[str], inputs: Mapping[str, NDArray[Any]], fixed: int | None,
    ) -> None:  # fmt: skip
        self.sessions, self.ends, self.tensor, self.view = sessions, ends, tensor, view
        self.dtype = found[tensor].dtype
        self.given = {**inputs, **{name: found[name] for name in beside}}
        self.batches = RowBatches(fixed, sessions.name)

    def run(self, edits: NDArray[Any]) -> ArraysByName:
        """The ends, for edits (m, c, *space) of what the tensor holds."""
        return self.batches.run(edits, self._at_once)

    def _at_once(self, edits: NDArray[Any]) -> ArraysByName:
        given = {self.tensor: tensor_of(edits, self.view, self.dtype), **repeated(self.given, len(edits))}
        kinds = {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in given.items()}
        found = self.sessions.run(self.ends, given, kinds)
        return {name: rows_of(array, len(edits)) for name, array in found.items()}


def same(left: Any, right: Any) -> bool:
    """Do two runs give the same, but for rounding?"""
    if isinstance(left, Mapping):
        return all(same(left[name], right[name]) for name in left)
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    with np.errstate(invalid="ignore"):  # of infinities
        return a.shape == b.shape and np.allclose(a, b, rtol=1e-3, atol=1e-3 * float(abs(a).max(initial=0)))
