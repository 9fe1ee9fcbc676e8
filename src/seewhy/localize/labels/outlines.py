"""The outlines of masks, as rings of corners that enclose exactly their pixels."""

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
    outer, holes = list[Ring](), list[Ring]()
    for ring in _rings(mask):
        x, y = ring[0]
        (outer if mask[y, x] else holes).append(_simpler([*ring], tolerance) if tolerance else [*ring])
    owners = _owners(mask, outer, holes)
    return [_cut(ring, [holes[k] for k in owners[at]]) for at, ring in enumerate(outer)]


def _rings(mask: Mask) -> list[list[tuple[int, int]]]:
    """The boundaries of a mask as corners (x, y), each from its highest corner, of those the leftmost, to the right.

    A corner is where an odd number of the four pixels around it is set, or two across from each other, where two corners lie.
    Sorted along rows, each pair of corners is a horizontal edge; along columns, a vertical one.
    """
    padded = np.pad(mask, 1)
    nw, ne, sw, se = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    across_from = (nw == se) & (ne == sw) & (nw != ne)  # only \ or only / is set
    ys, xs = _places(nw ^ ne ^ sw ^ se)
    twice_y, twice_x = _places(across_from)
    # Where two corners lie, the first has the edge to the left, and the second that to the right; pixels hang together there,
    # so each belongs to the pixel that is not set: above left and below right of "/", below left and above right of "\".
    first_down = nw[twice_y, twice_x]  # is the vertical edge of the first corner the lower one?
    y, x = np.concatenate([ys, twice_y, twice_y]), np.concatenate([xs, twice_x, twice_x])
    once, several = len(ys), len(twice_y)
    across = np.concatenate([np.zeros(once + several, int), np.ones(several, int)])
    along = np.concatenate([np.zeros(once, int), first_down, ~first_down]).astype(int)
    starts = np.lexsort((across, x, y))
    beside, over = _pairs(starts), _pairs(np.lexsort((along, y, x)))
    corners = [*zip(x.tolist(), y.tolist(), strict=True)]
    rings, left = list[list[tuple[int, int]]](), [True] * len(corners)
    for start in starts.tolist():
        ring, at = list[tuple[int, int]](), start
        while left[at]:
            other = beside[at]
            left[at] = left[other] = False
            ring += corners[at], corners[other]
            at = over[other]
        if ring:
            rings.append(ring)
    return rings


def _places(marked: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """As np.nonzero, which takes ten times as long on a mask with few places."""
    return np.divmod(np.flatnonzero(marked), marked.shape[1])


def _pairs(order: NDArray[np.intp]) -> list[int]:
    """Of each corner the other end of its edge, where each two in this order have one."""
    partner = np.empty(len(order), int)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return partner.tolist()


def _simpler(ring: Ring, tolerance: float) -> Ring:
    """The ring without corners that lie within the tolerance of the edges between those that stay."""
    points, stays = [*ring, ring[0]], {0, len(ring)}
    stack = [(0, len(ring))]
    while stack:
        first, last = stack.pop()
        far, at = _farthest(points, first, last)
        if far > tolerance**2:
            stays.add(at)
            stack += [(first, at), (at, last)]
    kept = [points[at] for at in sorted(stays)[:-1]]
    return kept if len(kept) > 2 else ring  # fewer than three corners enclose nothing


def _farthest(points: Ring, first: int, last: int) -> tuple[float, int]:
    """Of the corners between two, that which lies farthest from the edge between these: the squared distance, and its place."""
    (x0, y0), (x1, y1) = points[first], points[last]
    across, down = x1 - x0, y1 - y0
    length = across * across + down * down
    far, at = -1.0, first
    for place in range(first + 1, last):
        x, y = points[place][0] - x0, points[place][1] - y0
        along = x * across + y * down
        if length == 0 or along <= 0:
            square = x * x + y * y
        elif along >= length:
            square = (x - across) ** 2 + (y - down) ** 2
        else:
            square = (x * down - y * across) ** 2 / length
        if square > far:
            far, at = square, place
    return far, at


def _owners(mask: Mask, outer: list[Ring], holes: list[Ring]) -> list[list[int]]:
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


def _cut(ring: Ring, holes: list[Ring]) -> Ring:
    """The ring with its holes, each reached at its highest corner from the nearest corner that lies no lower."""
    for hole in holes:
        left, top = hole[0]
        at = min(
            (place for place, (_, y) in enumerate(ring) if y <= top),
            key=lambda place: (ring[place][0] - left) ** 2 + (ring[place][1] - top) ** 2,
        )
        ring = [*ring[: at + 1], hole[0], *hole[::-1], *ring[at:]]
    return ring
