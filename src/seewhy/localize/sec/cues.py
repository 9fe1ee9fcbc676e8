"""From a photo's maps by class to labels of its pixels: as they are, refined by a dense CRF, and those that are sure."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.images.resample import resized
from seewhy.objects.refine.crf import Tie, kernels, label_costs, mean_field
from seewhy.pictures.label_map import VOID

CRF_SIDE = 32  # cells along the longer side of the grid that labels are refined on
SURE = 0.7  # how sure labels are before the CRF, as IRN has it
CERTAIN = 0.6  # how probable a class has to be behind it, in a cell that is a seed
XY, RGB, WEIGHT = (
    40 / 96,
    13.0,
    10.0,
)  # the ties by colour: how far they reach, in shares of the longer side and in levels; weight
NEAR = 3 / 96  # of the longer side: how far the ties reach that no colour weakens


def ties(side: int, xy: float = XY, rgb: float = RGB, weight: float = WEIGHT) -> tuple[Tie, Tie]:
    """What ties the cells of a grid whose longer side has so many."""
    return Tie(weight, xy * side, rgb), Tie(3, NEAR * side)


def strongest(maps: Floats, background: float) -> NDArray[np.uint8]:
    """The place plus one of the strongest class in each pixel, 0 where none exceeds `background`: (h, w), of maps (k, h, w)."""
    behind = np.full((1, *maps.shape[1:]), background, np.float32)
    return np.concatenate([behind, maps]).argmax(0).astype(np.uint8)


def refined(maps: Floats, colours: NDArray[Any], *backgrounds: float) -> list[NDArray[np.float32]]:
    """How probable the background and each class are in each cell, (k + 1, rows, columns), by a dense CRF on the labels that
    `strongest` gives, for each score of background.

    maps: (k, rows, columns) of the classes that are in the photo; colours: (rows, columns, 3), 0 to 255.
    """
    k, grid = len(maps) + 1, maps.shape[1:]
    if k == 1:
        return [np.ones((1, *grid), np.float32)] * len(backgrounds)
    pairs = kernels(colours, ties(max(grid)))
    costs = [label_costs(strongest(maps, background), k, SURE) for background in backgrounds]
    return [mean_field(each, pairs).reshape(k, *grid).astype(np.float32) for each in costs]


def crf_grid(size: tuple[int, int], side: int = CRF_SIDE) -> tuple[int, int]:
    """The grid that a photo (h, w) is refined on: its longer side has `side` cells, or a pixel each where it has fewer."""
    by = max(1.0, max(size) / side)
    return max(1, round(size[0] / by)), max(1, round(size[1] / by))


def refined_labels(maps: Floats, pixels: NDArray[np.uint8], background: float) -> NDArray[np.uint8]:
    """The most probable of background (0) and classes in each pixel of a photo (h, w, 3), by its maps (k, h, w)."""
    grid = crf_grid((pixels.shape[0], pixels.shape[1]))
    (found,) = refined(by_cells(maps, grid, 1), by_cells(pixels, grid), background)
    return resized(found, pixels.shape[:2]).argmax(0).astype(np.uint8)


def sure_labels(
    maps: Floats, pixels: NDArray[np.uint8], foreground: float, background: float, grid: tuple[int, int]
) -> NDArray[np.uint8]:
    """The labels of cells that are sure: a class's place plus one, 0 background, VOID neither: (rows, columns).

    A class is sure where it is behind the CRF of labels above `foreground`, background where it is behind that of labels above
    `background`; maps: (k, h, w) of the classes in the photo, pixels: (h, w, 3).
    """
    on = crf_grid((pixels.shape[0], pixels.shape[1]))
    found = refined(by_cells(maps, on, 1), by_cells(pixels, on), foreground, background)
    high, low = (resized(each, grid) for each in found)
    labels = np.full(grid, VOID, np.uint8)
    labels[low[0] > CERTAIN] = 0
    objects = high.argmax(0)
    labels[(objects > 0) & (high.max(0) > CERTAIN)] = objects[(objects > 0) & (high.max(0) > CERTAIN)]
    return labels


def by_cells(values: NDArray[Any], grid: tuple[int, int], first: int = 0) -> NDArray[np.float32]:
    """The means over the cells of a grid, whose edges may cut pixels; rows and columns are the axes `first` and the next."""
    for axis, cells in zip((first, first + 1), grid, strict=True):
        edges = np.linspace(0, values.shape[axis], cells + 1)
        zero = np.zeros_like(values.take([0], axis), np.float64)
        sums = np.concatenate([zero, values.cumsum(axis, dtype=np.float64)], axis)
        whole = np.minimum(edges.astype(int), values.shape[axis] - 1)
        along = [-1 if i == axis else 1 for i in range(values.ndim)]
        part = (edges - whole).reshape(along)
        up_to = sums.take(whole, axis) * (1 - part) + sums.take(whole + 1, axis) * part
        values = np.diff(up_to, axis=axis) / np.diff(edges).reshape(along)
    return values.astype(np.float32)
