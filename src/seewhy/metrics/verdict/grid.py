"""Photos that are compared, in grids: does the evidence for a photo's class lie in the cell that shows the photo?"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import numbers
from seewhy.errors import NotApplicable, SeewhyError
from seewhy.explaining.ask import ask
from seewhy.images.inputs import PreparedBatch
from seewhy.maps.finding import evidence
from seewhy.maps.heatmap import Heatmap
from seewhy.methods.making.method import Method
from seewhy.metrics.games.drawing import board_picture, laid
from seewhy.metrics.games.picture import framed
from seewhy.metrics.games.playing import Asking, cell_shares, whole_grid
from seewhy.metrics.given import as_given
from seewhy.prepare.batch import Batch
from seewhy.printable import in_percent
from seewhy.targets.target import Class

GRIDS = 20  # photos that are asked about, where nobody says another number
SIZE = 2  # cells along a side
SURE = 0.5  # probability of the class: as much as all others have together


class DrawnGrid(NamedTuple):
    """The photos of a grid, by their places, row by row, and the cell of the one that is asked about."""

    photos: tuple[int, ...]
    cell: int


class ShownGrid(NamedTuple):
    """A grid, the cell that was asked about, and the map of each method."""

    photo: Image.Image | None  # None of prepared arrays
    cell: int
    maps: Mapping[str, Heatmap]

    def drawn(self, method: str, side: int) -> Image.Image:
        """The map over the grid, with a frame around the cell."""
        return framed(self.maps[method], self.photo, SIZE, self.cell, side, [])


class PhotoGrids:
    """Grids of the photos that were seen so far.  Each photo whose top class has the half of the probability is asked about
    once, for that class, among three others of other classes: a cell for each, by chance.

    image: of a place, as methods take it; most: photos that are asked about; seed: of who stands where.
    Source: Böhle et al. 2021; see `metrics.grid_pointing_game`, which asks about all photos of a grid.
    """

    def __init__(self, model: Any, image: Callable[[int], Any], layer: str | None, most: int, seed: int) -> None:
        self.model, self.image, self.layer, self.most, self.seed = model, image, layer, most, seed
        self.classes: dict[int, int] = {}  # of the photos that the network is sure of, by their places
        self.grids: dict[int, DrawnGrid] = {}  # that were asked about, by the place of the photo
        self.why = ""  # nothing can be asked
        self.refused: dict[str, str] = {}  # methods, and why
        self.asking: Asking | None = None

    def see(self, place: int) -> None:
        """Take a photo into account, if the network is sure of it."""
        if self.why or len(self.grids) >= self.most:
            return
        try:
            chances = self.model.beside(place, 1).answer(self._batch(place).x).probabilities
            if chances is None:
                raise NotApplicable("photos are chosen by the probability of their class, and this model gives none")
        except SeewhyError as error:
            self.why = str(error)
            return
        if chances[0].max() >= SURE:
            self.classes[place] = int(chances[0].argmax())

    def play(self, methods: Sequence[Method[Any]]) -> dict[int, dict[str, float]]:
        """Ask about the photos that wait for others: the share of each method's evidence in the photo's cell, by its place."""
        found = dict[int, dict[str, float]]()
        for place in [place for place in self.classes if place not in self.grids]:
            grid = None if self.why or len(self.grids) >= self.most else self._drawn(place)
            if grid is None:
                continue
            self.grids[place] = grid
            try:
                maps = self.asked(place, methods).maps
            except SeewhyError as error:
                self.why = str(error)
                continue
            found[place] = {
                method: float(cell_shares(evidence(each.values, each.values, each.source), SIZE)[grid.cell])
                for method, each in maps.items()
            }
        return found

    def _drawn(self, place: int) -> DrawnGrid | None:
        """Who stands beside a photo, and where; None where too few other classes were seen."""
        rng, others = np.random.default_rng([self.seed, place]), dict[int, int]()  # by the class
        for number in rng.permutation(len(self.classes)):
            other = [*self.classes][number]
            if self.classes[other] != self.classes[place]:
                others.setdefault(self.classes[other], other)
        if len(others) < SIZE**2 - 1:
            return None
        photos = rng.permutation([place, *[*others.values()][: SIZE**2 - 1]])
        return DrawnGrid(tuple(int(each) for each in photos), int(np.flatnonzero(photos == place)[0]))

    def asked(self, place: int, methods: Sequence[Method[Any]]) -> ShownGrid:
        """The maps of a photo's class over its grid.  Raises what is wrong with all methods."""
        grid = self.grids[place]
        cells, views = self._cells(grid.photos)
        laid_out = laid(cells, SIZE)
        if self.asking is None:
            self.asking = whole_grid(self.model, SIZE, laid_out, self.layer)
        remaining = [method for method in methods if method.name not in self.refused]
        x = as_given(self.asking.model, self.asking.turned(laid_out).astype(cells.dtype))
        at = self.layer if any(method.layered for method in remaining) else None
        found = ask(self.asking.model, PreparedBatch(x), remaining, Class(self.classes[place]), at, on_error="skip")  # type: ignore[arg-type]
        self.refused |= {left.method: str(left.error) for left in found.refused}
        if not found:
            raise (*found.refused, *found.failed)[0].error
        return ShownGrid(board_picture(views, SIZE), grid.cell, {each.source.method: each for each in found.maps})

    def _cells(self, places: Sequence[int]) -> tuple[NDArray[Any], list[Image.Image | None]]:
        """Photos as the network takes them (n, c, h, w), and as pictures.  Raises NotApplicable where no grid holds them."""
        batches = [self._batch(place) for place in places]
        parts = [numbers(batch.x) for batch in batches]
        if len({part.shape for part in parts}) > 1:
            raise NotApplicable(f"{self.model.name} takes photos of several sizes, and the cells of a grid have one")
        return np.concatenate(parts), [batch.network_view(0) for batch in batches]

    def _batch(self, place: int) -> Batch:
        """A photo as the network takes it.  Raises NotApplicable where it is none."""
        image = self.image(place)
        (batch,) = self.model.batches(image if isinstance(image, PreparedBatch) else [image])
        if len(batch.x.shape) != 4:
            raise NotApplicable(
                f"grids are made of photos (c, h, w), and {self.model.name} is given {tuple(batch.x.shape[1:])}"
            )
        return batch

    @property
    def notes(self) -> list[str]:
        """What was not counted, and why; what has to be known of the numbers."""
        if not self.most:
            return []
        if self.why or not self.grids:
            why = (
                self.why
                or f"of {len(self.classes)} photos a class has {in_percent(SURE, 0)} or more, and a grid takes {SIZE**2} "
                "classes"
            )
            return [f"grid: {why}"]
        reduced = () if self.asking is None else self.asking.notes
        return [f"grid: {note}" for note in (*reduced, *(f"{method}: {why}" for method, why in self.refused.items()))]
