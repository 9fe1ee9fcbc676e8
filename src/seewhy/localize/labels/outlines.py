"""The outlines of masks, as rings of corners that enclose exactly their pixels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.objects.scikit import skimage
from seewhy.truth.run_lengths import Mask

Ring = list[tuple[float, float]]  # corners (x, y), the last not the first again; pixel (0, 0) reaches from (0, 0) to (1, 1)


def outlines(mask: Mask, tolerance: float = 0.0) -> list[Ring]:
    """A ring around each part of a mask (h, w) that hangs together, also at corners of pixels.

    A hole is part of its ring: a cut of no width leads to it and back, so that every rule of filling leaves it out.  The rings
    run clockwise on the screen, holes against it.
    tolerance: corners may be left out where the outline moves by at most so many pixels (Douglas and Peucker 1973).
    """
    outer, holes = list[NDArray[Any]](), list[NDArray[Any]]()
    for ring in _rings(mask):
        (x, y), *_ = ring
        (outer if mask[y, x] else holes).append(_simpler(np.array(ring), tolerance))
    owners = _owners(mask, outer, holes)
    return [
        [(float(x), float(y)) if tolerance else (int(x), int(y)) for x, y in _cut(ring, [holes[k] for k in owners[at]])]
        for at, ring in enumerate(outer)
    ]


def _rings(mask: Mask) -> list[list[tuple[int, int]]]:
    """The boundaries of a mask as corners (x, y), each from its highest corner, of those the leftmost, to the right.

    A corner is where an odd number of the four pixels around it is set, or two across from each other, where two corners lie.
    Sorted along rows, each pair of corners is a horizontal edge; along columns, a vertical one.
    """
    padded = np.pad(mask, 1).astype(np.int8)
    nw, ne, sw, se = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    falling, rising = (nw & se) > (ne | sw), (ne & sw) > (nw | se)  # only \ or only / is set
    ys, xs = np.nonzero((nw + ne + sw + se) % 2 == 1)
    twice_y, twice_x = np.nonzero(falling | rising)
    # Where two corners lie, the first has the edge to the left, and the second that to the right; pixels hang together there,
    # so each belongs to the pixel that is not set: above left and below right of "/", below left and above right of "\".
    first_down = falling[twice_y, twice_x]  # is the vertical edge of the first corner the lower one?
    y, x = np.concatenate([ys, twice_y, twice_y]), np.concatenate([xs, twice_x, twice_x])
    once, several = len(ys), len(twice_y)
    across = np.concatenate([np.zeros(once + several, int), np.ones(several, int)])
    along = np.concatenate([np.zeros(once, int), first_down, ~first_down]).astype(int)
    beside, over = np.empty(len(y), int), np.empty(len(y), int)
    for partner, order in ((beside, np.lexsort((across, x, y))), (over, np.lexsort((along, y, x)))):
        partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    rings, left = list[list[tuple[int, int]]](), np.ones(len(y), bool)
    for start in np.lexsort((across, x, y)).tolist():
        ring, at = list[tuple[int, int]](), start
        while left[at]:
            for partner in (beside, over):
                left[at] = False
                ring.append((int(x[at]), int(y[at])))
                at = int(partner[at])
        if ring:
            rings.append(ring)
    return rings


def _simpler(ring: NDArray[Any], tolerance: float) -> NDArray[Any]:
    if not tolerance:
        return ring
    closed = skimage("measure").approximate_polygon(np.concatenate([ring, ring[:1]]).astype(float), tolerance)
    return closed[:-1] if len(closed) > 3 else ring  # a ring of fewer than three corners encloses nothing


def _owners(mask: Mask, outer: list[NDArray[Any]], holes: list[NDArray[Any]]) -> list[list[int]]:
    """For each outer ring, the places of the holes in it."""
    if len(outer) < 2 or not holes:
        return [[*range(len(holes))] for _ in outer]
    labels = skimage("measure").label(mask, connectivity=2)
    by_label = {int(labels[int(ring[0][1]), int(ring[0][0])]): at for at, ring in enumerate(outer)}
    owners = [list[int]() for _ in outer]
    for place, ring in enumerate(holes):
        x, y = map(int, ring[0])
        owners[by_label[int(labels[y - 1, x])]].append(place)  # the pixel above a hole's highest corner
    return owners


def _cut(ring: NDArray[Any], holes: list[NDArray[Any]]) -> NDArray[Any]:
    """The ring with its holes, each reached at its highest corner from the nearest corner that lies no lower."""
    for hole in holes:
        top = hole[0]
        far = ((ring - top).astype(float) ** 2).sum(1)
        far[ring[:, 1] > top[1]] = np.inf
        at = int(far.argmin())
        ring = np.concatenate([ring[: at + 1], hole[:1], hole[::-1], ring[at:]])
    return ring
