"""Places where the photos of a class have the same pixels: a watermark, a logo, a frame."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.metrics.regional.chance import LEVEL
from seewhy.metrics.regional.frames import GRID, Shares
from seewhy.metrics.regional.search import FEWEST

from .facts import VIEW, luma_of

DRAWS = 999  # exchanges of the classes, of each size of a class
MOST = 60  # photos of a class that are looked at
ALIKE = 0.25  # the mean correlation over pairs of photos from which pixels are called alike: photos have 0 to 0.1
SAME, BEYOND = (
    0.65,
    0.25,
)  # the mean match of one part in other photos that is called the same, and how far beyond other classes
FLAT = 2 / 255  # standard deviation of luma: flatter cells have nothing that could be alike
CELL = VIEW // GRID


@dataclass(frozen=True)
class AlikePlace:
    """A place where pixels are alike over the photos of a class.

    box: in shares of the sides of what the network saw; cells: (GRID, GRID), which of the grid.
    alike: the correlation of the luma of two photos of the class there, the mean over pairs and cells; others: the same of
        photos of other classes.
    p: how often any place would be as much alike, were the classes given to other photos; times the classes that were asked.
    """

    explained: str
    box: Shares
    photos: int
    alike: float
    others: float
    p: float
    cells: NDArray[np.bool_] = field(repr=False, compare=False)

    def share_of(self, cells: Floats) -> float:
        """The share of a photo's evidence that lies there, of (GRID, GRID) that sum to 1."""
        return float(cells[self.cells].sum())

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for JSON."""
        numbers = {name: getattr(self, name) for name in ("explained", "photos", "alike", "others", "p")}
        return {**numbers, "box": list(self.box)}

    @property
    def place(self) -> str:
        """Where it is, in words: "0-25 % across, 75-100 % down"."""
        left, top, right, bottom = (round(100 * edge) for edge in self.box)
        return f"{left}-{right} % across, {top}-{bottom} % down"

    def __str__(self) -> str:
        return (
            f"at {self.place} the pixels of {self.photos} photos correlate by {self.alike:.2f}, of other classes by "
            f"{self.others:.2f}; adjusted p {self.p:.2g}"
        )


def alike_places(views: NDArray[np.uint8], groups: Sequence[str], seed: int = 0, draws: int = DRAWS) -> list[AlikePlace]:
    """The places where the photos of a class have pixels alike, class by class.

    views: (n, VIEW, VIEW, 3); groups: the class of each (n,).  Of a class MOST photos are looked at.
    The statistic of a cell is the mean correlation over pairs of photos, less that over pairs of all photos.
    """
    rng = np.random.default_rng(seed)
    kept = _some_of_each(groups, rng)
    names = np.asarray(groups)[kept]
    classes, counts = np.unique(names, return_counts=True)
    asked = {str(name): int(count) for name, count in zip(classes, counts, strict=True)
             if min(count, len(names) - count) >= FEWEST}  # fmt: skip
    if not asked:
        return []
    parts = _standardised(views[kept])
    everywhere = _pairwise(parts)
    greatest = {count: np.sort([
        (_pairwise(parts[rng.choice(len(parts), count, replace=False)]) - everywhere).max() for _ in range(draws)
    ]) for count in dict.fromkeys(asked.values())}  # fmt: skip
    found = list[AlikePlace]()
    for name, count in asked.items():
        own = _pairwise(parts[names == name])
        chance = greatest[count]
        p = (1 + draws - np.searchsorted(chance, own - everywhere - 1e-9)) / (1 + draws) * len(asked)
        others = _pairwise(parts[names != name])
        for cells in _together((p <= LEVEL) & (own >= ALIKE)):
            rows, columns = np.nonzero(cells)
            left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            box = float(left / GRID), float(top / GRID), float(right / GRID), float(bottom / GRID)
            numbers = float(own[cells].mean()), float(others[cells].mean()), float(min(1, p[cells].min()))
            found.append(AlikePlace(name, box, count, *numbers, cells))
    return found


def _some_of_each(groups: Sequence[str], rng: np.random.Generator) -> NDArray[np.intp]:
    """The places of at most MOST photos of each class, in their order."""
    names = np.asarray(groups)
    each = [rng.permutation(np.flatnonzero(names == name))[:MOST] for name in np.unique(names)]
    return np.sort(np.concatenate(each)) if each else np.zeros(0, np.intp)


def _standardised(views: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The luma of each cell with a mean of 0 and a length of 1, 0 where it is flat: (n, GRID, GRID, CELL * CELL)."""
    n = len(views)
    luma = np.stack([luma_of(view) for view in views]).reshape(n, GRID, CELL, GRID, CELL)
    cells = luma.transpose(0, 1, 3, 2, 4).reshape(n, GRID, GRID, CELL * CELL)
    cells = cells - cells.mean(-1, keepdims=True)
    flat = cells.std(-1, keepdims=True) < FLAT
    length = np.sqrt((cells**2).sum(-1, keepdims=True))
    return np.where(flat, 0, cells / np.maximum(length, 1e-12)).astype(np.float32)


def _pairwise(parts: Floats) -> NDArray[np.float64]:
    """The mean correlation over all pairs of photos (n, GRID, GRID, m), in each cell: (GRID, GRID)."""
    n = len(parts)
    together = (parts.sum(0, dtype=np.float64) ** 2).sum(-1)
    return (together - (parts.astype(np.float64) ** 2).sum((0, -1))) / (n * (n - 1))


def _together(cells: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """The cells that touch each other, apart from those that do not."""
    left, found = cells.copy(), list[NDArray[np.bool_]]()
    while left.any():
        group = np.zeros_like(cells)
        group[tuple(np.argwhere(left)[0])] = True
        while True:
            grown = np.pad(group, 1)
            reached = left & (grown[:-2, 1:-1] | grown[2:, 1:-1] | grown[1:-1, :-2] | grown[1:-1, 2:] | group)
            if (reached == group).all():
                break
            group = reached
        found.append(group)
        left &= ~group
    return found


def best_match(template: Floats, luma: Floats, boxes: Sequence[Shares]) -> float:
    """The greatest correlation of a template (h, w) with a part of a view that lies in one of the boxes: -1 to 1."""
    wanted, best = _unit(template.ravel()[None])[0], -1.0
    for box in boxes:
        left, top, right, bottom = (round(edge * VIEW) for edge in box)
        part = luma[top:bottom, left:right]
        if part.shape[0] >= template.shape[0] and part.shape[1] >= template.shape[1]:
            windows = sliding_window_view(part, template.shape).reshape(-1, template.size)
            best = max(best, float((_unit(windows) @ wanted).max()))
    return best


def _unit(rows: Floats) -> NDArray[np.float64]:
    """Rows (n, m) with a mean of 0 and a length of 1; 0 where they are flat."""
    rows = rows - rows.mean(1, keepdims=True)
    flat = rows.std(1, keepdims=True) < FLAT
    return np.where(flat, 0, rows / np.maximum(np.sqrt((rows**2).sum(1, keepdims=True)), 1e-12))
