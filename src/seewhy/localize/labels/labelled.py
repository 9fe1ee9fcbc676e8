"""What was found on one image, as every writer of labels takes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seewhy.objects.found import FoundBox


@dataclass(frozen=True, eq=False)
class LabelledObject:
    """One object of an image.

    category: the name of its class; found: the box, with its score; mask: bool, of the box's own size alone (found.slices of
        the image), true on the object; score: the confidence that is written: the class's probability where it is known, times
        the box's own score.
    """

    category: str
    found: FoundBox
    mask: NDArray[np.bool_] = field(repr=False)
    score: float


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One image and what was found on it.

    file: its name as the person gave it; size: as `Heatmap.size`, (w, h) of a photo.
    objects: the surest first; none where nothing was found, which `why` tells.
    made: what made it, for formats with room for that: method, model, weights, layer, threshold, refine, seewhy's version.
    image: what was opened (photo, Volume, or None), for formats that lie on its own grid.
    """

    file: str
    size: tuple[int, ...]
    objects: tuple[LabelledObject, ...]
    made: Mapping[str, Any]
    why: str = ""
    image: Any = field(default=None, repr=False)


class LabelWriter(Protocol):
    """Writes the labels of many images, one after the other; what was added is on the disk when `close` returns, and as far as
    the format allows also where the run ends before.
    """

    def add(self, image: LabelledImage) -> None: ...
    def close(self) -> None: ...
