"""Why this region, or this point, of a segmenter's map of scores?"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, described, numbers
from seewhy.errors import BadParameter, NotApplicable, NotHere
from seewhy.images.places import Grid
from seewhy.printable import quoted

from .aim import FARTHEST, Aim, ImageView, Pinned
from .class_names import class_index
from .decisions import SHARE, as_floats, decisions, thresholded, whole_numbers, why_no_gradient
from .dense import channel, dense
from .grammar import NUMBER, class_text, holds_no_question, number_text, operand, unreadable
from .target import Labels, class_given, name_of

MASK = " in the mask "  # before what a mask is, in the text of a region


@dataclass(frozen=True, eq=False)
class Region(Aim):
    """A class in a region of a dense output (n, k, *where), as segmenters give it: its mean score there.

    of: index or label; None where the output has one channel, as a depth map has.
    mask: True in the region, or weights from 0 to 1, of which the mean is a weighted one; what holds 0 and one other number,
        as 0 and 255, is True there.  As the photo (h, w) or the volume is, or else as the prepared image or the output.
        None: where the network itself predicts the class: over all others, or, where there is one channel or
        task="multi-label", more likely than not: its logit above 0, its probability above a half.
    The class's score is summed over a region in Vinogradova et al. 2020, Seg-Grad-CAM; the mean differs by its size alone.
    Where the network gives decisions, as an argmax or a threshold does, the score is the share of the region, as it was on the
    untouched image, that is decided for the class.  A share has no gradient; methods that change the image explain it.
    """

    of: int | str | None = None
    mask: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", None if self.of is None else class_given(self.of, "Region"))

    def known(self, labels: Labels) -> "Region":
        return self if self.of is None else replace(self, of=class_index(self.of, labels))

    def pin(self, output: Any, view: ImageView) -> Pinned:
        raw = dense(output, len(view.space))
        reading = _reading(self, self.of, raw, view)
        where = self._predicted(reading, raw, view) if self.mask is None else _on_grid(self.mask, raw.shape[2:], view)
        if not where.any():
            raise BadParameter(f"{self}: the mask covers no cell of the output, whose grid is {tuple(raw.shape[2:])}.")
        doubts = self._doubts(reading, raw, view) if self.mask is None else ()
        return _pinned(self, where, reading, view, doubts)

    def _predicted(self, reading: "ClassReading", raw: Array, view: ImageView) -> NDArray[np.bool_]:
        """Where the network predicts the class; NotHere, with the classes that it predicts, where that is nowhere."""
        if reading.present is not None:
            there, present = numbers(reading.read(raw))[0] > 0, reading.present
        else:
            values = numbers(view.scored(as_floats(raw)))[0]
            classes = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
            each = values > _even(values, reading) if _independent(values, view) else values.argmax(0) == classes
            there, present = each[reading.of or 0], [int(i) for i in np.flatnonzero(each.reshape(len(each), -1).any(1))]
        if not there.any():
            names = ", ".join(str(name_of(view.labels, i) or i) for i in present) or "none"
            name = name_of(view.labels, reading.of) or reading.of or 0
            raise NotHere(
                f"{self}: the network predicts {name} nowhere in this image; there is: {names}. Name one of these, give a "
                "mask, or a Point."
            )
        return there

    def _doubts(self, reading: "ClassReading", raw: Array, view: ImageView) -> tuple[str, ...]:
        """A remark, where it is a guess that the scores are probabilities."""
        values = numbers(raw)[0]
        if reading.present is not None or not _independent(values, view) or reading.kind in EVEN or not _even(values, reading):
            return ()
        return ("the output lies between 0 and 1, so it is taken for probabilities: predicted is what is above a half",)

    @property
    def words(self) -> str:
        """Where the class is meant, for a caption."""
        return "where it is predicted" if self.mask is None else "in the mask"

    @classmethod
    def parse(cls, text: str) -> "Region":
        """region:CLASS, the region where the network predicts it.  Raises BadParameter for a mask, which no text holds."""
        rest = text.partition(":")[2]
        if MASK in rest and holds_no_question(rest):
            raise BadParameter(f"{quoted(text)}: the mask is known by its SHA-256 alone: give Region(class, mask).")
        return cls(operand(rest) if rest.strip() else None)

    def __str__(self) -> str:
        mask = "" if self.mask is None else f"{MASK}{described(mask_weights(self.mask))}"
        return f"region:{'' if self.of is None else class_text(self.of)}{mask}"

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
        sides = self.y, self.x
        if not all(isinstance(s, int | float | np.number) and not isinstance(s, bool) and abs(s) <= FARTHEST for s in sides):
            raise BadParameter(f"Point({quoted(self.y)}, {quoted(self.x)}): give a row and a column, in pixels of the photo.")
        object.__setattr__(self, "y", float(self.y))
        object.__setattr__(self, "x", float(self.x))
        object.__setattr__(self, "of", None if self.of is None else class_given(self.of, "Point"))

    def known(self, labels: Labels) -> "Point":
        return self if self.of is None else replace(self, of=class_index(self.of, labels))

    def pin(self, output: Any, view: ImageView) -> Pinned:
        raw = dense(output, len(view.space))
        grid = tuple(raw.shape[2:])
        if len(grid) != 2:
            raise NotApplicable(f"{self}: a Point lies in a flat output, and this one is {grid}. Give a Region with a mask.")
        place = view.to_prepared(np.array([self.x + 0.5, self.y + 0.5])) / np.array(view.space[::-1])  # its centre, from 0 to 1
        if not ((place >= 0) & (place < 1)).all():
            corners = view.to_photo(np.array([[0, 0], view.space[::-1]])).round().astype(int)
            edges = "from ({}, {}) to ({}, {})".format(*corners[:, ::-1].ravel())
            raise NotHere(f"{self}: the network saw the photo's pixels {edges}, as (y, x); the point lies outside.")
        column, row = (int(i) for i in place * grid[::-1])
        where = np.zeros(grid, bool)
        where[row, column] = True
        named = self.of is not None or raw.shape[1] == 1
        of = self.of if named else int(view.scored(as_floats(raw))[0, :, row, column].argmax())
        reading = _reading(self, of, raw, view, (row, column))
        aim = self if reading.of is None or (named and not whole_numbers(raw)) else replace(self, of=reading.of)
        return _pinned(aim, where, reading, view)

    @property
    def words(self) -> str:
        """Where the class is meant, for a caption."""
        return f"at the point ({number_text(self.y)}, {number_text(self.x)})"

    @classmethod
    def parse(cls, text: str) -> "Point":
        """point:Y,X or point:Y,X:CLASS."""
        rest = text.partition(":")[2]
        place = re.match(rf"\s*({NUMBER})\s*,\s*({NUMBER})\s*", rest)
        behind = rest[place.end() :] if place else rest
        if not place or (behind and (behind[0] != ":" or not behind[1:].strip())):
            raise unreadable(text, behind, "point:Y,X or point:Y,X:CLASS, in pixels of the photo, as in point:120,80:cat.")
        return cls(float(place[1]), float(place[2]), operand(behind[1:]) if behind else None)

    def __str__(self) -> str:
        place = f"point:{number_text(self.y)},{number_text(self.x)}"
        return place + ("" if self.of is None else f":{class_text(self.of)}")


class ClassReading(NamedTuple):
    """How the scores of one class are read of a dense output (n, k, *where)."""

    read: Callable[[Array], Array]  # (n, k, *where) -> (n, *where)
    kind: str  # of scores
    of: int | None  # the class
    present: Sequence[int] | None = None  # the classes that were decided for, where the output holds decisions
    why_no_gradient: str = ""
    notes: tuple[str, ...] = ()


def _reading(aim: Region | Point, of: Any, raw: Array, view: ImageView, at: tuple[int, ...] | None = None) -> ClassReading:
    """How the class `of` is read of an output like that of the untouched image, as scores or as decisions."""
    decided = decisions(raw, of, view.labels, aim, at)
    if decided is not None:
        return ClassReading(decided.read, SHARE, decided.of, decided.present, why_no_gradient(decided.what))
    index, dtype = channel(of, raw, view.labels, aim), whole_numbers(raw)
    if not dtype and thresholded(raw):
        there = np.flatnonzero(numbers(raw)[0].reshape(raw.shape[1], -1).any(1))
        return ClassReading(lambda given: as_floats(given)[:, index], SHARE, index, [*map(int, there)])
    kind, notes = ("", ()) if dtype else view.ending(raw)
    why = why_no_gradient(f"whole numbers ({dtype})") if dtype else ""
    return ClassReading(
        lambda given: view.scored(as_floats(given))[:, index], kind or view.model.explains, index, None, why, notes
    )  # fmt: skip


def _pinned(
    aim: Region | Point, where: NDArray[Any], reading: ClassReading, view: ImageView, doubts: tuple[str, ...] = ()
) -> Pinned:  # fmt: skip
    """An aim at the mean of the class's scores over cells of the output; where: True in these, or their weights."""
    share = where / where.sum()

    def read(output: Any) -> Array:
        scores = reading.read(dense(output, len(view.space)))
        if tuple(scores.shape[1:]) != where.shape:
            raise NotApplicable(
                f"{aim}: the output is {tuple(scores.shape[1:])} here, and {where.shape} for the image as it was."
            )
        return (scores * _like(share, scores)).reshape(len(scores), -1).sum(1)

    label = name_of(view.labels, reading.of)
    notes = (*reading.notes, *doubts)
    return Pinned(read, reading.kind, str(aim), reading.of, label, None, notes, aim.words, reading.why_no_gradient)


