"""What seeds are: a class, background or nothing for each pixel of one image."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.atomic import replacing
from seewhy.errors import BadParameter, NoSuchName, NotApplicable, closest
from seewhy.json_text import as_json
from seewhy.maps.made_here import LABELS
from seewhy.pictures.label_map import VOID, labelled_picture

from .labels.label_map import colours


@dataclass(frozen=True, eq=False)
class Seeds:
    """Which pixels of an image surely show which class, which surely none, and which are left to others to decide.

    label_map: uint8, (h, w) of the photo or of the grid that was asked for: 0 background, a class's place in `classes` plus
        one, 255 where neither is sure, or the network did not see it.
    classes: the names that the numbers stand for, from 1 on.
    made: the settings that it was made with, and the captions of the maps.
    notes: in words, which class has no seed, and why.
    image: what the maps lie over, a photo or a Volume; None where they were arrays alone.
    """

    label_map: NDArray[np.uint8] = field(repr=False)
    classes: tuple[str, ...]
    made: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    image: Any = field(default=None, repr=False)

    @property
    def shares(self) -> dict[str, float]:
        """Of all pixels, the part of "background", of each class that has some, and of what is "ignored"."""
        counts = np.bincount(self.label_map.ravel(), minlength=VOID + 1) / self.label_map.size
        named = {name: float(counts[place]) for place, name in enumerate(self.classes, 1) if counts[place]}
        return {"background": float(counts[0]), **named, "ignored": float(counts[VOID])}

    def mask(self, name: str) -> NDArray[np.bool_]:
        """True on the seeds of a class, or of "background", or of what is "ignored".  Raises NoSuchName."""
        numbers = {"background": 0, "ignored": VOID, **{each: place for place, each in enumerate(self.classes, 1)}}
        if name not in numbers:
            raise NoSuchName("class", name, closest(str(name), [*numbers]), f"There are: {', '.join(numbers)}.")
        return self.label_map == numbers[name]

    def picture(self, alpha: float = 0.6, legend: bool = True) -> Image.Image:
        """The seeds in colour over the photo, RGB, with the classes' names below; what is ignored lies under white lines."""
        if self.label_map.ndim != 2:
            raise NotApplicable("Seeds of a volume are drawn slice by slice, from label_map; a picture is of a photo.")
        return labelled_picture(
            self.label_map, self.classes, self.image if isinstance(self.image, Image.Image) else None, alpha, legend
        )

    def save(self, path: str | Path) -> Path:
        """Write the label map as a PNG file with Pascal VOC's palette: its pixels are the numbers; what they stand for, and how
        they were made, is in its text `seewhy-labels`.

        Raises BadParameter for another suffix, NotWritten.
        """
        path = Path(path)
        if path.suffix.lower() != ".png" or self.label_map.ndim != 2:
            raise BadParameter(f"Seeds of a photo are saved as .png, whose pixels are the numbers, not as {path.name!r}.")
        from PIL.PngImagePlugin import PngInfo  # here, for it takes a tenth of the time to import seewhy

        picture, note = Image.fromarray(self.label_map), PngInfo()
        picture.putpalette(colours().ravel().tolist())
        note.add_itxt(LABELS, as_json({"classes": self.classes, "made": self.made, "notes": self.notes}))
        with replacing(path, of="the seeds") as beside:
            picture.save(beside, "PNG", pnginfo=note)
        return path
