"""A network that was saved whole: a program of torch.export, TorchScript, or a pickled module."""

from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from warnings import catch_warnings, simplefilter

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.jit import ScriptModule

from seewhy.errors import BadNetwork, BadParameter, BadWeights
from seewhy.models.torch.program import first_line
from seewhy.untrained import RANDOM

from .archive import names_in
from .exported import exported
from .open_file import digest, opened
from .pickled import PROGRAM, few, needed_code, program, unpickled
from .sources import Loaded, Request


def saved_network(request: Request) -> Loaded:
    """A file of torch.export; with `trust`, also TorchScript or a whole pickled module."""
    path = Path(request.spec)
    if not path.is_file():
        raise BadWeights(f"There is no file {path}.")
    stray = [*request.options] + ([] if request.weights in (None, RANDOM) else ["weights"])
    if stray:
        raise BadParameter(f"{path} is a network with its weights: it takes no {', '.join(stray)}.")
    with opened(path) as file:
        network, hashed = _network(file, path, request.trust)
    return Loaded(network, None, None, f"{path.name} {hashed}")


def _network(file: BinaryIO, path: Path, trust: bool) -> tuple[ExportedProgram | nn.Module, str]:
    """The network in a file, recognised by what the file holds and not by its ending; and the digest of the file."""
    names = names_in(file)
    script = any("/code/" in name or name.endswith(f"/{PROGRAM}") for name in names)
    if any(name.endswith(EXPORTED) for name in names) or (path.suffix == ".pt2" and not script):
        data = _in_memory(file)
        return exported(data, path, trust), digest(data)
    if script:
        if not trust:
            raise program(path)
        data = _in_memory(file)
        return _scripted(data, path), digest(data)
    return _whole_module(file, path, trust), digest(file)


EXPORTED = ("serialized_exported_program.json", "models/model.json", "/archive_format")


def _in_memory(file: BinaryIO) -> BytesIO:
    """All bytes of a file."""
    file.seek(0)
    return BytesIO(file.read())


def _scripted(data: BytesIO, path: Path) -> ScriptModule:
    """The network in a file of TorchScript, which is trusted by now."""
    data.seek(0)
    try:
        with catch_warnings():
            for kind in (
                FutureWarning,
                DeprecationWarning,
            ):  # that TorchScript is deprecated
                simplefilter("ignore", kind)
            return torch.jit.load(data, map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise BadWeights(f"{path} cannot be read by torch.jit.load: {first_line(error)}") from error


def _whole_module(file: BinaryIO, path: Path, trust: bool) -> nn.Module:
    """The network in a pickle; BadWeights where reading it would run code, BadNetwork where there is none in it."""
    needs = [] if trust else needed_code(file)
    if needs:
        raise BadWeights(
            f"{path} is pickled whole, and reading it runs code ({few(needs)}), which is not done. Save its state dict and "
            "load the network by name with weights=; or, if you trust who made it, trust=True (--trust)."
        )
    contents = None if path.suffix == ".safetensors" else unpickled(file, path, trust)
    if isinstance(contents, nn.Module):
        return contents
    raise BadNetwork(
        f"{path} holds weights and no network (no torch.export program, no TorchScript). Name the network they belong to: "
        f"load('torchvision/NAME', weights={str(path)!r}), --model path/to/file.py:NAME --weights {path}."
    )
