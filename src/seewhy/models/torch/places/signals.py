"""How what a layer emits lies along a signal: channels before samples, or rows of tokens, some of which may have no place.

Both are (n, a, b), and no proportions tell them apart.  So time is followed through the network; where a call is not
understood, a bright stretch in a quiet signal shows where it went, and at last the other rows of as many tokens must agree.
What is still not told is refused.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from .layout import FIRST, LAST, SEQUENCE, TOKENS, Known, Layout, Sides
from .marks import Mark
from .tokens import NEAR, candidates, judged

CHANNELS_FIRST = (
    nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d, nn.InstanceNorm1d, nn.GroupNorm, nn.MaxPool1d, nn.AvgPool1d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveAvgPool1d, nn.Upsample,
)  # fmt: skip
ROWS = (nn.RNNBase, nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)
Probed = Callable[[Sequence[str]], Mapping[str, Tensor]]  # of layers how they move as a stretch does: (places, a, b)


class Emitted(NamedTuple):
    """What a layer last emitted for n signals."""

    module: nn.Module
    shape: tuple[int, ...]
    mark: Mark | None  # what was followed of it

    def sides(self, n: int) -> Sides:
        """(a, b) of (n, a, b), or of (a, n, b)."""
        return (self.shape[1] if self.shape[0] == n else self.shape[0], self.shape[2])


class Told(NamedTuple):
    """What is known of the layers of a network over signals."""

    layouts: Mapping[tuple[int, Sides], Layout | None]  # by the module's id, 0 of any module, and what it emits
    unclear: Mapping[int, str]  # of rows of so many tokens what could not be told, in words


def along(
    module: nn.Module | None, shape: tuple[int, ...], signals: tuple[int, ...], known: Known, own: tuple[int, ...] | None
) -> Layout | None:
    """How an emission of `shape`, from signals (n, c, length), lies; own: its grid, if it was followed."""
    n = signals[0]
    if len(shape) != 3 or n not in shape[:2]:
        return None
    if shape[0] == n and (own == shape[2:] if isinstance(module, CHANNELS_FIRST) else module is None and shape == signals):
        return Layout(FIRST, shape[1], shape[2:])
    sides = Emitted(nn.Identity(), shape, None).sides(n)
    return known.signals.get((id(module), sides), known.signals.get((0, sides)))


def told(
    emitted: Mapping[str, Emitted], n: int, length: int, grids: Iterable[tuple[int, ...]], probed: Probed, asked: Any
) -> Told:
    """Of each layer that emits (n, a, b) or (a, n, b); grids: that convolutions have, or that were met on the way; asked: how
    many cells there are, as the person knows it.
    """
    emitted = {name: one for name, one in emitted.items() if len(one.shape) == 3 and n in one.shape[:2]}
    lies = {name: _followed(one, n) for name, one in emitted.items()}
    own = sorted({*grids, (length,)})
    rest = [name for name, found in lies.items() if found is None and not isinstance(emitted[name].module, CHANNELS_FIRST)]
    shown = {
        name: _shown(emitted[name], n, length, own, change, asked) for name, change in (probed(rest) if rest else {}).items()
    }
    lies |= {name: found for name, found in shown.items() if isinstance(found, Layout)}
    lies |= _agreed({name: emitted[name] for name in rest if lies[name] is None}, lies, n, length, own)
    unclear = {emitted[name].sides(n)[0]: why for name, why in shown.items() if lies[name] is None and isinstance(why, str)}
    return Told(_by_shape(emitted, lies, n), unclear)


def _followed(one: Emitted, n: int) -> Layout | None:
    """As the dimension that holds time was followed.  Source: `marks.py`."""
    mark = one.mark.settled if one.mark is not None else None
    sure = isinstance(one.module, CHANNELS_FIRST) and one.shape[0] == n
    if mark is None or mark.where is None or mark.shape != one.shape or len(mark.spots) != 1:
        return Layout(FIRST, one.shape[1], one.shape[2:]) if sure else None
    ((j, dim),) = mark.spots
    if len(dim.factors) != 1:
        return None
    if j == -1:  # a class token among samples has no place, and channels first have none for it
        return Layout(FIRST, one.shape[1], one.shape[2:]) if one.shape[0] == n and not dim.before + dim.after else None
    if one.shape[1 if j == -3 else 0] != n:
        return None
    return _rows(Layout(TOKENS, one.shape[2], mark.where[0], dim.before, dim.after), j == -3)


def _rows(lies: Layout, before_batch: bool) -> Layout:
    plain = TOKENS if lies.prefix + lies.suffix else LAST
    return lies._replace(kind=SEQUENCE if before_batch else plain)


def _shown(
    one: Emitted, n: int, length: int, grids: list[tuple[int, ...]], change: Tensor, asked: Any
) -> Layout | str | None:  # fmt: skip
    """As a bright stretch shows it (places, a, b); in words why it is not clear, where it may be rows; else None."""
    count, width = one.sides(n)
    rows = [
        (near, [each._replace(channels=width) for each in found]) for near, found in candidates(count, (length,), grids, asked)
    ]
    kinds, first = rows, Layout(FIRST, count, (width,))
    sure = isinstance(one.module, ROWS) or any(near > NEAR for near, _ in rows)  # the person knows
    if not sure and one.shape[0] == n and (width,) in grids:
        kinds = [(near, [*found, first]) for near, found in rows] or [(NEAR, [first])]
    if not kinds:
        return None
    found = judged(count, (length,), kinds, change)
    if isinstance(found, Layout):
        return found if found.kind == FIRST else _rows(found, one.shape[0] != n)
    return found if rows else None


def _agreed(
    rest: Mapping[str, Emitted], lies: Mapping[str, Layout | None], n: int, length: int, grids: list[tuple[int, ...]]
) -> dict[str, Layout | None]:
    """Of layers of which nothing is told: as all others that emit the like, or as all rows of so many tokens, if that is the
    one way to read it.
    """
    known = [found for found in lies.values() if found is not None]
    out: dict[str, Layout | None] = {}
    for name, one in rest.items():
        found = _like(one.sides(n), isinstance(one.module, ROWS), known, length) or _steps(one, n, grids)
        if found is not None and (found.kind != FIRST or one.shape[0] == n):
            out[name] = found if found.kind == FIRST else _rows(found, one.shape[0] != n)
            known.append(found)
    return out


def _like(sides: Sides, rows: bool, known: Sequence[Layout], length: int) -> Layout | None:
    """As the emissions that are known, if they agree.  rows: it is sure that these are rows."""
    count, width = sides
    same = {found._replace(kind=found.kind if found.kind == FIRST else TOKENS) for found in known if _sides(found) == sides}
    if same and count != width:
        return same.pop() if len(same) == 1 else None
    if not rows and (width == length or any(found.kind == FIRST and found.space == (width,) for found in known)):
        return None
    among = {(found.space, found.prefix, found.suffix) for found in known if found.kind != FIRST and _sides(found)[0] == count}
    return Layout(TOKENS, width, *among.pop()) if len(among) == 1 else None


def _sides(lies: Layout) -> Sides:
    if lies.kind == FIRST:
        return lies.channels, lies.space[0]
    return lies.prefix + lies.space[0] + lies.suffix, lies.channels


def _steps(one: Emitted, n: int, grids: list[tuple[int, ...]]) -> Layout | None:
    """Of a recurrent layer that reads each step of a grid, or two or four at a time; of what was pooled to a single place."""
    count, width = one.sides(n)
    if isinstance(one.module, nn.RNNBase):
        known = any(size in (count, 2 * count, 4 * count) for (size,) in grids)
        return Layout(TOKENS, width, (count,)) if known else None
    return Layout(FIRST, count, (width,)) if width == 1 else None


def _by_shape(
    emitted: Mapping[str, Emitted], lies: Mapping[str, Layout | None], n: int
) -> dict[tuple[int, Sides], Layout | None]:  # fmt: skip
    """By module, and by what all modules that emit the like agree on."""
    found: dict[tuple[int, Sides], Layout | None] = {}
    for name, one in emitted.items():
        for key in ((id(one.module), one.sides(n)), (0, one.sides(n))):
            found[key] = lies[name] if found.get(key, lies[name]) == lies[name] else None
    return found
