"""The map of a set of photos as one page that loads nothing; of thousands the thumbnails lie in a folder beside it.

What strangers may have written (names of files, labels) goes into it escaped: by a template that escapes all, and as JSON in
which no sign can end the element that holds it.
"""

import hashlib
import io
import json
import os
from base64 import b64encode
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from jinja2 import Environment
from markupsafe import Markup
from numpy.typing import NDArray

from seewhy import __version__
from seewhy.atomic import replacing
from seewhy.errors import BadParameter, NotWritten
from seewhy.inside.embeddings.colouring import Colouring, colourings
from seewhy.inside.embeddings.embedding import Embedding
from seewhy.inside.embeddings.projection import Projection, others_of
from seewhy.pictures.render import COLOURS
from seewhy.pictures.scatter import OTHER
from seewhy.printable import printable

from .sprites import BESIDE, SpriteSheets, side_for, sprite_sheets

ROOM = 3_700_000  # characters of thumbnails in the page itself
NEAR = 10  # neighbours of each photo
WORDS, LABEL = 300, 90  # characters of what a stranger wrote
UNKNOWN = 65535  # in the place of a number that is not known
STEPS = 65534  # of numbers between their ends


def save_map(embedding: Embedding, projection: Projection, path: Path) -> list[Path]:
    """Write the page, and say which files were written: of many photos their thumbnails, too.  Raises NotWritten."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise BadParameter(f"The page of a map is written as .html, not as {path.suffix or path.name}.")
    paths, side = embedding.photos.paths, side_for(len(embedding))
    sprites = sprite_sheets(paths, side or BESIDE)
    folder, written = path.with_name(f"{path.stem}-photos"), [path]
    if side is not None and sum(len(sheet) for sheet in sprites.sheets) * 4 / 3 <= ROOM:
        addresses = [f"data:image/webp;base64,{b64encode(sheet).decode('ascii')}" for sheet in sprites.sheets]
    else:
        addresses = [f"{quote(folder.name)}/sheet-{number}.webp" for number in range(1, len(sprites.sheets) + 1)]
        written += _save_sheets(sprites, folder)
    page = map_page(embedding, projection, sprites, addresses, path.parent)
    with replacing(path, of="the map of photos") as beside:
        beside.write_text(page, "utf-8", errors="replace")
    return written


def _save_sheets(sprites: SpriteSheets, folder: Path) -> list[Path]:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise NotWritten(f"The folder {printable(folder)} cannot be made: {error.strerror or error}.") from error
    written = [folder / f"sheet-{number}.webp" for number in range(1, len(sprites.sheets) + 1)]
    for file, sheet in zip(written, sprites.sheets, strict=True):
        with replacing(file, of="thumbnails of the map") as beside:
            beside.write_bytes(sheet)
    return written


def map_page(
    embedding: Embedding, projection: Projection, sprites: SpriteSheets, addresses: list[str], beside: Path = Path()
) -> str:
    """The page as HTML.  addresses: of the sheets of thumbnails; beside: the folder that it will lie in."""
    script, photos = _part("map.js"), embedding.photos
    facts = {
        "model": projection.features, "photos": f"{len(embedding):,}, {printable(embedding.facts.data, WORDS)}",
        "map": projection.layout.words,
    }  # fmt: skip
    content = _json(_content(embedding, projection, sprites, addresses, beside))
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_part("map.html.j2"))
    return template.render(
        version=__version__,
        style=Markup(files("seewhy.report.failures").joinpath("page.css").read_text("utf-8") + _part("map.css")),
        script=Markup(script),
        digest=b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        content=Markup(content),
        heading=f"What {printable(embedding.facts.model.name, LABEL)} sees alike",
        facts=[(name, printable(words, WORDS)) for name, words in facts.items()],
        says=[printable(line, 3 * WORDS) for line in projection.says],
        remarks=[printable(line, WORDS) for line in embedding.remarks],
        left_out=[printable(left, WORDS) for left in embedding.left_out[:50]],
        left_count=len(embedding.left_out),
        colourings=[(each.name, each.title) for each in colourings(photos)],
        picture=_picture(projection),
        count=len(embedding),
    )


def _picture(projection: Projection) -> str:
    """The map as it stands, for who has no scripts, and for paper."""
    file = io.BytesIO()
    projection.picture(side=600).quantize(64).save(file, "png", optimize=True)
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode('ascii')}"


def _content(embedding: Embedding, projection: Projection, sprites: SpriteSheets, addresses: list[str], beside: Path) -> Any:
    """All that the script reads."""
    photos = embedding.photos
    paths = [printable(path, 1000) for path in photos.paths]
    start = os.path.commonprefix(paths)  # noqa: RUF071 - of texts, which is cut back to a folder
    start = start[: max(start.rfind("/"), start.rfind("\\")) + 1]
    classes: dict[str, int] = {"": 0}
    truth = [classes.setdefault(printable(photos.truth_name(place), LABEL), len(classes)) for place in range(len(photos))]
    said = [classes.setdefault(printable(photos.name(index), LABEL), len(classes)) for index in photos.predicted.tolist()]
    near = embedding.all_neighbours(NEAR, projection.layout.params["metric"])
    return {
        "count": len(photos),
        "points": _base64(_places(projection.points), "<u2"),
        "start": start, "names": [path[len(start) :] for path in paths], "link": _link(start, beside),
        "classes": [*classes], "truth": _base64(truth, "<u4"), "said": _base64(said, "<u4"),
        "right": _base64(photos.right + 1, "u1"),
        "sure": _quantised(photos.probabilities, 0, 1), "true": _quantised(photos.true_probabilities, 0, 1),
        "near": _base64(near, "<u4"), "nearest": near.shape[1],
        "colourings": [_colouring(each) for each in colourings(photos)],
        "ramp": [_hex(stop) for stop in COLOURS["viridis"].astype(int).tolist()], "other": _hex(OTHER),
        "sprites": {
            "side": sprites.side, "columns": sprites.columns, "sizes": _base64(sprites.sizes, "u1"), "sheets": addresses,
        },
    }  # fmt: skip


def _places(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """The points in a square of 65,535 steps, both axes alike, y downwards."""
    low, high = points.min(0).astype(float), points.max(0).astype(float)
    reach = max(*(high - low), 1e-12)
    shares = (points - (low + high) / 2) / reach + 0.5
    return np.stack([shares[:, 0], 1 - shares[:, 1]], 1) * 65535


def _colouring(each: Colouring) -> dict[str, Any]:
    told: dict[str, Any] = {"name": each.name, "title": each.title}
    if each.values is not None:
        return told | {"low": each.low, "high": each.high, "values": _quantised(each.values, each.low, each.high)}
    marks = [
        {"name": printable(one.name, LABEL), "colour": _hex(one.mark.colour), "shape": one.mark.shape, "photos": one.photos}
        for one in each.classes
    ]
    codes = np.zeros(0) if each.codes is None else each.codes
    return told | {"classes": marks, "codes": _base64(codes, "<i2"), "others": each.others, "other": others_of(each)}


def _quantised(values: NDArray[np.float32], low: float, high: float) -> str:
    """Numbers as steps between their ends, UNKNOWN of those that are not known."""
    shares = np.clip((np.nan_to_num(values.astype(float), nan=low) - low) / (high - low), 0, 1)
    return _base64(np.where(np.isfinite(values), shares * STEPS, UNKNOWN), "<u2")


def _base64(values: Any, kind: str) -> str:
    numbers = np.asarray(values)
    whole = np.rint(numbers) if numbers.dtype.kind == "f" else numbers
    return b64encode(np.ascontiguousarray(whole).astype(kind).tobytes()).decode("ascii")


def _hex(colour: Any) -> str:
    return "#" + "".join(f"{int(channel):02x}" for channel in colour)


def _link(start: str, beside: Path) -> str | None:
    """Where links to photos begin, as seen from the page; None where they are no files of their own."""
    if not start or "://" in start or not os.path.isdir(start):
        return None
    try:
        there = os.path.relpath(os.path.realpath(start), os.path.realpath(beside))
    except ValueError:  # on another drive
        return None
    return quote(there.replace(os.sep, "/")) + "/"


def _json(content: Any) -> str:
    """As JSON of plain ASCII in which no sign can end the element that holds it."""
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _part(name: str) -> str:
    return files("seewhy.report.embedding_map").joinpath(name).read_text("utf-8")
