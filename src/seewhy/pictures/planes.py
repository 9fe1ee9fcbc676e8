"""Planes of a volume as a radiologist sees them: the patient's right on the left, isotropic, the sides lettered.

Volumes here are (i, j, k) in RAS+ order: i grows to the patient's right, j to anterior, k to superior.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Floats
from seewhy.errors import BadParameter, NoSuchName, closest

from .paint import painted
from .render import Look, mask, shares
from .stretching import Size

Spacing = tuple[float, float, float]  # mm between voxels along i, j, k
SAMPLED = 2_000_000  # voxels that tell the window's percentiles


class Plane(NamedTuple):
    """How slices across an axis are shown: which sides of the patient lie at the picture's edges and at the axis's ends."""

    name: str
    axis: int  # of (i, j, k): along it slices are counted
    left: str
    right: str
    top: str
    bottom: str
    first: str  # where slice 0 lies
    last: str
    viewpoint: str  # from where a person looks at it

    @classmethod
    def named(cls, name: Any) -> "Plane":
        """The plane of that name.  Raises NoSuchName."""
        if name not in PLANES:
            raise NoSuchName("plane", name, closest(str(name), [*PLANES]), f"There are: {', '.join(PLANES)}.")
        return PLANES[name]

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """The patient's sides at the left, right, upper and lower edge of the picture."""
        return self.left, self.right, self.top, self.bottom

    def upright(self, flat: Floats) -> Floats:
        """(two axes of the volume, in order) -> (h, w) of the picture, its first row on top: both axes are reversed."""
        return flat[::-1, ::-1].T

    def place(self, voxel: tuple[int, ...], shape: tuple[int, ...], size: Size) -> tuple[float, float]:
        """(x, y) of a voxel's centre in the plane's picture of `size` pixels."""
        across, down = (axis for axis in range(3) if axis != self.axis)
        x, y = (1 - (voxel[axis] + 0.5) / shape[axis] for axis in (across, down))
        return x * size[0], y * size[1]


PLANES = {
    "axial": Plane("axial", 2, "R", "L", "A", "P", "I", "S", "from the feet"),
    "coronal": Plane("coronal", 1, "R", "L", "S", "I", "P", "A", "from the front"),
    "sagittal": Plane("sagittal", 0, "A", "P", "S", "I", "L", "R", "from the patient's left"),
}


class GreyWindow(NamedTuple):
    """The values of the background that are shown as black and as white."""

    low: float
    high: float

    @classmethod
    def of(cls, background: Floats | None, window: Any) -> "GreyWindow":
        """The given (low, high); else the 1st to the 99th percentile, or the whole range where both are the same number."""
        if window is not None:
            return cls(*_ends(window))
        if background is None:
            return cls(0, 1)
        step = max(1, int(np.ceil((background.size / SAMPLED) ** (1 / 3))))
        some = background[::step, ::step, ::step]
        known = some[np.isfinite(some)]
        low, high = np.percentile(known.astype(float), (1, 99)) if known.size else (0, 1)
        if low == high:
            low, high = (f.reduce(background, None, initial=low, where=np.isfinite(background)) for f in (np.fmin, np.fmax))
        return cls(float(low), float(high))

    def grey(self, values: Floats) -> NDArray[np.float32]:
        """From 0, black, to 1, white.  NaN is black; where the window has no width, everything is."""
        if self.high <= self.low:
            return np.zeros(values.shape, np.float32)
        inside = np.clip(values.astype(float), self.low, self.high)
        return np.nan_to_num((inside - self.low) / (self.high - self.low)).astype(np.float32)


def _ends(window: Any) -> tuple[float, float]:
    """A window as two numbers.  Raises BadParameter where they are not finite or not in order."""
    try:
        low, high = map(float, window)
        if np.isfinite([low, high]).all() and low < high:
            return low, high
    except (TypeError, ValueError):
        pass
    raise BadParameter(f"window={window!r}: give the (low, high) values shown as black and white, the lower first.")


class Section(NamedTuple):
    """A slice or a projection, turned as it is shown."""

    values: Floats  # (h, w)
    grey: Floats | None  # (h, w), 0 to 1; None: there is nothing behind the map


