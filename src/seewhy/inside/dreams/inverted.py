"""What an inversion leaves: an image for each layer, how near it came, and all that it was made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.atomic import replacing
from seewhy.errors import BadParameter, whole_number
from seewhy.json_text import as_json
from seewhy.maps.png_text import with_text
from seewhy.maps.saving import sheet_png
from seewhy.maps.source import ModelFacts, layer_words
from seewhy.pictures.curves import Axes
from seewhy.pictures.grid import SOFT, GridCell, GridTable, GridText, grid
from seewhy.pictures.lettering import Letters
from seewhy.pictures.outlines import COLOURS
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import in_percent, printable

NAME = "seewhy-inversion"  # of the text in a PNG
LEAST = 1e-8  # of a loss that is drawn


@dataclass(frozen=True, eq=False)
class InvertedLayer:
    """An image that a layer represents nearly as it represents the photo.

    image: (3, h, w) from 0 to 1, of 256 levels; distance: |Phi(x) - Phi(photo)|^2 / |Phi(photo)|^2 of this very image.
    curve: (steps, 3), at each step that distance, and the alpha norm and the total variation with their weights: the loss is
        their sum.
    """

    layer: str
    image: NDArray[np.float64] = field(repr=False)
    curve: NDArray[np.float64] = field(repr=False)
    distance: float

    @property
    def picture(self) -> Image.Image:
        """The image, RGB."""
        return Image.fromarray(np.ascontiguousarray(np.rint(self.image * 255).astype(np.uint8).transpose(1, 2, 0)))

    @property
    def facts(self) -> dict[str, Any]:
        """All but the image."""
        loss = self.curve.sum(1)
        return {"layer": self.layer, "distance": self.distance, "steps": len(loss), "loss": loss.tolist()}


@dataclass(frozen=True, eq=False)
class Inverted:
    """What layers of a network leave of a photo.  Made by `seewhy.invert`.

    seen: the photo as the network sees it; layers: an inversion each, in the order that was asked for.
    """

    seen: Image.Image = field(repr=False)
    photo: str
    layers: tuple[InvertedLayer, ...]
    model: ModelFacts
    settings: Mapping[str, Any]
    seconds: float
    stopped: bool = False  # before all layers were inverted, by Ctrl-C; the last one is as far as it came
    notes: tuple[str, ...] = ()  # what is to be known of the photo

    def __getitem__(self, place: int) -> InvertedLayer:
        return self.layers[place]

    def __len__(self) -> int:
        return len(self.layers)

    def __str__(self) -> str:
        each = ", ".join(f"{layer_words(one.layer)} {in_percent(one.distance)}" for one in self.layers)
        ended = ", interrupted" if self.stopped else ""
        return f"{printable(self.photo)} from what {self.model.name} has of it, squared distance: {each}{ended}"

    @property
    def facts(self) -> dict[str, Any]:
        """All but the images, as JSON has it."""
        return {
            "photo": self.photo, "layers": [each.facts for each in self.layers], "notes": [*self.notes],
            "stopped": self.stopped,
            "seconds": round(self.seconds, 3), "settings": {**self.settings}, "model": self.model.name,
            "weights": self.model.weights, "weights_sha256": self.model.weights_sha256, "untrained": self.model.untrained,
            "recipe": {**self.model.recipe}, "versions": {**self.model.versions}, "conditions": {**self.model.conditions},
        }  # fmt: skip

    def picture(self, side: int = 224) -> Image.Image:
        """The photo as the network sees it, and beside it each layer's image with its distance: RGB; side: pixels of each."""
        side = whole_number(side, "picture(): side", 24, 2000)
        cells = [GridCell(_enlarged(self.seen, side), (GridText("photo, as it is seen"),))]
        for each in self.layers:
            texts = GridText(layer_words(each.layer)), GridText(f"distance {in_percent(each.distance)}", SOFT)
            cells.append(GridCell(_enlarged(each.picture, side), texts))
        heading = printable(f"{Path(self.photo).name}, from what {self.model.name} has of it", 200)
        note = "Each image was made from noise until the layer represents it as it does the photo: what is lost there is free."
        return grid(GridTable(heading, [""] * len(cells), notes=[note], side=side), [cells], 1)

    def curves(self) -> Image.Image:
        """The loss of each layer at each step, on a logarithmic scale: RGB, 720 pixels wide."""
        losses = [np.log10(np.maximum(each.curve.sum(1), LEAST)) for each in self.layers]
        low, high = min(float(loss.min()) for loss in losses), max(float(loss.max()) for loss in losses)
        low, high = np.floor(low), max(np.ceil(high), np.floor(low) + 1)
        picture = Image.new("RGB", (720, 400 + 20 * len(losses)), "white")
        longest = max(2, *(len(loss) for loss in losses))
        axes = Axes((74, 34, 700, 350), (0, longest), (low, high))
        axes.upward(picture, most=6)
        for place, (each, loss) in enumerate(zip(self.layers, losses, strict=True)):
            colour = COLOURS[place % len(COLOURS)]
            axes.line(picture, np.arange(1, len(loss) + 1, dtype=float), loss, colour, 2.2)
            Letters.of(each.layer, 13).write(picture, (74, 392 + 20 * place), layer_words(each.layer), colour)
        axes.frame(picture)
        axes.along(picture, "step")
        Letters(13).write(picture, (axes.box[0], 10), "loss, as a power of ten", (40, 40, 40))
        return picture

    def save(self, path: str | Path) -> Path:
        """Write the picture as .png, which holds the facts as a text.  Raises BadParameter for another suffix, NotWritten."""
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise BadParameter(f"An inversion is saved as .png, not as {path.name!r}; layers[0].picture is one layer's image.")
        content = with_text(sheet_png(self.picture()), NAME, as_json(self.facts).encode())
        with replacing(path, of=f"the inversion of {self.photo}") as beside:
            beside.write_bytes(content)
        return path


def _enlarged(picture: Image.Image, side: int) -> Thumbnail:
    """The picture with `side` pixels on its longer side; pixels of small ones stay sharp."""
    scale = side / max(picture.size)
    way = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return Thumbnail.of(picture.convert("RGB").resize(size, way), side, "png")
