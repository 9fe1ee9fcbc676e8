"""Why this region, or this point, of a segmenter's map of scores?"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, described, first_of, numbers
from seewhy.errors import BadParameter, NotApplicable, NotHere
from seewhy.images.places import Grid
from seewhy.printable import quoted

from .aim import FARTHEST, Aim, ImageView, Pinned
from .class_names import class_index
from .target import Labels, name_of

DENSE = ("out", "logits", "predicted_depth")  # where torchvision's and Hugging Face's networks put dense scores


@dataclass(frozen=True, eq=False)
class Region(Aim):
    """A class in a region of a dense output (n, k, *where), as segmenters give it: its mean score there.

    of: index or label; None where the output has one channel, as a depth map has.
    mask: True in the region: as the photo (h, w) or the volume is, or else as the prepared image or the output; None: where
        the network itself predicts the class: over all others, or, where there is one channel or task="multi-label", more
        likely than not: its logit above 0, its probability above a half.
    The class's score is summed over a region in Vinogradova et al. 2020, Seg-Grad-CAM; the mean differs by its size alone.
    """

    of: int | str | None = None
    mask: Any = None

    def known(self, labels: Labels) -> "Region":
        return self if self.of is None else replace(self, of=class_index(self.of, labels))

    def pin(self, output: Any, view: ImageView) -> Pinned:
        scores = view.scored(dense(output, len(view.space)))
        index = channel(self, scores, view.labels)
        where = self._predicted(scores, index, view) if self.mask is None else _on_grid(self.mask, scores.shape[2:], view)
        if not where.any():
            raise BadParameter(f"{self}: the mask covers no cell of the output, whose grid is {tuple(scores.shape[2:])}.")
        pinned = _pinned(self, where, index, view)
        return replace(pinned, notes=self._doubts(scores, view)) if self.mask is None else pinned

    def _predicted(self, scores: Array, index: int, view: ImageView) -> NDArray[np.bool_]:
        """Where the network predicts the class; NotHere, with the classes that it predicts, where that is nowhere."""
        values = numbers(scores)[0]
        classes = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
        there = values > _even(values, view) if _independent(values, view) else values.argmax(0) == classes  # (k, *where)
        if not there[index].any():
            present = [int(i) for i in np.flatnonzero(there.reshape(len(there), -1).any(1))]
            names = ", ".join(str(name_of(view.labels, i) or i) for i in present) or "none"
            name = name_of(view.labels, index) or index
            raise NotHere(
                f"{self}: the network predicts {name} nowhere in this image; there is: {names}. Name one of these, give a "
                "mask, or a Point."
            )
        return there[index]

    def _doubts(self, scores: Array, view: ImageView) -> tuple[str, ...]:
        """A remark, where it is a guess that the scores are probabilities."""
        values = numbers(scores)[0]
        if not _independent(values, view) or view.model.explains in EVEN or not _even(values, view):
            return ()
        return ("the output lies between 0 and 1, so it is taken for probabilities: predicted is what is above a half",)

    @property
    def words(self) -> str:
        """Where the class is meant, for a caption."""
        return "where it is predicted" if self.mask is None else "in the mask"

    @classmethod
    def parse(cls, text: str) -> "Region":
        """region:CLASS, the region where the network predicts it."""
        return cls(text.partition(":")[2].strip() or None)

    def __str__(self) -> str:
        mask = "" if self.mask is None else f" in the mask {described(numbers(self.mask).astype(bool))}"
        return f"region:{'' if self.of is None else self.of}{mask}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Region) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


@dataclass(frozen=True)
class Point(Aim):
    """A class at one pixel of the photo (of a prepared array: of it), in a dense output (n, k, *where): its score there.

    of: index or label; None for the class predicted there, or where the output has one channel.
    """

    y: float
    x: float
    of: int | str | None = None

    def __post_init__(self) -> None:
        if not all(isinstance(side, int | float | np.number) and abs(side) <= FARTHEST for side in (self.y, self.x)):
            raise BadParameter(f"Point({quoted(self.y)}, {quoted(self.x)}): give a row and a column, in pixels of the photo.")

    def known(self, labels: Labels) -> "Point":
        return self if self.of is None else replace(self, of=class_index(self.of, labels))

    def pin(self, output: Any, view: ImageView) -> Pinned:
        scores = view.scored(dense(output, len(view.space)))
        grid = tuple(scores.shape[2:])
        if len(grid) != 2:
            raise NotApplicable(f"{self}: a Point lies in a flat output, and this one is {grid}. Give a Region with a mask.")
        place = view.to_prepared(np.array([self.x + 0.5, self.y + 0.5])) / np.array(view.space[::-1])  # its centre, from 0 to 1
        if not ((place >= 0) & (place < 1)).all():
            corners = view.to_photo(np.array([[0, 0], view.space[::-1]])).round().astype(int)
            edges = "from ({}, {}) to ({}, {})".format(*corners[:, ::-1].ravel())
            raise NotHere(f"{self}: the network saw the photo's pixels {edges}, as (y, x); the point lies outside.")
        column, row = (place * grid[::-1]).astype(int)
        where = np.zeros(grid, bool)
        where[row, column] = True
        named = self.of is not None or scores.shape[1] == 1
        aim = self if named else replace(self, of=int(scores[0, :, row, column].argmax()))
        return _pinned(aim, where, channel(aim, scores, view.labels), view)

    @property
    def words(self) -> str:
        """Where the class is meant, for a caption."""
        return f"at the point ({self.y:g}, {self.x:g})"

    @classmethod
    def parse(cls, text: str) -> "Point":
        """point:Y,X or point:Y,X:CLASS."""
        _, where, of = [*text.split(":", 2), ""][:3]
        number = r"\s*([0-9]{1,9}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})\s*"
        place = re.fullmatch(f"{number},{number}", where)
        if not place:
            raise BadParameter(
                f"{quoted(text)}: write point:Y,X or point:Y,X:CLASS, in pixels of the photo, as in point:120,80:cat."
            )
        return cls(float(place[1]), float(place[2]), of.strip() or None)

    def __str__(self) -> str:
        return f"point:{self.y:g},{self.x:g}" + ("" if self.of is None else f":{self.of}")


def _pinned(aim: Region | Point, where: NDArray[np.bool_], index: int, view: ImageView) -> Pinned:
    """An aim at the mean of the class's scores over cells of the output; where: True in these."""
    share = where / where.sum()

    def read(output: Any) -> Array:
        scores = view.scored(dense(output, len(view.space)))[:, index]
        if tuple(scores.shape[1:]) != where.shape:
            raise NotApplicable(
                f"{aim}: the output is {tuple(scores.shape[1:])} here, and {where.shape} for the image as it was."
            )
        return (scores * _like(share, scores)).reshape(len(scores), -1).sum(1)

    label = name_of(view.labels, index)
    return Pinned(read, view.model.explains, str(aim), index, label, place=aim.words)


