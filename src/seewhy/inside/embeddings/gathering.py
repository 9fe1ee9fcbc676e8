"""A set of photos embedded: one pass over it, and what came of each photo."""

from pathlib import Path
from typing import Any

import numpy as np

from seewhy.errors import BadImage
from seewhy.images.inputs import Images
from seewhy.inside.photo_batches import PhotoSet, photo_set
from seewhy.maps.source import ModelFacts, stored
from seewhy.methods.making.method import Method
from seewhy.models.model import Differentiable
from seewhy.photo_sets.items import Listing
from seewhy.prepare.facts import facts_of
from seewhy.printable import printable
from seewhy.progress import shown, stop_asked

from .embedding import Embedding, EmbeddingFacts
from .passes import FeatureReading, PhotoVector, photo_vectors
from .photo_table import EmbeddedPhotos, LeftOutPhoto, PhotoRecord

LONGEST = 500  # characters of a reason


def embedded(
    model: Differentiable, photos: Images | Listing, layer: str | None = None, weighted_by: str | Method[Any] | None = None,
    pooling: str = "mean", truth: str | Path | None = None, root: str | Path | None = None,
) -> Embedding:  # fmt: skip
    """What the model saw in each photo, as a vector; `seewhy.embed` tells of the arguments."""
    reading = FeatureReading.checked(layer, pooling, weighted_by)
    given = photo_set(model, photos, truth, root)
    vectors, known, left = list[np.ndarray](), list[PhotoRecord](), list[LeftOutPhoto]()
    at, remarks = "", list(given.listing.remarks if given.listing is not None else ())
    passes = photo_vectors(model, given, reading)
    for each in shown(passes, given.count, "embedding") if given.count else passes:
        path = given.path(each.number) or each.name
        if each.vector is None:
            left.append(LeftOutPhoto(each.number, path, printable(each.why, LONGEST)))
        elif vectors and len(each.vector) != len(vectors[0]):
            why = f"it has {len(each.vector)} features and the others {len(vectors[0])}: it is of another size"
            left.append(LeftOutPhoto(each.number, path, why))
        else:
            at = at or each.layer
            vectors.append(each.vector)
            known.append(_known(each, path, given))
        if stop_asked():
            remarks.append(_stopped(each.number + 1, given))
            break
    passes.close()
    if not vectors:
        first = f" The first: {left[0]}" if left else ""
        raise BadImage(f"None of the {len(left)} photos has features.{first}")
    listing, method = given.listing, reading.method
    facts = EmbeddingFacts(
        ModelFacts.of(model),
        at,
        reading.pooling,
        "" if method is None else method.name,
        {} if method is None else stored(method.described),
        None if model.labels is None else tuple(map(str, model.labels)),
        stored(facts_of(model.prepare)),
        "images in memory" if listing is None else listing.data,
        given.count,
    )
    return Embedding(
        np.stack(vectors), EmbeddedPhotos.of(known, model.labels), facts, tuple(left), tuple(filter(None, remarks))
    )


def _known(each: PhotoVector, path: str, given: PhotoSet) -> PhotoRecord:
    """What is known of a photo that has features."""
    truth, scores, chances = given.truth(each.number), each.scores, each.probabilities
    if scores is None or chances is None or np.isnan(chances).any():
        return PhotoRecord(each.number, path, truth)
    top = int(np.argmax(scores))
    inside = [index for index in truth if index < len(chances)]
    best = max((float(chances[index]) for index in inside), default=float("nan"))
    return PhotoRecord(each.number, path, truth, top, float(scores[top]), float(chances[top]), best)


def _stopped(done: int, given: PhotoSet) -> str:
    if done == given.count:
        return ""
    return f"stopped after {done:,} of {given.count:,} photos" if given.count else f"stopped after {done:,} photos"