EVEN = {"probability": 0.5, "log-probability": float(np.log(0.5))}  # of such scores, the one that is as likely as not


def _independent(values: NDArray[Any], view: ImageView) -> bool:
    """Is each class of the scores (k, *where) predicted or not whatever the others are?"""
    return len(values) == 1 or view.independent


def _even(values: NDArray[Any], reading: ClassReading) -> float:
    """The score that is as likely as not; what lies between 0 and 1 is taken for probabilities."""
    between = bool((values >= 0).all() and (values <= 1).all())
    return EVEN.get(reading.kind, 0.5 if between else 0.0)


def _like(values: NDArray[Any], scores: Array) -> Array:
    """Values as the same kind of array as the scores."""
    return values if isinstance(scores, np.ndarray) else scores.new_tensor(values)


def mask_weights(mask: Any) -> NDArray[Any]:
    """A mask as it was given, as True and False, or as weights from 0 to 1.

    Raises BadParameter for what is neither: negative or endless numbers, and several numbers above 1, which may be classes.
    """
    given = numbers(mask)
    if given.dtype.kind not in "biuf" or not given.size:
        raise BadParameter(f"A mask is an array of True and False, or of weights from 0 to 1, not {quoted(mask)}.")
    if given.dtype.kind == "b":
        return given
    low, high = float(given.min()), float(given.max())
    if ((given == 0) | (given == high)).all() and 0 <= high < np.inf:
        return given > 0
    if low >= 0 and high <= 1:
        return given.astype(np.float64)
    classes = given.dtype.kind in "iu" and low >= 0
    raise BadParameter(
        f"The mask holds numbers from {low:g} to {high:g}: it is True or False, or weights from 0 to 1. "
        + (
            "If these are classes, ask for one of them: mask == class."
            if classes
            else "Bring it there, as by mask / mask.max()."
        )
    )