EVEN = {"probability": 0.5, "log-probability": float(np.log(0.5))}  # of such scores, the one that is as likely as not


def _independent(values: NDArray[Any], view: ImageView) -> bool:
    """Is each class of the scores (k, *where) predicted or not whatever the others are?"""
    return len(values) == 1 or view.independent


def _even(values: NDArray[Any], view: ImageView) -> float:
    """The score that is as likely as not; what lies between 0 and 1 is taken for probabilities."""
    between = bool((values >= 0).all() and (values <= 1).all())
    return EVEN.get(view.model.explains, 0.5 if between else 0.0)


def _like(values: NDArray[Any], scores: Array) -> Array:
    """Values as the same kind of array as the scores."""
    return values if isinstance(scores, np.ndarray) else scores.new_tensor(values)


def dense(output: Any, d: int) -> Array:
    """The scores (n, k, *where) in what a network gives, for images of d dimensions; a map (n, *where) is one channel."""
    scores: Any = first_of(_named(output))
    shape: tuple[int, ...] = tuple(getattr(scores, "shape", ()))
    if len(shape) not in (1 + d, 2 + d) or 0 in shape:
        contents = f"scores {shape}" if shape else type(output).__name__
        raise NotApplicable(
            f"A Region or Point lies in a dense output (n, k, {'h, w' if d == 2 else '*space'}), and the network gives "
            f"{contents}. Ask for a class; or say where the dense scores are: wrap(output=...)."
        )
    return scores[:, None] if len(shape) == 1 + d else scores


def _named(output: Any) -> Any:
    """The dense scores among named outputs, by their name in DENSE; else the output as it is."""
    for key in DENSE:
        if isinstance(output, Mapping) and key in output:
            return output[key]
        if not hasattr(output, "shape") and hasattr(output, key):
            return getattr(output, key)
    return output


def channel(aim: Region | Point, scores: Array, labels: Labels) -> int:
    """The channel of a dense output that belongs to the class of an aim."""
    k = scores.shape[1]
    if aim.of is None and k > 1:
        named = f" such as Region({labels[0]!r})" if labels else ""
        raise BadParameter(f"{aim}: the output has {k} channels; name the class{named}.")
    index = 0 if aim.of is None else aim.of
    if not isinstance(index, int | np.integer) or not 0 <= index < k:
        raise BadParameter(f"{aim}: the output has channels 0 to {k - 1}.")
    return int(index)


def _on_grid(mask: Any, grid: Sequence[int], view: ImageView) -> NDArray[np.bool_]:
    """A mask on the grid of the output: each cell has the value of the mask at its centre.

    mask: as the photo or the volume is, or else as the prepared image or the output; BadParameter for any other shape.
    """
    mask = numbers(mask).astype(bool)
    original = view.box.shape if isinstance(view.box, Grid) else view.size and view.size[::-1]
    if isinstance(view.box, Grid) and mask.shape == original:
        mask = view.box.read(mask.astype(np.float32)) > 0.5
    elif mask.shape == original and len(grid) == 2:
        view.require_place()
        return _from_photo(mask, grid, view)
    elif mask.shape == tuple(grid):
        return mask
    if mask.shape != view.space:
        shapes = dict.fromkeys((original, view.space, tuple(grid)))
        known = " or ".join(str(tuple(shape)) for shape in shapes if shape)
        raise BadParameter(f"The mask is {mask.shape}; give it as the image, the prepared image or the output is: {known}.")
    centres = [((np.arange(g) + 0.5) * s / g).astype(int) for g, s in zip(grid, view.space, strict=True)]
    return mask[np.ix_(*centres)]


def _from_photo(mask: NDArray[np.bool_], grid: Sequence[int], view: ImageView) -> NDArray[np.bool_]:
    """A mask of the photo (h, w) on the grid of the output, read at the cells' centres; False outside of the photo."""
    height, width = mask.shape
    rows, columns = np.mgrid[0 : grid[0], 0 : grid[1]] + 0.5
    prepared = np.stack([columns / grid[1] * view.space[1], rows / grid[0] * view.space[0]], -1)
    x, y = np.moveaxis(np.floor(view.to_photo(prepared)).astype(int), -1, 0)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return inside & mask[y.clip(0, height - 1), x.clip(0, width - 1)]
