"""Other maps of the same photos held against the usual ones: of the least likely class, of shifted images, of wrong labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.arrays import numbers
from seewhy.errors import BadParameter, NotApplicable, whole_number
from seewhy.explaining.ask import LayerNames, ask
from seewhy.images.inputs import Images, PreparedBatch, sort_out
from seewhy.json_text import as_json
from seewhy.maps.heatmap import Heatmap
from seewhy.metrics.given import as_given
from seewhy.models.model import Model
from seewhy.models.working_copy import copyable
from seewhy.printable import quoted
from seewhy.targets.target import Class, PerImage, Top

from .asking import MapKey, Methods, SameQuestion, by_key
from .probe import fitted_head
from .similarity import Averages, Similarity, against_noise, similarity


@dataclass(frozen=True, eq=False)
class MapChange:
    """How alike each method's maps are to what they become where one thing is changed.

    similarity, controls: by method and layer, over the photos: of the maps to the changed ones, and to noise on their grid,
        which is what chance gives.
    images: the names of the photos, in the order of the values; facts: numbers of the change itself.
    """

    change: str
    similarity: Mapping[MapKey, Averages]
    controls: Mapping[MapKey, Averages]
    model: str
    images: tuple[str, ...]
    facts: Mapping[str, Any]

    def of(self, method: str) -> Averages:
        """Of the one method of that name.  Raises BadParameter where there is none."""
        found = [each for (name, _), each in self.similarity.items() if name == method.replace("_", "-")]
        if not found:
            raise BadParameter(
                f"{quoted(method)} was not asked for; there are {', '.join(name for name, _ in self.similarity)}."
            )
        return found[0]

    def to_json(self) -> str:
        """One JSON object on one line."""
        rows = [
            {"method": key[0], "layer": key[1], **each.facts, "noise": self.controls[key].facts}
            for key, each in self.similarity.items()
        ]
        return as_json(
            {"change": self.change, "model": self.model, "images": list(self.images), **self.facts, "rows": rows}
        )  # fmt: skip


@known_names("method")
def class_sensitivity(
    model: Model, images: Images, method: Methods = ("grad-cam",), layer: LayerNames = None, seed: int = 0
) -> MapChange:
    """How alike the map of the class that each image is taken for is to that of its least likely class.

    A method whose maps are nearly the same for both does not tell why it was this class.  Every kind of model can be asked.
    Source: Li et al. 2021, Quantitative evaluations on saliency methods: an experimental study (there by Pearson's
    correlation).
    Raises NotApplicable where there is a single score.
    """
    question = SameQuestion(model, images, method, Top(), layer)
    count = len(question.targets.targets[0].weights)
    if count < 2:
        raise NotApplicable(f"{model.name} gives one score, so there is no other class to compare with.")
    others = ask(model, question.images, question.methods, Top(count), question.layer).maps
    return _change("least likely class", question, question.maps, others, seed, {"classes": count})


@known_names("method")
def input_invariance(
    model: Model, images: Images, method: Methods = ("grad-cam",), shift: float | Sequence[float] = 1.0, target: Any = Top(),
    layer: LayerNames = None, seed: int = 0,
) -> MapChange:  # fmt: skip
    """How alike maps stay when a constant is added to the prepared images and the bias of a first layer takes it away again.

    The network says the same of each, so a map of what it says should stay as it was.

    shift: what is added, one number or one for each channel, in units of the prepared images.
    That first layer stands before the network and multiplies each channel by one; folded into the network's own first
    convolution the shift would change what it sees at a border that is padded with zeros.  `facts` has the largest difference
    of the first image's scores, which is rounding alone.
    Source: Kindermans et al. 2019, The (un)reliability of saliency methods.
    Raises NotApplicable for networks of other frameworks, or that are called with more than images.
    """
    owner = copyable(model, "metrics.input_invariance")
    x, names = _prepared(model, images)
    question = SameQuestion(model, PreparedBatch(as_given(model, x)), method, target, layer)
    try:
        by_channel = np.broadcast_to(np.asarray(shift, np.float64), (x.shape[1],))
    except ValueError:
        raise BadParameter(f"shift={quoted(shift)}: one number, or one for each of the {x.shape[1]} channels.") from None
    if not np.isfinite(by_channel).all():
        raise BadParameter(f"shift={quoted(shift)}: finite numbers.")
    shifted = owner.behind_shift(by_channel, x[:1])
    moved = (x + by_channel.reshape(-1, *[1] * (x.ndim - 2))).astype(x.dtype)
    layers = question.layer if isinstance(question.layer, list | tuple) else [question.layer]
    inside: Any = [name if name in (None, "input") else f"network.{name}" for name in layers]
    others = ask(shifted, moved, question.methods, question.targets, inside).maps
    scores = [np.asarray(m.answer(rows).scores) for m, rows in ((model, x[:1]), (shifted, moved[:1]))]
    facts = {"shift": by_channel.tolist(), "scores_differ_by": float(np.abs(scores[0] - scores[1]).max())}
    return replace(_change("shifted images", question, question.maps, others, seed, facts), images=names)


@known_names("method")
def label_randomised(
    model: Model, images: Images, labels: Sequence[int] | NDArray[Any], method: Methods = ("grad-cam",),
    layer: LayerNames = None, seed: int = 0,
) -> MapChange:  # fmt: skip
    """How alike the maps of a head fitted to these labels are to those of a head fitted to the same labels dealt out at random.

    labels: the class of each image, by its number.  On copies of the network, both heads are fitted in the same way to the same
    images, by logistic regression over what the trained network sees (its last linear layer alone, not the network: that would
    take a training); each map explains the image's own label.  A map that is alike for both does not tell what was learned.
    `facts` has the share of the images that each head gets right: a head that learned the random labels is near 1.
    Source: Adebayo et al. 2018, Sanity checks for saliency maps (there of networks trained anew).
    Raises NotApplicable where the scores do not come out of one linear layer, or for networks of other frameworks.
    """
    owner = copyable(model, "metrics.label_randomised")
    given = sort_out(images, model.takes_signals)
    batches = [*model.batches(given)]
    count = sum(len(batch.x) for batch in batches)
    true = np.asarray(labels)
    width = np.asarray(model.beside(0, 1).answer(batches[0].x[:1]).scores).shape[1]
    if true.shape != (count,) or true.dtype.kind not in "iu" or not ((true >= 0) & (true < width)).all():
        raise BadParameter(f"labels: a class number from 0 to {width - 1} for each of the {count} images.")
    copy = owner.working_copy(batches[0].x[:1])
    features = copy.head_inputs([batch.x for batch in batches])
    dealt = np.random.default_rng(whole_number(seed, "seed", 0)).permutation(true)
    head, random_head = (fitted_head(features, each, width) for each in (true, dealt))
    copy.set_head(head.weight, head.bias)
    targets = PerImage([Class(int(label)) for label in true])
    question = SameQuestion(copy.model, given, method, targets, layer)
    copy.set_head(random_head.weight, random_head.bias)
    facts = {
        "right": head.right,
        "right_of_random": random_head.right,
        "labels_that_changed": float((dealt != true).mean()),
    }
    return _change("labels dealt out at random", question, question.maps, question.of(copy.model), seed, facts)


def _change(
    what: str, question: SameQuestion, maps: Sequence[Heatmap], others: Sequence[Heatmap], seed: int, facts: Mapping[str, Any]
) -> MapChange:
    alike = [similarity(a.values, b.values) for a, b in zip(maps, others, strict=True)]
    found, noise = (_averaged(question, each, seed) for each in (alike, against_noise(maps, seed)))
    return MapChange(what, found, noise, question.model.name, tuple(question.names), facts)


def _averaged(question: SameQuestion, found: Sequence[Similarity], seed: int) -> dict[MapKey, Averages]:
    return {key: Averages.of([several], seed) for key, several in by_key(question.keys, found).items()}


def _prepared(model: Model, images: Images) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The prepared images (n, c, *space), and their names.  Raises BadParameter where they are not of one size."""
    batches = [*model.batches(images)]
    parts = [np.asarray(numbers(batch.x)) for batch in batches]
    if len({part.shape[1:] for part in parts}) != 1:
        raise BadParameter("The prepared images are of several sizes; ask for those of each size by themselves.")
    return np.concatenate(parts), tuple(name for batch in batches for name in batch.names)
