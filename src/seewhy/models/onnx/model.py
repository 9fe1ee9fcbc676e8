"""An ONNX model as seewhy asks it: from a ModelProto or a session of onnxruntime to the model that methods are called with."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from seewhy.errors import BadNetwork, BadParameter
from seewhy.models.backend.model import BackendModel
from seewhy.models.kernels import Kernels
from seewhy.models.model import Layer
from seewhy.models.settings import Settings

from .backend import OnnxBackend
from .ending import end_of
from .graph import OnnxGraph
from .image_input import image_input
from .preparing import facts_of
from .sessions import GraphSessions, Provider, provider_of

GUESSED = (
    "no operator of the graph tells which dimension of its images holds the channels; {} was taken, by the sides alone: "
    "channels= says otherwise"
)
GRADIENTS = "With the extra onnx-torch installed, load(..., options={'gradients': True}) (--option gradients=true) gives them."


class OnnxModel(BackendModel):
    """An ONNX graph, and how images are prepared for it."""

    backend: OnnxBackend

    def named(self, layers: Sequence[str | None], x: NDArray[Any]) -> list[str]:
        """As BackendModel's; a layer may also be named by its tensor, its node, or the torch module that it was made from."""
        known = self.surveyed(x)
        return super().named([n if n is None or n in known else self.backend.alias(n, x) for n in layers], x)

    def _blank(self) -> NDArray[Any]:
        channels, sides = self.backend.image.shape[self.backend.image.channels], self.backend.image.space
        if channels is None or None in sides:
            return super()._blank()
        return np.zeros((1, channels, *sides), np.float32)  # type: ignore[arg-type] - none of them is None

    def default(self, x: Any) -> tuple[str, Layer] | None:
        found, lost = super().default(x), self.backend.anatomy(np.asarray(x)).lost
        if found is None or not lost:
            return found
        why = f"{found[1].why}; of later tensors, such as {lost}, it is not known how they lie over the image: {GRADIENTS}"
        return found[0], found[1]._replace(why=why)

    def cells(self, layer: str, x: Any) -> Any:
        return super().cells(self.backend.alias(layer, np.asarray(x)), x)

    def kernels(self, layer: str, x: Any) -> Kernels:
        """What the convolution of this name multiplies with; NotApplicable where another operator has it."""
        return self.backend.kernels(self.named([layer], np.asarray(x))[0], np.asarray(x))

    @property
    def instead(self) -> str:
        return f"{super().instead} {GRADIENTS}"


def onnx_model(network: Any, settings: Settings) -> OnnxModel:
    """The model of an onnx.ModelProto or an onnxruntime.InferenceSession.

    settings: `inputs` by name (see `image_input`), `output` a name, a place or a function of the arrays that the graph gives,
    `channels` which dimension of its images holds them; device: "cpu", "cuda:1" or a provider of onnxruntime.
    Raises BadParameter for those that only other networks have.
    """
    if settings.dtype is not None or settings.grid is not None or settings.tokenizer is not None:
        raise BadParameter("An ONNX model runs as it was saved: leave dtype=, grid= and tokenizer= out.")
    proto, provider = _opened(network, settings)
    name = settings.name or "the ONNX model"
    graph = OnnxGraph(proto)
    image = image_input(graph, name, settings.inputs, settings.channels)
    end = end_of(graph, settings.output, settings.task)
    notes = () if image.told else (GUESSED.format(image.channels),)
    backend = OnnxBackend(graph, GraphSessions(graph, name, provider), image, end, notes)
    backend.check()
    facts = facts_of(graph.facts, image)
    prepare = facts.fitted(settings.prepare)
    return OnnxModel(
        backend,
        replace(settings, name=name, prepare=prepare, labels=settings.labels or facts.labels, task=settings.task or end.task),
    )


def _opened(network: Any, settings: Settings) -> tuple[ModelProto, Provider]:
    """The graph of a network, and what runs it."""
    if isinstance(network, ModelProto):
        return network, provider_of(settings.device)
    if settings.device is not None:
        raise BadParameter("A session of onnxruntime runs where it runs: leave device= out.")
    path, data = getattr(network, "_model_path", None), getattr(network, "_model_bytes", None)
    if path is None and data is None:
        raise BadNetwork("The session does not tell its model: give the file, seewhy.load('model.onnx').")
    proto = onnx.load_model_from_string(data) if data is not None else onnx.load(str(path))
    first = network.get_providers()[0]
    options = network.get_provider_options().get(first, {})
    return proto, (first, {"device_id": options["device_id"]} if "device_id" in options else {})
