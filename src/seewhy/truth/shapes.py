"""Masks of objects that files write as outlines or as run lengths."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .evidence import BoxEdges
from .marked import MarkedShape
from .run_lengths import Mask, mask_of_coco

OutlineCorners = NDArray[np.float64]  # (n, 2): the corners (x, y) of an outline; pixel (0, 0) reaches from (0, 0) to (1, 1)


def points_of(numbers: Iterable[Any]) -> OutlineCorners:
    """OutlineCorners from x0, y0, x1, y1, ...  Raises ValueError where these are no three corners or more."""
    flat = np.array([float(number) for number in numbers])
    if len(flat) < 6 or len(flat) % 2 or not np.isfinite(flat).all():
        raise ValueError(f"{len(flat)} numbers are no outline: x and y of three corners or more are")
    return flat.reshape(-1, 2)


def outlined(rings: Sequence[OutlineCorners], shares: bool = False) -> MarkedShape:
    """The mask of what lies within any of several outlines, in pixels or in shares of the photo's sides."""
    return partial(_filled, tuple(rings), shares)


def around(rings: Sequence[OutlineCorners]) -> BoxEdges:
    """The box around outlines."""
    corners = np.concatenate(rings)
    (x0, y0), (x1, y1) = corners.min(0).tolist(), corners.max(0).tolist()
    return x0, y0, x1, y1


def placed(mask: Mask, left: int, top: int) -> MarkedShape:
    """A mask that is a part of the photo's, from a pixel on."""
    return partial(_placed, mask, left, top)


def of_coco(segmentation: Any) -> MarkedShape | None:
    """The mask of COCO's polygons or run lengths; None where there is none.  Raises ValueError, TypeError or KeyError."""
    if not segmentation:
        return None
    if isinstance(segmentation, Mapping):
        height, width = map(int, segmentation["size"])
        return partial(_of_runs, segmentation["counts"], (width, height))
    return outlined([points_of(ring) for ring in segmentation])


def turned(edges: BoxEdges, degrees: float, about: tuple[float, float]) -> OutlineCorners:
    """The corners of a box that is turned clockwise on the screen about a point."""
    x0, y0, x1, y1 = edges
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # of rows (x, y), y downwards
    return (np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) - about) @ turn + about


def _filled(rings: tuple[OutlineCorners, ...], shares: bool, size: tuple[int, int]) -> Mask:
    """True where a pixel's centre lies within an outline: an odd number of its edges are left of it."""
    width, height = size
    whole = np.zeros((height, width), np.bool_)
    for ring in rings:
        begins = ring * size if shares else ring
        x0, y0 = begins.T
        x1, y1 = np.roll(begins, -1, axis=0).T
        first = np.clip(np.ceil(np.minimum(y0, y1) - 0.5), 0, height).astype(int)  # the rows whose centres an edge crosses
        counts = np.clip(np.ceil(np.maximum(y0, y1) - 0.5), 0, height).astype(int) - first
        edge = np.repeat(np.arange(len(ring)), counts)
        rows = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
        at = x0[edge] + (rows + 0.5 - y0[edge]) * ((x1 - x0)[edge] / (y1 - y0)[edge])
        columns = np.clip(np.ceil(at - 0.5), 0, width).astype(int)
        crossed = np.bincount(rows * (width + 1) + columns, minlength=height * (width + 1)).reshape(height, width + 1)
        whole |= np.cumsum(crossed, axis=1)[:, :width] % 2 == 1
    return whole


def _placed(mask: Mask, left: int, top: int, size: tuple[int, int]) -> Mask:
    (height, width), whole = mask.shape, np.zeros((size[1], size[0]), np.bool_)
    if min(left, top) < 0 or left + width > size[0] or top + height > size[1]:
        raise ValueError(f"the mask from ({left}, {top}) to ({left + width}, {top + height}) reaches beyond the photo")
    whole[top : top + height, left : left + width] = mask
    return whole


def _of_runs(counts: Any, drawn: tuple[int, int], size: tuple[int, int]) -> Mask:
    if drawn != tuple(size):
        raise ValueError(f"the mask was drawn on {drawn[0]} x {drawn[1]} pixels, and the photo has {size[0]} x {size[1]}")
    return mask_of_coco(counts, (size[1], size[0]))
