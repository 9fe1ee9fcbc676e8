"""The features of a sparse autoencoder in a photo: which there are, where they lie, and what a score takes from each."""

from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arguments import known_names
from seewhy.arrays import numbers
from seewhy.errors import BadParameter, NoSuchName, NotApplicable, whole_number
from seewhy.explaining.case import Case
from seewhy.explaining.image_facts import image_facts
from seewhy.images.inputs import Images
from seewhy.images.places import Cells
from seewhy.json_text import as_json
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Heatmaps
from seewhy.maps.record import recorded
from seewhy.maps.source import MapFacts, MethodFacts, ModelFacts, Predicted, TargetFacts, source_from
from seewhy.maps.turning import turned_back
from seewhy.models.model import Differentiable, require
from seewhy.pictures.grid import SOFT, GridCell, GridTable, GridText, grid
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.prepare.batch import Batch
from seewhy.printable import in_percent, printable, quoted
from seewhy.targets.target import Class, Target, Top, name_of

from .autoencoder import Autoencoder
from .autoencoder_file import load_autoencoder
from .tcav_explained import explained
from .tcav_reading import named_layers

MOST, SIDE = 1000, 200  # features that are drawn at most; pixels of a map in a picture
CAVEAT = "a feature is what the autoencoder learned to tell apart; what it stands for is for whoever looks at many photos of it"
ACTIVATION, CONTRIBUTION = "activation", "contribution"


class FeatureUse(NamedTuple):
    """A feature in a photo."""

    feature: int
    strongest: float  # its greatest value at a place
    mean: float  # over all places
    places: float  # the share of places that have it
    contribution: float  # sum over places of its value times <gradient of the score, its direction>


@dataclass(frozen=True, eq=False)
class PhotoFeatures:
    """What a sparse autoencoder finds in a photo, and how far it gives back what the layer emits.

    strongest: the features that were asked for, the strongest first, each with its map in `maps` (none at a layer without
    space).  active: how many features the photo has at all; l0: how many a place has, the mean.
    error: the share of the activations' variance over places and channels that it does not give back (their square sum, where
    there is one place).
    target, score: what was explained.  parts: of `<gradient, activations>`, summed over places, what comes by the "features",
    by the decoder's "bias", and by what is left out ("error"); `total` is their sum.
    """

    image: str
    layer: str
    autoencoder: str
    strongest: tuple[FeatureUse, ...]
    active: int
    features: int
    l0: float
    error: float
    target: str
    score: float
    parts: dict[str, float]
    maps: Heatmaps = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        """The sum over places of <gradient of the score, activations>."""
        return sum(self.parts.values())

    @property
    def facts(self) -> dict[str, Any]:
        """All of it but the maps, by name, for JSON."""
        names = ("image", "layer", "autoencoder", "active", "features", "l0", "error", "target", "score", "parts", "notes")
        return {**{name: getattr(self, name) for name in names}, "strongest": [each._asdict() for each in self.strongest]}

    def to_json(self) -> str:
        """One JSON object on one line."""
        return as_json(self.facts)

    def map(self, feature: int) -> Heatmap:
        """The map of one of the strongest features.  Raises NoSuchName for another."""
        for each, heatmap in zip(self.strongest, self.maps, strict=False):
            if each.feature == feature:
                return heatmap
        drawn = ", ".join(str(each.feature) for each in self.strongest[: len(self.maps)])
        raise NoSuchName("feature", feature, (), f"Drawn are {drawn or 'none'}; ask for more by count=.")

    def picture(self, columns: int = 5) -> Image.Image:
        """The maps of the strongest features in rows, with what each adds to the score: RGB."""
        cells = list[GridCell]()
        for each, heatmap in zip(self.strongest, self.maps, strict=False):
            words = f"{each.contribution:+.3g} to the score, up to {each.strongest:.3g}"
            texts = (GridText(f"feature {each.feature}"), GridText(words, SOFT))
            magnify = max(1.0, SIDE / max(heatmap.size)) if len(heatmap.size) == 2 else 1.0
            cells.append(GridCell(Thumbnail.of(heatmap.overlay(magnify=magnify), SIDE, "png"), texts))
        rows = [cells[first : first + columns] for first in range(0, len(cells), columns)]
        full = [[*row, *[None] * (columns - len(row))] for row in rows]
        note = f"{self.l0:.1f} features a place of {self.features}; {in_percent(self.error)} of the variance is left out"
        heading = f"Features at {self.layer} of {printable(self.image, 80)}, for {printable(self.target, 60)}"
        return grid(
            GridTable(heading, [""] * columns, notes=(f"{note}. {printable(self.autoencoder, 100)}",), side=SIDE),
            full,
            len(full),
        )


