"""Why is there a box here?  An aim at one detection, and the list of the detections that there are."""

import re
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from seewhy.arrays import Array
from seewhy.errors import BadParameter, NotHere
from seewhy.printable import printable, quoted

from .aim import Aim, ImageView, Pinned
from .class_names import class_index, own_name
from .detector import Detections, Likeness, as_numbers, detections_of, overlap, ranking
from .grammar import INDEX, NUMBER, QUOTED, class_text, number_text, operand, unreadable
from .parse import short_text
from .target import LARGEST, Labels, class_given, name_of

Corners = tuple[float, float, float, float]  # x0, y0, x1, y1
MATCHED = "the detection overlaps the place that was asked for"
LEAST = 0.1  # IoU of a place with the detection that is meant by it
HOW = "box:LABEL, box:LABEL:1 for the one with the second highest score, or box:LABEL:x0,y0,x1,y1, in pixels of the photo."


@dataclass(frozen=True)
class Box(Aim):
    """One detection of a detector: its score, and in variants of the image the score of the detection most like it.

    label: index or label; None for any.
    which: 0 the detection of that label with the highest score, 1 the next, ...; or a place (x0, y0, x1, y1) in pixels of the
        photo (of a prepared array: of it), for the detection of that label that overlaps it most, by IoU.

    Of a variant is read the greatest of IoU(b, b_j) * cos(P, P_j) * p_j over its detections j, b the box pinned on the
    untouched image, P the probabilities of its classes, p_j that of its label: D-RISE, Petsiuk et al. 2021, eq. 2-4, with p_j
    for the objectness.  IoU and cosine are constants to the gradient, which on the untouched image is that of the box's
    score.  Another detection there that is stronger by this measure is a rival: a box nearer to it is not counted.  Where
    nothing is detected, 0.
    """

    label: int | str | None = None
    which: int | Corners = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", None if self.label is None else class_given(self.label, "Box"))
        if isinstance(self.which, int | np.integer) and not isinstance(self.which, bool) and 0 <= self.which <= LARGEST:
            object.__setattr__(self, "which", int(self.which))
            return
        try:
            edges: Any = self.which
            right = np.ndim(edges) == 1 and not any(isinstance(edge, bool) for edge in edges)
            place = tuple(map(float, edges)) if right else ()
        except (TypeError, ValueError, OverflowError):
            place = ()
        if len(place) != 4 or not all(map(isfinite, place)) or place[0] > place[2] or place[1] > place[3]:
            raise BadParameter(
                f"Box: which={quoted(self.which)} is neither 0, 1, 2, ... nor a place (x0, y0, x1, y1): its left, upper, right "
                "and lower edge."
            )
        object.__setattr__(self, "which", place)

    def known(self, labels: Labels) -> "Box":
        return self if self.label is None else replace(self, label=class_index(self.label, labels))

    def pin(self, output: Any, view: ImageView) -> Pinned:
        detections = detections_of(output, view)[0]
        place, notes = self._place(detections, view)
        likeness = detections.like(place)
        label = likeness.label
        value = likeness(detections) * as_numbers(detections.of(label))
        rivals = detections.boxes[value > value[place]]
        if len(rivals):
            several = len(rivals) > 1
            notes += (f"{len(rivals)} stronger detection{'s overlap' if several else ' overlaps'} the box: in variants of the "
                      f"image, boxes nearer to {'one of these' if several else 'it'} are not counted",)  # fmt: skip
        edges = place_text(on_photo(likeness.box, view))
        name = name_of(view.labels, label)
        own = own_name(label, view.labels)
        target = short_text(f"box:{class_text(label if own is None else own)}:{edges}", view.labels)

        def read(output: Any) -> Array:
            return together([_similar(variant, likeness, rivals) for variant in detections_of(output, view)])

        where = f"in the box ({edges.replace(',', ', ')})"
        return Pinned(read, "probability", target, label, name, float(detections.scores[place]), notes, where, at=(place,))

    def _place(self, detections: Detections, view: ImageView) -> tuple[int, tuple[str, ...]]:
        """The index of the detection that is meant, and remarks on it."""
        candidates = [j for j in ranking(detections) if self.label in (None, detections.labels[j])]
        if isinstance(self.which, int):
            if self.which >= len(candidates):
                there = f"there are {len(candidates)} of these" if candidates else "there is none"
                raise self._not_here(there, detections, view)
            return candidates[self.which], ()
        place = _corners(view.to_prepared(np.reshape(self.which, (2, 2))))
        shared = overlap(detections.boxes[candidates], place) if candidates else np.zeros(1)
        best = int(shared.argmax())
        if shared[best] < LEAST:
            raise self._not_here(f"none overlaps that place (IoU at most {shared[best]:.2f})", detections, view)
        return candidates[best], (f"{MATCHED} by IoU {shared[best]:.2f}",)

    def _not_here(self, why: str, detections: Detections, view: ImageView) -> NotHere:
        """The error that no detection is meant, with those that there are."""
        there = "; ".join(map(str, by_score(detections, view)[:5])) or "nothing"
        named = replace(self, label=name_of(view.labels, self.label) or self.label) if isinstance(self.label, int) else self
        asked = short_text(str(named), view.labels)
        return NotHere(f"{asked}: {why}. In this image is detected: {there}. All: seewhy.detections(model, image).")

    @classmethod
    def parse(cls, text: str) -> "Box":
        """box:LABEL, box:LABEL:1 or box:LABEL:x0,y0,x1,y1; box::1 of any label."""
        rest = text.partition(":")[2]
        parts = re.fullmatch(rf"(\s*{QUOTED}\s*|.*?)(?::\s*({INDEX}|{NUMBER}(?:\s*,\s*{NUMBER})*)\s*)?", rest, re.DOTALL)
        if parts is None:
            raise unreadable(text, rest, HOW)
        label, which = operand(parts[1]), parts[2] or "0"
        try:
            place = int(which) if re.fullmatch(INDEX, which) else tuple(map(float, which.split(",")))
            return cls(None if label == "" and '"' not in parts[1] else label, place)  # type: ignore[arg-type]
        except BadParameter as error:
            raise BadParameter(f"{error} {unreadable(text, which, HOW)}") from None

    def __str__(self) -> str:
        which = self.which if isinstance(self.which, int) else ",".join(map(number_text, self.which))
        return f"box:{'' if self.label is None else class_text(self.label)}:{which}"


