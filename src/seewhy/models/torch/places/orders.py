"""In which order the entries of a dimension lie over the image, by how they change as bright stripes are laid across it.

Nothing is known of the entries but these changes: how many of them are tokens of no place, and which, is seen in them as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from math import prod

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter

from .marks import Dim, Factor
from .stretches import ALIKE, LOCAL, Profile, Stretches, stretches

ENOUGH = 0.1  # of the entries, or of the change, must belong to places
MOST = 0.5  # of them, or of it, must do so before a dimension without an order is said to have places
UNSURE = 0.1  # at most of the entries may neither belong to a place nor to none
SILENT = 1e-6  # of the mean change: what changes less may be a cell that the network ignores, or may be none
SILENT_CELLS = 0.15  # at most of the cells
MANY = 8  # so many cells at least may stand on both sides of a gap: of few, the one in the middle may be blurred
BORDER = 32  # so many of them at most at either end
BETTER = 0.5  # of the misfit of any other order, at most that of the true one
PRECISE = 0.05  # in stripes: misfits smaller than this are not told apart
BESIDE = 0.75  # in cells: how far from its place the centre of an entry's change may lie
BLUR = 0.4  # in stretches: how much farther, where they are longer than a cell, as most at the border of the image are
ASIDE = 0.6  # in cells: how far from the centre of all entries of a row or a column that of one may lie
ONWARD = 0.1  # in cells: by how much these centres must move from one row or column to the next
WITHIN = 0.6  # in cells: how far from a stripe the cells may lie that change most with it; or else
SHARE = 0.125  # of the axis
CHANCE = 1e-6  # an order that chance would show more often proves nothing
LUCK = 0.01  # of this chance: how likely it may be that stretches lie so near to the cells, which queries may do by training
PART = 1e-3  # the same for a dimension that runs along some axes of space alone, and is one of several

_GRIDS = ("cells one behind the other", "a grid, row by row or column by column (windows come first, say)")
FEW = "its {} cells follow so few bright stripes that this may be chance"


@dataclass(frozen=True)
class CellOrder:
    """A dimension that runs over the image."""

    dim: Dim
    backwards: tuple[int, ...] = ()  # axes of space along which its cells run from the end to the start
    chance: float = 0.0  # how likely it is that entries without any order seem to lie so
    misfit: float = 0.0  # how far from their places the entries lie: the mean square, in cells

    @property
    def axes(self) -> tuple[int, ...]:
        return self.dim.axes

    @property
    def cells(self) -> tuple[int, ...]:
        """How many cells lie along each of its axes of space, in the order of those axes."""
        return tuple(f.size for f in sorted(self.dim.factors, key=lambda f: f.axis or 0))


def order_of(profiles: Sequence[Profile], grid: Sequence[int] | None = None) -> CellOrder | str | None:
    """The order of the entries of a dimension; in words, why those that belong to places are in none; None where none do.

    grid: how many cells lie along each axis of space in rows of so many cells, as far as this is left open.
    """
    if grid is not None and len(grid) != len(profiles):
        raise BadParameter(f"grid={tuple(grid)}: an image has {len(profiles)} axes of space; give as many numbers of cells.")
    seen = [stretches(profile) for profile in profiles]
    axes = [a for a, profile in enumerate(profiles) if _share(profile, seen[a].excess >= LOCAL) >= ENOUGH]
    if profiles[0].shape[1] < 2:
        return None
    whole = _order_along(profiles, seen, axes, grid) if axes else None
    if isinstance(whole, CellOrder) or len(axes) < 2:
        return whole
    some = [
        _order_along(profiles, seen, part, None) for size in range(len(axes) - 1, 0, -1) for part in combinations(axes, size)
    ]
    found = [order for order in some if isinstance(order, CellOrder)]
    return found[0] if len(found) == 1 else whole


def _order_along(
    profiles: Sequence[Profile], seen: Sequence[Stretches], axes: Sequence[int], grid: Sequence[int] | None
) -> CellOrder | str | None:
    """The same for places along some axes of space, whatever there is along the others."""
    entries = profiles[0].shape[1]
    placed = np.logical_and.reduce([seen[a].local for a in axes])
    share = min(_share(profiles[a], placed) for a in axes)
    if share < ENOUGH:
        return None
    alike = np.logical_and.reduce([np.minimum(seen[a].excess, seen[a].unlike) < ALIKE for a in axes])
    silent = np.sum([profile.sum(0) for profile in profiles], 0) <= SILENT * np.mean([profile.sum() for profile in profiles])
    unsure = ~placed & ~alike & ~silent
    if unsure.sum() > UNSURE * (unsure | placed).sum():
        return f"{int(unsure.sum())} of {entries} entries change with several places each" if share >= MOST else None
    at = _candidates(placed, silent | unsure)
    orders = [order for rows in at for order in _orders(profiles, {a: seen[a] for a in axes}, placed, rows)]
    cells = f"{int(placed.sum())} of {entries} entries belong to places"
    if orders:
        whole = len(axes) == len(profiles)
        order = _chosen(orders, cells, grid if whole else None)
        if isinstance(order, CellOrder) and order.chance > (CHANCE if whole else PART):
            return FEW.format(" x ".join(map(str, order.cells)))
        return order
    if share < MOST:
        return None
    if len(axes) < len(profiles):
        return f"{cells}, but along {' and '.join(f'axis {a}' for a in axes)} of the image alone"
    return f"{cells}, but not in the order of {_GRIDS[len(profiles) > 1]}"


def _chosen(orders: Sequence[CellOrder], cells: str, grid: Sequence[int] | None) -> CellOrder | str:
    """The order that fits clearly better than others, or among those that fit that of the caller's grid; or why none is sure.

    cells: in words, how many entries belong to places.
    """
    best = min(orders, key=lambda order: order.misfit)
    left = [order for order in orders if order is best or best.misfit > BETTER * order.misfit]
    if grid is not None:
        fitting = [order for order in left if order.cells == tuple(grid)]
        if not fitting and (len(left) > 1 or prod(best.cells) == prod(grid)):
            may_be = " or ".join(f"grid={order.cells}" for order in left[:4])
            return f"grid={tuple(grid)} is not true of it: {cells}; {may_be} may be"
        left = fitting or left
    if len(left) > 1:
        return f"{cells}, which may be {' or '.join(map(_described, left[:4]))}"
    return left[0]


def _share(profile: Profile, some: NDArray[np.bool_]) -> float:
    """The share of some of the entries, or that of the change which they hold, whichever is larger."""
    return max(float(some.mean()), float(profile[:, some].sum() / max(profile.sum(), 1e-300)))


def _described(order: CellOrder) -> str:
    sizes = "x".join(str(f.size) for f in order.dim.factors)
    along = ", ".join(f"axis {f.axis}{' backwards' if f.axis in order.backwards else ''}" for f in order.dim.factors)
    return f"{sizes} ({along})"


def _candidates(placed: NDArray[np.bool_], unknown: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Which entries may be the cells: those that belong to places, or a row without a gap in which a few unknown ones stand.

    Between many of the former there may be a gap of others, such as a class token in the middle, but no more than one.  The
    latter may begin before them, end behind them, or both by as many.
    """
    at = np.flatnonzero(placed)
    found = [at] if (np.diff(at) > 1).sum() <= (len(at) >= MANY) else []
    first, stop = int(at[0]), int(at[-1]) + 1
    most = int(len(at) * SILENT_CELLS / (1 - SILENT_CELLS))
    around = {
        (before, behind) for more in range(min(most, BORDER) + 1) for before, behind in ((more, 0), (0, more), (more, more))
    }
    for before, behind in sorted(around):
        rows = np.arange(first - before, stop + behind)
        if rows[0] < 0 or rows[-1] >= len(placed) or not 0 < len(rows) - len(at) <= most:
            continue
        if (placed | unknown)[rows].all():
            found.append(rows)
    return found


