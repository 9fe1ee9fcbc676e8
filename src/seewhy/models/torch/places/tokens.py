"""Where the tokens of a row lie in the image: candidate layouts from the grids of the network, and a test of each.

A bright patch is put on several places of a quiet image, one after the other; the tokens that change most must lie where the
patch was.  If no candidate passes that test, or more than one, the error asks for the grid.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isqrt, log, prod
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from seewhy.errors import BadParameter

from .layout import TOKENS, Layout, halved

MOST_EXTRA = 9  # class, distillation and register tokens: how many a row may have besides those of the image
PLACES = ((0.19, 0.27), (0.31, 0.83), (0.72, 0.16), (0.86, 0.62))  # of the patch, as shares of the image's last two sides
MOMENTS = ((0.06,), (0.19,), (0.31,), (0.44,), (0.58,), (0.69,), (0.83,), (0.94,))  # the same of a signal
NEAR = 0.8  # in cells: how far from the patch the most changed token may lie
BESIDE = 1.4  # the same for a grid that the network is known to have: overlapping convolutions may change the next cell most
MOSTLY = 0.5  # in a signal, at least this share of the change lies in the cells of the bright stretch
Key = TypeVar("Key")

MOVED = "{} tokens, which are not in the order of the image (windows come first, say), so that no grid is true of them"


class TokenLayouts(NamedTuple):
    """What is known of the rows of tokens that a network emits."""

    layouts: Mapping[int, Layout]  # by how many tokens there are
    unclear: Mapping[int, str]  # by how many tokens there are: in words, why their layout is not known


def candidates(
    count: int, space: Sequence[int], grids: Iterable[tuple[int, ...]], grid: Sequence[int] | None
) -> list[tuple[float, list[Layout]]]:
    """The possible layouts of `count` tokens in groups, the likeliest group first, each with the distance from the patch, in
    cells, that its most changed token may have.

    If the caller's `grid` fits, there is no other group; else these are the grids that the network is known to have, half of
    each of them, and then grids that keep the image's proportions.
    """
    if grid is not None and len(grid) != len(space):
        raise BadParameter(f"grid={tuple(grid)}: an image has {len(space)} axes of space; give as many numbers of cells.")
    wanted = _splits(count, [tuple(grid)], MOST_EXTRA) if grid is not None else []
    if wanted:  # the caller gave the grid
        kinds = [(float("inf"), wanted)]
    else:
        grids_of_network = [*grids]
        likely = ((BESIDE, grids_of_network), (BESIDE, sorted(halved(grids_of_network))), (NEAR, _proportional(count, space)))
        if len(space) == 1:  # along one axis nearly any number of cells is half of another or keeps proportions
            beside = any(count - size in (0, 1) for (size,) in grids_of_network)
            likely = ((NEAR, grids_of_network),) if beside else ((NEAR, grids_of_network), (NEAR, _dividing(count, *space)))
        kinds = [(near, _splits(count, some, most)) for near, some in likely for most in (1, MOST_EXTRA)]
    return [(near, layouts) for near, layouts in kinds if layouts]


def _splits(count: int, grids: Iterable[tuple[int, ...]], most: int) -> list[Layout]:
    """The layouts of each grid with at most `most` tokens left over, which may stand before or behind its own."""
    fitting = [(grid, count - prod(grid)) for grid in dict.fromkeys(grids) if max(grid) > 1 and 0 <= count - prod(grid) <= most]
    return [Layout(TOKENS, 0, grid, extra - behind, behind) for grid, extra in fitting for behind in range(extra + 1)]


def _proportional(count: int, space: Sequence[int]) -> list[tuple[int, ...]]:
    """Grids of nearly so many cells, none stretched more than 2.3 times against the image, the least stretched first."""
    if len(space) != 2:
        return []
    height, width = space
    likely = []
    for extra in range(min(MOST_EXTRA, count - 4) + 1):
        cells = count - extra
        for h in range(1, isqrt(cells * max(1, height)) + 1):
            if cells % h == 0 and (skew := abs(log(height / h * (cells // h) / width))) < 0.83:
                likely.append((skew, extra, (h, cells // h)))
    return [grid for _, _, grid in sorted(likely)]


def _dividing(count: int, length: int) -> list[tuple[int, ...]]:
    """Grids of so many cells, or one less, that divide a signal into equal stretches: if more tokens might be left over, some
    grid would nearly always fit by chance."""
    return [(size,) for size in (count, count - 1) if size > 1 and length % size == 0]


def probes(x: Tensor) -> Tensor:
    """A tenth of the image x (1, c, *space), then the same with a bright patch at each place: (1 + places, c, *space)."""
    quiet = x.detach() * 0.1
    rows = [quiet]
    for spans in _patches(x.shape[2:]):
        row = quiet.clone()
        row[(..., *spans)] += 3
        rows.append(row)
    return torch.cat(rows)


def _places(d: int) -> tuple[tuple[float, ...], ...]:
    return MOMENTS if d == 1 else PLACES


def _patches(space: Sequence[int]) -> list[list[slice]]:
    """The pixels of each patch along the last axes of space."""
    return [[_span(side, share) for side, share in zip(space[-2:], place, strict=True)] for place in _places(len(space))]


def _span(side: int, share: float) -> slice:
    half = max(1, side // 64)
    middle = int(side * share)
    return slice(max(0, middle - half), min(side, middle + half))


def judged(
    count: int,
    space: Sequence[int],
    kinds: list[tuple[float, list[Layout]]],
    change: Tensor,
    later: Sequence[Tensor] = (),
) -> Layout | str:
    """The only layout by which the change of the tokens (places, count, c) lies where the patches were, or in words why there
    is none.

    kinds: the groups of layouts that `candidates` gives.  later: the change in the next layers, before tokens are mixed: the
    same layout must hold for them.  For a video, the changes of all its frames are added.
    """
    for near, among in kinds:
        marks = [(*_hits(lies, change, near), lies) for lies in among]
        hits, far, lies = max(marks, key=lambda mark: (mark[0], -mark[1], -mark[2].suffix))
        equal = {(reading.kind, reading.space) for score, off, reading in marks if score == hits and off < far + 1e-6}
        alone = near > NEAR and len({lies.space for lies in among}) == 1  # the only grid the network has
        missed = 2 if alone else 1 if near > NEAR else 0  # the fewer layouts compete, the less likely is a hit by chance
        if hits >= len(change) - missed and len(equal) == 1:
            # readings of one grid, which differ in how many tokens stand before it
            shifts = [reading for reading in among if (reading.kind, reading.space) in equal]
            lies = max(shifts, key=lambda reading: (_inside(reading, change, space), -reading.suffix))
            if len(space) == 1 and near <= BESIDE and _inside(lies, change, space) < MOSTLY:
                continue
            here = _hits(lies, change, BESIDE)[0]
            if any(_hits(lies, row, BESIDE)[0] < here - 1 for row in later):
                return MOVED.format(count)
            return lies
    among = [lies for _, layouts in kinds for lies in layouts]
    grids = " or ".join("x".join(map(str, grid)) for grid in [*dict.fromkeys(reading.space for reading in among)][:4])
    cells = "cells" if len(space) == 1 else "rows and columns of cells"
    return (
        f"{count} tokens, which may be {grids} and some of no place; a bright patch in the image does not tell which. "
        f"How many {cells} are there? wrap(grid={among[0].space})"
    )


def _hits(lies: Layout, change: Tensor, near: float) -> tuple[int, float]:
    """For how many patches the most changed cell lies where the patch was; and the sum of all distances, in cells."""
    cells = _cells(lies, change)
    grid = cells.shape[1:]
    hits, far = 0, 0.0
    for most, place in zip(cells.flatten(1).argmax(1), _places(len(lies.space)), strict=True):
        cell = [int(i) for i in torch.unravel_index(most, grid)]
        off = max(abs(share * size - 0.5 - i) for share, size, i in zip(place, grid, cell, strict=True))
        hits, far = hits + (off <= near), far + off
    return hits, far


def _cells(lies: Layout, change: Tensor) -> Tensor:
    """How much each cell changes (places, *grid), along the last two axes; for volumes and videos, summed over the others."""
    cells = lies.turn(change).norm(dim=1)
    return cells.flatten(1, -3).sum(1) if cells.ndim > 3 else cells


def _inside(lies: Layout, change: Tensor, space: Sequence[int]) -> float:
    """The share of the change that lies in cells which overlap the patch, as a mean over the places.

    Where patches are as small as cells, the cell that changes most may be a neighbour of the right one.  So this share, and not
    the most changed cell, decides between layouts that differ by one token.
    """
    cells, shares = _cells(lies, change), []
    for row, spans in zip(cells, _patches(space), strict=True):
        for axis, (span, size) in enumerate(zip(spans, space[-2:], strict=True)):
            first, last = span.start * row.shape[axis] // size, (span.stop * row.shape[axis] - 1) // size
            row = row.narrow(axis, first, last - first + 1)
        shares.append(row.sum())
    return float((torch.stack(shares) / cells.flatten(1).sum(1).clamp(min=1e-30)).mean())


def changes(emitted: Callable[[Tensor], Mapping[Key, list[Tensor]]], x: Tensor) -> Mapping[Key, list[Tensor]]:
    """The change of each token (places, count, c) by key: `emitted` runs m images and gives a list of (m, count, c) by key."""
    with torch.no_grad():
        moved = emitted(probes(x))
    return {key: [(row[1:] - row[:1]).float() for row in rows] for key, rows in moved.items()}
