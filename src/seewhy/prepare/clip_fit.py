"""Preprocessing of clips: which frames, and each as a photo."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.images.clip import Clip
from seewhy.images.places import Where

from .callable_fit import CallableFit
from .fit import Fit, Ready

APART = "`prepare` shows another part of each frame"


@dataclass(frozen=True)
class ClipFit:
    """The usual preprocessing of a clip: `count` frames spread evenly over it, each prepared by `fit`.

    fit: a Fit, or any callable PIL image -> float array (c, h, w); count: how many frames the network sees, None for all.
    """

    fit: Any = field(default_factory=Fit)  # a Preparer, once it is made
    count: int | None = 16

    def __post_init__(self) -> None:
        if not hasattr(self.fit, "ready"):
            object.__setattr__(self, "fit", CallableFit(self.fit))
        count = self.count
        if count is not None and (isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1):
            raise BadParameter(f"count={count!r}: how many frames the network sees is a whole number from 1 on, or None.")

    def __call__(self, clip: Clip) -> NDArray[Any]:
        """(c, t, h, w)"""
        return self.ready(clip).x

    def ready(self, clip: Clip) -> Ready:
        """The clip (c, t, h, w), and the part of each frame that is in it; None if it cannot be told, or differs."""
        frames = {place: self.fit.ready(clip.frames[place]) for place in dict.fromkeys(map(int, self.places(len(clip))))}
        x = np.stack([frames[int(place)].x for place in self.places(len(clip))], 1)
        boxes = [*dict.fromkeys(frame.box for frame in frames.values())]
        notes = dict.fromkeys(note for frame in frames.values() for note in frame.notes)
        return Ready(x, boxes[0], tuple(notes)) if len(boxes) == 1 else Ready(x, None, (*notes, APART))

    def places(self, frames: int) -> NDArray[np.intp]:
        """Which of a clip's frames the network sees: (t,), the middle one of each of `count` equal parts (Wang et al. 2016,
        temporal segments); some of them twice, where the clip has fewer.
        """
        count = frames if self.count is None else int(self.count)
        return (2 * np.arange(count) + 1) * frames // (2 * count)

    def box(self, size: tuple[int, int]) -> Where | None:
        """The part that the network sees of each frame of (w, h); None if it cannot be told."""
        return self.fit.box(size)
