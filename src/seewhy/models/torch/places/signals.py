"""The layout of what a layer emits for a signal: channels before samples, or rows of tokens, some of which have no place.

Both are (n, a, b), and no proportions tell them apart.  So the axis of time is followed through the calls of the network.
Where a call has no rule, the network is run on quiet signals with one bright stretch each, and the layout is the one whose
changed cells lie in that stretch.  What this leaves open follows from the other layers, if they agree.  Anything else has no
layout.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from .layout import FIRST, LAST, SEQUENCE, TOKENS, EmissionSides, Layout, NetworkGrids
from .marks import Mark
from .tokens import NEAR, candidates, judged

CHANNELS_FIRST = (
    nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d, nn.InstanceNorm1d, nn.GroupNorm, nn.MaxPool1d, nn.AvgPool1d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveAvgPool1d, nn.Upsample,
)  # fmt: skip
ROWS = (nn.RNNBase, nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)
Probed = Callable[[Sequence[str]], Mapping[str, Tensor]]  # layers -> how their outputs change with the bright stretch


class SignalEmission(NamedTuple):
    """What a layer last emitted for n signals."""

    module: nn.Module
    shape: tuple[int, ...]
    mark: Mark | None  # where its cells lie, if that is known

    def sides(self, n: int) -> EmissionSides:
        """The sides (a, b) of an emission (n, a, b) or (a, n, b)."""
        return (self.shape[1] if self.shape[0] == n else self.shape[0], self.shape[2])


class SignalLayouts(NamedTuple):
    """What is known of the layers of a network over signals."""

    layouts: Mapping[tuple[int, EmissionSides], Layout | None]  # by the module's id (0: any module), and its sides
    unclear: Mapping[int, str]  # for rows of so many tokens, in words: why their layout is not known


def along(
    module: nn.Module | None,
    shape: tuple[int, ...],
    signals: tuple[int, ...],
    known: NetworkGrids,
    grid: tuple[int, ...] | None,
) -> Layout | None:
    """The layout of an emission of `shape` for signals (n, c, length); grid: its grid, if it is known."""
    n = signals[0]
    if len(shape) != 3 or n not in shape[:2]:
        return None
    if shape[0] == n and (grid == shape[2:] if isinstance(module, CHANNELS_FIRST) else module is None and shape == signals):
        return Layout(FIRST, shape[1], shape[2:])
    sides = SignalEmission(nn.Identity(), shape, None).sides(n)
    return known.signals.get((id(module), sides), known.signals.get((0, sides)))


def signal_layouts(
    emitted: Mapping[str, SignalEmission], n: int, length: int, grids: Iterable[tuple[int, ...]], probed: Probed, grid: Any
) -> SignalLayouts:
    """The layout of each layer that emits (n, a, b) or (a, n, b) for n signals of a length.

    grids: those of convolutions, and all others that are known; grid: how many cells there are, if the caller knows it;
    probed: gives for some layers how their outputs change with the place of a bright stretch.
    """
    emitted = {name: emission for name, emission in emitted.items() if len(emission.shape) == 3 and n in emission.shape[:2]}
    lies = {name: _followed(emission, n) for name, emission in emitted.items()}
    all_grids = sorted({*grids, (length,)})
    rest = [name for name, layout in lies.items() if layout is None and not isinstance(emitted[name].module, CHANNELS_FIRST)]
    shown = {
        name: _shown(emitted[name], n, length, all_grids, change, grid)
        for name, change in (probed(rest) if rest else {}).items()
    }
    lies |= {name: layout for name, layout in shown.items() if isinstance(layout, Layout)}
    lies |= _agreed({name: emitted[name] for name in rest if lies[name] is None}, lies, n, length, all_grids)
    unclear = {emitted[name].sides(n)[0]: why for name, why in shown.items() if lies[name] is None and isinstance(why, str)}
    return SignalLayouts(_by_shape(emitted, lies, n), unclear)


def _followed(emission: SignalEmission, n: int) -> Layout | None:
    """The layout by the emission's mark, which says in which dimension time runs; None where it does not say it."""
    mark = emission.mark.settled if emission.mark is not None else None
    sure = isinstance(emission.module, CHANNELS_FIRST) and emission.shape[0] == n
    if mark is None or mark.where is None or mark.shape != emission.shape or len(mark.spots) != 1:
        return Layout(FIRST, emission.shape[1], emission.shape[2:]) if sure else None
    ((j, dim),) = mark.spots
    if len(dim.factors) != 1:
        return None
    if j == -1:  # with channels first there can be no class token
        lies_so = emission.shape[0] == n and not dim.before + dim.after
        return Layout(FIRST, emission.shape[1], emission.shape[2:]) if lies_so else None
    if emission.shape[1 if j == -3 else 0] != n:
        return None
    return _rows(Layout(TOKENS, emission.shape[2], mark.where[0], dim.before, dim.after), j == -3)