def _on_grid(mask: Any, grid: Sequence[int], view: ImageView) -> NDArray[Any]:
    """A mask, or weights, on the grid of the output: each cell has the value of the mask at its centre.

    mask: as the photo or the volume is, or else as the prepared image or the output; BadParameter for any other shape.
    """
    mask = mask_weights(mask)
    mask = mask[0] if mask.ndim == len(grid) + 1 and len(mask) == 1 else mask
    original = view.box.shape if isinstance(view.box, Grid) else view.size and view.size[::-1]
    if isinstance(view.box, Grid) and mask.shape == original:
        values = view.box.read(mask.astype(np.float32))
        mask = values > 0.5 if mask.dtype == bool else values.clip(0, 1)
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


def _from_photo(mask: NDArray[Any], grid: Sequence[int], view: ImageView) -> NDArray[Any]:
    """A mask of the photo (h, w) on the grid of the output, read at the cells' centres; 0 outside of the photo."""
    height, width = mask.shape
    rows, columns = np.mgrid[0 : grid[0], 0 : grid[1]] + 0.5
    prepared = np.stack([columns / grid[1] * view.space[1], rows / grid[0] * view.space[0]], -1)
    x, y = np.moveaxis(np.floor(view.to_photo(prepared)).astype(int), -1, 0)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return inside * mask[y.clip(0, height - 1), x.clip(0, width - 1)]
