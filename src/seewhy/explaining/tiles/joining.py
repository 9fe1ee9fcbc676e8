"""Adds up the maps of tiles, one after the other, to the map of the whole image."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.images.inputs import Images
from seewhy.images.places import Cells, Spans, cells_along
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.record import recorded
from seewhy.maps.source import Predicted, Source
from seewhy.progress import shown, stop_asked
from seewhy.targets.target import Target

from .large_image import LargeImage
from .seam import Seam

TileIndex = tuple[int, ...]  # the number of a tile along each axis, from 0 on
NUMBER = re.compile(r"-?[0-9][0-9.]*")
SUMMED = ("forwards", "planned_forwards", "windows")  # what of `measured` is summed over tiles; the rest is averaged


class Plan(NamedTuple):
    """How one image is cut into tiles."""

    whole: LargeImage
    sides: tuple[int, ...]  # of each tile
    view: Spans  # what the network sees of a tile: of each axis the edges (low, high)
    starts: tuple[list[int], ...]  # where tiles begin, along each axis
    size: int  # how many tiles are explained at once
    asked: Mapping[str, Any]  # the arguments `tile` and `overlap` of `explain`, as far as they were given
    taken: tuple[int, ...] = ()  # the sides of what the network takes
    enlarged: float = 1.0  # how many times `prepare` enlarges a tile, at most; below 1 where it shrinks it

    @property
    def doubts(self) -> tuple[str, ...]:
        """What speaks against such tiles."""
        if self.enlarged <= 1 or all(side >= taken for side, taken in zip(self.sides, self.taken, strict=True)):
            return ()
        sides, taken = ("x".join(map(str, each)) for each in (self.sides, self.taken))
        return (
            f"tiles of {sides} pixels are smaller than what the network was trained to see, {taken}: each is enlarged "
            f"{self.enlarged:.3g} times, and looks unlike a photo then; take larger tiles",
        )

    @property
    def places(self) -> list[TileIndex]:
        return [*product(*(range(len(along)) for along in self.starts))]

    @property
    def overlap(self) -> tuple[int, ...]:
        """How many pixels neighbours share at least, along each axis; 0 along an axis of a single tile."""
        steps = (max(np.diff(along), default=side) for along, side in zip(self.starts, self.sides, strict=True))
        return tuple(int(side - step) for side, step in zip(self.sides, steps, strict=True))

    @property
    def box(self) -> Spans:
        """What the network sees of the whole image."""
        return [(low, along[-1] + high) for along, (low, high) in zip(self.starts, self.view, strict=True)]

    def parts(self, places: Sequence[TileIndex]) -> Images:
        return self.whole.together([self.whole.part(self._start(place), self.sides) for place in places])

    def chunks(self, what: str) -> Iterator[list[TileIndex]]:
        """The places of all tiles, in groups that are explained at once, until the work is stopped."""
        every = self.places
        some = [every[i : i + self.size] for i in range(0, len(every), self.size)]
        for chunk in shown(some, len(every), what, size=len):
            yield chunk
            if stop_asked():
                return

    def _start(self, place: TileIndex) -> tuple[int, ...]:
        return tuple(along[k] for along, k in zip(self.starts, place, strict=True))


@dataclass(frozen=True, eq=False)
class FixedTarget:
    """A target that is fixed for the whole image: the weights (k,) of the scores are the same for every tile."""

    target: Target
    weights: NDArray[Any]
    label: str | None = None  # for a contrast, whose classes do not follow from the weights
    note: str = ""  # how the weights were chosen

    def __call__(self, scores: NDArray[Any]) -> NDArray[Any]:
        return np.repeat(self.weights[None], len(scores), 0)

    def __str__(self) -> str:
        return str(self.target)


class FixedTargets(NamedTuple):
    """The targets that every tile is explained for, fixed by the mean of the scores over all tiles."""

    targets: list[Any]
    predicted: Predicted | None = None

    def of(self, source: Source) -> FixedTarget | None:
        """The fixed target that a tile's map explains; None for a target that does not depend on scores, such as a unit."""
        if source.score is None:
            return None
        return next((each for each in self.targets if str(each) == source.target and isinstance(each, FixedTarget)), None)


