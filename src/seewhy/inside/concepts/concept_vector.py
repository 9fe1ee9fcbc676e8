"""A direction in what a layer emits that stands for a concept, and maps of where photos have it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import numbers
from seewhy.errors import BadParameter, NotApplicable
from seewhy.explaining.image_facts import image_facts
from seewhy.images.inputs import Images
from seewhy.images.places import Cells
from seewhy.inside.photo_batches import BrokenPhoto, PhotoBatch, photo_set
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Failed, Heatmaps
from seewhy.maps.record import recorded
from seewhy.maps.source import MapFacts, MethodFacts, ModelFacts, TargetFacts, source_from
from seewhy.maps.turning import turned_back
from seewhy.models.model import Differentiable
from seewhy.photo_sets.items import Listing
from seewhy.printable import quoted

CAVEAT = (
    "a concept vector tells its examples from random ones; whatever else the examples share, such as a camera or a background, "
    "is in it, too"
)


@dataclass(frozen=True, eq=False)
class ConceptVector:
    """A concept activation vector: the mean of the classifiers of several runs between a concept's examples and random ones.

    weights: (c,) of the layer's channels, averaged over places, or (c, *space); bias: what the classifier adds.  Its decision
    for an image is `<weights, activations> + bias`, +1 for a usual example of the concept and -1 for a usual random one.
    model, weights_sha256: whose layer it is of.  settings: the numbers it was made with.
    Source: Kim et al. 2018, Interpretability beyond feature attribution: testing with concept activation vectors.
    """

    concept: str
    layer: str
    weights: NDArray[np.float64] = field(repr=False)
    bias: float
    model: str
    weights_sha256: str
    settings: Mapping[str, Any]

    @property
    def direction(self) -> NDArray[np.float64]:
        """The vector of length 1, of the shape of the weights."""
        return self.weights / np.linalg.norm(self.weights)

    def maps(self, model: Differentiable, images: Images | Listing) -> Heatmaps:
        """Where images have the concept: one map for each, signed, its mean over cells the classifier's decision.

        A cell is <weights, its activations> + bias, so that a positive one is, by itself, on the concept's side.
        model: the one that the vector was found in; images: as `explain` takes them, or a set as for `tcav`.
        Raises BadParameter for a model with other weights, NotApplicable for a layer without space.
        """
        if model.weights_sha256() != self.weights_sha256:
            raise BadParameter(
                f"The vector of {quoted(self.concept)} was found in {self.model}, and {model.name} has other weights. Give the "
                "model that it was found in, or find it anew by seewhy.tcav."
            )
        maps, failed = list[Heatmap](), list[Failed]()
        for each in photo_set(model, images).batches(model):
            if isinstance(each, BrokenPhoto):
                failed.append(Failed(each.number, each.name, each.error))
            else:
                maps += self._of_batch(model.beside(each.numbers[0], len(each.numbers)), each)
        return Heatmaps(tuple(maps), tuple(failed))

    def values(self, a: NDArray[Any]) -> NDArray[np.float64]:
        """The maps (n, *space) of activations (n, c, *space); of (n, c) the decisions (n,)."""
        a = np.asarray(a, np.float64)
        if self.weights.ndim == 1:
            return np.einsum("nc...,c->n...", a, self.weights) + self.bias
        if a.shape[1:] != self.weights.shape:
            raise BadParameter(
                f"The vector of {quoted(self.concept)} has a number for each place of {self.weights.shape} at {self.layer}; "
                f"this image gives {a.shape[1:]}. Give images of the size of the examples, or find it without flatten."
            )
        places = int(np.prod(a.shape[2:]))
        return np.einsum("nc...,c...->n...", a, self.weights) * places + self.bias

    def _of_batch(self, model: Differentiable, each: PhotoBatch) -> list[Heatmap]:
        start, batch = perf_counter(), each.batch
        read, notes = model.with_flat_layers().activations(batch.x, [self.layer])
        values = self.values(numbers(read[self.layer]))
        if values.ndim == 1:
            raise NotApplicable(f"{self.layer} has no space, so that no map of {quoted(self.concept)} can be drawn there.")
        known = model.cells(self.layer, batch.x)
        cells = None
        if known is not None and known[0] == values.shape[1:]:
            cells = Cells.of(known[1], batch.x.shape[2:], model.gaze(self.layer, batch.x))
        facts, seconds = ModelFacts.of(model), (perf_counter() - start) / len(batch.x)
        maps = list[Heatmap]()
        for i, number in enumerate(each.numbers):
            this = MapFacts(
                image=batch.names[i],
                layer=self.layer,
                seconds=seconds,
                geometry="receptive-field" if cells else "plain",
                warnings=(*batch.notes[i], *notes.get(self.layer, ())),
                measured={"decision": float(values[i].mean())},
                read=image_facts(batch, i, model.prepare),
                together=len(batch.x),
            )
            source = source_from(
                model=facts,
                method=MethodFacts(f"concept {self.concept}", {"signed": True, **self.settings}, CAVEAT),
                target=TargetFacts(self.concept, model.explains),
                predicted=None,
                this=this,
            )
            photo = batch.photos[i]
            under = photo.pixels if photo else None
            heatmap = Heatmap(values[i].astype(np.float32), under, batch.boxes[i], source, number, cells=cells)
            maps.append(recorded(turned_back(heatmap)))
        return maps
