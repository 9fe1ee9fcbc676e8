"""What a maximisation leaves: the images, what they reached, and all that they were made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from seewhy.atomic import replacing
from seewhy.errors import BadParameter, NotApplicable
from seewhy.inside.exciting.record import TopPhotos
from seewhy.json_text import as_json
from seewhy.maps.source import ModelFacts
from seewhy.printable import printable

from .photos_beside import beside_photos

GAP = 4  # pixels between images of a batch
NAME = "seewhy-maximized"  # of the text in a PNG


@dataclass(frozen=True, eq=False)
class Maximized:
    """Images that were made for an objective.  Made by `seewhy.maximize`.

    images: (n, c, *space) from 0 to 1; of photos of 256 levels, red first.  values: the objective of each, as the network sees
    these very images, without transformations; before: the same of the random images that they were made from.
    trajectory: (steps, n), the objective at each step, the mean over the step's views of each image.
    moved: (n, *space), the sum over steps of the size of the gradient at each place, at most 1: where the image matters.
    top_photos: the photos that excite the same most, where `beside` was given them: their values are the objective, too.
    """

    objective: str
    images: NDArray[np.float32]
    values: NDArray[np.float64]
    before: NDArray[np.float64]
    trajectory: NDArray[np.float64]
    moved: NDArray[np.float32]
    model: ModelFacts
    settings: Mapping[str, Any]  # all that was asked for, with the seed and the layers
    seconds: float
    stopped: bool = False  # before all steps were made, by Ctrl-C
    notes: tuple[str, ...] = field(default=())
    top_photos: TopPhotos | None = None

    def __str__(self) -> str:
        each = ", ".join(f"{after:.4g} (from {before:.4g})" for after, before in zip(self.values, self.before, strict=True))
        return f"{self.objective} of {self.model.name}: {each} after {len(self.trajectory)} steps{self._best_photo}"

    @property
    def _best_photo(self) -> str:
        if self.top_photos is None:
            return ""
        photos = self.top_photos[0].photos
        best = f"{photos[0].value:.4g}, {printable(photos[0].photo)}" if photos else "no value is finite"
        return f"; the best of {self.top_photos.seen} photos: {best}"

    def beside(self, found: TopPhotos) -> "Maximized":
        """The same images beside the photos that excite the same objective most, in what is said, the facts and the picture.

        found: what `seewhy.top_photos(model, objective, photos)` gave, of the same model and objective, alone or among others.
        Raises BadParameter where the objective is not in it, or it is of another model.
        """
        theirs, own = ((of.name, of.weights_sha256) for of in (found.model, self.model))
        if theirs != own:
            raise BadParameter(
                f"The photos were ranked by {found.model.name}, the images made for {self.model.name}: ask one model."
            )
        fitting = [each for each in found if each.target == self.objective]
        if len(fitting) != 1:
            asked = ", ".join(each.target for each in found)
            raise BadParameter(
                f"The images were made for {self.objective}, the photos ranked by {asked}. Rank them by that once: "
                "top_photos(model, objective, photos)."
            )
        return replace(self, top_photos=replace(found, rankings=tuple(fitting)))

    @property
    def facts(self) -> dict[str, Any]:
        """All but the arrays, as JSON has it."""
        return {
            "objective": self.objective, "values": self.values.tolist(), "before": self.before.tolist(),
            "steps": len(self.trajectory), "stopped": self.stopped, "seconds": round(self.seconds, 3),
            "settings": {**self.settings}, "notes": [*self.notes],
            "top_photos": None if self.top_photos is None else self.top_photos.facts,
            "model": self.model.name, "weights": self.model.weights, "weights_sha256": self.model.weights_sha256,
            "untrained": self.model.untrained, "versions": {**self.model.versions},
        }  # fmt: skip

    def picture(self, transparent: bool = False) -> Image.Image:
        """The image pixel by pixel; those of a batch side by side in rows.  With photos beside them (`beside`) a sheet of both.

        transparent: places that the objective hardly rested on can be looked through; on the sheet they are white.
        Raises NotApplicable for images that are no pictures of one or three channels.
        """
        if self.top_photos is None:
            return sheet(self.images, self.moved if transparent else None)
        return beside_photos(self._pictures(transparent), self.values.tolist(), self.top_photos)

    def _pictures(self, transparent: bool) -> list[Image.Image]:
        """Each image, on white."""
        made = [sheet(self.images[i : i + 1], self.moved[i : i + 1] if transparent else None) for i in range(len(self.images))]
        white = Image.new("RGBA", made[0].size, "white")
        return [Image.alpha_composite(white, each.convert("RGBA")).convert("RGB") for each in made]

    def save(self, path: str | Path, transparent: bool = False) -> None:
        """Write a .png, which holds the facts as a text, or a .npz of all arrays and the facts.

        Raises BadParameter for another suffix, NotApplicable where there is no picture, NotWritten.
        """
        path = Path(path)
        writers = {".png": self._write_png, ".npz": self._write_npz}
        if (write := writers.get(path.suffix.lower())) is None:
            raise BadParameter(f"Images that were made for an objective are saved as .png or .npz, not as {path.name!r}.")
        picture = self.picture(transparent) if path.suffix.lower() == ".png" else None
        with replacing(path, of=f"the image for {self.objective}") as beside:
            write(beside, picture)

    def _write_png(self, beside: Path, picture: Any) -> None:
        text = PngInfo()
        text.add_itxt(NAME, as_json(self.facts))
        picture.save(beside, "PNG", pnginfo=text)

    def _write_npz(self, beside: Path, _picture: Any) -> None:
        arrays = {name: getattr(self, name) for name in ("images", "values", "before", "trajectory", "moved")}
        np.savez_compressed(beside, facts=np.array(as_json(self.facts)), **arrays)


def sheet(images: NDArray[Any], moved: NDArray[Any] | None = None) -> Image.Image:
    """Images (n, c, h, w) in [0, 1] side by side in rows; with `moved` (n, h, w), to be looked through where that is low.

    Raises NotApplicable for images that are no pictures of one or three channels.
    """
    seen = [None] * len(images) if moved is None else moved
    pictures = [_picture(image, each) for image, each in zip(images, seen, strict=True)]
    if len(pictures) == 1:
        return pictures[0]
    columns = ceil(sqrt(len(pictures)))
    width, height = (side + GAP for side in pictures[0].size)
    size = (columns * width - GAP, ceil(len(pictures) / columns) * height - GAP)
    whole = Image.new("RGB", size, "white") if moved is None else Image.new("RGBA", size, (0, 0, 0, 0))
    for i, picture in enumerate(pictures):
        whole.paste(picture, (i % columns * width, i // columns * height))
    return whole


CLEAR = 0.8  # the quantile of `moved` from which on nothing is looked through


def _picture(image: NDArray[Any], moved: NDArray[Any] | None) -> Image.Image:
    if image.ndim != 3 or len(image) not in (1, 3):
        raise NotApplicable(f"Images {image.shape} are no pictures: save them as .npz, or read .images.")
    levels = np.rint(image * 255).astype(np.uint8)
    picture = Image.fromarray(levels[0] if len(levels) == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0)))
    if moved is None:
        return picture.convert("RGB")
    most = max(float(np.quantile(moved, CLEAR)), np.finfo(np.float32).tiny)
    picture = picture.convert("RGBA")
    picture.putalpha(Image.fromarray(np.rint(np.clip(moved / most, 0, 1) * 255).astype(np.uint8)))
    return picture
