"""How a row of tokens lies over the image: candidates from the network's own grids, and a look at which of them is true.

A bright patch is put on four places of a quiet image, one after the other; the tokens that it changes most must lie where
it was.  Where no reading of the row, or more than one, stands that test, the person is asked.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isqrt, log, prod
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import BadParameter
from .layout import TOKENS, Layout, halved

MOST_EXTRA = 9  # class, distillation and register tokens beside those of the image
PLACES = ((0.19, 0.27), (0.31, 0.83), (0.72, 0.16), (0.86, 0.62))  # of the patch, as shares of the image's sides
NEAR = 0.8  # of a cell: so far from the patch the most changed token may lie
BESIDE = 1.4  # the same of a grid that the network itself has: overlapping convolutions answer a cell beside


MOVED = "{} tokens, which are not in the order of the image (windows come first, say), so that no grid is true of them"


class Found(NamedTuple):
    """What is known of the rows of tokens that a network makes."""

    layouts: Mapping[int, Layout]  # by how many tokens there are
    unclear: Mapping[int, str]  # what could not be told, in words


def candidates(
    count: int, space: Sequence[int], grids: Iterable[tuple[int, ...]], asked: Sequence[int] | None
) -> list[tuple[float, list[Layout]]]:
    """The readings of `count` tokens, the likeliest kinds first, and how near a patch must come to each: the asked grid, or
    grids that the network itself has, such grids halved, and then what keeps the proportions."""
    if asked is not None and len(asked) != len(space):
        raise BadParameter(f"grid={tuple(asked)}: an image has {len(space)} axes of space; give as many numbers of cells.")
    asked_for = _splits(count, [tuple(asked)], MOST_EXTRA) if asked is not None else []
    if asked_for:  # the person knows
        kinds = [(float("inf"), asked_for)]
    else:
        own = [*grids]
        likely = ((BESIDE, own), (BESIDE, sorted(halved(own))), (NEAR, _proportional(count, space)))
        kinds = [(near, _splits(count, some, most)) for near, some in likely for most in (1, MOST_EXTRA)]
    return [(near, found) for near, found in kinds if found]


def _splits(count: int, grids: Iterable[tuple[int, ...]], most: int) -> list[Layout]:
    """Each grid that fits, with the other tokens before it or behind it."""
    fitting = [(grid, count - prod(grid)) for grid in dict.fromkeys(grids) if max(grid) > 1 and 0 <= count - prod(grid) <= most]
    return [Layout(TOKENS, 0, grid, extra - behind, behind) for grid, extra in fitting for behind in range(extra + 1)]


def _proportional(count: int, space: Sequence[int]) -> list[tuple[int, ...]]:
    """Grids of nearly so many cells, none over 2.3 times as long as it is wide, the squarest first."""
    if len(space) != 2:
        return []
    height, width = space
    found = []
    for extra in range(min(MOST_EXTRA, count - 4) + 1):
        cells = count - extra
        for h in range(1, isqrt(cells * max(1, height)) + 1):
            if cells % h == 0 and (skew := abs(log(height / h * (cells // h) / width))) < 0.83:
                found.append((skew, extra, (h, cells // h)))
    return [grid for _, _, grid in sorted(found)]


def probes(x: Tensor) -> Tensor:
    """A quiet image like x (1, c, *space), and it with a bright patch at each of the places: (1 + places, c, *space)."""
    space = x.shape[2:]
    quiet = x.detach() * 0.1
    rows = [quiet]
    for place in PLACES:
        row = quiet.clone()
        spans = [_span(side, share) for side, share in zip(space[-2:], place, strict=True)]
        row[..., spans[0], spans[1]] += 3
        rows.append(row)
    return torch.cat(rows)


def _span(side: int, share: float) -> slice:
    half = max(1, side // 64)
    middle = int(side * share)
    return slice(max(0, middle - half), min(side, middle + half))


def judged(count: int, kinds: list[tuple[float, list[Layout]]], change: Tensor, later: Sequence[Tensor] = ()) -> Layout | str:
    """The one reading of the row that puts what changed (places, count) where the patches were, or why there is none.

    later: what changed in the next layers, before tokens were mixed: the same reading must be true of them.
    Of a video the tokens of all its frames count together.
    """
    for near, among in kinds:
        marks = [(*_hits(lies, change, near), lies) for lies in among]
        hits, far, lies = max(marks, key=lambda mark: (mark[0], -mark[1], -mark[2].suffix))
        equal = {one.space for own, off, one in marks if own == hits and off < far + 1e-6}
        alone = near > NEAR and len({lies.space for lies in among}) == 1  # the only grid the network has
        missed = 2 if alone else 1 if near > NEAR else 0  # the fewer readings there are, the less can happen by chance
        if hits >= len(PLACES) - missed and len(equal) == 1:
            here = _hits(lies, change, BESIDE)[0]
            if any(_hits(lies, row, BESIDE)[0] < here - 1 for row in later):
                return MOVED.format(count)
            return lies
    among = [lies for _, found in kinds for lies in found]
    grids = " or ".join("x".join(map(str, grid)) for grid in [*dict.fromkeys(one.space for one in among)][:4])
    return (
        f"{count} tokens, which may be {grids} and some of no place; a bright patch in the image does not tell which. "
        f"How many rows and columns of cells are there? wrap(grid=({', '.join(map(str, among[0].space))}))"
    )


def _hits(lies: Layout, change: Tensor, near: float) -> tuple[int, float]:
    """At how many places the most changed cell is where the patch was; and how far off they are in all, in cells."""
    cells = lies.turn(change[..., None])[:, 0]  # (places, *grid)
    cells = cells.flatten(1, -3).sum(1) if cells.ndim > 3 else cells
    h, w = cells.shape[-2:]
    hits, far = 0, 0.0
    for cell, (down, across) in zip(cells.flatten(1).argmax(1).tolist(), PLACES, strict=True):
        off = max(abs(down * h - 0.5 - cell // w), abs(across * w - 0.5 - cell % w))
        hits, far = hits + (off <= near), far + off
    return hits, far


def changes(seen: Callable[[Tensor], Mapping[int, list[Tensor]]], x: Tensor) -> Mapping[int, list[Tensor]]:
    """How much each token moves (places, count), of rows of each length; `seen` runs images and tells (m, count, c) of each."""
    with torch.no_grad():
        found = seen(probes(x))
    return {count: [(row[1:] - row[:1]).float().norm(dim=-1) for row in rows] for count, rows in found.items()}
