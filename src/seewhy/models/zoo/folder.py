"""A model's folder, which a stranger may have made: only files in it are read, and only harmless settings are handed on.

The settings beside weights can name files and networks elsewhere, Python, and kernels to download and run; other libraries
follow such names.  They are given settings without them; where they read files themselves, they read a clean copy.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from seewhy.errors import BadParameter, BadWeights

MOST = 100 * 2**20  # bytes of one file of settings or words
PLACES = re.compile(r"(\w*_)?(files?|paths?|dirs?|urls?|filename|repo|hf_hub_id)|hf_hub_filename", re.IGNORECASE)
OTHERS = re.compile(
    r"auto_map|custom_\w+|\w*_implementation\w*|fusion_config|kernel_config|use_kernels|chat_template|pretrained|state_dict"
    r"|pretrained_cfg_overlay|transformers_weights"
)
NETWORKS, NAME = ("backbone", "architecture"), re.compile(r"[\w.]*")  # settings that name a network of timm, and such names
BOUNDS = (  # of numbers in settings: beyond them a network takes for ever to build, and a photo does not fit into memory
    (re.compile(r"num_\w*layers|num_hidden_layers|depths?|layers|\w*blocks"), 2_000),
    (re.compile(r"num_(labels|classes)"), 1_000_000),
    (re.compile(r"size|crop_size|pad_size|\w*(image|img|input)_size|height|width|(shortest|longest)_edge"), 20_000),
)
NAMES = (
    "id2label",
    "label2id",
    "label_names",
    "label_descriptions",
)  # settings whose keys and values are labels, and not settings


def file_in(folder: Path, name: str, trust: bool = False) -> Path | None:
    """The file of that name in the folder, None where there is none; BadWeights where it is one outside, unless `trust`."""
    path = folder / name
    if Path(name).name != name or "\\" in name or "\0" in name:
        raise BadWeights(f"{folder} names {name[:200]!r}, which is no file of its own, so it is not opened.")
    if not path.is_file():
        return None
    home = folder.resolve()
    homes = [home, *([home.parents[1] / "blobs"] if home.parent.name == "snapshots" else [])]  # as huggingface_hub keeps files
    if not trust and not any(path.resolve().is_relative_to(place) for place in homes):
        raise BadWeights(
            f"{path} is a link out of its folder, to {path.resolve()}, which is not followed. Put the file there itself; or, "
            "if you trust who made the folder, trust=True (--trust)."
        )
    return path


def read_settings(path: Path) -> dict[str, Any]:
    """The JSON object in a file; BadWeights for anything else."""
    try:
        if path.stat().st_size > MOST:
            raise ValueError(f"it has more than {MOST // 2**20} MB")
        settings = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadWeights(f"{path} cannot be read: {error}") from None
    if not isinstance(settings, dict):
        raise BadWeights(f"{path} holds no JSON object.")
    return settings


def cleaned(settings: Any, where: str) -> Any:
    """The settings without what names files or code; BadWeights where they name another network, or are of quantised weights.

    where: the model or file that they belong to, for the error.
    """
    if isinstance(settings, list):
        return [cleaned(item, where) for item in settings]
    if not isinstance(settings, dict):
        return settings
    clean = {}
    for key, value in settings.items():
        if key == "quantization_config" and value:
            raise BadWeights(
                f"{where} is quantised ({_short(value)}), which other code undoes: give whole weights; or, if you trust who "
                "made it, trust=True (--trust)."
            )
        if key in NETWORKS and isinstance(value, str) and not NAME.fullmatch(value):
            raise BadWeights(
                f"{where} names a network elsewhere ({key}: {_short(value)}), which is not fetched. Give its backbone_config; "
                "or, if you trust who made it, trust=True (--trust)."
            )
        _check_size(key, value, where)
        if key in NAMES:
            clean[key] = value
        elif not OTHERS.fullmatch(key) and not (PLACES.fullmatch(key) and _holds_text(value)):
            clean[key] = cleaned(value, where)
    return clean


def _check_size(key: str, value: Any, where: str) -> None:
    """Raise BadWeights where a number is beyond its bound in BOUNDS."""
    numbers = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, int | float)]
    for kind, most in BOUNDS:
        if kind.fullmatch(key) and any(number > most for number in numbers):
            raise BadWeights(f"{where}: {key} is {_short(value)} in its settings, more than {most}, so it is not tried.")


def _holds_text(value: Any) -> bool:
    """Is there text anywhere in the value, which could name something?"""
    if isinstance(value, dict):
        return any(map(_holds_text, value.values()))
    return any(map(_holds_text, value)) if isinstance(value, list) else isinstance(value, str)


def _short(value: Any) -> str:
    return str(value)[:120]


@contextmanager
def copied(folder: Path, config: Mapping[str, Any]) -> Iterator[Path]:
    """While the block runs, a copy of the folder with its settings, cleaned, and its vocabularies.

    config: the settings of its config.json, cleaned already.
    Errors that the block raises name the folder instead of the copy, and the Python that comes with it.
    """
    with TemporaryDirectory(prefix="seewhy-") as name:
        copy, with_code = Path(name), []
        (copy / "config.json").write_text(json.dumps(config), "utf-8")
        for entry in sorted(folder.iterdir()):
            if entry.suffix not in (".json", ".txt", ".model") or entry.name == "config.json" or "adapter" in entry.name:
                continue
            path = file_in(folder, entry.name)
            if path and path.name.endswith("config.json"):
                settings = read_settings(path)
                with_code += [path.name] if settings.get("auto_map") else []
                (copy / path.name).write_text(json.dumps(cleaned(settings, str(path))), "utf-8")
            elif path and path.stat().st_size <= MOST:
                (copy / path.name).write_bytes(path.read_bytes())
        try:
            yield copy
        except (BadParameter, BadWeights) as error:
            code = (
                f" {', '.join(with_code)} brings Python of its own, which is not run unless you trust it: trust=True (--trust)."
            )
            raise type(error)(f"{error}".replace(name, str(folder)) + (code if with_code else "")) from error