def place_text(place: Corners) -> str:
    """A place as a target is written: to a hundredth of a pixel; of a sliver as exactly as it takes to find it again."""
    thin = min(place[2] - place[0], place[3] - place[1]) < 1
    return ",".join(f"{edge:.9g}" if thin else f"{round(edge, 2):g}" for edge in place)


def _similar(detections: Detections, likeness: Likeness, rivals: NDArray[Any]) -> Array:
    """The greatest likeness of a variant's detections to the pinned box, times their scores: a number, with its graph."""
    scores = detections.of(likeness.label)
    if not len(detections.boxes):
        return scores.sum()  # zero, and still part of the graph
    share = likeness(detections)
    nearness = overlap(detections.boxes, likeness.box)
    for rival in rivals:
        share = np.where(overlap(detections.boxes, rival) > nearness, 0, share)
    best = int((share * as_numbers(scores)).argmax())
    return scores[best] * float(share[best])


def together(values: list[Array]) -> Array:
    """Single numbers, one of each variant, as one array (m,)."""
    return np.stack(values) if isinstance(values[0], np.ndarray | np.generic) else rearrange(values, "m -> m")


@dataclass(frozen=True)
class Detection:
    """Something that a detector sees in an image."""

    label: int | str
    index: int  # among those of its label, by falling score: Box(label, index) explains it
    score: float
    box: Corners  # in pixels of the photo; of a prepared array, of it

    @property
    def target(self) -> str:
        """The target that explains it."""
        return short_text(str(Box(self.label, self.index)), None)

    def __str__(self) -> str:
        return (
            f"{printable(self.label, 100)} {self.index} ({self.score:.2f}) at {', '.join(f'{edge:.0f}' for edge in self.box)}"
        )


def by_score(detections: Detections, view: ImageView) -> list[Detection]:
    """The detections by falling score, numbered within their label."""
    count: dict[int, int] = {}
    scores, rows = detections.scores, []
    for j in ranking(detections):
        label = int(detections.labels[j])
        count[label] = count.get(label, -1) + 1
        name = own_name(label, view.labels)
        place = on_photo(detections.boxes[j], view)
        rows.append(Detection(label if name is None else name, count[label], float(scores[j]), place))
    return rows


def on_photo(box: NDArray[Any], view: ImageView) -> Corners:
    """A box of the prepared image as it lies on the photo."""
    x0, y0, x1, y1 = map(float, _corners(view.to_photo(box.reshape(2, 2))))
    return x0, y0, x1, y1


def _corners(points: NDArray[Any]) -> NDArray[Any]:
    """The box (4,) of two opposite corners (2, 2), which change sides where the photo is mirrored."""
    return np.concatenate([points.min(0), points.max(0)])
