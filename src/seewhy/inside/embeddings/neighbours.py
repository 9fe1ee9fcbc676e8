"""The photos in which a network saw what is most like what it saw in one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from PIL import Image

from seewhy.errors import SeewhyError
from seewhy.images.photo import read
from seewhy.photo_sets.reading import read_bytes
from seewhy.pictures.grid import GridCell, GridTable, GridText, grid
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import printable

from .photo_table import NONE, EmbeddedPhotos
from .vectors import Nearest

ACROSS, SIDE = 5, 200  # pictures in a row, and their pixels
SOFT, RIGHT, WRONG = "#63636e", "#17633f", "#a82a16"


class Neighbour(NamedTuple):
    """A photo near another one.

    number, path: as the embedding has them; distance: by the metric, 0 for the same features.
    predicted, truth: in words, "" where there is none; right: of the prediction, where that is known.
    """

    number: int
    path: str
    distance: float
    predicted: str
    truth: str
    right: bool | None


@dataclass(frozen=True)
class Neighbours:
    """The nearest photos to one, the nearest first.

    photo: whose, as it was named; metric: "cosine" or "euclidean"; features: of what they are, in words.
    """

    photo: str
    metric: str
    features: str
    found: tuple[Neighbour, ...]
    image: Any = None  # of a photo that is none of the embedding's, where it is an image in memory

    def __len__(self) -> int:
        return len(self.found)

    def __iter__(self) -> Iterator[Neighbour]:
        return iter(self.found)

    def __getitem__(self, place: int) -> Neighbour:
        return self.found[place]

    def __str__(self) -> str:
        near = "; ".join(f"{printable(one.path, 200)} ({one.distance:.4g})" for one in self.found)
        return f"Nearest to {printable(self.photo, 200)} by {self.features} ({self.metric} distance): {near or 'none'}"

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for JSON."""
        return {
            "photo": self.photo, "metric": self.metric, "features": self.features,
            "neighbours": [one._asdict() for one in self.found],
        }  # fmt: skip

    def picture(self, side: int = SIDE) -> Image.Image:
        """The photo, and those next to it, each with its distance and what it was taken for: RGB.

        side: pixels of each.  A photo that is not there any more is left blank.
        """
        cells = [GridCell(_small(self.image if self.image is not None else self.photo, side), (GridText("the photo", SOFT),))]
        cells += [GridCell(_small(one.path, side), (*_texts(one),)) for one in self.found]
        rows = [cells[first : first + ACROSS] for first in range(0, len(cells), ACROSS)]
        rows = [[*row, *[None] * (ACROSS - len(row))] for row in rows]
        name = "/".join(self.photo.replace("\\", "/").split("/")[-2:])
        heading = f"Nearest to {printable(name, 120)} by {self.features}, {self.metric} distance"
        return grid(GridTable(heading, [""] * ACROSS, side=side), rows, len(rows))


def neighbours_at(photos: EmbeddedPhotos, found: Nearest) -> tuple[Neighbour, ...]:
    """The photos at the places that were found for one vector."""
    right = photos.right
    return tuple(
        Neighbour(
            int(photos.numbers[place]), photos.paths[place], float(distance), photos.name(int(photos.predicted[place])),
            photos.truth_name(place), None if right[place] == NONE else bool(right[place]),
        )
        for place, distance in zip(found.places[0].tolist(), found.distances[0].tolist(), strict=True)
    )  # fmt: skip


def _texts(one: Neighbour) -> Iterator[GridText]:
    yield GridText(f"{one.distance:.3g}", SOFT)
    if one.predicted:
        yield GridText(printable(one.predicted, 80), {None: SOFT, True: RIGHT, False: WRONG}[one.right])
    if one.truth and one.right is not True:
        yield GridText(f"is {printable(one.truth, 80)}", SOFT)


def _small(photo: Any, side: int) -> Thumbnail | None:
    try:
        content = read_bytes(photo) if isinstance(photo, str) else photo
        return Thumbnail.of(read(content, photo if isinstance(photo, str) else None).pixels, side)
    except SeewhyError:
        return None
