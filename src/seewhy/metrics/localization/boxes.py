"""How well boxes of maps find objects: GT-known, top-1 and top-5 localization, MaxBoxAcc and MaxBoxAccV2.

Source: Russakovsky et al. 2015, ImageNet Large Scale Visual Recognition Challenge; Zhou et al. 2016; Choe et al. 2020,
Evaluating weakly supervised object localization methods right, and its released code (clovaai/wsolevaluation).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter, whole_number
from seewhy.maps.heatmap import Heatmap
from seewhy.objects.find import find
from seewhy.objects.found import FoundBox
from seewhy.pictures.stretching import Size
from seewhy.truth.evidence import BoxEdges, checked

from .choosing import choosing
from .controls import CONTROLS, DRAWN, control
from .grids import grid_size, on_grid, photo_size, shares
from .levels import LEVELS, LevelBoxes, eight_bits, levels_of
from .overlap import overlaps
from .records import LocalizationScore
from .resampling import MAPS, mean, portion

DELTAS = (0.3, 0.5, 0.7)  # how much a box has to overlap a true one, of MaxBoxAccV2
CONTROL_SIZE = (224, 224)  # of controls, where MaxBoxAcc is left out
ENOUGH = 0.5  # of all other measures
GRID = tuple(np.arange(0, 1, 0.001))  # thresholds, as shares of the map's greatest value, of the released code


class BoxCurve(NamedTuple):
    """How many photos' boxes are right at each threshold: thresholds (t,); accuracy: by overlap that is asked, (t,) each."""

    thresholds: NDArray[np.float64]
    accuracy: Mapping[float, NDArray[np.float64]]


