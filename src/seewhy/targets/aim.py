"""Aims: targets that read all that a network gives, where it gives more than one score per class.

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
    """One image as the network saw it, and what can be asked of the network."""

    space: tuple[int, ...]  # of the prepared image
    size: tuple[int, int] | None  # (w, h) of the photo; None of a prepared array
    box: Extent | Grid  # the part of the photo that the network saw, in its pixels; of a volume, a signal or the like its grid
    labels: Labels
    model: Any = None  # who answers
    scored: Callable[[Array], Array] = lambda scores: scores  # (m, k, *where) as the model explains them
    apart: bool = False  # each class is a question of its own, as of many labels

    def into(self, points: NDArray[Any]) -> NDArray[Any]:
        """Places (..., 2) on the photo, as (x, y) in its pixels, as places on the prepared image, in its pixels."""
        corner, span = self._frame
        return (points - corner) / span * self.space[:-3:-1]

    def back(self, points: NDArray[Any]) -> NDArray[Any]:
        """Places (..., 2) on the prepared image as places on the photo."""
        corner, span = self._frame
        return points / self.space[:-3:-1] * span + corner

    @property
    def _frame(self) -> tuple[NDArray[Any], NDArray[Any]]:
        if isinstance(self.box, Grid):
            raise NotApplicable(
                "A place (x, y) is asked for in a photo; in a volume or a clip ask by a mask: Region(class, mask)."
            )
        left, top, right, bottom = self.box
        return np.array([left, top]), np.array([right - left, bottom - top])


@dataclass(frozen=True)
class Pinned:
    """An aim that has seen the untouched image."""

    read: Callable[[Any], Array]  # what the network gives for m variants -> the explained number of each (m,)
    kind: str  # of number: "logits", "probability", "similarity", ...
    target: str  # in words that make it again
    index: int | None = None  # of the class, where it is one
    label: str | None = None
    probability: float | None = None
    notes: tuple[str, ...] = ()
    place: str = ""  # of the class in the image, in words


class Aim(ABC):
    """A target that is pinned on what the network gives for the untouched image.

    widest: methods look by default at the last of the network's widest maps, as suits an answer that lies in space; False:
        at the last layer that the number rests on.
    """

    widest: ClassVar[bool] = True

    def known(self, labels: Labels) -> "Aim":
        """The same with its class as an index; NoSuchName for a label that the model does not have."""
        return self

    @abstractmethod
    def pin(self, output: Any, seen: ImageView) -> Pinned:
        """What is explained, given what the network gives for one image."""