class Join:
    """The joined map of one target, layer and method, to which tiles are added."""

    def __init__(self, first: Heatmap, plan: Plan) -> None:
        self.first, self.plan = replace(first, image=None, regions=None), plan
        lie = cells_along(first.values.shape, first.cells, plan.view)
        self.seams = [Seam(*each) for each in zip(lie, plan.starts, plan.view, strict=True)]
        grid = tuple(seam.count for seam in self.seams)
        self.values = np.zeros(grid, np.float32)
        self.channels = None if first.channels is None else np.zeros((len(first.channels), *grid), np.float32)
        self.error = None if first.error is None else np.zeros(grid, np.float32)
        self.done: list[TileIndex] = []
        self.warnings: dict[str, Counter[str]] = {}  # by text without numbers: how many tiles have each full text
        self.sums: Counter[str] = Counter()  # sums over tiles of the numbers in their Sources

    def add(self, place: TileIndex, m: Heatmap) -> None:
        """Add the map of the tile at that place."""
        self.done.append(place)
        for warning in m.warnings:
            self._warn(warning)
        self.sums.update({"score": m.source.score or 0, "probability": m.source.probability or 0, **_finite(m.source.measured)})
        if m.regions is not None:
            self._warn("the superpixels of tiles make no whole: the map was joined, the regions were dropped")
        share = self._share(place)
        for joined, of_tile in ((self.values, m.values), (self.channels, m.channels), (self.error, m.error)):
            if joined is not None and of_tile is not None:
                drawn: NDArray[Any] = of_tile
                for axis, (seam, k) in enumerate(zip(self.seams, place, strict=True), start=of_tile.ndim - len(place)):
                    drawn = seam.drawn(k, drawn, axis)
                joined[(..., *self._at(place))] += np.multiply(drawn, share, where=share > 0, out=np.zeros(drawn.shape))

    def finished(self, fixed: FixedTargets, seconds: float) -> Heatmap:
        """The heatmap of all tiles that were added; if some are missing, it has a warning."""
        of, whole = len(self.plan.places), self.plan.whole
        source, tiles, notes = self.first.source, len(self.done), []
        if tiles < of:
            notes.append(f"{tiles} of {of} tiles were explained: where none was, the map is zero")
            covered = np.maximum(self._covered, np.float32(1e-6))
            for values in (self.values, self.channels, self.error):
                if values is not None:
                    values /= covered
        notes += [merged(alike, tiles) for alike in self.warnings.values()]
        means = {key: value if key in SUMMED else value / tiles for key, value in self.sums.items()}
        score, chance = means.pop("score"), means.pop("probability")
        target = fixed.of(source)
        pinned = (f"{target}: {target.note}",) if target and target.note else ()
        source = replace(
            source,
            image=whole.name,
            **whole.facts(),
            tile={"tile": self.plan.sides, "overlap": self.plan.overlap, "asked": dict(self.plan.asked)},
            predicted=source.predicted and fixed.predicted,
            score=None if source.score is None else score,
            probability=None if source.probability is None else chance,
            measured={**means, "tiles": float(tiles)},
            label=source.label or (target.label if target else None),
            warnings=(*pinned, *self.plan.doubts, *notes),
            seconds=seconds,
        )  # fmt: skip
        joined = replace(
            self.first, values=self.values, channels=self.channels, error=self.error, image=whole.picture(), source=source,
            box=whole.box(self.plan.box), cells=self._cells,
        )  # fmt: skip
        return recorded(joined)

    def _warn(self, warning: str) -> None:
        self.warnings.setdefault(NUMBER.sub("#", warning), Counter())[warning] += 1

    @property
    def _cells(self) -> Cells | None:
        """Where the cells lie, in pixels of the image; None if they lie evenly over it."""
        box = self.plan.box
        even = [low + (high - low) / seam.count / 2 for seam, (low, high) in zip(self.seams, box, strict=True)]
        last = [high + low - centre for (low, high), centre in zip(box, even, strict=True)]
        ends = [(seam.at[0], seam.at[-1]) for seam in self.seams]
        if self.first.cells is None and np.allclose(ends, np.stack([even, last], 1), rtol=0, atol=1e-6):
            return None
        sizes = tuple(max(1, round(high - low)) for low, high in box)
        unit = [size / (high - low) for size, (low, high) in zip(sizes, box, strict=True)]
        first = tuple((s.row.first - low) * u - 0.5 for s, u, (low, _) in zip(self.seams, unit, box, strict=True))
        stride = tuple(seam.row.stride * u for seam, u in zip(self.seams, unit, strict=True))
        sights = tuple(seam.row.sight.times(u) for seam, u in zip(self.seams, unit, strict=True))
        return Cells(first, stride, sizes, sights if any(sight.spread for sight in sights) else ())

    @property
    def _covered(self) -> NDArray[Any]:
        """For each cell, the sum of the weights of the tiles that were added: 1 where none is missing."""
        covered = np.zeros(self.values.shape, np.float32)
        for place in self.done:
            covered[self._at(place)] += self._share(place)
        return covered

    def _at(self, place: TileIndex) -> tuple[slice, ...]:
        return tuple(seam.part(k) for seam, k in zip(self.seams, place, strict=True))

    def _share(self, place: TileIndex) -> NDArray[Any]:
        shares = [seam.share(k) for seam, k in zip(self.seams, place, strict=True)]
        return reduce(lambda whole, share: whole[..., None] * share, shares)


def merged(alike: Counter[str], tiles: int) -> str:
    """One warning in place of several that differ at most in numbers; it says how many of the tiles had it."""
    (warning, most), count = alike.most_common(1)[0], alike.total()
    where = f" (in {count} of {tiles} tiles" + ("" if most == count else ", with other numbers in some") + ")"
    return warning if most == tiles else warning + where


def _finite(measured: Mapping[str, float]) -> dict[str, float]:
    return {key: value for key, value in measured.items() if np.isfinite(value)}
