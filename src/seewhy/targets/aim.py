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
from seewhy.images.places import Extent, Grid

from .target import Labels

FARTHEST = 10**9  # pixels


class ImageView(NamedTuple):
    """One image as the network sees it, with the model that answers for it."""

    space: tuple[int, ...]  # of the prepared image
    size: tuple[int, int] | None  # (w, h) of the photo; None of a prepared array
    box: Extent | Grid  # the part of the photo that the network sees, in pixels of the photo; the grid of a volume, signal, ...
    labels: Labels
    model: Any = None  # whose output the aim reads
    scored: Callable[[Array], Array] = lambda scores: scores  # (m, k, *where) as the model explains them
    independent: bool = False  # each class is predicted or not whatever the others are, as of many labels

    def to_prepared(self, points: NDArray[Any]) -> NDArray[Any]:
        """Points (..., 2) on the photo, as (x, y) in its pixels, as points on the prepared image, in its pixels."""
        corner, span = self._frame
        return (points - corner) / span * self.space[:-3:-1]

    def to_photo(self, points: NDArray[Any]) -> NDArray[Any]:
        """Points (..., 2) on the prepared image as points on the photo."""
        corner, span = self._frame
        return points / self.space[:-3:-1] * span + corner

    @property
    def _frame(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The upper left corner of the visible part of the photo, and its sides, as (x, y)."""
        if isinstance(self.box, Grid):
            raise NotApplicable(
                "A place (x, y) is asked for in a photo; in a volume or a clip ask by a mask: Region(class, mask)."
            )
        left, top, right, bottom = self.box
        return np.array([left, top]), np.array([right - left, bottom - top])


@dataclass(frozen=True)
class Pinned:
    """An aim after it has looked at the untouched image."""

    read: Callable[[Any], Array]  # what the network gives for m variants -> the explained number of each (m,)
    kind: str  # of number: "logits", "probability", "similarity", ...
    target: str  # text from which the same target is made again
    index: int | None = None  # of the class, where it is one
    label: str | None = None
    probability: float | None = None
    notes: tuple[str, ...] = ()
    place: str = ""  # of the class in the image, in words


class Aim(ABC):
    """A target that is pinned on what the network gives for the untouched image.

    widest: methods look by default at the last of the network's widest maps, as suits an answer that lies in space; False:
        at the last layer that the number rests on.
    local: the aim means something at one place of this image, so that tiles of a large image cannot be asked for it one by one.
    """

    widest: ClassVar[bool] = True
    local: ClassVar[bool] = True

    def known(self, labels: Labels) -> "Aim":
        """The same with its class as an index; NoSuchName for a label that the model does not have."""
        return self

    @abstractmethod
    def pin(self, output: Any, view: ImageView) -> Pinned:
        """What is explained, given what the network gives for one image."""
