"""A map of photos: where each lies, how far that is to be trusted, and its picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.atomic import replacing
from seewhy.errors import BadParameter
from seewhy.pictures.scatter import CIRCLE, OTHER, PointKind, PointMark, PointScale, scatter
from seewhy.printable import in_percent, printable, quoted

from .colouring import UNKNOWN, Colouring, colouring, colourings
from .layout import AMONG, MapLayout
from .photo_table import NONE, EmbeddedPhotos
from .vectors import neighbour_purity

NEAR = 10  # neighbours in the map, of which is said how many are of one class
WORDS = 60  # characters of a class


@dataclass(frozen=True, eq=False, repr=False)
class Projection:
    """The photos of an embedding in the plane.

    layout: their places, how these were made and how far they are to be trusted; photos: what is known of each.
    features: of what they are, in words; remarks: what a person should know of the features.
    """

    layout: MapLayout
    photos: EmbeddedPhotos
    features: str
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.photos)

    def __repr__(self) -> str:
        return f"<Projection {len(self)} photos, {self.layout.words}: {self.features}>"

    @property
    def points(self) -> NDArray[np.float32]:
        """Where each photo lies: (n, 2)."""
        return self.layout.points

    @property
    def colourings(self) -> tuple[str, ...]:
        """What the photos can be coloured by."""
        return tuple(each.name for each in colourings(self.photos))

    @property
    def heading(self) -> str:
        """What the map shows."""
        return f"{len(self):,} photos by {self.features}: {self.layout.words}"

    def purity(self, by: str = "truth") -> tuple[float, float]:
        """Of the 10 photos next to each in the map, which share has its class, by "truth" or "prediction"; and by chance."""
        return neighbour_purity(self.points, self.photos.kinds(by), NEAR)

    @property
    def says(self) -> tuple[str, ...]:
        """How far the map is to be trusted, in sentences."""
        layout, told = self.layout, list[str]()
        if layout.trustworthiness is not None and layout.of_pca is not None:
            of = "" if layout.judged == len(self) else f" (of {layout.judged:,} photos, drawn)"
            beside = "" if layout.how == "pca" else f"; of two principal components {layout.of_pca:.3f}"
            told.append(f"Trustworthiness{of} {layout.trustworthiness:.3f}{beside}; 1 where the {AMONG} photos next to each in "
                        "the map are also those nearest to it in truth.")  # fmt: skip
        for by, words in (("truth", "true class"), ("prediction", "prediction")):
            if len(np.unique(self.photos.kinds(by)[self.photos.kinds(by) != NONE])) > 1:
                share, chance = self.purity(by)
                told.append(f"Of the {NEAR} photos next to one in the map {in_percent(share, 0)} have its {words}; by chance "
                            f"{in_percent(chance)}.")  # fmt: skip
        if layout.how != "pca":
            told.append("Distances between clusters, and their sizes, mean little.")
        advice = (*layout.advice, *self.remarks)
        return (*told, *(f"Note: {each}." for each in advice))

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of the map by name, for JSON, without its points."""
        layout = self.layout
        classes = [by for by in ("truth", "prediction") if (self.photos.kinds(by) != NONE).any()]
        return {
            "photos": len(self), "features": self.features, "how": layout.how, "params": dict(layout.params),
            "trustworthiness": layout.trustworthiness, "trustworthiness_of_pca": layout.of_pca, "judged": layout.judged,
            "purity": {by: dict(zip(("share", "chance"), self.purity(by), strict=True)) for by in classes},
            "advice": [*layout.advice, *self.remarks], "versions": dict(layout.versions),
        }  # fmt: skip

    def picture(self, colour: str | None = None, side: int = 900) -> Image.Image:
        """The map, each photo a point, beside its legend: RGB.

        colour: one of `colourings`: "truth", "prediction", "error", "confidence", or a number such as "on_object"; by default
            the first.  Classes have colours that colour-blind people tell apart, and after eight of them other shapes; the most
            frequent 32 have a mark of their own.  side: pixels of the square that the points lie in.
        Raises NoSuchName for another colour.
        """
        shown = colouring(self.photos, colour)
        scale = None if shown.values is None else PointScale(shown.low, shown.high)
        return scatter(
            self.points, shown.codes, _table(shown), printable(self.heading, 300), shown.title,
            [printable(line, 400) for line in self.says], shown.values, scale, side,
        )  # fmt: skip

    def save(self, path: str | Path, colour: str | None = None) -> Path:
        """Write the picture as .png.  Raises BadParameter for another suffix, NotWritten.

        Places go into a table by `embedding.save(path, projection)`, and `seewhy embed` writes an interactive page.
        """
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise BadParameter(
                f"A map of photos is saved as .png, not as {path.suffix or quoted(path.name)}. Its places go into "
                "embedding.save('map.parquet', projection); the interactive page is made by `seewhy embed -o map.html`."
            )
        picture = self.picture(colour)
        with replacing(path, of="the map of photos") as beside:
            picture.save(beside)
        return path


def _table(shown: Colouring) -> list[PointKind]:
    """The lines of the legend; photos of other kinds come last, and are none of the kinds of points."""
    named = shown.name in ("truth", "prediction") and len(shown.classes) > 1
    lines = [PointKind(printable(each.name, WORDS), each.mark, each.photos, named) for each in shown.classes]
    if shown.others:
        lines.append(PointKind(others_of(shown), PointMark(OTHER, CIRCLE), shown.others))
    return lines


def others_of(shown: Colouring) -> str:
    """What photos are that have no mark of their own."""
    if shown.name == "error":
        return UNKNOWN
    return "others" if len(shown.classes) > 1 else "not known"
