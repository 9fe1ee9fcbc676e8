"""The grid pointing game: photos of several classes in one image, and where the evidence for each lies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from einops import reduce
from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.arrays import Floats
from seewhy.errors import BadParameter, SeewhyError, whole_number
from seewhy.explaining.ask import LayerNames, ask
from seewhy.images.inputs import Images, PreparedBatch
from seewhy.maps.finding import evidence
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Refused
from seewhy.methods.making.method import METHODS, Method, lookup
from seewhy.metrics.given import as_given
from seewhy.metrics.sanity.asking import Methods
from seewhy.models.model import Model, require
from seewhy.printable import quoted
from seewhy.progress import shown
from seewhy.targets.target import Class, PerImage, name_of

from .drawing import SurePhotos, board_picture, drawn_grids, laid
from .picture import PlayedGrid
from .records import GameRow, GridGame

LARGEST, MOST = 8, 10**5  # cells along a side; grids
TOGETHER = 4  # grids that are explained at a time
KEPT = 4  # grids whose maps are kept for pictures
GameKey = tuple[str, str]  # method and layer


class Asking(NamedTuple):
    """How a game asks: of which model, with which images, for which of its scores.

    turned: grids (n, c, h, w) as the model takes them; score: the place among its scores of a class in a cell.
    """

    model: Model
    layer: LayerNames
    turned: Callable[[NDArray[Any]], NDArray[Any]] = lambda grids: grids
    score: Callable[[int, int], int] = lambda _cell, of: of
    notes: tuple[str, ...] = ()
    prefix: str = ""  # of the model's names of layers, which is not shown


class Rules(NamedTuple):
    """What a game is called, whether the last cell repeats the class of the first, and how it asks, given its first grid."""

    game: str
    twice: bool
    asking: Callable[[Model, int, NDArray[Any], LayerNames], Asking]


@known_names("method")
def grid_pointing_game(
    model: Model, images: Images, method: Methods = "grad-cam", size: int = 2, grids: int = 100, confidence: float = 0.99,
    layer: LayerNames = None, seed: int = 0, on_error: str = "raise",
) -> GridGame:  # fmt: skip
    """How much of a map's positive evidence for a class lies in the one cell of a grid of photos that shows it.

    L = sum of max(map, 0) in the cell of the class / sum of max(map, 0), of each cell of each grid.  Chance is 1 / size^2; a
    map that is the same for every class has exactly that on average; higher is better.

    model, images: as for `seewhy.explain`; photos, prepared to one size.
    method: a name, a Method, or several; layer: as for `seewhy.explain`.
    size: cells along a side of a grid; grids: how many are drawn, by the seed, so that photos are used evenly.
    confidence: photos whose top class has less probability are left out.  Photos of a grid are of different classes.
    on_error: "skip" leaves out photos that cannot be read, and methods that are refused, and tells which.
    A network that takes larger images sees the grid at full size, each photo as it is seen alone; of any other the grid is
    reduced to the size that it takes, which the result says (`notes`).
    Maps are summed up over their own cells, each by its area in the grid's cells, without interpolation.
    Source: Böhle et al. 2021, Convolutional dynamic alignment networks for interpretable classifications; Böhle et al. 2022,
    B-cos networks.
    Weakness: a grid is no photo that the network was trained on, and the network itself may see a class in the wrong photo.
    Raises BadParameter where too few classes are left for a grid, NotApplicable where the network gives no probabilities.
    """
    return play(GRID, model, images, method, size, grids, confidence, layer, seed, on_error)


def whole_grid(model: Model, size: int, first: NDArray[Any], layer: LayerNames) -> Asking:
    """The grid as one image: as it is, or where the network does not take that, reduced."""
    cell = [side // size for side in first.shape[2:]]
    try:
        model.answer(first)
    except MemoryError:
        raise
    except SeewhyError:
        note = f"the network takes no image of {first.shape[3]} x {first.shape[2]}: each grid is reduced to "
        return Asking(model, layer, lambda grids: _reduced(grids, size), notes=(f"{note}{cell[1]} x {cell[0]}",))
    return Asking(model, layer)


def _reduced(grids: NDArray[Any], size: int) -> NDArray[Any]:
    """Grids (n, c, size h, size w) at the size of one photo, (n, c, h, w): means, so that no cell looks into another."""
    return reduce(grids, "n c (h r) (w s) -> n c h w", "mean", r=size, s=size)


GRID = Rules("grid pointing game", False, whole_grid)


def play(
    rules: Rules, model: Model, images: Images, method: Methods, size: int, grids: int, confidence: float, layer: LayerNames,
    seed: int, on_error: str,
) -> GridGame:  # fmt: skip
    """Draw the grids, explain them, and sum the maps up."""
    require(model, "scores")
    size, grids = whole_number(size, "size", 2, LARGEST), whole_number(grids, "grids", 1, MOST)
    seed, chosen = whole_number(seed, "seed", 0), _methods(method)
    photos = SurePhotos.of(model, images, confidence, on_error)
    drawn = drawn_grids(photos.classes, size**2, grids, seed, rules.twice)
    asked = (0, size**2 - 1) if rules.twice else tuple(range(size**2))
    asking = rules.asking(model, size, laid(photos.cells(model, drawn[0])[0], size), layer)
    names = [m.name for m in chosen]
    sums = CellSums(size, asked, {name for name in names if names.count(name) > 1}, asking.prefix)
    for start in shown(range(0, grids, TOGETHER), -(-grids // TOGETHER), rules.game):
        some = drawn[start : start + TOGETHER]
        cells, views = photos.cells(model, some.ravel().tolist())
        targets = [PerImage([Class(asking.score(j, int(photos.classes[grid[j]]))) for grid in some]) for j in asked]
        remaining = [m for m in chosen if m.name not in sums.refused]
        x = as_given(asking.model, asking.turned(laid(cells, size)).astype(cells.dtype))
        at = asking.layer if layer is not None or any(m.layered for m in remaining) else None
        maps = ask(asking.model, PreparedBatch(x), remaining, targets, at, on_error=on_error)  # type: ignore[arg-type]
        sums.refused |= {left.method: left for left in maps.refused}
        if not maps:
            raise (*maps.refused, *maps.failed)[0].error
        pictures = [board_picture(views[i * size**2 : (i + 1) * size**2], size) for i in range(len(some))]
        named = [[name_of(model.labels, int(photos.classes[p])) or str(photos.classes[p]) for p in grid] for grid in some]
        sums.add(maps.maps, pictures, named)
    independent = len({*drawn.ravel().tolist()}) // size**2
    notes = (*asking.notes, *_scarce(photos, confidence, independent, grids), *_alike(drawn, rules.twice))
    return GridGame(
        tuple(
            GameRow(*key, np.array(values), sums.empty[key], independent, seed) for key, values in sums.values.items()
        ), rules.game, model.name, size, confidence, seed, photos.names, photos.classes, photos.given, drawn, asked,
        photos.failed, (*sums.refused.values(),), notes, tuple(sums.played),
    )  # fmt: skip


def _scarce(photos: SurePhotos, confidence: float, independent: int, grids: int) -> tuple[str, ...]:
    """What has to be said where photos stand in several grids."""
    if independent >= grids:
        return ()
    sure = f"{len(photos.names)} of {photos.given} photos have a class of {confidence:g} or more"
    return (f"{sure}: each stands in several grids, and the interval counts no more than {independent} of them",)


def _alike(drawn: NDArray[np.intp], twice: bool) -> tuple[str, ...]:
    """What has to be said where one photo shows the class that stands in a grid twice."""
    count = int((drawn[:, 0] == drawn[:, -1]).sum()) if twice else 0
    why = "there is no other that the network is sure of"
    return (f"in {count} of {len(drawn)} grids the class that is asked for stands twice in the same photo: {why}",) * bool(
        count
    )


def _methods(methods: Methods) -> list[Method[Any]]:
    several = [methods] if isinstance(methods, str | Method) else methods
    if not isinstance(several, Sequence) or not several:
        raise BadParameter(f"method={quoted(methods)} names none. There are {', '.join([*METHODS][:4])}, ...")
    return [*dict.fromkeys(lookup(each) for each in several)]


@dataclass
class CellSums:
    """What the maps of the grids have in their cells.

    several: names of methods that were asked for with other parameters, too; prefix: left out of names of layers.
    values: by method and layer, a list of shares for each grid.
    """

    size: int
    asked: tuple[int, ...]
    several: set[str]
    prefix: str
    values: dict[GameKey, list[list[float]]] = field(default_factory=dict)
    empty: dict[GameKey, int] = field(default_factory=dict)
    refused: dict[str, Refused] = field(default_factory=dict)
    played: list[PlayedGrid] = field(default_factory=list)

    def add(self, maps: Sequence[Heatmap], pictures: Sequence[Any], labels: Sequence[Sequence[str]]) -> None:
        """Those of some grids, in the order grid, cell that was asked for, layer, method."""
        for grid, (picture, names) in enumerate(zip(pictures, labels, strict=True)):
            by_key: dict[GameKey, list[Heatmap]] = {}
            for heatmap in maps:
                if heatmap.place == grid:
                    by_key.setdefault(self._key(heatmap), []).append(heatmap)
            for key, of_cells in by_key.items():
                shares = [cell_shares(evidence(m.values, m.values, m.source), self.size) for m in of_cells]
                self.empty[key] = self.empty.get(key, 0) + sum(not share.any() for share in shares)
                own = [float(share[cell]) for cell, share in zip(self.asked, shares, strict=True)]
                self.values.setdefault(key, []).append(own)
            if len(self.played) < KEPT:
                self.played.append(PlayedGrid(picture, names, by_key))

    def _key(self, heatmap: Heatmap) -> GameKey:
        source = heatmap.source
        said = ", ".join(f"{name}={value}" for name, value in sorted(source.params.items()))
        name = f"{source.method}({said})" if source.method in self.several else source.method
        return name, source.layer.removeprefix(self.prefix)


def cell_shares(values: Floats, size: int) -> NDArray[np.float64]:
    """The share of a map's positive part (h, w) in each cell of a grid, (size^2,) row by row; zeros where there is none.

    A map's cell that reaches over several of the grid's counts in each by its area.
    """
    positive = np.maximum(np.asarray(values, np.float64), 0)
    down, across = (_overlap(side, size) for side in positive.shape)
    sums = (down @ positive @ across.T).ravel()
    total = positive.sum()
    return sums / total if total > 0 else np.zeros(size**2)


def _overlap(side: int, size: int) -> NDArray[np.float64]:
    """Which share of each of `side` equal parts of an axis lies in each of `size` equal parts of it: (size, side)."""
    start, first = np.arange(side) * size, np.arange(size)[:, None] * side  # in whole numbers, so that it is exact
    common = np.minimum(start + size, first + side) - np.maximum(start, first)
    return np.maximum(common, 0) / size
