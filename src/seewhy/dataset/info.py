"""What a run is: run.json in its folder, by which it is opened, and by which another command that goes on with it is held."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from seewhy.atomic import replacing, writing
from seewhy.errors import BadParameter, BadRecord
from seewhy.json_text import as_json, json_of
from seewhy.maps.source import made_from, stored
from seewhy.printable import printable, quoted

from .schema import VERSION

FILE = "run.json"
COMPARED = ("model", "weights_sha256", "labels", "methods", "targets", "layer", "full_maps", "prepare", "count", "digest")
LEAST, MOST, PARTS = 64, 4096, 1024  # photos of a part, and parts of a run of which all could be so small


@dataclass(frozen=True)
class RunInfo:
    """What a run is, apart from its rows.

    model, weights, weights_sha256, recipe, conditions, versions, prepare: as in a Source.
    labels: of the model's classes; None where it has none.
    methods: name and params of each; targets: "top", "true"; layer: as asked, None for the model's default.
    data: what was listed, as it was given; count: of its photos; digest: SHA-256 of the listing, truth included; remarks: of
        who listed it.
    chunk: photos of a part; full_maps: are there maps of full size in maps.zarr?
    """

    model: str
    weights: str | None
    weights_sha256: str
    labels: tuple[str, ...] | None
    methods: tuple[Mapping[str, Any], ...]
    targets: tuple[str, ...]
    data: str
    count: int
    digest: str
    chunk: int
    layer: str | None = None
    full_maps: bool = False
    prepare: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    schema: str = VERSION

    def to_json(self) -> str:
        """As one JSON object."""
        return as_json(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> "RunInfo":
        """What `to_json` wrote.  Raises ValueError, in words, for anything else."""
        content = json_of(text)
        if not isinstance(content, dict) or not str(content.get("schema")).startswith("seewhy-run/"):
            raise ValueError("it does not tell of a run")
        if content["schema"] != VERSION:
            raise ValueError(
                f"it is {printable(content['schema'], 40)}, and this seewhy reads {VERSION}: update the older of both"
            )
        kinds = {f.name for f in fields(cls)}
        info: RunInfo = made_from(cls, {key: value for key, value in stored(content).items() if key in kinds})
        if info.count < 0 or info.chunk < 1:
            raise ValueError("its numbers of photos are none")
        return info

    @property
    def method_names(self) -> tuple[str, ...]:
        """The names of the methods, in the order in which they were asked for."""
        return tuple(str(method.get("name")) for method in self.methods)

    def differences(self, other: "RunInfo") -> list[str]:
        """What of another run would give other rows, in words; nothing where one can go on with the other's."""
        mine, others = stored(asdict(self)), stored(asdict(other))
        told = {"digest": "the photos or their labels", "weights_sha256": "the weights", "labels": "the names of classes"}
        compared = (
            "model",
            "weights_sha256",
            "labels",
            "methods",
            "targets",
            "layer",
            "full_maps",
            "prepare",
            "count",
            "digest",
        )
        differing = [name for name in compared if mine[name] != others[name]]
        if "count" in differing:
            differing = [name for name in differing if name != "digest"]
        return [told.get(name) or _beside(name, mine[name], others[name]) for name in differing]


def _beside(name: str, mine: Any, other: Any) -> str:
    words = {"count": "the number of photos", "full_maps": "full-size maps"}.get(name, f"the {name}")
    return f"{words} ({quoted(_short(mine), 100)}, now {quoted(_short(other), 100)})"


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_short, value))
    if isinstance(value, Mapping) and "name" in value:
        params = ", ".join(f"{key}={inner}" for key, inner in value.get("params", {}).items())
        return f"{value['name']}({params})"
    return str(value)


def chunk_for(count: int) -> int:
    """How many photos a part of a run of so many has: few, so that little is lost, and not so few that parts are too many."""
    chunk = LEAST
    while chunk < MOST and chunk * PARTS < count:
        chunk *= 2
    return chunk


def read_info(folder: Path) -> RunInfo:
    """What the run in a folder is.  Raises BadParameter where there is none, BadRecord where run.json is damaged."""
    path = folder / FILE
    try:
        return RunInfo.from_json(path.read_bytes())
    except FileNotFoundError:
        raise BadParameter(
            f"There is no run in {printable(folder)}: it has no {FILE}. `seewhy run MODEL DATA -o FOLDER` makes one."
        ) from None
    except OSError as error:
        raise BadRecord(f"{printable(path)} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise BadRecord(f"{printable(path)} cannot be read as what a run is: {error}.") from None


def write_info(folder: Path, info: RunInfo) -> None:
    """Say in a folder, which is made, what its run is.  Raises NotWritten."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / FILE) as beside:
        beside.write_text(info.to_json() + "\n", "utf-8")
