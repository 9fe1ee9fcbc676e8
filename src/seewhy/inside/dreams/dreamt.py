"""What a dream leaves: the photo with what was drawn into it, and all that it was made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.atomic import replacing
from seewhy.errors import BadParameter
from seewhy.images.photo import Photo
from seewhy.json_text import as_json
from seewhy.maps.png_text import with_text
from seewhy.maps.saving import sheet_png
from seewhy.maps.source import ModelFacts
from seewhy.pictures.side_by_side import Panel, side_by_side
from seewhy.printable import printable

NAME = "seewhy-dream"  # of the text in a PNG


@dataclass(frozen=True, eq=False)
class Dream:
    """A photo into which a network drew what it sees in it.  Made by `seewhy.dream`.

    objective: what was to grow; image: the dream, RGB, of the photo's size; values: the objective at each step, 0 where it
    had no gradient; settings: all that was asked for, with the sizes of the octaves.
    """

    objective: str
    image: Image.Image = field(repr=False)
    photo: Photo = field(repr=False)
    values: NDArray[np.float64] = field(repr=False)
    model: ModelFacts
    settings: Mapping[str, Any]
    seconds: float
    stopped: bool = False  # before all steps were made, by Ctrl-C

    def __str__(self) -> str:
        grown = f"{self.values[0]:.4g} to {self.values[-1]:.4g}" if len(self.values) else "no step"
        ended = ", interrupted" if self.stopped else ""
        return f"{self.model.name} dreams of {self.objective} in {printable(self.photo.name)}: {grown}{ended}"

    @property
    def facts(self) -> dict[str, Any]:
        """All but the pixels, as JSON has it."""
        return {
            "objective": self.objective, "photo": self.photo.name, "size": [*self.image.size], "notes": [*self.photo.notes],
            "values": self.values.tolist(), "stopped": self.stopped, "seconds": round(self.seconds, 3),
            "settings": {**self.settings}, "model": self.model.name, "weights": self.model.weights,
            "weights_sha256": self.model.weights_sha256, "untrained": self.model.untrained,
            "recipe": {**self.model.recipe}, "versions": {**self.model.versions}, "conditions": {**self.model.conditions},
        }  # fmt: skip

    def picture(self, beside: bool = False) -> Image.Image:
        """The dream, RGB, of the photo's size; beside: the photo and the dream next to each other."""
        if not beside:
            return self.image
        panels = [Panel(self.photo.pixels.convert("RGB"), "photo"), Panel(self.image, printable(self.objective, 80))]
        return side_by_side(panels, printable(f"{self.model.name} dreams of {self.objective}", 200))

    def save(self, path: str | Path) -> Path:
        """Write the dream as .png, which holds the facts as a text, or as .jpg.  Raises BadParameter, NotWritten."""
        path = Path(path)
        if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
            raise BadParameter(f"A dream is saved as .png or .jpg, not as {path.name!r}.")
        with replacing(path, of=f"the dream of {self.objective}") as beside:
            if path.suffix.lower() == ".png":
                beside.write_bytes(with_text(sheet_png(self.image), NAME, as_json(self.facts).encode()))
            else:
                self.image.save(beside, "JPEG", quality=95)
        return path