@known_names()
def features(
    model: Differentiable, images: Images, autoencoder: Autoencoder | str | Path, layer: str | None = None,
    target: int | str | Target = Top(), count: int = 10, by: str = CONTRIBUTION, *, trust: bool = False,
) -> list[PhotoFeatures]:  # fmt: skip
    """The features of a sparse autoencoder in each image: which there are, where, and what the score takes from each.

    autoencoder: of what the layer emits at a place: what `load_autoencoder` gives, or a file that it reads by itself.
    layer: where it was trained; by default the last that still has space.  target: one class, label or Target.
    count: how many features are told and drawn; by: which of them, "contribution" to the score, of either sign, or
    "activation", the strongest at a place.  trust: read a pickle that runs code.
    Tokens of no place, as a class token, are not read.  Raises BadParameter where the autoencoder takes vectors of another
    length than the layer emits, and as `load_autoencoder` and `top_units` do.
    """
    require(model, "gradients", "features reads how a score changes with a layer", "It needs a network.")
    if by not in (ACTIVATION, CONTRIBUTION):
        raise BadParameter(f"features: by={quoted(by)} is {ACTIVATION} or {CONTRIBUTION}.")
    count = whole_number(count, "features: count", 1, MOST)
    coder = autoencoder if isinstance(autoencoder, Autoencoder) else load_autoencoder(autoencoder, trust=trust)
    answering, asked, words = explained(model, target, "features")
    found, place = list[PhotoFeatures](), 0
    for batch in model.batches(images):
        here = answering.beside(place, len(batch.x))
        (name,) = named_layers(model.beside(place, len(batch.x)), batch.x, [layer])
        found += _of_batch(here, batch, place, coder, name, asked, words, count, by)
        place += len(batch.x)
    return found


def _of_batch(
    model: Differentiable, batch: Batch, place: int, coder: Autoencoder, layer: str, target: Target, words: str, count: int,
    by: str,
) -> list[PhotoFeatures]:  # fmt: skip
    start = perf_counter()
    case = Case(model.with_flat_layers(), batch.x, [target], [layer])
    evidence = case.trace.evidence[layer]
    a, g = numbers(evidence.a), numbers(evidence.g[0])
    if a.shape[1] != coder.channels:
        fits = [name for name, each in model.layers(batch.x).items() if each.shape and each.shape[0] == coder.channels]
        which = f"Layers with {coder.channels}: {', '.join(fits[:8])}." if fits else f"No layer emits {coder.channels}."
        raise BadParameter(
            f"The autoencoder takes {coder.channels} numbers of a place, and {layer} emits {a.shape[1]}. {which}"
        )
    cells = case.cells(layer, a.shape[2:]) if a.ndim > 2 else None
    facts, answer = ModelFacts.of(model), case.trace.answer
    known = model.layers(batch.x).get(layer.partition("#")[0])
    left = known.tokens if known is not None else 0
    notes = (f"{left} tokens of no place are not read: the autoencoder is asked of patches alone",) if left else ()
    found = list[PhotoFeatures]()
    for i in range(len(a)):
        if not (np.isfinite(a[i]).all() and np.isfinite(g[i]).all()):
            raise NotApplicable(f"{layer} makes numbers of {batch.names[i]} that are not finite (NaN or infinity).")
        weights = case.trace.weights[0, i]
        told = _measured(a[i], g[i], coder, count, by)
        sure = Predicted.of(None if answer.probabilities is None else answer.probabilities[i], model.labels)
        of = _words(words, target, sure, model.labels)
        score = float((answer.scores[i] * weights).sum())
        maps = _maps(told, batch, i, place + i, cells, facts, layer, coder, model, perf_counter() - start)
        found.append(PhotoFeatures(
            batch.names[i], layer, coder.name, told.used, told.active, coder.features, told.l0, told.error, of, score,
            told.parts, Heatmaps(tuple(maps)), (*batch.notes[i], *case.trace.notes.get(layer, ()), *notes),
        ))  # fmt: skip
    return found