def _orders(
    profiles: Sequence[Profile], seen: dict[int, Stretches], placed: NDArray[np.bool_], at: NDArray[np.intp]
) -> Iterator[CellOrder]:
    """The orders that the entries `at` may be in; those of them that belong to no place may be any cell."""
    sure = placed[at]
    candidates = [(axes, sizes) for axes in permutations(sorted(seen)) for sizes in _factorizations(len(at), len(axes))]
    for axes, sizes in candidates:
        cells = np.unravel_index(np.arange(len(at)), sizes)
        backwards, passes, misfit = [], True, 0.0
        chance = luck = float(len(candidates) * 2 ** len(axes))
        for a, size, cell in zip(axes, sizes, cells, strict=True):
            if np.sum((seen[a].centre[at] - 0.5) * (cell - (size - 1) / 2), where=sure) < 0:
                backwards.append(a)
                cell = size - 1 - cell
            off = _misfit(seen[a], at[sure], cell[sure], size, len(profiles[a]))
            passes = off is not None
            if off is None:
                break
            misfit += off
            chance *= _chance(profiles[a][:, at[sure]], cell[sure], size)
            luck *= _luck(seen[a], at[sure], cell[sure], size, len(profiles[a]))
        if passes:
            dim = Dim(tuple(Factor(size, a) for a, size in zip(axes, sizes, strict=True)), _rows(at, len(placed)))
            chance = max(chance, luck / LUCK) if len(axes) == len(profiles) else chance
            yield CellOrder(dim, tuple(backwards), chance, misfit)


