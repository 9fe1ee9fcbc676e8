"""RISE: for each pixel, the mean score of the image under those random soft masks that show the pixel."""

from typing import Literal

import numpy as np
from einops import einsum

from seewhy.arrays import Array, Floats, numbers
from seewhy.errors import MANY, BadParameter, whole_number
from seewhy.methods.making.baseline import Fill
from seewhy.methods.making.conditions import Advice, Conditions, MethodSettings
from seewhy.methods.making.marks import Within, part
from seewhy.methods.making.method import advised
from seewhy.methods.making.probe import Probe
from seewhy.methods.making.scoring import Estimate, from_scores

from .occlude import FEW, occlusion

__all__ = ["rise"]

AXES = "abcdefgh"
DRAWS = 2**16  # cells of a mask, at most
CELLS = {1: 16, 2: 7, 3: 5}  # along each of so many axes


def _before_occlusion(_settings: MethodSettings, conditions: Conditions) -> Advice | None:
    """RISE is the better start on images on which occlusion's windows are too large."""
    windows = occlusion.forwards(conditions)
    if windows is None or windows >= FEW:
        return None
    return Advice(1, "it needs scores alone; occlusion's own windows are too large for an image of this size: give window=")


@advised(_before_occlusion)
@from_scores("{masks} forwards", sampled=True)
def rise(
    probe: Probe,
    *,
    masks: int = 4000,
    cells: Literal["auto"] | int = "auto",
    keep: float = 0.5,
    within: Within | None = None,
    fill: Fill = "zero",
    seed: int = 0,
) -> Estimate:
    """sum_i y(x * M_i) M_i / sum_i M_i over random masks M_i: the mean score where a pixel is seen.

    masks: how many masks are drawn.
    cells: of a mask's coarse grid along each axis; it is enlarged linearly to one cell more than the image and shifted at
    random.  "auto": 7, of a signal 16, of a volume 5.
    keep: the chance that a cell is shown, between 0 and 1.
    within: only pixels of this part of the image are hidden, a mask, its file or a box, as occlusion takes them; all others are
    always shown, and have the mean score of all masks.

    Divided by the masks' own sum, not by its expectation: a score that never changes gives a flat map.

    Source: Petsiuk et al. 2018, RISE: Randomized Input Sampling for Explanation of Black-box Models, eq. 6; 4000 masks of 7x7
    cells, kept by half, as there for VGG16.

    Caveat: noisy: the standard error of each pixel is in Heatmap.error. Masks are soft, so edges of objects blur by a cell.
    """
    usual, finest = CELLS.get(len(probe.space), 3), int(DRAWS ** (1 / len(probe.space)))
    count = whole_number(masks, "rise: masks", 2, MANY)
    side = usual if isinstance(cells, str) and cells == "auto" else whole_number(cells, "rise: cells", 1, finest)
    if not 0 < keep < 1:
        raise BadParameter(f"rise: keep is the chance that a cell is shown, between 0 and 1, not {keep}.")
    seed = whole_number(seed, "rise: seed", 0)
    marked = None if within is None else part(within, probe.case.view(probe.place), probe.space, "rise: within")
    inside = None if marked is None else probe.scorer.array(marked.astype(np.float64))
    total = MaskSums(len(probe.y), probe.space)

    def some(of: range) -> Array:
        shown = soft_masks(of, probe, side, keep, seed)
        return shown if inside is None else shown * inside + (1 - inside)

    for scored in probe.scored(count, probe.hidden(some, probe.fill(fill))):
        total.add(scored.kept, scored.y - probe.y)
        probe.enough(lambda: total.mean()[1])
    values, error = total.mean()
    level = probe.y + total.level
    return Estimate(values + probe.y.reshape(-1, *[1] * len(probe.space)), error, measured={"mean_score": level})


def soft_masks(of: range, probe: Probe, cells: int, keep: float, seed: int) -> Array:
    """(count, *space): coarse grids of ones and zeros, linear between the centres of cells, shifted by parts of a cell.

    The draws are the same whatever the image's size.
    """
    d, count = len(probe.space), len(of)
    each = cells**d + d  # random numbers for one mask, so that any mask can be drawn again
    drawn = np.random.Generator(np.random.PCG64(seed).advance(of.start * each)).random((count, each))
    whole = probe.scorer.array((drawn[:, : cells**d] < keep).astype(np.float64)).reshape(count, *[cells] * d)
    for axis, size in enumerate(probe.space):
        weights = probe.scorer.array(_shifted(size, cells, drawn[:, cells**d + axis]))  # (count, size, cells)
        old, new = AXES[:d], AXES[:d].replace(AXES[axis], "z")
        whole = einsum(whole, weights, f"m {' '.join(old)}, m z {old[axis]} -> m {' '.join(new)}")
    return whole


def _shifted(size: int, cells: int, shift: Floats) -> Floats:
    """The weight of each cell at each pixel (m, size, cells), for a grid over size + one cell, moved by `shift` cells."""
    cell = size / cells
    place = (np.arange(size) + 0.5 + shift[:, None] * cell) * cells / (size + cell) - 0.5
    place = place.clip(0, cells - 1)
    return np.maximum(0, 1 - abs(place[..., None] - np.arange(cells)))


class MaskSums:
    """Sums over masks, from which the mean and its standard error follow; the masks themselves are not kept."""

    def __init__(self, t: int, space: tuple[int, ...]) -> None:
        self.count, self.sum = 0, np.zeros(t)
        self.m, self.mm = np.zeros(space), np.zeros(space)
        self.ym, self.ymm, self.yymm = (np.zeros((t, *space)) for _ in range(3))

    def add(self, masks: Array, y: Floats) -> None:
        """Add masks (m, *space) with scores y (m, t), one by one, so that the sums do not depend on the size of batches."""
        for mask, row in zip(numbers(masks), y, strict=True):
            shown, scores = mask.astype(np.float64), row.reshape(-1, *[1] * mask.ndim)
            square = shown**2
            self.count, self.sum = self.count + 1, self.sum + row
            self.m += shown
            self.mm += square
            self.ym += scores * shown
            self.ymm += scores * square
            self.yymm += scores**2 * square

    @property
    def level(self) -> Floats:
        """The mean of y over all masks: (t,)."""
        return self.sum / max(self.count, 1)

    def mean(self) -> tuple[Floats, Floats]:
        """The mean of y weighted by the masks, and its standard error to first order, infinite where unknown: (t, *space)."""
        weight = np.where(self.m > 0, self.m, 1)
        mean = self.ym / weight
        apart = np.maximum(self.yymm - 2 * mean * self.ymm + mean**2 * self.mm, 0)
        error = np.sqrt(apart * self.count / max(self.count - 1, 1)) / weight
        return mean, np.where((self.m > 0) & (self.count > 1), error, np.inf)
