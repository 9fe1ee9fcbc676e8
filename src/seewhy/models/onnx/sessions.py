"""Parts of a graph, run by onnxruntime: a session for each set of tensors that is asked for, the constants kept once."""

import re
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime import InferenceSession, OrtValue

from seewhy.arrays import numbers
from seewhy.errors import BadNetwork, BadParameter
from seewhy.lru import Recent
from seewhy.printable import printable, quoted, words_of

from .graph import OnnxGraph

KEPT = 6  # sessions, each of which holds its own packed copy of the weights that it needs
FATAL = 4  # onnxruntime's own level of logging: what goes wrong comes as an exception all the same
CPU = "CPUExecutionProvider"
SHORT = {"cpu": CPU, "cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
Provider = tuple[str, dict[str, Any]]


def provider_of(device: Any) -> Provider:
    """The provider of onnxruntime that a device's name means: "cpu", "cuda:1", or a provider's own name; by default the CPU.

    Raises BadParameter where this onnxruntime has none such.
    """
    name, _, number = str(device or "cpu").partition(":")
    provider, there = SHORT.get(name, name), onnxruntime.get_available_providers()
    if provider not in there or (number and not number.isdecimal()):
        raise BadParameter(
            f"device={quoted(str(device))}: this onnxruntime runs on {', '.join(there)}. Others come with other packages of "
            "it, such as onnxruntime-gpu for CUDA."
        )
    return provider, {"device_id": int(number)} if number else {}


class GraphSessions:
    """Runs parts of one graph.  Threads may share it."""

    def __init__(self, graph: OnnxGraph, name: str, provider: Provider, threads: int | None = None) -> None:
        self.graph, self.name, self.provider, self.threads = graph, name, provider, threads
        self.values = {key: OrtValue.ortvalue_from_numpy(array) for key, array in graph.weights.items()}
        self.recent: Recent[Any, InferenceSession] = Recent(KEPT)
        self.lock = Lock()

    def run(
        self, outputs: Sequence[str], given: Mapping[str, NDArray[Any]], kinds: Mapping[str, int]
    ) -> dict[str, NDArray[Any]]:
        """Those tensors of the graph, where others are given; kinds: of the numbers of these, as ONNX counts them.

        Raises BadNetwork where onnxruntime fails, MemoryError where memory runs out.
        """
        session = self._session(tuple(outputs), {name: kinds[name] for name in given})
        wanted = {each.name for each in session.get_inputs()}
        try:
            arrays = session.run(list(outputs), {name: array for name, array in given.items() if name in wanted})
        except Exception as error:
            raise self._failed(error, given) from error
        return dict(zip(outputs, map(numbers, arrays), strict=True))

    def check(self, outputs: Sequence[str], kinds: Mapping[str, int]) -> None:
        """Raise BadNetwork where onnxruntime cannot read the part of the graph that computes those tensors."""
        self._session(tuple(outputs), kinds)

    def _session(self, outputs: tuple[str, ...], kinds: Mapping[str, int]) -> InferenceSession:
        key = outputs, tuple(kinds.items())
        session = self.recent.get(key)
        if session is None:
            with self.lock:  # a session that several threads wait for is made once
                session = self.recent.get(key) or self.recent.keep(key, self._made(outputs, kinds))
        return session

    def _made(self, outputs: Sequence[str], kinds: Mapping[str, int]) -> InferenceSession:
        model: Any = self.graph.part(outputs, kinds)
        options: Any = onnxruntime.SessionOptions()  # type: ignore[attr-defined] - from a compiled module
        options.log_severity_level = FATAL
        options.use_deterministic_compute = True
        if self.threads:
            options.intra_op_num_threads = self.threads
        shared = [each.name for each in model.graph.initializer if each.name in self.values]
        options.add_external_initializers(shared, [self.values[name] for name in shared])
        try:
            return InferenceSession(model.SerializeToString(), options, [self.provider], enable_fallback=0)
        except Exception as error:
            raise unreadable(self.name, error, model) from error

    def _failed(self, error: Exception, given: Mapping[str, NDArray[Any]]) -> Exception:
        words = words_of(error)
        if re.search(r"bad.?alloc|Failed to allocate memory|out of memory", words, re.IGNORECASE):
            return MemoryError(words)
        shapes = ", ".join(f"{printable(name, 100)} {array.dtype} {array.shape}" for name, array in given.items())
        return BadNetwork(f"onnxruntime failed on {self.name}, given {shapes}: {reason(words)}")


def unreadable(name: str, error: Exception, model: Any) -> BadNetwork | MemoryError:
    """The error that onnxruntime cannot read a model, with what can be done."""
    words = words_of(error)
    opsets = {each.domain or "ai.onnx": each.version for each in model.opset_import}
    newest = onnx.defs.onnx_opset_version()
    if re.search(r"bad.?alloc|Failed to allocate memory", words, re.IGNORECASE):
        return MemoryError(words)
    if re.search(r"opset|IR.?version", words, re.IGNORECASE):
        advice = (
            f"The model is written in opset {opsets.get('ai.onnx', '?')}, IR version {model.ir_version}. Convert it, "
            f"onnx.version_converter.convert_version(model, {min(newest, 21)}), export it again with opset_version=18, or take "
            "a newer onnxruntime."
        )
    elif re.search(r"not a registered function/op|No Op registered|No opset import|not found in|domain", words):
        foreign = ", ".join(sorted({*opsets} - {"ai.onnx", "ai.onnx.ml"}))
        advice = (
            f"It has operators that this onnxruntime does not know{f' (of {printable(foreign, 200)})' if foreign else ''}: "
            "export it without custom operators; or run it yourself and explain the function, "
            "seewhy.wrap(function from images to scores)."
        )
    elif re.search(r"NOT_IMPLEMENTED|Could not find an implementation", words):
        advice = "The CPU provider of onnxruntime lacks an operator for such numbers: export the model in float32."
    else:
        advice = "onnx.checker.check_model(path, full_check=True) may tell more; export it again."
    return BadNetwork(f"onnxruntime {onnxruntime.__version__} cannot read {name}: {reason(words)} {advice}")


def reason(words: str) -> str:
    """What an error of onnxruntime says, without where in its own code."""
    line = " ".join(words.split())
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : (\w+) : ", "", line)
    line = re.sub(r"\S*/onnxruntime/\S+ ?", "", line)
    return printable(line, 400).rstrip(".") + "."
