"""Which part of a photo is shown, told by fringes: also where each picture is stretched to its own contrast.

Ramps need to be seen with their grey levels.  Where these are changed picture by picture (standardised, stretched from lowest
to highest, jittered), four waves tell the place by their phase, whatever became of their height and mean (phase-shifting
profilometry, Srinivasan, Liu & Halioua 1984).
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.images.places import Extent, Turned

from .ramps import FAINT, PhotoSize, Places, Send, placed

WAVES = 0.9  # along an axis; of less than one, each phase tells one place
HEIGHT = 100  # of the waves, in grey levels on either side of the middle one


def by_fringes(send: Send, size: PhotoSize) -> Extent | Turned | None:
    """The part of photos of that size that `send` shows; None where it cannot be told.

    Eight waves are sent.  Raises whatever `send` raises, and ValueError where what comes out has several shapes.
    """
    width, height = size
    with np.errstate(all="ignore"):
        x, y = (_places([_received(send, shift, axis, size) for shift in range(4)]) for axis in (1, 0))
    return None if x is None or y is None else placed(x, y, (width, height))


def _received(send: Send, shift: int, axis: int, size: PhotoSize) -> NDArray[np.float64]:
    """What becomes of a wave along an axis, shifted by so many quarters: (h, w)."""
    shape = size[::-1]
    phase = 2 * np.pi * WAVES * (np.linspace(0, 1, shape[axis]) - 0.5) + shift * np.pi / 2
    wave = np.round(127.5 + HEIGHT * np.cos(phase)).astype(np.uint8).reshape((-1, 1) if axis == 0 else (1, -1))
    return send(Image.fromarray(np.broadcast_to(wave, shape)).convert("RGB")).mean(0, dtype=np.float64)


def _places(waves: list[NDArray[np.float64]]) -> Places | None:
    """From 0 to 1, where each pixel comes from along the axis of the waves; NaN where there is nothing of them.

    The differences of opposite waves lie on an ellipse, whose axes and middle depend on what was done to each picture.
    """
    cosine, sine = waves[0] - waves[2], waves[3] - waves[1]
    strength = np.hypot(cosine, sine)
    seen = np.isfinite(strength) & (strength > FAINT * np.nanmax(strength))
    if seen.sum() < 8:
        return None
    scale = strength[seen].max()
    c, s = cosine / scale, sine / scale
    terms = np.stack([c[seen] ** 2, s[seen] ** 2, c[seen], s[seen]], 1)
    (a, b, d, e), *_ = np.linalg.lstsq(terms, np.ones(len(terms)), rcond=None)
    if a <= 0 or b <= 0:
        return None
    phase = np.arctan2(np.sqrt(b) * (s + e / (2 * b)), np.sqrt(a) * (c + d / (2 * a)))
    return np.where(seen, phase / (2 * np.pi * WAVES) + 0.5, np.nan)
