"""An ONNX graph as a network of torch, by onnx2torch, which gives gradients; checked against what onnxruntime gives."""

from collections.abc import Mapping
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import onnx2torch
import torch
from onnx import helper
from torch import Tensor, nn

from seewhy.arrays import numbers
from seewhy.errors import BadNetwork
from seewhy.printable import printable, words_of

from .backend import OnnxBackend
from .batches import ArraysByName
from .older import older
from .shapes import USUAL

NEAR = 1e-3  # by which scores of two frameworks may differ, of the largest; more is no rounding


class ConvertedGraph(nn.Module):
    """What onnx2torch made of a graph: images (n, c, *space) to its output, or to a dict of its outputs by name."""

    def __init__(self, graph: nn.Module, outputs: list[str], channels: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.graph, self.outputs, self.channels, self.dtype = graph, outputs, channels, dtype

    def forward(self, images: Tensor) -> Any:
        given = images.to(self.dtype)
        with catch_warnings():
            simplefilter("ignore", UserWarning)  # of torch, about how the operators of onnx2torch index
            found = self.graph(given if self.channels == 1 else given.movedim(1, self.channels))
        return found if isinstance(found, Tensor) else dict(zip(self.outputs, found, strict=True))


def as_torch(backend: OnnxBackend) -> tuple[ConvertedGraph, float]:
    """The network, and the largest difference of its scores from onnxruntime's, as a share of the largest of them.

    Raises BadNetwork where onnx2torch cannot read the graph, or the scores are others.
    """
    name, tensors = backend.sessions.name, backend.end.tensors
    x = _noise(backend)
    expected = backend.tensors(x, [*tensors.values()])
    views = backend.anatomy(x).views
    known = _known(backend, x)
    try:
        with catch_warnings():
            simplefilter("ignore")  # of onnx2torch, about what it copies
            graph = onnx2torch.convert(older(backend.graph, tensors, backend.image.name, views, known))
    except Exception as error:
        raise BadNetwork(
            f"{name} cannot be turned into torch by onnx2torch: {type(error).__name__}: {printable(words_of(error), 300)} "
            "Leave gradients out; or load the torch network that it was exported from."
        ) from error
    dtype = torch.from_numpy(np.zeros(1, helper.tensor_dtype_to_np_dtype(backend.image.kind))).dtype
    network = ConvertedGraph(graph, [*tensors], backend.image.channels, dtype).eval().requires_grad_(False)
    return network, _difference(network, x, {key: expected[tensor] for key, tensor in tensors.items()}, name)


def _known(backend: OnnxBackend, x: np.ndarray[Any, Any]) -> ArraysByName:
    """Tensors of the graph that are the same whatever image comes in: constants that it computes, and, where it takes images of
    one size, how much it pads them.
    """
    graph, nodes = backend.graph, backend.graph.needed([*backend.end.tensors.values()])
    changing = graph.depending(backend.image.name, shapes=True)
    names = graph.fixed(nodes, changing)
    known = backend.sessions.run(names, {}, {}) if names else {}
    pads = [node.input[1] for node in nodes if node.op_type == "Pad" and len(node.input) > 1 and node.input[1] in changing]
    if pads and None not in backend.image.space:
        known |= backend.sessions.run(pads, backend.given(x[: backend.image.shape[0] or 1]), backend.kinds())
    return known


def _noise(backend: OnnxBackend) -> np.ndarray[Any, Any]:
    """Two images of noise, of the size that the graph states."""
    image = backend.image
    sides = [side or 4 * USUAL for side in image.space]
    shape = (2, image.shape[image.channels] or 3, *sides)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return (x * 64 + 128).clip(0, 255).round() if image.pixels else x


def _difference(network: nn.Module, x: Any, expected: Mapping[str, Any], name: str) -> float:
    try:
        with torch.no_grad():
            found = network(torch.from_numpy(x))
    except Exception as error:
        raise BadNetwork(f"{name}, turned into torch by onnx2torch, fails: {printable(words_of(error), 300)}") from error
    by_name = found if isinstance(found, Mapping) else dict.fromkeys(expected, found)
    worst = 0.0
    for key, there in expected.items():
        here = numbers(by_name[key])
        gap = abs(here - there).max() / max(abs(there).max(), 1e-12) if here.shape == there.shape else np.inf
        worst = max(worst, float(gap))
    if not worst <= NEAR:
        raise BadNetwork(
            f"{name}, turned into torch by onnx2torch, gives other scores than by onnxruntime: they differ by {worst:.1g} of "
            "the largest. Leave gradients out; or load the torch network that it was exported from."
        )
    return worst
