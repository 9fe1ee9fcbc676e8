"""Preprocessing that is a stranger's callable: which part of the photo it shows is found out by sending ramps through."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import numbers
from seewhy.errors import BadParameter
from seewhy.images.places import Extent
from seewhy.lru import Recent


@dataclass(frozen=True)
class CallableFit:
    """Any callable from a PIL photo to an array (c, h, w); which part it shows is measured by sending ramps through."""

    prepare: Callable[[Image.Image], Any]
    known: Recent[tuple[int, int], tuple[Extent | None]] = field(default_factory=Recent, compare=False, repr=False)

    def __call__(self, photo: Image.Image) -> NDArray[Any]:
        x = numbers(self.prepare(photo))
        x = x[0] if x.ndim == 4 and len(x) == 1 else x
        last = x.ndim == 3 and x.shape[-1] in (1, 3) and x.shape[0] not in (1, 3)
        if x.ndim != 3 or x.dtype.kind != "f" or not x.size or last:
            raise BadParameter(f"`prepare` gave {x.dtype} {x.shape} for a photo. It must give floats (c, h, w).")
        return x

    def box(self, size: tuple[int, int]) -> Extent | None:
        return self.known.of(size, lambda: (_measure(self, size),))[0]


def _measure(prepare: CallableFit, size: tuple[int, int]) -> Extent | None:
    """Prepare black, white and two ramps; what comes out, put between black and white, is where it came from."""
    width, height = size
    across = np.broadcast_to(np.linspace(0, 255, width).round(), (height, width))
    down = np.broadcast_to(np.linspace(0, 255, height).round()[:, None], (height, width))
    with np.errstate(all="ignore"):
        try:
            black, white, right, again, below = (
                prepare(Image.fromarray(grey.astype(np.uint8)).convert("RGB")).astype(np.float64).mean(0)
                for grey in (0 * across, 0 * across + 255, across, across, down)
            )
        except Exception:  # noqa: BLE001 - a stranger's callable: whatever it raises, the box cannot be told
            return None
        if not np.array_equal(right, again, equal_nan=True):  # it draws by chance
            return None
        x = _edges((right - black) / (white - black), width)
        y = _edges(((below - black) / (white - black)).T, height)
    return Extent(x[0], y[0], x[1], y[1]) if x and y else None


def _edges(ramp: NDArray[np.float64], length: int) -> tuple[float, float] | None:
    """First and last edge of what a ramp of `length` pixels became: the line through the inner columns of (h, w)."""
    shown = np.isfinite(ramp) & (abs(ramp) < 1e3)
    columns = np.flatnonzero(shown.any(0))
    if length < 2 or len(columns) < 2:
        return None
    place = np.array([np.median(ramp[shown[:, c], c]) for c in columns]) * (length - 1) + 0.5
    spread = max(np.ptp(ramp[shown[:, c], c]) for c in columns)
    trim = len(columns) // 10  # resampling bends the ramp at its ends
    inner = slice(trim, len(columns) - trim)
    slope, start = np.polyfit(columns[inner] + 0.5, place[inner], 1)
    bend = abs(slope * (columns[inner] + 0.5) + start - place[inner]).max()
    if slope == 0 or spread > 0.05 or bend > 0.02 * length + 1:
        return None
    return float(start), float(start + slope * ramp.shape[1])
