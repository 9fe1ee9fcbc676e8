"""Regions in which evidence is counted, as a person names them: parts of the frame, or what files mark on each photo."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Floats
from seewhy.errors import BadParameter
from seewhy.maps.heatmap import Heatmap
from seewhy.printable import quoted
from seewhy.targets.target import Labels
from seewhy.truth.evidence import EvidenceShare, MarkedObject, coverage, evidence_share, object_in
from seewhy.truth.given import GivenTruth, GroundTruth, ObjectMark

from .frames import FRAME, SIDE, Shares
from .text import text_on

WIDTH, CORNER = 0.1, 0.25  # of the border and of a corner, in shares of each side, where nobody says it
CORNERS = {"nw": (0, 0), "ne": (1, 0), "sw": (0, 1), "se": (1, 1)}
OUTSIDE, TEXT = "outside-object", "text"
THERE_ARE = (
    "There are: border, border:0.1 (its width, a share of each side), corner:ne (or nw, se, sw), corner:ne:0.25 (its size), "
    "box:FILE, mask:FILE (files of boxes and masks, as docs/truth.md has them), text, outside-object."
)


@dataclass(frozen=True)
class FrameRegion:
    """A part of the frame, the same on every photo: boxes in shares of its sides, which do not overlap."""

    name: str
    boxes: tuple[Shares, ...]

    @cached_property
    def inside(self) -> NDArray[np.float64]:
        """How much of each place of the frame it takes: (SIDE, SIDE), 0 to 1."""
        return coverage([(left * SIDE, top * SIDE, right * SIDE, bottom * SIDE) for left, top, right, bottom in self.boxes],
                        (SIDE, SIDE))  # fmt: skip

    def share(self, _photo: str, _heatmap: Heatmap, frame: Floats) -> EvidenceShare | None:
        """How much of a map's evidence lies in it; frame: the map on the frame."""
        return evidence_share(frame, FRAME, MarkedObject(self.inside))


@dataclass(frozen=True)
class MarkedRegion:
    """What files mark on each photo: boxes, masks, or all but these.

    known: what the files say of the photos.
    """

    name: str
    known: GroundTruth
    outside: bool = False

    def share(self, photo: str, heatmap: Heatmap, _frame: Floats) -> EvidenceShare | None:
        """How much of a map's evidence lies in it; None of a photo on which nothing is marked, or of which nothing was seen.

        Raises BadParameter or BadImage where what is marked does not fit the photo.
        """
        mark = self._mark(photo, heatmap)
        if mark is None or mark.empty:
            return None
        if not self.outside:
            found = heatmap.evidence_in(mark.boxes, mark.mask)
            return found if found.seen else None
        width, height = heatmap.size[:2]
        marked = object_in(mark.boxes, mark.mask, (height, width), True)
        return heatmap.evidence_in(mask=MarkedObject(1 - marked.inside.astype(np.float32), marked.ignored))

    def _mark(self, photo: str, heatmap: Heatmap) -> ObjectMark | None:
        explained = [*heatmap.source.classes] or [heatmap.source.index]
        mask = self.known.mask_mark(photo, heatmap.image)
        return mask if mask is not None else self.known.box_mark(photo, heatmap.image, explained)


@dataclass(frozen=True)
class TextRegion:
    """Where each photo shows text that can be read."""

    name: str = TEXT

    def share(self, _photo: str, heatmap: Heatmap, _frame: Floats) -> EvidenceShare | None:
        """How much of a map's evidence lies on text; None of a photo on which none is read, or of which nothing was seen."""
        if not isinstance(heatmap.image, Image.Image):
            return None
        found = heatmap.evidence_in(mask=MarkedObject(text_on(heatmap.image)))
        return found if found.seen else None


class GivenRegion(NamedTuple):
    """What files mark, of which it is not said yet on which photos."""

    name: str
    given: GivenTruth
    outside: bool = False


EvidenceRegion = FrameRegion | MarkedRegion | TextRegion
NamedRegion = FrameRegion | GivenRegion | TextRegion


def regions_of(named: Sequence[NamedRegion], photos: Sequence[str], labels: Labels) -> list[EvidenceRegion]:
    """The regions for photos of these names and a model with these labels.

    Raises BadParameter where a file says nothing of any of the photos.
    """
    return [
        MarkedRegion(each.name, each.given.of(photos, labels), each.outside) if isinstance(each, GivenRegion) else each
        for each in named
    ]


def named_regions(within: Any, boxes: Path | None = None, masks: Path | None = None) -> list[NamedRegion]:
    """The regions that texts name, their files read.

    boxes, masks: files of where the objects are, for outside-object.
    Raises BadParameter where a text names none, and what reading its file raises.
    """
    texts = [within] if isinstance(within, str) else [*within]
    if (boxes or masks) and OUTSIDE not in texts:
        why = "say where the objects are, for the region outside-object, which is not asked for: name it, or give"
        raise BadParameter(f"boxes= and masks= {why} within='box:FILE'.", typed=f"--boxes and --masks {why} --in box:FILE.")
    found = list[NamedRegion]()
    for text in dict.fromkeys(texts):
        if not isinstance(text, str):
            raise BadParameter(f"within={quoted(text)} is no region. {THERE_ARE}")
        found.append(_region(text, boxes, masks))
    return found


def _region(text: str, boxes: Path | None, masks: Path | None) -> NamedRegion:
    kind, _, rest = text.strip().partition(":")
    if kind == "border":
        width = _size(text, rest, WIDTH, 0.5)
        inner = 1 - width
        sides = (0.0, 0.0, 1.0, width), (0.0, inner, 1.0, 1.0), (0.0, width, width, inner), (inner, width, 1.0, inner)
        return FrameRegion(f"border:{width:g}", sides)
    if kind == "corner":
        corner, _, size = rest.partition(":")
        if corner not in CORNERS:
            raise BadParameter(f"{quoted(text)}: a corner is one of {', '.join(CORNERS)}, as in corner:ne. {THERE_ARE}")
        side = _size(text, size, CORNER, 1.0)
        right, bottom = CORNERS[corner]
        x, y = right * (1 - side), bottom * (1 - side)
        return FrameRegion(f"corner:{corner}:{side:g}", ((x, y, x + side, y + side),))
    if kind in ("box", "mask") and rest:
        path = Path(rest)
        return GivenRegion(text, GivenTruth.read(boxes=path) if kind == "box" else GivenTruth.read(masks=path))
    if text == OUTSIDE:
        if boxes is None and masks is None:
            why = "outside-object: where the objects are has to be known: give"
            raise BadParameter(f"{why} boxes= or masks=.", typed=f"{why} --boxes or --masks.")
        return GivenRegion(text, GivenTruth.read(boxes=boxes, masks=masks), outside=True)
    if text == TEXT:
        return TextRegion()
    raise BadParameter(f"{quoted(text)} is no region. {THERE_ARE}")


def frame_boxes(name: str) -> tuple[Shares, ...]:
    """The boxes of the frame that a region of this name takes; none of one that files mark on each photo."""
    if name.partition(":")[0] not in ("border", "corner"):
        return ()
    region = _region(name, None, None)
    return region.boxes if isinstance(region, FrameRegion) else ()


def _size(text: str, written: str, usual: float, most: float) -> float:
    """A share of each side, more than 0 and less than `most`."""
    if not written:
        return usual
    share = float(written) if re.fullmatch(r"0?\.[0-9]{1,9}", written) else 0.0
    if not 0 < share < most:
        raise BadParameter(f"{quoted(text)}: write a share of each side, more than 0 and less than {most:g}, as in 0.1.")
    return share
