"""Why this region, or this point, of a segmenter's map of scores?"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, described, first_of
from seewhy.errors import BadParameter, NotApplicable, NotHere
from seewhy.images.places import Grid
from seewhy.printable import quoted

from .aim import FARTHEST, Aim, ImageView, Pinned
from .target import Labels, class_index, name_of

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

    def pin(self, output: Any, seen: ImageView) -> Pinned:
        scores = seen.scored(dense(output, len(seen.space)))
        index = channel(self, scores, seen.labels)
        where = self._predicted(scores, index, seen) if self.mask is None else _brought(self.mask, scores.shape[2:], seen)
        if not where.any():
            raise BadParameter(f"{self}: the mask covers no cell of the output, whose grid is {tuple(scores.shape[2:])}.")
        pinned = _pinned(self, where, index, seen)
        return replace(pinned, notes=self._doubts(scores, seen)) if self.mask is None else pinned

    def _predicted(self, scores: Array, index: int, seen: ImageView) -> NDArray[np.bool_]:
        found = _plain(scores)[0]
        classes = np.arange(len(found)).reshape(-1, *[1] * (found.ndim - 1))
        there = found > _even(found, seen) if _by_itself(found, seen) else found.argmax(0) == classes  # (k, *where)
        if not there[index].any():
            seen_here = [int(i) for i in np.flatnonzero(there.reshape(len(there), -1).any(1))]
            names = ", ".join(str(name_of(seen.labels, i) or i) for i in seen_here) or "none"
            own = name_of(seen.labels, index) or index
            raise NotHere(
                f"{self}: the network predicts {own} nowhere in this image; there is: {names}. Name one of these, give a mask, "
                "or a Point."
            )
        return there[index]

    def _doubts(self, scores: Array, seen: ImageView) -> tuple[str, ...]:
        found = _plain(scores)[0]
        if not _by_itself(found, seen) or seen.model.explains in EVEN or not _even(found, seen):
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
        own = "" if self.mask is None else f" in the mask {described(_plain(self.mask).astype(bool))}"
        return f"region:{'' if self.of is None else self.of}{own}"

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

    def pin(self, output: Any, seen: ImageView) -> Pinned:
        scores = seen.scored(dense(output, len(seen.space)))
        grid = tuple(scores.shape[2:])
        if len(grid) != 2:
            raise NotApplicable(f"{self}: a Point lies in a flat output, and this one is {grid}. Give a Region with a mask.")
        place = seen.into(np.array([self.x + 0.5, self.y + 0.5])) / np.array(seen.space[::-1])  # its centre, from 0 to 1
        if not ((place >= 0) & (place < 1)).all():
            corners = seen.back(np.array([[0, 0], seen.space[::-1]])).round().astype(int)
            edges = "from ({}, {}) to ({}, {})".format(*corners[:, ::-1].ravel())
            raise NotHere(f"{self}: the network saw the photo's pixels {edges}, as (y, x); the point lies outside.")
        column, row = (place * grid[::-1]).astype(int)
        where = np.zeros(grid, bool)
        where[row, column] = True
        own = self if self.of is not None or scores.shape[1] == 1 else replace(self, of=int(scores[0, :, row, column].argmax()))
        return _pinned(own, where, channel(own, scores, seen.labels), seen)

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


def _pinned(aim: Region | Point, where: NDArray[np.bool_], index: int, seen: ImageView) -> Pinned:
    """The mean of the class's scores over cells of the output."""
    share = where / where.sum()

    def read(output: Any) -> Array:
        scores = seen.scored(dense(output, len(seen.space)))[:, index]
        if tuple(scores.shape[1:]) != where.shape:
            raise NotApplicable(
                f"{aim}: the output is {tuple(scores.shape[1:])} here, and {where.shape} for the image as it was."
            )
        return (scores * _like(share, scores)).reshape(len(scores), -1).sum(1)

    label = name_of(seen.labels, index)
    return Pinned(read, seen.model.explains, str(aim), index, label, place=aim.words)


EVEN = {"probability": 0.5, "log-probability": float(np.log(0.5))}  # of scores explained so, as likely as not


