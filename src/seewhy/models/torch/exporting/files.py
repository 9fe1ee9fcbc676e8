"""The files that a traced network is written to, and how they are run without what they were made of."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram, load, save

from seewhy.arrays import numbers
from seewhy.errors import BadNetwork, MissingExtra, NotApplicable
from seewhy.models.graph import FileRun
from seewhy.printable import printable

FACTS = "seewhy"  # the key of what is told of the file, in its metadata
LARGEST = 2**31 - 2**20  # bytes of weights: a file of protocol buffers ends at 2 GB


def onnx_file(program: ExportedProgram, beside: Path, facts: str) -> Mapping[str, Any]:
    """Write the program as ONNX; returns its opset.

    Raises MissingExtra where onnxscript is not installed, NotApplicable where an operation has no form in ONNX, or the weights
    are too large for one file.
    """
    needed("onnxscript")
    if sum(value.nbytes for value in program.state_dict.values()) > LARGEST:
        raise NotApplicable("The weights are larger than the 2 GB that one ONNX file may have. Write a .pt2 file instead.")
    try:
        made = torch.onnx.export(program, dynamo=True, verbose=False)
    except Exception as error:  # whatever its translators raise
        raise NotApplicable(f"torch.onnx has no form for this network: {_cause(error)}. Write a .pt2 file instead.") from error
    assert made is not None
    model = made.model
    for value, name in zip([*model.graph.inputs, *model.graph.outputs], ("images", "scores", "maps"), strict=True):
        value.name = name
    _name_batch(model)
    model.metadata_props[FACTS] = facts
    model.producer_name = FACTS
    made.save(str(beside), external_data=False)
    return {"opset": model.opset_imports[""]}


def _name_batch(model: Any) -> None:
    """Let the number of images be called n, where torch counts its symbols."""
    batch = model.graph.inputs[0].shape[0]
    if isinstance(batch, int):
        return
    for node in model.graph:
        for value in node.outputs:  # sizes inside follow from the inputs: what a runtime is told of them is of no use
            if value.shape is not None and not value.is_graph_output():
                value.shape = None
    for value in (*model.graph.inputs, *model.graph.outputs):
        value.shape[0] = "n"


def pt2_file(program: ExportedProgram, beside: Path, facts: str) -> Mapping[str, Any]:
    """Write the program as torch.export does."""
    try:
        save(program, str(beside), extra_files={f"{FACTS}.json": facts})
    except OSError:
        raise
    except Exception as error:  # whatever its writers raise
        raise NotApplicable(f"torch.export cannot write this network: {_cause(error)}. Write an .onnx file instead.") from error
    return {}


def opened_onnx(path: Path) -> FileRun:
    """What runs an ONNX file, by onnxruntime on the CPU."""
    runtime = needed("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of classes of its own, which have no name outside
        raise BadNetwork(f"onnxruntime cannot run what was written: {_cause(error)}.") from error
    (images,) = session.get_inputs()
    return lambda x: tuple(session.run(["scores", "maps"], {images.name: x}))


def opened_pt2(path: Path) -> FileRun:
    """What runs a program of torch.export."""
    program = load(str(path)).module()

    def run(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        with torch.no_grad():
            scores, maps = program(torch.as_tensor(x))
        return numbers(scores), numbers(maps)

    return run


def needed(package: str) -> Any:
    """Import a package that only exports need."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or package, "export") from None


def _cause(error: BaseException) -> str:
    """The innermost reason, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable(f"{type(error).__name__}: {lines[0] if lines else 'it gives no reason'}", 300).rstrip(".")
