"""Is it the same thing that lies at a suspected place on the photos of a class, and which part of them is it?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from seewhy.arrays import Floats
from seewhy.metrics.regional.frames import GRID, Shares

from .alike import BEYOND, SAME, best_match
from .audit_photos import AuditPhoto
from .facts import VIEW, luma_of

CANDIDATES, COMPARED = (
    5,
    12,
)  # photos that the part is sought on; photos of the class, and of others, that it is sought again on
PART = 0.6  # of each side of the suspected box: the template
STEPS = (0.0, 0.5, 1.0)  # where in the box the template begins, of the room that it has
MIDDLE = (0.375, 0.625)  # of each side: where objects lie on most photos


@dataclass(frozen=True)
class SharedMark:
    """How well the part that is most the same on photos of a class is found again there, and on photos of other classes.

    own, others: the mean over photos of the greatest correlation with a part of the suspected place, -1 to 1.
    """

    own: float
    others: float

    @property
    def same(self) -> bool:
        """Is it one thing that lies there?"""
        return self.own >= SAME and self.own - self.others >= BEYOND

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for JSON."""
        return asdict(self) | {"same": self.same}

    def __str__(self) -> str:
        beside = f"(match {self.own:.2f}, {self.others:.2f} on other classes)"
        return f"the same thing lies there {beside}" if self.same else f"what lies there differs from photo to photo {beside}"


class PlacedPhoto(NamedTuple):
    """A photo, and the one of the suspected boxes that has the thing."""

    photo: AuditPhoto
    box: Shares


def shared_mark(
    photos: Sequence[AuditPhoto], others: Sequence[AuditPhoto], boxes: Sequence[Shares]
) -> tuple[SharedMark | None, list[PlacedPhoto]]:
    """What lies in these boxes on photos of a class, and the photos that show it, the clearest first.

    Where it is not the same thing, those with the most evidence there come first.  None where there are fewer than two photos.
    """
    ordered = sorted((PlacedPhoto(photo, strongest(photo, boxes)) for photo in photos),
                     key=lambda one: -share_in(one.photo, [one.box]))  # fmt: skip
    if len(ordered) < 2 or not others:
        return None, ordered
    own = [(one, luma_of(one.photo.view)) for one in ordered[:COMPARED]]
    rest = [luma_of(photo.view) for photo in others[:COMPARED]]
    best: tuple[float, SharedMark, Floats] | None = None
    for one, luma in own[:CANDIDATES]:
        for template in _templates(luma, one.box):
            here = float(np.mean([best_match(template, other, boxes) for place, other in own if place is not one]))
            there = float(np.mean([best_match(template, other, boxes) for other in rest]))
            if best is None or here - there > best[0]:
                best = here - there, SharedMark(here, there), template
    if best is None:
        return None, ordered
    mark, template = best[1:]
    if mark.same:
        found = [(max((best_match(template, luma_of(one.photo.view), [box]), box) for box in boxes), one) for one in ordered]
        ordered = [PlacedPhoto(one.photo, box) for (_, box), one in sorted(found, key=lambda pair: -pair[0][0])]
    return mark, ordered


def _templates(luma: Floats, box: Shares) -> list[Floats]:
    """Parts of a view within a box."""
    left, top, right, bottom = (round(edge * VIEW) for edge in box)
    high, wide = max(2, round((bottom - top) * PART)), max(2, round((right - left) * PART))
    corners = [(top + round(y * (bottom - top - high)), left + round(x * (right - left - wide))) for y in STEPS for x in STEPS]
    return [luma[y : y + high, x : x + wide] for y, x in corners]


def share_in(photo: AuditPhoto, boxes: Sequence[Shares]) -> float:
    """The share of a photo's evidence in boxes that do not overlap, by the cells of the grid that lie in them."""
    if photo.evidence.cells is None:
        return 0.0
    total = 0.0
    for box in boxes:
        left, top, right, bottom = (round(edge * GRID) for edge in box)
        total += float(photo.evidence.cells[top:bottom, left:right].sum())
    return total


def strongest(photo: AuditPhoto, boxes: Sequence[Shares]) -> Shares:
    """The box with the most evidence of the photo's map."""
    return max(boxes, key=lambda box: share_in(photo, [box]))


def central(boxes: Sequence[Shares]) -> bool:
    """Does one of the boxes reach into the middle of the frame, where objects lie?"""
    low, high = MIDDLE
    return any(left < high and right > low and top < high and bottom > low for left, top, right, bottom in boxes)