@dataclass(frozen=True, eq=False)
class Stack:
    """A map, what lies behind it, and how both are to be shown: the same in every plane."""

    values: Floats  # (i, j, k), finite
    background: Floats | None  # (i, j, k)
    look: Look
    window: GreyWindow
    spacing: Spacing
    affine: NDArray[np.float64] | None = None  # (4, 4), from voxels to mm in the scanner's coordinates
    in_mm: bool = True  # False: the spacing is not known, and counts voxels

    @classmethod
    def of(
        cls, values: Any, background: Any, look: Look, window: Any, spacing: Any, affine: NDArray[np.float64] | None = None
    ) -> "Stack":
        """From arguments as `volumes.montage` takes them.  Raises BadParameter."""
        values = finite(values, 3)
        background = None if background is None else np.asarray(background)
        if background is not None and background.shape != values.shape:
            raise BadParameter(f"The background is {background.shape}, the map {values.shape}: bring both to one grid first.")
        known = spacing is not None
        return cls(values, background, look, GreyWindow.of(background, window), apart(spacing if known else 1), affine, known)

    def slice(self, plane: Plane, at: int) -> Section:
        """The slice with the number `at` along the plane's axis."""
        cut = (slice(None),) * plane.axis + (at,)
        grey = None if self.background is None else plane.upright(self.window.grey(self.background[cut]))
        return Section(plane.upright(self.values[cut]), grey)

    def projected(self, plane: Plane) -> Section:
        """The value of the largest size along the plane's axis, with its sign, over the mean of the windowed background,
        which is stretched to reach white.
        """
        high, low = self.values.max(plane.axis), self.values.min(plane.axis)
        values = plane.upright(np.where(-low > high, low, high))
        if self.background is None:
            return Section(values, None)
        mean = reduce(np.add, (self.window.grey(flat) for flat in np.moveaxis(self.background, plane.axis, 0)))
        return Section(values, plane.upright(mean / max(float(np.max(mean)), 1e-9)))

    def evidence(self, plane: Plane) -> Floats:
        """How much the strongest voxel of every slice stands out, as a share of the look's reach: (slices,)"""
        others = tuple(axis for axis in range(3) if axis != plane.axis)
        return np.maximum(shares(self.values.max(others), self.look), shares(self.values.min(others), self.look))

    def drawn(self, section: Section, size: Size) -> Image.Image:
        """A section in colour, RGB, brought to `size`."""
        return painted(section.values, None if section.grey is None else mask(section.grey).convert("RGB"), self.look, size)

    @property
    def peak(self) -> tuple[int, ...] | None:
        """The voxel that stands out most; None where the map is zero everywhere."""
        high, low = (at(self.values) for at in (np.argmax, np.argmin))
        most, at = max((float(shares(self.values.flat[place], self.look)), -place) for place in (int(high), int(low)))
        return tuple(map(int, np.unravel_index(-at, self.values.shape))) if most > 0 else None

    def extent(self, plane: Plane) -> tuple[float, float]:
        """(w, h) of the plane's picture, in mm."""
        across, down = (axis for axis in range(3) if axis != plane.axis)
        return self.values.shape[across] * self.spacing[across], self.values.shape[down] * self.spacing[down]

    def apart(self, plane: Plane) -> float | None:
        """The mm between slices; None where they are not known."""
        return self.spacing[plane.axis] if self.in_mm else None

    def size(self, plane: Plane, scale: float) -> Size:
        """(w, h) of the plane's picture, at `scale` pixels per mm."""
        w, h = self.extent(plane)
        return max(1, round(w * scale)), max(1, round(h * scale))

    def named(self, plane: Plane, at: int, through: Sequence[int] | None = None) -> str:
        """The heading of a slice: its number, and where it lies in the scanner's coordinates, at the voxel `through` or else at
        its middle; without these, how many mm it lies from the first.
        """
        if self.affine is None:
            return f"{plane.name} {at}" + (f" · {at * self.spacing[plane.axis]:.5g} mm" if self.in_mm else "")
        voxel = [(side - 1) / 2 for side in self.values.shape] if through is None else [*through]
        voxel[plane.axis] = at
        return f"{plane.name} {at} · {self.coordinates(voxel)[plane.axis]} mm"

    def coordinates(self, voxel: Sequence[float]) -> tuple[str, str, str]:
        """Where a voxel lies in the scanner's coordinates, along each axis, in mm: ("L 12.5", "A 3.0", "S 40.0")."""
        assert self.affine is not None  # only asked where it is known
        mm = self.affine[:3, :3] @ np.asarray(voxel, float) + self.affine[:3, 3]
        return tuple(f"{SIDES[axis][bool(x > 0)]} {abs(x):.1f}" for axis, x in enumerate(mm.round(1)))  # type: ignore[return-value]

    @property
    def units(self) -> str:
        """What the mm in headings are counted from; "" where there are none."""
        if self.affine is not None:
            return "; mm in the scanner's coordinates"
        return "; mm from slice 0" if self.in_mm else ""


SIDES = ("LR", "PA", "IS")  # of the patient, below and above zero, along each axis of the scanner's coordinates


def finite(values: Any, dimensions: int) -> Floats:
    """The array with zero, which is no evidence, in place of NaN and infinity.  Raises BadParameter for other dimensions."""
    values = np.asarray(values)
    values = values if values.dtype.kind == "f" else values.astype(np.float32)
    if values.ndim != dimensions or not values.size:
        raise BadParameter(f"A map {values.shape} cannot be shown so: it takes {dimensions} dimensions, none of them empty.")
    return values if np.isfinite(values).all() else np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def apart(spacing: Any) -> Spacing:
    """The mm between voxels, also of one number for all.  Raises BadParameter where they are not three numbers above zero."""
    try:
        i, j, k = map(float, (spacing,) * 3 if np.ndim(spacing) == 0 else spacing)
        if np.isfinite([i, j, k]).all() and min(i, j, k) > 0:
            return i, j, k
    except (TypeError, ValueError):
        pass
    raise BadParameter(f"spacing={spacing!r}: give the mm between voxels along i, j and k, each above zero.")
