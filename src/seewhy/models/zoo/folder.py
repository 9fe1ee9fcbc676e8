"""A model's folder, which a stranger may have made: its own files are read and no others, and what it may not decide is left.

The settings beside weights can name files and networks elsewhere, Python, and kernels to fetch and run; other libraries follow
such names.  They are given settings without them, and, where they read files themselves, a copy that holds only these.
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
NETWORKS, NAME = ("backbone", "architecture"), re.compile(r"[\w.]*")  # of timm's own
BOUNDS = (  # of numbers in settings, beyond which a network is built for ever, and a photo has no room
    (re.compile(r"num_\w*layers|num_hidden_layers|depths?|layers|\w*blocks"), 2_000),
    (re.compile(r"num_(labels|classes)"), 1_000_000),
    (re.compile(r"size|crop_size|pad_size|\w*(image|img|input)_size|height|width|(shortest|longest)_edge"), 20_000),
)
NAMES = ("id2label", "label2id", "label_names", "label_descriptions")  # whose keys and values are a person's words


def own_file(folder: Path, name: str, trust: bool = False) -> Path | None:
    """The file of that name in the folder, None where there is none; BadWeights where it is one outside, unless `trust`."""
    path = folder / name
    if Path(name).name != name or "\\" in name or "\0" in name:
        raise BadWeights(f"{folder} names {name[:200]!r}, which is no file of its own, so it is not opened.")
    if not path.is_file():
        return None
    home = folder.resolve()
    homes = [home, *([home.parents[1] / "blobs"] if home.parent.name == "snapshots" else [])]  # as huggingface_hub keeps files
    if not trust and not any(path.resolve().is_relative_to(one) for one in homes):
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
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadWeights(f"{path} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise BadWeights(f"{path} holds no JSON object.")
    return found


def cleaned(found: Any, where: str) -> Any:
    """The settings without what names files or code; BadWeights where they name another network, or one in pieces.

    where: whose they are, for the error.
    """
    if isinstance(found, list):
        return [cleaned(one, where) for one in found]
    if not isinstance(found, dict):
        return found
    kept = {}
    for key, value in found.items():
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
        _bounded(key, value, where)
        if key in NAMES:
            kept[key] = value
        elif not OTHERS.fullmatch(key) and not (PLACES.fullmatch(key) and _speaks(value)):
            kept[key] = cleaned(value, where)
    return kept


def _bounded(key: str, value: Any, where: str) -> None:
    numbers = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, int | float)]
    for kind, most in BOUNDS:
        if kind.fullmatch(key) and any(one > most for one in numbers):
            raise BadWeights(f"{where}: {key} is {_short(value)} in its settings, more than {most}, so it is not tried.")


def _speaks(value: Any) -> bool:
    """Is there text in it, that could name something?"""
    if isinstance(value, dict):
        return any(map(_speaks, value.values()))
    return any(map(_speaks, value)) if isinstance(value, list) else isinstance(value, str)


def _short(value: Any) -> str:
    return str(value)[:120]


@contextmanager
def copied(folder: Path, config: Mapping[str, Any]) -> Iterator[Path]:
    """A folder with the settings and words of another, cleaned, while the block runs; config: those of its config.json.

    What the block raises names the folder itself, and the Python that it brings.
    """
    with TemporaryDirectory(prefix="seewhy-") as name:
        into, brings = Path(name), []
        (into / "config.json").write_text(json.dumps(config), "utf-8")
        for found in sorted(folder.iterdir()):
            if found.suffix not in (".json", ".txt", ".model") or found.name == "config.json" or "adapter" in found.name:
                continue
            path = own_file(folder, found.name)
            if path and path.name.endswith("config.json"):
                page = read_settings(path)
                brings += [path.name] if page.get("auto_map") else []
                (into / path.name).write_text(json.dumps(cleaned(page, str(path))), "utf-8")
            elif path and path.stat().st_size <= MOST:
                (into / path.name).write_bytes(path.read_bytes())
        try:
            yield into
        except (BadParameter, BadWeights) as error:
            own = f" {', '.join(brings)} brings Python of its own, which is not run unless you trust it: trust=True (--trust)."
            raise type(error)(f"{error}".replace(name, str(folder)) + (own if brings else "")) from error
