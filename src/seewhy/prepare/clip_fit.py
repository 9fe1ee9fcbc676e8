"""Preprocessing of clips: which frames, and each as a photo."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.images.clip import Clip
from seewhy.images.places import Extent, Grid

from .fit import Fit, Preparer


@dataclass(frozen=True)
class ClipFit:
    """The usual preprocessing of a clip: `count` frames spread evenly over it, each prepared by `fit`.

    fit: a Fit, or any preparer of photos; count: how many frames the network sees, None for all.
    """

    fit: Preparer = field(default_factory=Fit)
    count: int | None = 16

    def __post_init__(self) -> None:
        count = self.count
        if count is not None and (isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1):
            raise BadParameter(f"count={count!r}: how many frames the network sees is a whole number from 1 on, or None.")

    def __call__(self, clip: Clip) -> NDArray[Any]:
        """(c, t, h, w)"""
        ready = {place: self.fit(clip.frames[place]) for place in map(int, self.places(len(clip)))}
        return np.stack([ready[int(place)] for place in self.places(len(clip))], 1)

    def places(self, frames: int) -> NDArray[np.intp]:
        """Which of a clip's frames the network sees: (t,), the middle one of each of `count` equal parts (Wang et al. 2016,
        temporal segments); some of them twice, where the clip has fewer.
        """
        count = frames if self.count is None else int(self.count)
        return (2 * np.arange(count) + 1) * frames // (2 * count)

    def box(self, size: tuple[int, int]) -> Extent | Grid | None:
        """The part that the network sees of each frame of (w, h); None if it cannot be told."""
        return self.fit.box(size)