class BoxScoring:
    """Scores the boxes of maps, one photo after the other; of each photo it keeps less than a thousand bytes.

    size: (w, h) of the grid that MaxBoxAcc is counted on; None leaves it out, and with it a fifth of a second for each map.
    how: the rule by which the boxes of GT-known, top-1 and top-5 localization are found, as `Heatmap.boxes` takes it.
    thresholds: that MaxBoxAcc tries; seed: of resamples and splits.
    """

    def __init__(
        self,
        size: Size | None = (224, 224),
        how: Mapping[str, Any] | None = None,
        thresholds: Sequence[float] = GRID,
        seed: int = 0,
    ) -> None:
        self.size, self.how, self.seed = grid_size(size), dict(how or {"preset": "grad-cam"}), seed
        self.levels = np.unique(levels_of(shares(thresholds)))
        self._curves = defaultdict[str, list[NDArray[np.uint8]]](list)  # bits: (largest, then each of DELTAS) x LEVELS
        self._hits = defaultdict[str, list[float]](list)  # how much the box that the rule finds overlaps a true one
        self._ranks: list[int | None] = []

    def add(
        self,
        heatmap: Any,
        boxes: Sequence[BoxEdges],
        rank: int | None = None,
        photo: Size | None = None,
        found: FoundBox | Sequence[FoundBox] | Sequence[float] | None = None,
    ) -> float:
        """Score the map of a class that the photo truly has; gives how much the box that is found overlaps the best true one.

        heatmap: a Heatmap, or an array (h, w) over the whole photo.
        boxes: the true boxes of that class, (x0, y0, x1, y1), the edges in pixels of the photo: any of them counts.
        rank: of that class among the network's answers, 1 the first.  Top-1 and top-5 localization need it of every photo; as
            a wrong class never counts, whatever its box, the right class's own map is all that they need.
        photo: (w, h) of the photo, where an array is of another size.
        found: the box that is scored, or the boxes of which the first is, where they were found already; else `how` finds it.
        Raises BadParameter where there is no true box, one does not lie on the photo, or the rank is no whole number from 1 on.
        """
        width, height = size = photo_size(heatmap, photo)
        true = np.array(checked(boxes, size))
        if not len(true):
            raise BadParameter("A photo without a true box cannot be scored: leave it out, and say how many these are.")
        if rank is not None:
            rank = whole_number(rank, "rank, of the class among the network's answers,", 1)
        levels = self.size and LevelBoxes(eight_bits(on_grid(heatmap, self.size, photo)))
        box = self._found(heatmap, photo) if found is None else _edges(found)
        number = len(self._ranks)
        self._ranks.append(rank)
        self._hits[MAPS].append(_overlap(box, true))
        rule = tuple((key, value) for key, value in self.how.items() if key != "refine")  # controls know no photo
        for name in CONTROLS:
            share = _by_rule(name, self.size or CONTROL_SIZE, number % DRAWN, rule)
            self._hits[name].append(_overlap(share and np.array(share) * (width, height, width, height), true))
        if self.size and levels:
            scaled = resized_boxes(true, size, self.size)
            self._keep(MAPS, levels, scaled)
            for name in CONTROLS:
                self._keep(name, _levels(name, self.size, number % DRAWN if name == "random" else 0), scaled)
        return self._hits[MAPS][-1]

    def part(self, kept: Sequence[int]) -> "BoxScoring":
        """The scoring of some of the photos alone, by their places in the order in which they were added."""
        part = BoxScoring(self.size, self.how, seed=self.seed)
        part.levels, part._ranks = self.levels, [self._ranks[at] for at in kept]
        for name, hits in self._hits.items():
            part._hits[name] = [hits[at] for at in kept]
        for name, bits in self._curves.items():
            part._curves[name] = [bits[at] for at in kept]
        return part

    def _found(self, heatmap: Any, photo: Size | None) -> Sequence[float] | None:
        of_array = None if isinstance(heatmap, Heatmap) else on_grid(heatmap, None, photo)
        found = heatmap.boxes(**self.how) if of_array is None else find(of_array, **self.how)
        return _edges(found)

    def _keep(self, name: str, levels: LevelBoxes, true: Floats) -> None:
        largest, every = levels.best(true, largest=True), levels.best(true)
        rows = np.stack([largest >= ENOUGH, *(every >= delta for delta in DELTAS)])
        self._curves[name].append(np.packbits(rows, axis=1))

    def scores(self, chosen_on: "float | BoxScoring | None" = 0.5) -> list[LocalizationScore]:
        """All scores.

        chosen_on: what the thresholds of MaxBoxAcc and MaxBoxAccV2 are chosen on.  A share of the photos, which are drawn and
        then not scored by these; other photos, in a BoxScoring of their own; or None: the scored photos themselves, which is
        what the released code prints, and flatters.  Each control has the best threshold of its own, chosen alike; intervals
        take the thresholds as given.
        Raises BadParameter where nothing was added, or the split leaves no photo.
        """
        count = len(self._ranks)
        if not count:
            raise BadParameter("There are no photos to score: add() them first.")
        rule = ", ".join(f"{name}={value}" for name, value in self.how.items() if value is not None)
        fixed = f"none: boxes by {rule}, fixed beforehand"
        known = {name: np.array(hits) >= ENOUGH for name, hits in self._hits.items()}
        found = [portion("GT-known", known, fixed, self.seed)]
        if None not in self._ranks:
            ranks = np.array(self._ranks)
            for most in (1, 5):
                right = {name: hits & (ranks <= most) for name, hits in known.items()}
                found.append(portion(f"top-{most} localization", right, fixed, self.seed))
        return [*found, *self._swept(chosen_on)] if self.size else found

    def _swept(self, chosen_on: "float | BoxScoring | None") -> list[LocalizationScore]:
        curves = self._unpacked()
        others = chosen_on._unpacked() if isinstance(chosen_on, BoxScoring) else chosen_on
        scored, by, words = choosing(curves, others, "boxes", self.seed)
        at = {name: self.levels[some.sum(0, dtype=np.int64)[:, self.levels].argmax(1)] for name, some in by.items()}
        right = {name: some[scored][:, np.arange(len(at[name])), at[name]] for name, some in curves.items()}  # (n, kinds)
        shares = [float(level) / (LEVELS - 1) for level in at[MAPS]]

        def of_kind(place: int, name: str, also: Any = True, told: str = words) -> LocalizationScore:
            hits = {of: some[:, place] & also for of, some in right.items()}
            return portion(name, hits, told, self.seed, shares[place : place + 1])

        found = [of_kind(0, "MaxBoxAcc, largest region, IoU 0.5")]
        if None not in self._ranks:
            first = np.array(self._ranks)[scored] <= 1
            found.append(of_kind(0, "top-1 localization, largest region", first, f"{words}; at the threshold of MaxBoxAcc"))
        found += [of_kind(place, f"MaxBoxAcc, all regions, IoU {delta:g}") for place, delta in enumerate(DELTAS, 1)]
        each = {of: some[:, 1:].mean(1) for of, some in right.items()}
        return [*found, mean("MaxBoxAccV2", each, words, self.seed, shares[1:])]

    def curves(self) -> dict[str, BoxCurve]:
        """Of the maps and of each control: how many photos are right at each threshold, all regions counting."""
        found = {}
        for name, some in self._unpacked().items():
            shares = some.mean(0)[1:, self.levels]
            found[name] = BoxCurve(self.levels / (LEVELS - 1), dict(zip(DELTAS, shares, strict=True)))
        return found

    def _unpacked(self) -> dict[str, NDArray[np.bool_]]:
        """By name, (n, kinds, LEVELS): is the photo right?"""
        return {name: np.unpackbits(np.stack(some), axis=2).astype(bool) for name, some in self._curves.items()}


def resized_boxes(boxes: Floats, photo: Size, size: Size) -> NDArray[np.intp]:
    """True boxes on another grid, in whole pixels, as the released code has them: (n, 4), cut off, none beyond the last."""
    scale = np.array([*size, *size]) / [*photo, *photo]
    return (np.asarray(boxes) * scale).astype(np.intp).clip(0, np.array([*size, *size]) - 1)


def _edges(found: FoundBox | Sequence[Any]) -> Sequence[float] | None:
    """The edges of a box, or of the first of several; None where there is none."""
    first = found if isinstance(found, FoundBox) else found[0] if len(found) else None
    return first.edges if isinstance(first, FoundBox) else found if first is not None else None  # type: ignore[return-value]


def _overlap(box: Any, true: Floats) -> float:
    return 0.0 if box is None else float(overlaps(np.array(box)[None], true).max())


@lru_cache(maxsize=DRAWN + 1)
def _levels(name: str, size: Size, number: int) -> LevelBoxes:
    return LevelBoxes(eight_bits(control(name, size, number)))


@lru_cache(maxsize=256)
def _by_rule(name: str, size: Size, number: int, how: tuple[tuple[str, Any], ...]) -> tuple[float, ...] | None:
    """The box that the rule finds in a control, in shares of the sides."""
    found = find(control(name, size, number), **dict(how))
    return tuple(np.array(found[0].edges) / (*size, *size)) if found else None