def _by_itself(found: NDArray[Any], seen: ImageView) -> bool:
    """Is a class of scores (k, *where) predicted or not whatever the others are?"""
    return len(found) == 1 or seen.apart


def _even(found: NDArray[Any], seen: ImageView) -> float:
    """The score that is as likely as not; what lies between 0 and 1 is taken for probabilities."""
    between = bool((found >= 0).all() and (found <= 1).all())
    return EVEN.get(seen.model.explains, 0.5 if between else 0.0)


def _plain(scores: Array) -> NDArray[Any]:
    return np.asarray(scores.detach().cpu() if hasattr(scores, "detach") else scores)


def _like(values: NDArray[Any], scores: Array) -> Array:
    return values if isinstance(scores, np.ndarray) else scores.new_tensor(values)


def dense(output: Any, d: int) -> Array:
    """The scores (n, k, *where) of d dimensions in what a network gives; a map (n, *where) is one channel."""
    found: Any = first_of(_named(output))
    shape: tuple[int, ...] = tuple(getattr(found, "shape", ()))
    if len(shape) not in (1 + d, 2 + d) or 0 in shape:
        held = f"scores {shape}" if shape else type(output).__name__
        raise NotApplicable(
            f"A Region or Point lies in a dense output (n, k, {'h, w' if d == 2 else '*space'}), and the network gives {held}. "
            "Ask for a class; or say where the dense scores are: wrap(output=...)."
        )
    return found[:, None] if len(shape) == 1 + d else found


def _named(output: Any) -> Any:
    """The dense scores among what a network gives by name."""
    for key in DENSE:
        if isinstance(output, Mapping) and key in output:
            return output[key]
        if not hasattr(output, "shape") and hasattr(output, key):
            return getattr(output, key)
    return output


def channel(aim: Region | Point, scores: Array, labels: Labels) -> int:
    """The channel of a dense output that an aim asks for."""
    k = scores.shape[1]
    if aim.of is None and k > 1:
        named = f" such as Region({labels[0]!r})" if labels else ""
        raise BadParameter(f"{aim}: the output has {k} channels; name the class{named}.")
    index = 0 if aim.of is None else aim.of
    if not isinstance(index, int | np.integer) or not -k <= index < k:
        raise BadParameter(f"{aim}: the output has channels 0 to {k - 1}.")
    return int(index) % k


def _brought(mask: Any, grid: Sequence[int], seen: ImageView) -> NDArray[np.bool_]:
    """A mask of the photo or volume, else of the prepared image or of the output, on the output's grid: of what lies at its
    cells' centres."""
    mask = _plain(mask).astype(bool)
    given = seen.box.shape if isinstance(seen.box, Grid) else seen.size and seen.size[::-1]
    if isinstance(seen.box, Grid) and mask.shape == given:
        mask = seen.box.read(mask.astype(np.float32)) > 0.5
    elif mask.shape == given and len(grid) == 2:
        return _of_photo(mask, grid, seen)
    elif mask.shape == tuple(grid):
        return mask
    if mask.shape != seen.space:
        known = " or ".join(str(tuple(one)) for one in dict.fromkeys((given, seen.space, tuple(grid))) if one)
        raise BadParameter(f"The mask is {mask.shape}; give it as the image, the prepared image or the output is: {known}.")
    centres = [((np.arange(g) + 0.5) * s / g).astype(int) for g, s in zip(grid, seen.space, strict=True)]
    return mask[np.ix_(*centres)]


def _of_photo(mask: NDArray[np.bool_], grid: Sequence[int], seen: ImageView) -> NDArray[np.bool_]:
    height, width = mask.shape
    rows, columns = np.mgrid[0 : grid[0], 0 : grid[1]] + 0.5
    prepared = np.stack([columns / grid[1] * seen.space[1], rows / grid[0] * seen.space[0]], -1)
    x, y = np.moveaxis(np.floor(seen.back(prepared)).astype(int), -1, 0)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return inside & mask[y.clip(0, height - 1), x.clip(0, width - 1)]
