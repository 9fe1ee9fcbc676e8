"""Which neighbours on a grid are alike, and the random walk that carries scores from each cell to those like it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats, numbers
from seewhy.errors import MANY, BadParameter, whole_number
from seewhy.images.resample import resized
from seewhy.objects.scikit import skimage

RADIUS = 5  # cells that lie nearer than that are neighbours, in PSA's code and in IRN's
STEPS = 2**8  # of PSA's and IRN's walks, which square the matrix of one step eight times
SIDE, COLOUR_STEPS, COLOUR_UNIT = 48, 2**6, 10.0  # of walks by colour alone: cells, steps, and Lab units that count as one
MOST = 128 * 128  # cells of a grid


@dataclass(frozen=True, eq=False)
class Affinity:
    """How alike the neighbours on a grid are, and how a random walk goes by it.

    here, there: (pairs,), the numbers of two cells, counted row by row, each pair once; alike: (pairs,), how much they are so,
        0 to 1.  Any cell is alike to itself (1), and to those that it makes no pair with not at all (0).
    grid: (h, w) of the cells, which share out what the network saw.
    beta: the power that affinities are raised to, so that unlike neighbours count for little; steps: of the walk.
    passable: (h, w), what scores are multiplied with before they walk, in IRN 1 - boundary; None: nothing.
    """

    here: NDArray[np.intp] = field(repr=False)
    there: NDArray[np.intp] = field(repr=False)
    alike: NDArray[np.float64] = field(repr=False)
    grid: tuple[int, int]
    beta: float
    steps: int
    passable: NDArray[np.float64] | None = field(default=None, repr=False)

    @cached_property
    def transition(self) -> Any:
        """One step of the walk, a sparse array (n, n) of scipy: affinities to the power of `beta`, each column over its sum."""
        from scipy import sparse  # here, for it takes a while to import

        count, raised = self.grid[0] * self.grid[1], self.alike**self.beta
        every = np.arange(count)
        rows, columns = np.concatenate([self.here, self.there, every]), np.concatenate([self.there, self.here, every])
        values = np.concatenate([raised, raised, np.ones(count)])
        values /= np.bincount(columns, values, count)[columns]
        return sparse.csr_array((values, (rows, columns)), shape=(count, count))

    def walk(self, scores: Floats) -> Floats:
        """Scores (k, h, w) on its grid after all steps: scores @ transition^steps, in float64.

        Each becomes a weighted mean of those that it can be reached from, so a score that is the same everywhere stays.
        """
        if scores.shape[1:] != self.grid:
            raise BadParameter(f"The affinity is of {self.grid[0]} x {self.grid[1]} cells, the scores of {scores.shape[1:]}.")
        open_scores = scores if self.passable is None else scores * self.passable
        at, back = open_scores.reshape(len(scores), -1).T.astype(np.float64), self.transition.T.tocsr()
        for _ in range(self.steps):
            at = back @ at
        return at.T.reshape(scores.shape)


def feature_affinity(features: Any, radius: int = RADIUS, beta: float = 8, steps: int = STEPS) -> Affinity:
    """Neighbours with like features are alike: exp(-mean_c |f_i - f_j|).

    features: (c, h, w), of a network's layer or anything else, scaled so that a difference of 1 is one of kind.
    radius: cells that lie nearer than that are neighbours.
    Source: Ahn & Kwak 2018, Learning Pixel-level Semantic Affinity with Image-level Supervision (PSA); the released code takes
    the mean over channels (the paper, the sum), raises to beta = 8 and walks 2^8 steps.  Here cells at the edge have all their
    neighbours, too; the released code leaves some out.
    """
    values = _checked(numbers(features), 3, "features are (c, h, w)").astype(np.float64)
    flat = values.reshape(len(values), -1)

    def alike(here: NDArray[Any], there: NDArray[Any], _away: tuple[int, int]) -> Floats:
        return np.exp(-abs(flat[:, here] - flat[:, there]).mean(0))

    return _affinity(values.shape[1:], radius, alike, beta, steps)


def boundary_affinity(boundary: Any, radius: int = RADIUS, beta: float = 10, steps: int = STEPS) -> Affinity:
    """Neighbours with no boundary between them are alike: 1 - the greatest boundary on the line from one to the other.

    boundary: (h, w), 0 to 1, 1 where one surely is; what lies on it is also kept from walking, by 1 - boundary.
    The line is all cells between two whose centres lie nearer than one cell to it, both ends counted.
    Source: Ahn, Cho & Kwak 2019, Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations (IRN);
    radius 5, beta = 10, 2^8 steps as in the released code.
    """
    edge = _checked(numbers(boundary), 2, "a boundary is (h, w)").astype(np.float64)
    if edge.min() < 0 or edge.max() > 1:
        raise BadParameter(f"The boundary runs from {edge.min():.3g} to {edge.max():.3g}: give 0 (none) to 1 (surely one).")
    flat, width = edge.ravel(), edge.shape[1]

    def alike(here: NDArray[Any], _there: NDArray[Any], away: tuple[int, int]) -> Floats:
        return 1 - np.max([flat[here + y * width + x] for y, x in on_line(*away)], axis=0)

    return _affinity(edge.shape, radius, alike, beta, steps, 1 - edge)


def colour_affinity(
    photo: Any, side: int = SIDE, radius: int = RADIUS, beta: float = 8, steps: int = COLOUR_STEPS
) -> Affinity:  # fmt: skip
    """Neighbours of like colours are alike: `feature_affinity` of CIE Lab colours, 10 units of which count as one.

    photo: a PIL image or (h, w, 3) of uint8; side: cells of the grid along its longer side.
    """
    pixels = _checked(np.asarray(photo.convert("RGB") if hasattr(photo, "convert") else photo), 3, "a photo is (h, w, 3)")
    if pixels.shape[-1] != 3:
        raise BadParameter(f"A photo is (h, w, 3), not {pixels.shape}.")
    side = whole_number(side, "side, the cells along a photo,", 1, round(MOST**0.5))
    height, width = pixels.shape[:2]
    scale = min(1, side / max(height, width))
    grid = max(1, round(height * scale)), max(1, round(width * scale))
    small = resized(np.moveaxis(pixels, -1, 0).astype(np.float64) / 255, grid)
    lab = skimage("color").rgb2lab(np.clip(np.moveaxis(small, 0, -1), 0, 1))
    return feature_affinity(np.moveaxis(lab, -1, 0) / COLOUR_UNIT, radius, beta, steps)


def on_line(down: int, across: int) -> list[tuple[int, int]]:
    """The cells on the line from (0, 0) to (down, across), both counted: those nearer than one cell to it, between the two."""
    rows = range(min(0, down), max(0, down) + 1)
    columns = range(min(0, across), max(0, across) + 1)
    return [(y, x) for y in rows for x in columns if (down * x - across * y) ** 2 < down**2 + across**2]


def _affinity(
    grid: tuple[int, ...], radius: int, alike: Any, beta: float, steps: int, passable: NDArray[np.float64] | None = None
) -> Affinity:
    """alike: of cells, cells as far away from each as (down, across), and how far that is, their affinities."""
    radius = whole_number(radius, "radius, in which cells are neighbours,", 1, 64)
    steps = whole_number(steps, "steps, of the walk,", 0, MANY)
    if not isinstance(beta, int | float | np.number) or isinstance(beta, bool) or not 0 <= beta < np.inf:
        raise BadParameter(f"beta={beta!r}: give the power of the affinities, a number from 0 on, as 8.")
    if (count := grid[0] * grid[1]) > MOST:
        raise BadParameter(f"An affinity is of {MOST:,} cells at most, and these are {count:,}: give every other one.")
    found = [(here, there, alike(here, there, away)) for here, there, away in _pairs(grid, radius)]
    none = np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0)
    here, there, values = (np.concatenate(each) for each in zip(none, *found, strict=True))
    return Affinity(here, there, values, (grid[0], grid[1]), float(beta), steps, passable)


def _pairs(grid: tuple[int, ...], radius: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], tuple[int, int]]]:
    """All pairs of cells that lie nearer to each other than `radius`, each pair once, by how far one lies from the other."""
    (height, width), cell = grid, np.arange(grid[0] * grid[1]).reshape(grid)
    for down in range(radius):
        for across in range(1 - radius, radius):
            if (down, across) > (0, 0) and down**2 + across**2 < radius**2:
                here = cell[: max(0, height - down), max(0, -across) : max(0, width - across)]
                there = cell[down:, max(0, across) : max(0, width + min(0, across))]
                if here.size and there.size:
                    yield here.ravel(), there.ravel(), (down, across)


def _checked(array: NDArray[Any], axes: int, form: str) -> NDArray[Any]:
    if array.ndim != axes or not array.size or not np.issubdtype(array.dtype, np.number) or not np.isfinite(array).all():
        raise BadParameter(f"{form[0].upper()}{form[1:]}, finite numbers; given was {array.dtype} {array.shape}.")
    return array