def _words(words: str, target: Any, predicted: Predicted | None, labels: Any) -> str:
    """The target in words; of the top class which that is."""
    if isinstance(target, Top) and target.rank == 1 and predicted is not None:
        return f"{words}: {name_of(labels, predicted.index) or Class(predicted.index)}"
    return words


class MeasuredFeatures(NamedTuple):
    """The features of a photo, in numbers; values: (count, *space) of those that are used."""

    used: tuple[FeatureUse, ...]
    values: NDArray[Any]
    active: int
    l0: float
    error: float
    parts: dict[str, float]


def _measured(a: NDArray[Any], g: NDArray[Any], coder: Autoencoder, count: int, by: str) -> MeasuredFeatures:
    """Of what a layer emits (c, *space) and the gradient toward it."""
    space = a.shape[1:]
    places, slopes = a.reshape(len(a), -1).T, g.reshape(len(g), -1).T  # (n, c)
    values = coder.encode(places)
    back = coder.decode(values)
    contributions = np.einsum("nm,nm->m", values.astype(np.float64), (slopes @ coder.decoder.T).astype(np.float64))
    strongest = values.max(0)
    order = np.argsort(-(strongest if by == ACTIVATION else np.abs(contributions)), kind="stable")[:count]
    order = order[strongest[order] > 0]
    used = tuple(
        FeatureUse(
            int(k), float(strongest[k]), float(values[:, k].mean(dtype=np.float64)), float((values[:, k] > 0).mean()),
            float(contributions[k]),
        )
        for k in order
    )  # fmt: skip
    middle = places.mean(0) if len(places) > 1 else 0.0
    varies = float(((places - middle).astype(np.float64) ** 2).sum())
    missed = float(((places - back).astype(np.float64) ** 2).sum())
    parts = {
        "features": float(contributions.sum()),
        "bias": float((slopes @ coder.decoder_bias).sum(dtype=np.float64)),
        "error": float((slopes * (places - back)).sum(dtype=np.float64)),
    }
    active = int((strongest > 0).sum())
    l0 = float((values > 0).sum(1).mean())
    error = missed / varies if varies > 0 else float(missed > 0)
    return MeasuredFeatures(used, values[:, order].T.reshape(len(order), *space), active, l0, error, parts)


def _maps(
    told: MeasuredFeatures, batch: Batch, i: int, place: int, cells: Cells | None, facts: ModelFacts, layer: str,
    coder: Autoencoder, model: Differentiable, seconds: float,
) -> list[Heatmap]:  # fmt: skip
    if told.values.ndim == 1:
        return []
    photo, maps = batch.photos[i], list[Heatmap]()
    for use, values in zip(told.used, told.values, strict=True):
        this = MapFacts(
            image=batch.names[i],
            layer=layer,
            seconds=seconds,
            geometry="receptive-field" if cells else "plain",
            warnings=batch.notes[i],
            measured={"contribution": use.contribution, "l0": told.l0, "error": told.error},
            read=image_facts(batch, i, model.prepare),
            together=len(batch.x),
        )
        how = {"feature": use.feature, "autoencoder": coder.name, "kind": coder.kind}
        source = source_from(
            model=facts,
            method=MethodFacts(f"feature {use.feature}", how, CAVEAT),
            target=TargetFacts(f"feature {use.feature}", model.explains),
            predicted=None,
            this=this,
        )
        under = photo.pixels if photo else None
        heatmap = Heatmap(values.astype(np.float32), under, batch.boxes[i], source, place, cells=cells)
        maps.append(recorded(turned_back(heatmap)))
    return maps
