"""Grids of photos of whose class the network is sure: which photos stand in which, drawn by a seed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from einops import rearrange
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import numbers
from seewhy.errors import BadParameter, NotApplicable
from seewhy.explaining.batching import Collector, batched
from seewhy.images.inputs import Images, PreparedBatch, sort_out
from seewhy.maps.heatmaps import Failed
from seewhy.models.model import Model
from seewhy.prepare.batch import in_frames
from seewhy.printable import quoted


class SurePhotos(NamedTuple):
    """The photos of whose class the network is sure."""

    images: PreparedBatch | list[Any]  # all that were given
    places: NDArray[np.intp]  # of the sure ones among these
    classes: NDArray[np.intp]  # what each of the sure ones is taken for
    names: tuple[str, ...]  # of the sure ones
    given: int  # photos that the network was asked about
    failed: tuple[Failed, ...]  # those that could not be read

    @classmethod
    def of(cls, model: Model, images: Images, confidence: float, on_error: str) -> "SurePhotos":
        """The photos whose top class has at least that probability.

        Raises BadParameter where `confidence` is no probability, NotApplicable where the network gives none, or where the
        images are no photos.
        """
        if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
            raise BadParameter(f"confidence={quoted(confidence)} is no probability: give a number from 0 to 1, such as 0.99.")
        given = in_frames(sort_out(images, model.takes_signals), model.prepare)
        total = len(given.x) if isinstance(given, PreparedBatch) else len(given)
        collector = Collector(on_error, total)
        places, classes, names, asked = list[int](), list[int](), list[str](), 0
        for place, batch in batched(model, given, False, collector):
            if len(batch.x.shape) != 4:
                raise NotApplicable(f"Grids are made of photos (c, h, w); {model.name} is given {tuple(batch.x.shape[1:])}.")
            chances = model.beside(place, len(batch.x)).answer(batch.x).probabilities
            if chances is None:
                raise NotApplicable(
                    f"Photos are chosen by the probability of their class, and {model.name} gives none. Say what its scores "
                    'are: wrap(..., scores="logits").'
                )
            asked += len(batch.x)
            for i in np.flatnonzero(chances.max(1) >= confidence):
                places.append(place + int(i))
                classes.append(int(chances[i].argmax()))
                names.append(batch.names[i])
        return cls(given, np.array(places, np.intp), np.array(classes, np.intp), tuple(names), asked, collector.heatmaps.failed)

    def cells(self, model: Model, which: Sequence[int]) -> tuple[NDArray[Any], list[Image.Image | None]]:
        """Those of the sure photos as the network takes them (n, c, h, w), and as pictures; None of a prepared array."""
        at = [int(self.places[each]) for each in which]
        some = (
            PreparedBatch(self.images.x[at]) if isinstance(self.images, PreparedBatch) else [self.images[place] for place in at]
        )
        parts, views = list[NDArray[Any]](), list[Image.Image | None]()
        for batch in model.batches(some):
            parts.append(numbers(batch.x))
            views += [batch.network_view(i) for i in range(len(batch.x))]
        if len({part.shape[1:] for part in parts}) > 1:
            raise NotApplicable(
                f"{model.name} takes photos of several sizes, and the cells of a grid have one: load it with a crop, as in "
                "prepare={'size': 256, 'crop': 224}."
            )
        return np.concatenate(parts), views


def drawn_grids(classes: NDArray[np.intp], cells: int, count: int, seed: int, twice: bool = False) -> NDArray[np.intp]:
    """The photos of each grid, by their numbers: (count, cells), row by row.

    No two photos of a grid are of one class; those that stood in the fewest grids so far come first, and chance decides among
    equals, and which cell each stands in.  twice: the last cell repeats the class of the first, in another photo of it where
    there is one, else in the same.
    Raises BadParameter where there are too few classes.
    """
    apart, there = cells - twice, len({*classes.tolist()})
    if there < apart:
        raise BadParameter(
            f"A grid takes photos of {apart} classes that the network is sure of, and those given show {there}. Give more "
            "photos, a smaller size=, or a lower confidence=."
        )
    rng, used = np.random.default_rng(seed), np.zeros(len(classes), np.intp)
    grids = np.empty((count, cells), np.intp)
    for grid in grids:
        chosen: dict[int, int] = {}  # by class
        for photo in _least_used(used, rng):
            chosen.setdefault(int(classes[photo]), int(photo))
            if len(chosen) == apart:
                break
        grid[:apart] = rng.permutation([*chosen.values()])
        if twice:
            alike = [int(each) for each in _least_used(used, rng) if classes[each] == classes[grid[0]] and each != grid[0]]
            grid[-1] = alike[0] if alike else grid[0]
        np.add.at(used, grid, 1)
    return grids


def _least_used(used: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    return np.lexsort((rng.random(len(used)), used))


def laid(cells: NDArray[Any], size: int) -> NDArray[Any]:
    """Images (n size^2, c, h, w), row by row of each grid, as n grids (n, c, size h, size w)."""
    return rearrange(cells, "(n r s) c h w -> n c (r h) (s w)", r=size, s=size)


def board_picture(views: Sequence[Image.Image | None], size: int) -> Image.Image | None:
    """The pictures of the cells as one, row by row; None where one is missing."""
    pictures = [view for view in views if view is not None]
    if len(pictures) < size**2:
        return None
    width, height = pictures[0].size
    out = Image.new("RGB", (size * width, size * height))
    for number, picture in enumerate(pictures):
        out.paste(picture, (number % size * width, number // size * height))
    return out