def _factorizations(count: int, factors: int) -> Iterator[tuple[int, ...]]:
    """All ways to write a number as a product of so many numbers above one, in each order."""
    if factors == 1:
        if count > 1:
            yield (count,)
        return
    for first in range(2, count // 2 + 1):
        if count % first == 0:
            yield from ((first, *rest) for rest in _factorizations(count // first, factors - 1))


def _misfit(seen: Stretches, at: NDArray[np.intp], cell: NDArray[np.intp], size: int, stripes: int) -> float | None:
    """How far from the cells of an axis of that size the entries `at` lie; None where those of a cell do not lie together, or
    the cells not in order: the mean square, in cells."""
    centre, blur = seen.centre[at], BLUR * np.maximum(seen.stop[at] - seen.start[at] - 1 / size, 0)
    if (np.abs(centre - (cell + 0.5) / size) > BESIDE / size + 0.5 / stripes + blur).any():
        return None
    counts = np.bincount(cell, minlength=size)
    means = np.bincount(cell, centre, size) / np.maximum(counts, 1)
    if (np.abs(centre - means[cell]) > ASIDE / size + 0.5 / stripes).any():
        return None
    held, step = np.flatnonzero(counts), -(-2 * size // stripes)
    means = means[held]
    if not (means[step:] - means[:-step] >= ONWARD * step / size).all():
        return None
    if size > stripes:  # a stripe holds several cells: what tells is the line through all of them
        means = np.polyval(np.polyfit(held, means, 1), held)
    return float(((means * size - held - 0.5) ** 2).mean()) + (PRECISE * size / stripes) ** 2


def _chance(profile: Profile, cell: NDArray[np.intp], size: int) -> float:
    """How likely it is that so many stripes change cells beside them most, if each stripe changed any cells most."""
    stripes = len(profile)
    shares = profile / np.maximum(profile.sum(0), 1e-300)
    each = np.stack([np.bincount(cell, share, size) for share in shares])
    each /= np.maximum(each.max(0), 1e-300)  # those of the border see less, and change more with what they see
    middle = (np.arange(stripes) + 0.5) / stripes * size - 0.5
    near = np.abs(middle[:, None] - np.arange(size)) <= max(WITHIN, SHARE * size) + size / stripes / 2
    hits = near[np.arange(stripes), each.argmax(1)]
    by_misses = np.array([1.0])  # the chance of each number of misses
    for share in near.mean(1):
        by_misses = np.convolve(by_misses, [share, 1 - share])
    return float(by_misses[: stripes - int(hits.sum()) + 1].sum())


def _luck(seen: Stretches, at: NDArray[np.intp], cell: NDArray[np.intp], size: int, stripes: int) -> float:
    """How likely it is that the entries change most in stretches as near to their cells, if each did so in any stretch.

    Learned queries may look at one place each; a few of them may lie like a small grid by chance.
    """
    start, stop = stripes * cell / size, stripes * (cell + 1) / size
    off = max(np.abs(stripes * seen.start[at] - start).max(), np.abs(stripes * seen.stop[at] - stop).max())
    ends = np.arange(stripes + 1)[:, None]
    near = (np.abs(ends - start) <= off).sum(0) * (np.abs(ends - stop) <= off).sum(0)
    return float(np.exp(np.log(np.minimum(near / (stripes * (stripes + 1) / 2), 1)).sum()))


def _rows(at: NDArray[np.intp], entries: int) -> tuple[int, ...] | None:
    """Which cell each entry is, -1 where it is none; None if all are cells."""
    if len(at) == entries:
        return None
    rows = np.full(entries, -1)
    rows[at] = np.arange(len(at))
    return tuple(rows.tolist())
