"""An ONNX file, run by onnxruntime; torch is neither needed nor imported, unless gradients are asked for."""

from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from math import prod
from os import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO

import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, TensorProto

from seewhy.errors import BadParameter, BadWeights
from seewhy.json_text import json_of
from seewhy.models.onnx.model import onnx_model
from seewhy.models.settings import Settings
from seewhy.prepare.fit import Fit
from seewhy.printable import printable, quoted
from seewhy.untrained import RANDOM

from .hf_photos import fit_of, unlike_fit
from .open_file import digest, opened
from .sources import Loaded, Request, need

LARGEST = 2**31 - 1  # bytes of a message of protocol buffers


def onnx_network(request: Request) -> Loaded:
    """The graph of an .onnx file, with the weights that lie in files beside it; options: gradients, see `with_gradients`."""
    path = Path(request.spec)
    if not path.is_file():
        raise BadWeights(f"There is no file {path}.")
    stray = [*({*request.options} - {"gradients"})] + ([] if request.weights in (None, RANDOM) else ["weights"])
    if stray:
        raise BadParameter(f"{path} is a network with its weights: it takes no {', '.join(map(printable, stray))}.")
    with ExitStack() as files:
        file = files.enter_context(opened(path))
        proto = _read(file, path)
        beside = {where: files.enter_context(opened(_inside(path, where, request.trust))) for where in _elsewhere(proto, path)}
        for tensor in _outside(proto.graph):
            _fill(tensor, beside, path)
        hashed = digest(file, *beside.values())
    if not request.options.get("gradients"):
        return Loaded(proto, *_optimum(path), f"{path.name} {hashed}")
    return _on_torch(proto, request, f"{path.name} {hashed}")


def _optimum(path: Path) -> tuple[Fit | None, list[str] | None]:
    """The preprocessing and the labels that Optimum writes beside a model, into preprocessor_config.json and config.json."""
    settings, config = (_said(path.parent / name) for name in ("preprocessor_config.json", "config.json"))
    try:
        fit = fit_of(settings) if "image_mean" in settings and not unlike_fit(settings) else None
        names = {int(place): printable(name, 200) for place, name in config.get("id2label", {}).items()}
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise BadWeights(
            f"The files of settings beside {path} are broken: {error}. Remove them; give prepare= and labels=."
        ) from None
    return fit, [names[place] for place in sorted(names)] if names and {*names} == {*range(len(names))} else None


def _said(path: Path) -> dict[str, Any]:
    """What a file of settings says; nothing where there is none, or it holds something else."""
    try:
        found = json_of(path.read_bytes()) if path.is_file() else {}
    except (OSError, ValueError):
        found = {}
    return found if isinstance(found, dict) else {}


def _on_torch(proto: ModelProto, request: Request, weights: str) -> Loaded:
    """The graph as a network of torch, which gives gradients: by onnx2torch, and checked against onnxruntime."""
    as_torch = need("onnx2torch", "seewhy.models.onnx.as_torch", "onnx-torch").as_torch
    model = onnx_model(proto, Settings(request.spec, output=request.output if isinstance(request.output, str) else None))
    network, gap = as_torch(model.backend)
    said = "".join(f"; {note}" for note in model.backend.notes)
    words = f"{weights}, turned into torch by onnx2torch {version('onnx2torch')}: scores as by onnxruntime, to {gap:.1g}{said}"
    found = isinstance(request.output, str)
    labels = None if model.labels is None else [*model.labels]
    return Loaded(network, model.prepare, labels, words, {"task": model.task} if model.task else {}, found)


def _read(file: BinaryIO, path: Path) -> ModelProto:
    """The model in a file; BadWeights where it holds none."""
    if path.stat().st_size > LARGEST:
        raise BadWeights(f"{path} is larger than the 2 GB of an ONNX file: save it with its weights in a file beside it.")
    try:
        proto = onnx.load_model_from_string(file.read())
    except DecodeError:
        raise BadWeights(f"{path} is no ONNX model, or a part of one: fetch or export it again.") from None
    if not proto.HasField("graph") or not proto.graph.node or not proto.opset_import:
        raise BadWeights(f"{path} holds no ONNX graph: fetch or export it again.")
    return proto


def _outside(graph: GraphProto) -> Iterator[TensorProto]:
    """The constants of a graph, and of those inside it, whose numbers lie in another file."""
    tensors = [*graph.initializer]
    for node in graph.node:
        for each in node.attribute:
            tensors += [each.t, *each.tensors]
            for inner in [each.g, *each.graphs]:
                yield from _outside(inner) if inner.node or inner.initializer else ()
    yield from (tensor for tensor in tensors if tensor.data_location == TensorProto.EXTERNAL)


def _entries(tensor: TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _elsewhere(proto: ModelProto, path: Path) -> list[str]:
    """The files that hold weights, as the model names them."""
    found = [_entries(tensor).get("location") for tensor in _outside(proto.graph)]
    if None in found or "" in found:
        raise BadWeights(f"{path} is broken: it does not say in which file its weights lie.")
    return [*dict.fromkeys(str(where) for where in found)]


def _inside(path: Path, where: str, trust: bool) -> Path:
    """The file of weights of that name beside a model; BadWeights where it lies elsewhere, or nowhere."""
    folder = path.parent
    file = folder / where
    plain = not Path(where).is_absolute() and ".." not in Path(where).parts and "\0" not in where
    if not plain or not (trust or file.resolve().is_relative_to(folder.resolve())):
        raise BadWeights(
            f"{path} wants weights from {quoted(where)}, outside of its folder, which is not read."
            + (" If you trust who made it and its links: trust=True (--trust)." if plain else "")
        )
    if not file.is_file():
        raise BadWeights(
            f"{path} has its weights in a file beside it, {quoted(where)}, which is not there: fetch that file, too, and put "
            "it into the same folder under that name."
        )
    return file


def _fill(tensor: TensorProto, files: dict[str, BinaryIO], path: Path) -> None:
    """Read the numbers of a constant from the file in which they lie; BadWeights where they are not all there."""
    entries = _entries(tensor)
    file, size = files[entries["location"]], _bytes(tensor)
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", size))
        there = file.seek(0, SEEK_END) - file.seek(offset)
        data = file.read(size) if 0 <= size == length and size <= there else b""
    except (ValueError, OSError, OverflowError):
        data = b""
    if len(data) != size:
        raise BadWeights(
            f"{path}: the weights {printable(tensor.name, 100)} are not as a whole in {quoted(entries['location'])}: the file "
            "is cut short, or belongs to another model. Fetch it again."
        )
    tensor.raw_data = data
    del tensor.external_data[:]
    tensor.data_location = TensorProto.DEFAULT


def _bytes(tensor: TensorProto) -> int:
    """How many bytes the numbers of a constant take."""
    four_bits = tensor.data_type in (TensorProto.INT4, TensorProto.UINT4, getattr(TensorProto, "FLOAT4E2M1", -1))
    count = prod(tensor.dims)
    return (count + 1) // 2 if four_bits else count * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
