"""Aims: targets for networks that give more than one score per class, read from all that such a network gives.

A segmenter gives a map of scores, a detector boxes, an encoder an embedding.  An aim is pinned on the untouched image: it looks
at what the network gives there, and decides once which number is explained.  That number is then read from what the
network gives for any variant of the image.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array
from seewhy.errors import NotApplicable
from seewhy.images.places import Grid, Turned, Where

from .target import Labels
from .written import Writing, WrittenText

FARTHEST = 10**9  # pixels


class ImageView(NamedTuple):
    """One image as the network sees it, with the model that answers for it."""

    space: tuple[int, ...]  # of the prepared image
    size: tuple[int, int] | None  # (w, h) of the photo, of a clip of each frame; None of a prepared array, and of a volume
    box: Where | None  # the part of the photo that the network sees, in its pixels; the grid of a volume, ...; None: unknown
    labels: Labels
    model: Any = None  # whose output the aim reads
    scored: Callable[[Array], Array] = lambda scores: scores  # (m, k, *where) as the model explains them
    # raw dense scores -> the kind of scores that they are, "" where it is the model's, and what a person should know of it
    ending: Callable[[Array], tuple[str, tuple[str, ...]]] = lambda _raw: ("", ())
    independent: bool = False  # each class is predicted or not whatever the others are, as of many labels
    written: WrittenText | None = None  # what the network wrote about the image, for an aim with a `writing`

    def to_prepared(self, points: NDArray[Any]) -> NDArray[Any]:
        """Points (..., 2) on the photo, as (x, y) in its pixels, as points on the prepared image, in its pixels.

        Raises NotApplicable where these are no points on a photo, or where it is not known which part of it the network sees.
        """
        self.require_place()
        corner, span = self._frame
        inside = (points - corner) / span
        return (inside[..., ::-1] if isinstance(self.box, Turned) else inside) * self.space[:-3:-1]

    def to_photo(self, points: NDArray[Any]) -> NDArray[Any]:
        """Points (..., 2) on the prepared image as points on the photo."""
        corner, span = self._frame
        inside = points / self.space[:-3:-1]
        return (inside[..., ::-1] if isinstance(self.box, Turned) else inside) * span + corner

    def require_place(self) -> None:
        """Raise NotApplicable where it is not known which part of the photo the network sees."""
        if self.box is None:
            raise NotApplicable(
                "Where the network looks on the photo cannot be measured, so no place on it can be found. Let `prepare` resize "
                "and crop in the same way each time, or give the prepared array."
            )

    @property
    def _frame(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The upper left corner of the visible part of the photo, and its sides, as (x, y)."""
        if isinstance(self.box, Grid):
            raise NotApplicable(
                "A place (x, y) is asked for in a photo; in a volume or a clip ask by a mask: Region(class, mask)."
            )
        whole = (0, 0, *(self.size or self.space[:-3:-1]))
        left, top, right, bottom = (self.box.extent if isinstance(self.box, Turned) else self.box) or whole
        return np.array([left, top]), np.array([right - left, bottom - top])


@dataclass(frozen=True)
class Pinned:
    """The number that an aim explains for one image, chosen by what the network returns for the untouched image."""

    read: Callable[[Any], Array]  # from the network's output for m variants of the image to the number of each (m,)
    kind: str  # the kind of number: "logits", "probability", "similarity", ...
    target: str  # text from which the same target is made again
    index: int | None = None  # the class, if a class is explained
    label: str | None = None
    probability: float | None = None
    notes: tuple[str, ...] = ()
    place: str = ""  # in words: the place in the image that is explained
    why_no_gradient: str = ""  # why the number has no gradient, and what to do; "" where it may have one
    written: WrittenText | None = None  # the text that it is read with, whatever the image
    at: tuple[int, ...] = ()  # the tokens of it, or the queries of a detector, that are explained

    @property
    def facts(self) -> dict[str, Any]:
        """What a Source says of the class, or of the text."""
        written = self.written.facts(self.at) if self.written else {}
        return {"index": self.index, "label": self.label, "probability": self.probability, "written": written}


class Aim(ABC):
    """A target whose number is chosen by what the network returns for the untouched image, such as one of a detector's boxes.

    widest: the default layer is the last of the network's widest maps, as suits an output with places; False: the last layer
        that the number depends on.
    local: the aim belongs to one place of the image, so that the tiles of a large image cannot be explained one by one.
    """

    widest: ClassVar[bool] = True
    local: ClassVar[bool] = True

    @property
    def writing(self) -> Writing | WrittenText | None:
        """How the network is to write the text that the aim reads, or the text, where that is known; None: it needs none."""
        return None

    def known(self, labels: Labels) -> "Aim":
        """The aim with its class as an index in place of a label.  Raises NoSuchName if the model has no such label."""
        return self

    @abstractmethod
    def pin(self, output: Any, view: ImageView) -> Pinned:
        """The number that is explained for this image.  output: what the network returns for it, untouched."""


class PinnedAim(Aim):
    """An aim whose number was chosen on another image, and is read from what the network returns for this one.

    pinned: what a model that `aimed` made says of the image that it was chosen on.
    """

    def __init__(self, pinned: Pinned) -> None:
        self.pinned = pinned

    @property
    def writing(self) -> WrittenText | None:
        return self.pinned.written

    def pin(self, output: Any, view: ImageView) -> Pinned:
        return self.pinned

    def __str__(self) -> str:
        return self.pinned.target
