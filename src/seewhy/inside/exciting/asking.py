"""top_photos(): the photos of a set that excite units and classes most."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seewhy.arguments import known_names
from seewhy.errors import whole_number
from seewhy.images.inputs import Images
from seewhy.images.photo import Photo
from seewhy.inside.photo_batches import BrokenPhoto, PhotoBatch, PhotoSet, photo_set
from seewhy.maps.heatmaps import Failed
from seewhy.maps.source import ModelFacts
from seewhy.models.model import Model, require
from seewhy.photo_sets.items import Listing
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.progress import shown, stop_asked
from seewhy.targets.target import name_of

from .leaders import Leaders
from .record import SIDE, ExcitingPhoto, TargetPhotos, TopPhotos
from .sights import CellSights, on_photo
from .values import Excitation, RankedBy, asked_of, excitation

MOST = 1000  # photos of each


@known_names()
def top_photos(
    model: Model, what: Any, photos: Images | Listing, count: int = 9,
    *, truth: str | Path | None = None, root: str | Path | None = None,
) -> TopPhotos:  # fmt: skip
    """The photos of a set that excite units and classes most, and the part of each that does.

    what: a unit or a class, as a target or as text, such as Unit("features.10", 42), "unit:features.10:42", "tabby"; a
        Direction(layer, vector), a WholeLayer(layer), a sum of any of them; or a list of these, all of which are looked for in
        one pass over the photos.  A unit's value is that of its strongest cell; with at="sum" that of all cells together, with
        at=(y, x) that of one.  A class's value is its score; that of others is what `maximize` makes images for.
    photos: a folder, also of class folders, a table, a ZIP archive, a pattern, a list: as `explain_dataset` takes them; or
        images as `explain` does.  They are read once, one batch after the other; of all others than the first nothing is kept.
    count: how many photos of each; truth, root: as `explain_dataset` takes them.
    Of equal values, as all photos have that drive a ReLU6 to its end, the one with the higher mean over all cells ranks first,
    then the one that comes first in the set.  A file that cannot be read is told in `failed`; a photo
    for which a value is not finite ranks nowhere.  Ctrl-C in `progress.stoppable` ends with the photos until then.
    Raises BadParameter for other targets, NoSuchName for a layer or channel that is not there, BadImage where no photo can be
    read.
    Source: Zeiler & Fergus 2014, Visualizing and understanding convolutional networks (the strongest activations of a set).
    """
    require(model, "scores")
    count = whole_number(count, "top_photos: count", 1, MOST)
    asked = asked_of(model, what)
    given = photo_set(model, photos, truth, root)
    search = _Search(model, given, asked, count)
    for batch in shown(given.batches(model), given.count or 0, "photos", size=_size):
        search.meet(batch)
        if stop_asked():
            search.interrupted = True
            break
    return search.found()


def _size(batch: PhotoBatch | BrokenPhoto) -> int:
    return len(batch.numbers) if isinstance(batch, PhotoBatch) else 1


class _Search:
    """What is known of the photos so far."""

    def __init__(self, model: Model, given: PhotoSet, asked: Sequence[RankedBy], count: int) -> None:
        self.model, self.given, self.asked = model, given, asked
        self.leaders = Leaders(len(asked), count)
        self.kept: list[dict[int, ExcitingPhoto]] = [{} for _ in asked]
        self.sights: dict[Any, CellSights | None] = {}
        self.failed: list[Failed] = []
        self.seen = 0
        self.interrupted = False

    def meet(self, batch: PhotoBatch | BrokenPhoto) -> None:
        """Look at further photos, and keep of them what excites more than what was kept."""
        if isinstance(batch, BrokenPhoto):
            self.failed.append(Failed(batch.number, batch.name, batch.error))
            return
        model = self.model.beside(batch.numbers[0], len(batch.numbers))
        found = excitation(model, batch.batch.x, self.asked)
        self.seen += len(batch.numbers)
        entered = self.leaders.meet(found.values, found.means, np.array(batch.numbers))
        small: dict[int, Thumbnail | None] = {}
        for t, i in entered:
            self.kept[t][batch.numbers[i]] = self._photo(model, batch, found, int(t), int(i), small)
        for t in {*entered[:, 0]}:
            self.kept[t] = {number: self.kept[t][number] for number in self.leaders.numbers[t] if number >= 0}

    def _photo(
        self, model: Any, of: PhotoBatch, found: Excitation, t: int, i: int, small: dict[int, Thumbnail | None]
    ) -> ExcitingPhoto:
        """What is kept of photo i for target t; small: what the batch's photos look like, as far as they were asked for."""
        batch, space = of.batch, tuple(of.batch.x.shape[2:])
        photo, box, cell = batch.photos[i], batch.known_box(i), None
        if found.cells[t, i] >= 0:
            layer = self.asked[t].target.layer
            grid = found.layers[layer]
            cell = tuple(int(at) for at in np.unravel_index(found.cells[t, i], grid))
            key = (layer, space)
            if key not in self.sights:
                self.sights[key] = CellSights.of(model, layer, batch.x, grid)
            sights = self.sights[key]
            part = None if sights is None else on_photo(sights.edges(cell, space), space, box)
        else:
            part = on_photo([(0.0, float(side)) for side in space], space, box)
        pixels = photo.pixels if isinstance(photo, Photo) else None
        if i not in small:
            small[i] = None if pixels is None else Thumbnail.of(pixels, SIDE)
        crop = None if pixels is None or part is None else Thumbnail.of(part.cut(pixels), SIDE)
        shows = ", ".join(name_of(self.model.labels, k) or f"class {k}" for k in self.given.truth(of.numbers[i]))
        name, size = self.given.path(of.numbers[i]) or batch.names[i], None if pixels is None else pixels.size
        return ExcitingPhoto(of.numbers[i], name, shows, float(found.values[t, i]), cell, part, crop, small[i], size)

    def found(self) -> TopPhotos:
        """What was found until now."""
        rankings = []
        for t, each in enumerate(self.asked):
            seen, mean = int(self.leaders.seen[t]), self.leaders.mean(t)
            ranked = tuple(self.kept[t][number] for number in self.leaders.numbers[t] if number >= 0)
            rankings.append(TargetPhotos(str(each.target), each.words, ranked, seen, mean, self._note(t, each, ranked)))
        given, facts = self.given, ModelFacts.of(self.model)
        photos = "images" if given.listing is None else given.listing.data
        return TopPhotos(facts, photos, given.count, self.seen, tuple(rankings), tuple(self.failed), self.interrupted)

    def _note(self, t: int, asked: RankedBy, ranked: Sequence[ExcitingPhoto]) -> str:
        """Why the order says little, where it does."""
        if not ranked:
            return "its values are not finite"
        if ranked[0].value == self.leaders.least[t] and self.leaders.seen[t] > 1:
            silent = "no photo excites it: 0 for all" if ranked[0].value == 0 else f"{ranked[0].value:.4g} for all photos"
            return f"{silent}; they come in the order of the set"
        return ""
