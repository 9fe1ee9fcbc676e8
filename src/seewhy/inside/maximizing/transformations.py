"""Small random changes of an image at each step, so that what is found holds for more than one way to look at it.

Shift, scale, rotation and crop are one affine map, by which the image is resampled once, bilinearly, with the exact adjoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.printable import quoted

from .colours import Pullback

OUTSIDE = 0.5  # what lies around an image: grey


@dataclass(frozen=True)
class Transformations:
    """What is drawn anew for each view of an image.  The defaults are those of lucid, for an image of any size.

    jitter: shifts along each axis, up to this share of its side; scale: factors from the first to the second number; rotate:
    degrees up to which it is turned either way, in the plane of its last two axes (an image of one axis is not turned);
    crop: shares of the sides from the first to the second number, of which one is drawn: a part of that size from anywhere in
    the image fills the view; noise: standard deviation of what is added to values between 0 and 1.
    What comes into view from beyond the image is grey.  Raises BadParameter for numbers that make no sense.
    """

    jitter: float = 0.05
    scale: tuple[float, float] = (0.9, 1.1)
    rotate: float = 10.0
    crop: tuple[float, float] | None = None
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name, low, high in (("jitter", 0, 1), ("rotate", 0, 180), ("noise", 0, 1)):
            if not _is_number(getattr(self, name), low, high):
                raise BadParameter(f"{name}={quoted(getattr(self, name))} is no number from {low} to {high}.")
        for name, low, high in (("scale", 0.05, 20), ("crop", 0.01, 1)):
            pair = getattr(self, name)
            if name == "crop" and pair is None:
                continue
            if not isinstance(pair, Sequence) or len(pair) != 2 or not all(_is_number(each, low, high) for each in pair):
                raise BadParameter(f"{name}={quoted(pair)} is no pair of numbers from {low} to {high}, as in (0.9, 1.1).")
            if pair[0] > pair[1]:
                raise BadParameter(f"{name}={quoted(pair)}: the smaller number comes first.")
            object.__setattr__(self, name, (float(pair[0]), float(pair[1])))

    def draw(self, space: Sequence[int], rng: np.random.Generator) -> "View":
        """The view that is drawn for an image of these sides."""
        sides = np.array(space, float)
        share = rng.uniform(*self.crop) if self.crop else 1.0
        factor = rng.uniform(*self.scale) / share
        shift = rng.uniform(-self.jitter, self.jitter, len(sides)) * sides
        shift = shift + rng.uniform(-0.5, 0.5, len(sides)) * (1 - share) * sides
        angle = np.deg2rad(rng.uniform(-self.rotate, self.rotate))
        matrix = np.eye(len(sides))
        if len(sides) > 1:
            matrix[-2:, -2:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        return View.by(tuple(space), matrix / factor, shift, self.noise, int(rng.integers(2**63)))


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(low <= value <= high)


@dataclass(frozen=True, eq=False)
class View:
    """An image seen through an affine map: each cell is a weighted sum of its 2^d neighbours in the image, and of grey."""

    space: tuple[int, ...]
    places: NDArray[np.intp]  # (2^d, cells), into the image laid out as a row
    weights: NDArray[np.float64]  # (2^d, cells); what they lack to 1 is grey's
    noise: float = 0.0
    seed: int = 0

    @classmethod
    def by(cls, space: tuple[int, ...], matrix: NDArray[Any], shift: NDArray[Any], noise: float = 0.0, seed: int = 0) -> "View":
        """The view whose cell y shows the image at matrix (y - centre) + shift + centre."""
        centre = (np.array(space, float) - 1) / 2
        grid = np.meshgrid(*(np.arange(side) - middle for side, middle in zip(space, centre, strict=True)), indexing="ij")
        axes = [_neighbours(sum(row[b] * grid[b] for b in range(len(grid))) + to, side)
                for row, to, side in zip(matrix, shift + centre, space, strict=True)]  # fmt: skip
        places, weights = [], []
        for corner in product((0, 1), repeat=len(space)):
            place, weight = 0, 1
            for side, neighbours, end in zip(space, axes, corner, strict=True):
                cell, share = neighbours[end]
                place, weight = place * side + cell, weight * share
            places.append(np.ravel(place))
            weights.append(np.ravel(weight))
        return cls(space, np.stack(places), np.stack(weights), noise, seed)

    def of(self, image: NDArray[Any]) -> tuple[NDArray[Any], Pullback]:
        """What is seen of an image (c, *space), and its pullback."""
        weights = self.weights.astype(image.dtype)
        rows = image.reshape(len(image), -1)
        seen = sum(rows[:, at] * weight for at, weight in zip(self.places, weights, strict=True))
        seen = (seen + OUTSIDE * (1 - weights.sum(0))).reshape(image.shape)
        if self.noise:
            seen = seen + np.random.default_rng(self.seed).normal(0, self.noise, image.shape).astype(image.dtype)
        return seen, self._back

    def _back(self, g: NDArray[Any]) -> NDArray[Any]:
        places, cells = self.places.ravel(), int(np.prod(self.space))
        back = [np.bincount(places, (self.weights * row).ravel(), cells) for row in g.reshape(len(g), -1)]
        return np.stack(back).reshape(g.shape).astype(g.dtype)


def _neighbours(at: Any, side: int) -> list[tuple[NDArray[np.intp], NDArray[Any]]]:
    """The cells below and above each place on an axis, and the share of each in what is read there; beyond its ends 0."""
    low = np.floor(at)
    part, cell = at - low, low.astype(np.intp)
    return [
        (np.clip(index, 0, side - 1), np.where((index >= 0) & (index < side), share, 0))
        for index, share in ((cell, 1 - part), (cell + 1, part))
    ]


NONE = Transformations(jitter=0, scale=(1, 1), rotate=0)
