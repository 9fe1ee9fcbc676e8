"""The photos that excite units and classes most, as a record: pictures, JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from seewhy.atomic import replacing
from seewhy.errors import BadParameter, NotApplicable, whole_number
from seewhy.images.places import Extent, Turned
from seewhy.json_text import as_json
from seewhy.maps.heatmaps import Failed
from seewhy.maps.saving import sheet_png
from seewhy.maps.source import ModelFacts
from seewhy.pictures.grid import SOFT, GridCell, GridRow, GridTable, GridText, grid
from seewhy.pictures.outlines import Outline, outlined
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import printable

SIDE = 160  # pixels of the longer side of each crop, and of each whole photo


@dataclass(frozen=True)
class ExcitingPhoto:
    """A photo that excites a unit or a class, and the part of it that does.

    number: its place among all photos, from 0 on; shows: the classes that the set says it shows, in words, or "".
    value: what the unit emits for it, or the score of the class.
    cell: where in the layer the unit is excited most; None of a class, of a sum, and of a layer without space.
    box: what that cell sees, in pixels of the photo; where there is no cell all that the network saw; None where it is not
        known.
    crop, whole: that part of the photo, and the photo, small; None where nothing can be cut out.
    """

    number: int
    photo: str
    shows: str
    value: float
    cell: tuple[int, ...] | None
    box: Extent | Turned | None
    crop: Thumbnail | None = field(repr=False)
    whole: Thumbnail | None = field(repr=False)
    size: tuple[int, int] | None = None  # (w, h) of the photo, in pixels

    @property
    def facts(self) -> dict[str, Any]:
        """What can be said of it without its pixels."""
        edges = None if self.box is None else [*(self.box.extent if isinstance(self.box, Turned) else self.box)]
        own = {"number": self.number, "photo": self.photo, "shows": self.shows, "value": self.value}
        return {**own, "cell": None if self.cell is None else [*self.cell], "box": edges}


@dataclass(frozen=True)
class TargetPhotos:
    """The photos that excite one unit or class most, the strongest first; of equal ones the one that came first.

    target: as text, from which the same is made again, but for a direction's numbers; words: it in words; seen: of so many
    photos its value is known, mean: what these have; note: what is to be known of it.
    """

    target: str
    words: str
    photos: tuple[ExcitingPhoto, ...]
    seen: int
    mean: float
    note: str = ""

    def __str__(self) -> str:
        first = f"{self.photos[0].value:.4g}, of {printable(self.photos[0].photo)}" if self.photos else "no photo"
        return f"{self.words}: {first}; mean {self.mean:.4g}" + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True, eq=False)
class TopPhotos:
    """For each unit or class that was asked for the photos of a set that excite it most: `found[0].photos[0].crop`.

    listed: how many photos there are, where that is known before they are read; seen: how many the network saw.
    failed: photos that could not be read; interrupted: a person ended it, and the photos until then are ranked.
    """

    model: ModelFacts
    photos: str
    listed: int | None
    seen: int
    rankings: tuple[TargetPhotos, ...]
    failed: tuple[Failed, ...] = ()
    interrupted: bool = False

    def __len__(self) -> int:
        return len(self.rankings)

    def __getitem__(self, place: int) -> TargetPhotos:
        return self.rankings[place]

    def __iter__(self) -> Iterator[TargetPhotos]:
        return iter(self.rankings)

    def __str__(self) -> str:
        more = f", {len(self.failed)} could not be read" if self.failed else ""
        head = f"{printable(self.model.name)}: {self.seen} photos{more}{', interrupted' if self.interrupted else ''}"
        return "\n".join([head, *map(str, self.rankings)])

    @property
    def facts(self) -> dict[str, Any]:
        """All of it without pixels, by name."""
        rankings = [{**_plain(each), "photos": [photo.facts for photo in each.photos]} for each in self.rankings]
        of = {name: value for name, value in asdict(self.model).items() if name not in ("host", "untrained")}
        counts = {"photos": self.photos, "listed": self.listed, "seen": self.seen, "interrupted": self.interrupted}
        return {"model": of, **counts, "rankings": rankings, "failed": [each.facts for each in self.failed]}

    def to_json(self) -> str:
        """The facts as one JSON object."""
        return as_json(self.facts)

    def picture(self, whole: bool = False, side: int = SIDE) -> Image.Image:
        """A row for each unit or class: the parts of photos that excite it most, with their values: RGB.

        whole: the whole photos, with that part outlined; side: pixels of each.
        Raises NotApplicable where nothing could be cut out, as of prepared arrays.
        """
        side = whole_number(side, "picture(): side", 24, 2000)
        if not any(photo.crop for each in self.rankings for photo in each.photos):
            raise NotApplicable("There is no photo to be cut out of: prepared arrays, volumes and signals are ranked alone.")
        columns = max(len(each.photos) for each in self.rankings)
        heading = f"What excites {self._what} most, of {self.seen} photos; {self.model.name}"
        rows = [_row(each, whole, side) for each in self.rankings]
        table = GridTable(printable(heading, 300), ["", *[""] * columns], notes=[_NOTE_WHOLE if whole else PARTS], side=side)
        return grid(table, rows, len(rows))

    @property
    def _what(self) -> str:
        return self.rankings[0].words if len(self.rankings) == 1 else f"{len(self.rankings)} units or classes"

    def save(self, path: str | Path) -> Path:
        """Write the picture as .png, or the facts as .json.  Raises BadParameter for others, NotWritten where that fails."""
        path = Path(path)
        writers = {".png": lambda: sheet_png(self.picture()), ".json": lambda: f"{self.to_json()}\n".encode()}
        if path.suffix.lower() not in writers:
            raise BadParameter(f"{path.name}: top photos are saved as .png, the picture, or as .json, the facts.")
        content = writers[path.suffix.lower()]()
        with replacing(path) as beside:
            beside.write_bytes(content)
        return path


_SEES = "what the strongest cell of a unit sees: its effective receptive field; of a class or a sum, all that the network saw."
PARTS = f"Each part is {_SEES}"
_NOTE_WHOLE = f"Outlined is {_SEES}"


def _plain(ranking: TargetPhotos) -> Mapping[str, Any]:
    return {name: getattr(ranking, name) for name in ("target", "words", "seen", "mean", "note")}


def _row(ranking: TargetPhotos, whole: bool, side: int) -> GridRow:
    said = [GridText(ranking.words), GridText(f"mean {ranking.mean:.3g}", SOFT)]
    first = GridCell(None, (*said, *([GridText(ranking.note, SOFT)] if ranking.note else [])))
    return [first, *(photo_cell(photo, whole, side) for photo in ranking.photos)]


def photo_cell(photo: ExcitingPhoto, whole: bool, side: int) -> GridCell:
    """The part of a photo, or with `whole` the photo with it outlined, over its value and its name."""
    name = photo.shows.split(",")[0] or Path(photo.photo).stem
    texts = (GridText(f"{photo.value:.4g}"), GridText(printable(name, 60), SOFT))
    if whole:
        return GridCell(_outlined(photo, side), texts)
    return GridCell(None if photo.crop is None else magnified(photo.crop.picture, side), texts)


def magnified(picture: Image.Image, side: int) -> Thumbnail:
    """The picture, its longer side as long as a column is wide, so that the few pixels that a first layer sees can be seen."""
    scale = side / max(picture.size)
    way = Image.Resampling.NEAREST if scale > 4 else Image.Resampling.LANCZOS
    return Thumbnail.of(picture.resize([max(1, round(each * scale)) for each in picture.size], way), side, "png")


def _outlined(photo: ExcitingPhoto, side: int) -> Thumbnail | None:
    """The photo with the part outlined."""
    if photo.whole is None or photo.size is None:
        return None
    if photo.box is None:
        return photo.whole
    left, top, right, bottom = photo.box.extent if isinstance(photo.box, Turned) else photo.box
    scale = photo.whole.size[0] / photo.size[0]
    small = (min(left, right) * scale, min(top, bottom) * scale, max(left, right) * scale, max(top, bottom) * scale)
    return Thumbnail.of(outlined(photo.whole.picture, [Outline("", "", small)], None, photo.whole.size), side, "png")
