"""Files of torch.save: tensors in a pickle.

A pickle is a program.  What it would import and call is listed before any of it is run.
"""

import pickletools
import re
from _compat_pickle import IMPORT_MAPPING
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from warnings import catch_warnings, simplefilter

import torch

from seewhy.errors import BadWeights

from .archive import is_archive, names_in, records

KNOWN = re.compile(  # harmless names of torch and Python; what other libraries registered with torch is not among them
    r"collections\.(OrderedDict|Counter)|builtins\.(set|bytearray|complex)|_codecs\.encode"
    r"|torch\.((cuda|sparse|cuda\.sparse|storage)\.)?\w*(Storage|Tensor)|torch\.(Size|device)|torch\.nn\.parameter\.Parameter|torch\._utils\._rebuild_\w+"
    r"|torch\._tensor\._rebuild_from_type_v2|torch\.serialization\._get_layout"
)
PICKLES = 5  # in a file of torch before 1.6: a number, a version, facts of the machine, what was saved, names of storages
PICKLE, PROGRAM = "data.pkl", "constants.pkl"  # records; the second TorchScript alone has


def unpickled(file: BinaryIO, path: Path, trust: bool = False) -> Any:
    """What torch.save put into a file; BadWeights, with the names of what it would run, unless `trust` or it runs nothing."""
    if not trust:
        _check(file, path)
    file.seek(0)
    try:
        with catch_warnings():
            for kind in (UserWarning, FutureWarning, DeprecationWarning):  # from torch.jit.load, which torch.load may go on to
                simplefilter("ignore", kind)
            return torch.load(file, map_location="cpu", weights_only=not trust)
    except Exception as error:  # noqa: BLE001 - pickle raises nearly anything on a broken file
        raise BadWeights(f"{path} cannot be read as weights: {_cause(error)}. {SAVE}.") from None


def _check(file: BinaryIO, path: Path) -> None:
    """Raise BadWeights for TorchScript, for an archive that torch.save did not write, and for a pickle of more than tensors."""
    if is_archive(file):
        if any(name.endswith(f"/{PROGRAM}") for name in names_in(file)):
            raise program(path)
        if PICKLE not in records(file, path):
            raise BadWeights(
                f"{path} cannot be read as weights: it holds no {PICKLE}, as torch.save writes it. {SAVE}. A program of "
                f"torch.export is loaded itself, without weights=: load({str(path)!r})."
            )
    needs = needed_code(file)
    if needs:
        raise BadWeights(
            f"{path} cannot be read as weights: it needs code ({few(needs)}), which is not run. {SAVE}; or, if you trust who "
            "made it, trust=True (--trust)."
        )


def _cause(error: Exception) -> str:
    """What went wrong, without torch's advice to run what is in the file."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).rpartition("WeightsUnpickler error:")[2]
    said = [line.partition(" In PyTorch 2.6")[0].strip() for line in text.splitlines() if line.strip()]
    return (said or [type(error).__name__])[0][:300].rstrip(".")


SAVE = "Save the state dict alone: torch.save(network.state_dict(), path), or as safetensors"


def few(needs: list[str]) -> str:
    """The first six names, each cut to a bounded length."""
    return f"{', '.join(name[:120] for name in needs[:6])}{', ...' * (len(needs) > 6)}"


def program(path: Path) -> BadWeights:
    """The error that a file is TorchScript."""
    return BadWeights(
        f"{path} is TorchScript, which is a program: reading or running it could read and write any file of yours, so it is "
        "not opened. Load the Python network it was made from, with its state dict as weights=; or, if you trust who made it, "
        "trust=True (--trust)."
    )


def needed_code(file: BinaryIO) -> list[str]:
    """The names that a pickle imports, apart from what tensors are made of; of a broken file, those up to the break."""
    needs: dict[str, None] = {}
    try:
        for pickled in _pickles(file):
            for operation, named, _ in pickletools.genops(pickled):
                if operation.name in ("GLOBAL", "INST"):
                    module, _, name = str(named).partition(" ")
                    needs[f"{IMPORT_MAPPING.get(module, module)}.{name}"] = None
                elif operation.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
                    needs[f"what it names while it runs ({operation.name})"] = None
    except Exception:  # noqa: BLE001 - nearly anything is raised on a broken file; the names up to here count
        pass
    return [name for name in needs if not KNOWN.fullmatch(name) and not _is_kind_of_number(name)]


def _is_kind_of_number(name: str) -> bool:
    """Does it name a kind of number, such as torch.float16 or torch.per_tensor_affine?"""
    return isinstance(getattr(torch, name.removeprefix("torch."), None), torch.dtype | torch.qscheme)


def _pickles(file: BinaryIO) -> Iterator[BinaryIO]:
    """The pickles in a file: a single record of an archive, or several that follow one another in an older file."""
    if is_archive(file):
        yield BytesIO(torch._C.PyTorchFileReader(file).get_record(PICKLE))
    else:
        yield from [file] * PICKLES


def tensors_only(saved: bytes) -> bool:
    """Is this a pickle of a dict or tuple of tensors, and of nothing that runs?"""
    try:
        contents = unpickled(BytesIO(saved), Path("sample inputs"))
    except BadWeights:
        return False
    return isinstance(contents, dict | tuple)
