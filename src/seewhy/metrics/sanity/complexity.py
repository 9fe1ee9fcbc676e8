"""Do maps become more complex when all weights are drawn anew?  Efficient MPRT."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from seewhy.arguments import known_names
from seewhy.arrays import Floats
from seewhy.errors import whole_number
from seewhy.explaining.ask import LayerNames
from seewhy.images.inputs import Images
from seewhy.models.model import Model
from seewhy.models.working_copy import copyable
from seewhy.targets.target import Top

from .asking import MapKey, Methods, SameQuestion, by_key
from .similarity import Average

BINS = 100  # of a map's histogram at most, as in the authors' library


class EntropyRise(NamedTuple):
    """How the complexity of a method's maps changes, over the photos; complexity is the entropy of a map's histogram, in nats.

    trained, random: of the maps of the trained network, and of one whose weights are all random.
    rise: (random - trained) / trained of each photo; below zero maps become simpler; not defined where the trained map is
        the same everywhere.
    """

    trained: Average
    random: Average
    rise: Average


@known_names("method")
def efficient_mprt(
    model: Model, images: Images, method: Methods = ("grad-cam",), target: Any = Top(), layer: LayerNames = None,
    draws: int = 1, seed: int = 0,
) -> Mapping[MapKey, EntropyRise]:  # fmt: skip
    """By method and layer, how far the entropy of maps rises when all weights are drawn anew.

    A map that follows what the network computes should be more complex where that is noise.  Arguments as of
    `metrics.randomised`.
    Source: Hedström et al. 2024, A fresh look at sanity checks for saliency maps (efficient MPRT).
    Raises as `metrics.randomised`.
    """
    owner = copyable(model, "metrics.efficient_mprt")
    draws, seed = whole_number(draws, "draws", 1, 1000), whole_number(seed, "seed", 0)
    question = SameQuestion(model, images, method, target, layer)
    copy = owner.working_copy(next(iter(model.batches(question.images))).x[:1])
    after = list[list[float]]()
    for draw in range(draws):
        copy.randomise(copy.stages, seed + draw)
        after.append([entropy(m.values) for m in question.of(copy.model)])
    before = [entropy(m.values) for m in question.maps]
    random = [float(np.mean(each)) for each in zip(*after, strict=True)]
    found = {}
    for key, pairs in by_key(question.keys, [*zip(before, random, strict=True)]).items():
        rise = [(b - a) / a if a > 0 else None for a, b in pairs]
        found[key] = EntropyRise(*(Average.of(each, seed) for each in ([a for a, _ in pairs], [b for _, b in pairs], rise)))
    return found


def entropy(values: Floats) -> float:
    """The entropy of the histogram of a map's values, in nats: -sum_b p_b log p_b.

    Bins are of equal width, from the least value to the greatest: as many as the square root of the number of cells, 100 at
    most.  Zero where the map is the same everywhere.
    """
    flat = np.asarray(values, np.float64).ravel()
    if flat.min() == flat.max():
        return 0.0
    counts = np.histogram(flat, max(2, min(BINS, round(np.sqrt(flat.size)))))[0]
    p = counts[counts > 0] / flat.size
    return float(-(p * np.log(p)).sum())
