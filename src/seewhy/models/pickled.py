"""What torch.save wrote: tensors in a pickle, which is a program.  What it asks for is listed before anything of it is done."""

import pickletools
import re
from _compat_pickle import IMPORT_MAPPING
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from warnings import catch_warnings, simplefilter

import torch

from ..errors import BadWeights
from .archive import is_archive, records

KNOWN = re.compile(  # of torch and Python alone; what other libraries allowed torch to make is not among them
    r"collections\.(OrderedDict|Counter)|builtins\.(set|bytearray|complex)|_codecs\.encode"
    r"|torch\.((cuda|sparse|cuda\.sparse|storage)\.)?\w+|torch\.nn\.parameter\.Parameter|torch\._utils\._rebuild_\w+"
    r"|torch\._tensor\._rebuild_from_type_v2|torch\.serialization\._get_layout"
)
PICKLES = 5  # in a file of torch before 1.6: a number, a version, facts of the machine, what was saved, names of storages
PROGRAM = "constants.pkl"  # a record that TorchScript alone has


def unpickled(file: BinaryIO, path: Path, trust: bool = False) -> Any:
    """What torch.save put there; BadWeights, with the names of what it wanted to run, unless `trust` or it runs nothing."""
    if not trust:
        names = records(file, path) if is_archive(file) else []
        if PROGRAM in names:
            raise program(path)
        _refuse(needed_code(file), path)
    file.seek(0)
    try:
        with catch_warnings():
            for kind in (UserWarning, FutureWarning):  # that a program goes on to torch.jit.load, which will go itself
                simplefilter("ignore", kind)
            return torch.load(file, map_location="cpu", weights_only=not trust)
    except Exception as error:  # noqa: BLE001 - pickle raises nearly anything on a broken file
        said = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines() or [type(error).__name__]
        raise BadWeights(f"{path} cannot be read as weights: {said[0]}. {SAVE}.") from None


SAVE = "Save the state dict alone: torch.save(network.state_dict(), path), or as safetensors"


def _refuse(needs: list[str], path: Path) -> None:
    if needs:
        raise BadWeights(
            f"{path} cannot be read as weights: it needs code ({few(needs)}), which is not run. {SAVE}; or, if you trust who "
            "made it, trust=True (--trust)."
        )


def few(needs: list[str]) -> str:
    return f"{', '.join(one[:120] for one in needs[:6])}{', ...' * (len(needs) > 6)}"


def program(path: Path) -> BadWeights:
    """What is said of TorchScript."""
    return BadWeights(
        f"{path} is TorchScript, which is a program: reading or running it could read and write any file of yours, so it is "
        "not opened. Load the Python network it was made from, with its state dict as weights=; or, if you trust who made it, "
        "trust=True (--trust)."
    )


def needed_code(file: BinaryIO) -> list[str]:
    """What a pickle asks for, by name, beside all that tensors are made of; of a broken file, what is seen until it breaks."""
    found: dict[str, None] = {}
    try:
        for pickled in _pickles(file):
            for operation, named, _ in pickletools.genops(pickled):
                if operation.name in ("GLOBAL", "INST"):
                    module, _, name = str(named).partition(" ")
                    found[f"{IMPORT_MAPPING.get(module, module)}.{name}"] = None
                elif operation.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
                    found[f"what it names while it runs ({operation.name})"] = None
    except Exception:  # noqa: BLE001 - nearly anything is raised on a broken file; what was found so far counts
        pass
    return [name for name in found if not KNOWN.fullmatch(name)]


def _pickles(file: BinaryIO) -> Iterator[BinaryIO]:
    if is_archive(file):
        yield BytesIO(torch._C.PyTorchFileReader(file).get_record("data.pkl"))
    else:
        yield from [file] * PICKLES


def tensors_only(saved: bytes) -> bool:
    """Can it be read as tensors in plain containers?"""
    try:
        found = unpickled(BytesIO(saved), Path("sample inputs"))
    except BadWeights:
        return False
    return isinstance(found, dict | tuple)