def _rows(lies: Layout, before_batch: bool) -> Layout:
    plain = TOKENS if lies.prefix + lies.suffix else LAST
    return lies._replace(kind=SEQUENCE if before_batch else plain)


def _shown(
    emission: SignalEmission, n: int, length: int, grids: list[tuple[int, ...]], change: Tensor, grid: Any
) -> Layout | str | None:  # fmt: skip
    """The layout by the change (places, a, b) with the bright stretch; if no layout fits, the reason in words, or None if the
    emission may be no row of tokens."""
    count, width = emission.sides(n)
    rows = [
        (near, [layout._replace(channels=width) for layout in layouts])
        for near, layouts in candidates(count, (length,), grids, grid)
    ]
    kinds, first = rows, Layout(FIRST, count, (width,))
    sure = isinstance(emission.module, ROWS) or any(near > NEAR for near, _ in rows)  # the caller gave the grid
    if not sure and emission.shape[0] == n and (width,) in grids:
        kinds = [(near, [*layouts, first]) for near, layouts in rows] or [(NEAR, [first])]
    if not kinds:
        return None
    layout = judged(count, (length,), kinds, change)
    if isinstance(layout, Layout):
        return layout if layout.kind == FIRST else _rows(layout, emission.shape[0] != n)
    return layout if rows else None


def _agreed(
    rest: Mapping[str, SignalEmission], lies: Mapping[str, Layout | None], n: int, length: int, grids: list[tuple[int, ...]]
) -> dict[str, Layout | None]:
    """Layouts of the layers that are still open: that of all other layers with the same sides, or of all rows of so many
    tokens, provided that these agree.
    """
    known_layouts = [layout for layout in lies.values() if layout is not None]
    out: dict[str, Layout | None] = {}
    for name, emission in rest.items():
        rows = isinstance(emission.module, ROWS)
        layout = _like(emission.sides(n), rows, known_layouts, length) or _steps(emission, n, grids)
        if layout is not None and (layout.kind != FIRST or emission.shape[0] == n):
            out[name] = layout if layout.kind == FIRST else _rows(layout, emission.shape[0] != n)
            known_layouts.append(layout)
    return out


def _like(sides: EmissionSides, rows: bool, known: Sequence[Layout], length: int) -> Layout | None:
    """The layout of the known emissions of these sides, if they agree.  rows: the emission is known to be rows of tokens."""
    count, width = sides
    same = {
        layout._replace(kind=layout.kind if layout.kind == FIRST else TOKENS) for layout in known if _sides(layout) == sides
    }
    if same and count != width:
        return same.pop() if len(same) == 1 else None
    if not rows and (width == length or any(layout.kind == FIRST and layout.space == (width,) for layout in known)):
        return None
    among = {
        (layout.space, layout.prefix, layout.suffix) for layout in known if layout.kind != FIRST and _sides(layout)[0] == count
    }
    return Layout(TOKENS, width, *among.pop()) if len(among) == 1 else None


def _sides(lies: Layout) -> EmissionSides:
    if lies.kind == FIRST:
        return lies.channels, lies.space[0]
    return lies.prefix + lies.space[0] + lies.suffix, lies.channels


def _steps(emission: SignalEmission, n: int, grids: list[tuple[int, ...]]) -> Layout | None:
    """The layout of a recurrent layer that reads each cell of a grid, or two or four cells at a time, and of a single cell."""
    count, width = emission.sides(n)
    if isinstance(emission.module, nn.RNNBase):
        known = any(size in (count, 2 * count, 4 * count) for (size,) in grids)
        return Layout(TOKENS, width, (count,)) if known else None
    return Layout(FIRST, count, (width,)) if width == 1 else None


def _by_shape(
    emitted: Mapping[str, SignalEmission], lies: Mapping[str, Layout | None], n: int
) -> dict[tuple[int, EmissionSides], Layout | None]:  # fmt: skip
    """The layouts by module and sides, and by sides alone where all modules of these sides agree."""
    agreed: dict[tuple[int, EmissionSides], Layout | None] = {}
    for name, emission in emitted.items():
        for key in ((id(emission.module), emission.sides(n)), (0, emission.sides(n))):
            agreed[key] = lies[name] if agreed.get(key, lies[name]) == lies[name] else None
    return agreed
