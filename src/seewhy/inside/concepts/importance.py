"""How much scores rest on concepts: Sobol indices of masking them, what they add by the gradient, what is lost without one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats, numbers
from seewhy.errors import NeedsGradients, NotApplicable
from seewhy.methods.making.surrogate import total_indices
from seewhy.models.model import Answer, Differentiable, Tail

from .asked_classes import AskedClass, taken_for
from .factors import concepts_in, learned

ROOM = 2**26  # bytes of edited activations that share a pass
RESAMPLES = 1000
SURE = 0.975  # of either end of an interval of 95 %
MEASURES = ("sobol", "gradient", "loss")


class MeasuredPhoto(NamedTuple):
    """What was measured of one photo, for each of t scores and k concepts.

    sobol, loss, gradient: (t, k), the last None of models without gradients; score, rebuilt: (t,), of the photo and of its
    activation as the concepts alone make it up.
    taken: the class it is taken for; taken_rebuilt, taken_without: made up of the concepts alone, and without each: (k,).
    """

    sobol: Floats
    loss: Floats
    gradient: Floats | None
    score: Floats
    rebuilt: Floats
    taken: int
    taken_rebuilt: int
    taken_without: NDArray[np.intp]


class MeanImportance(NamedTuple):
    """The mean over photos of the importance of each concept, and its interval of 95 %: (k,) each; of one photo it is NaN."""

    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class ConceptImportance:
    """How much one score rests on each of k concepts, in p photos.

    target, words: which score, as it is written and in words.  photos: their places among the photos of the result.
    sobol: (p, k), the total Sobol index of masking each concept: the share of the score's variance that it has a part in.
    gradient: (p, k), what it adds to the score by the gradient, in units of the score; None of models without gradients.
    loss: (p, k), by how much the score falls when it is taken away from what the layer emits; below zero where it rises.
    score, rebuilt: (p,), of the photo, and of its activation as the concepts alone make it up.
    taken, taken_rebuilt: (p,), the class that it is taken for, and made up of the concepts alone; taken_without: (p, k),
    without each.
    """

    target: str
    words: str
    photos: NDArray[np.intp]
    sobol: Floats
    gradient: Floats | None
    loss: Floats
    score: Floats
    rebuilt: Floats
    taken: NDArray[np.intp]
    taken_rebuilt: NDArray[np.intp]
    taken_without: NDArray[np.intp]

    def mean(self, measure: str = "sobol", seed: int = 0) -> MeanImportance:
        """The mean over photos of "sobol", "gradient" or "loss", with its interval by the bootstrap over photos."""
        if measure not in MEASURES or (values := getattr(self, measure)) is None:
            known = [each for each in MEASURES if getattr(self, each) is not None]
            raise NotApplicable(f"There is no importance by {measure!r} here; there is {', '.join(known)}.")
        return over_photos(values, seed)

    @property
    def changed(self) -> NDArray[np.intp]:
        """In how many photos the answer is another one without each concept: (k,)."""
        return (self.taken_without != self.taken[:, None]).sum(0)

    @property
    def kept(self) -> int:
        """In how many photos the concepts alone give the same answer."""
        return int((self.taken_rebuilt == self.taken).sum())

    def ordered(self, order: Sequence[int] | NDArray[np.intp]) -> "ConceptImportance":
        """The same, its concepts in another order."""
        gradient = None if self.gradient is None else self.gradient[:, order]
        columns = [each[:, order] for each in (self.sobol, self.loss, self.taken_without)]
        return ConceptImportance(
            self.target, self.words, self.photos, columns[0], gradient, columns[1], self.score, self.rebuilt, self.taken,
            self.taken_rebuilt, columns[2],
        )  # fmt: skip


def measured_photo(
    model: Differentiable, x: Floats, layer: str, directions: Floats, asked: Sequence[AskedClass], samples: int,
    draws: np.random.Generator,
) -> MeasuredPhoto:  # fmt: skip
    """How much the scores of one image x (1, c, *space) rest on the concepts (k, c) of a layer.

    With U the amount of each concept in each cell and W their directions, the layer's activation A is U W and what is left:
    sobol: of f((m U) W) over masks m, drawn evenly from 0 to 1 for each concept, by `total_indices` of `samples` rows.
    loss: f(A) - f(A - U_k W_k): all that no concept explains stays.  gradient: the sum over cells of U_k <df/dA, W_k>.
    Source: Fel et al. 2023, CRAFT: Concept Recursive Activation FacTorization for Explainability, sec. 3.3, with Jansen's
    estimator on independent draws.
    """
    answer = model.answer(x)
    with model.scoring(x, answer, inside=True) as scorer:
        tail = scorer.tail(scorer.array(numbers(x)[0]), layer)
        a = numbers(tail.a)
        amounts = concepts_in(a, directions)  # (k, *grid)
        parts = np.einsum("k...,kc->kc...", amounts, directions)
        scores = [each.scores(model, answer) for each in asked]
        k = len(directions)

        def ask(edits: NDArray[np.float64], beside: Floats | float = 0.0) -> Floats:
            """The network's scores (m, classes) of the concepts by their shares (m, k), with something beside them."""
            return asked_tail(tail, scorer, edits, parts, beside, a)

        whole = ask(np.zeros((1, k)), a)
        without = ask(-np.eye(k), a)
        rebuilt = ask(np.ones((1, k)))
        one, two = draws.random((2, samples, k))
        mixed = np.repeat(one[:, None], k, 1)  # (samples, k, k): the row of one, its concept i from two
        mixed[:, range(k), range(k)] = two
        drawn = ask(np.concatenate([one, two, mixed.reshape(-1, k)]))
    design = np.stack([score(drawn) for score in scores], 1)  # (samples (2 + k), t)
    first, second, third = np.split(design, [samples, 2 * samples])
    indices = total_indices(first, second, third.reshape(samples, k, -1))
    own = np.array([score(whole)[0] for score in scores])
    return MeasuredPhoto(
        indices.values,
        np.array([float(score(whole)[0]) - score(without) for score in scores]),
        _by_gradient(model, x, layer, asked, answer, parts),
        own,
        np.array([score(rebuilt)[0] for score in scores]),
        int(taken_for(answer._replace(scores=whole))[0]),
        int(rebuilt.argmax(1)[0]),
        without.argmax(1),
    )


def asked_tail(tail: Tail, scorer: object, shares: Floats, parts: Floats, beside: Floats | float, like: Floats) -> Floats:
    """The scores behind the layer for sum_k shares[m, k] parts[k] + beside, as many at once as there is room for."""
    together = max(1, ROOM // like.nbytes)
    scores = list[Floats]()
    for start in range(0, len(shares), together):
        edits = np.tensordot(shares[start : start + together], parts, 1) + beside
        scores.append(tail(scorer.array(edits.astype(like.dtype))))  # type: ignore[attr-defined]
    return np.concatenate(scores)


def _by_gradient(
    model: Differentiable, x: Floats, layer: str, asked: Sequence[AskedClass], answer: Answer, parts: Floats
) -> Floats | None:
    if "gradients" not in model.gives:
        return None
    try:
        evidence = model.trace(x, [each.traced(model, answer) for each in asked], [layer]).evidence[layer]
    except (NeedsGradients, NotApplicable):  # no gradient comes back to this layer
        return None
    g = numbers(evidence.g)[:, 0]
    return np.tensordot(g.reshape(len(g), -1), parts.reshape(len(parts), -1), (1, 1))


def over_photos(values: Floats, seed: int) -> MeanImportance:
    """The mean of values (p, k) over p photos, with the interval of 95 % by the bootstrap over photos, widened for few.

    Source: Hesterberg 2015, What teachers should know about the bootstrap ("expanded percentile interval").
    """
    special = learned("special", "scipy")
    p, mean = len(values), values.mean(0)
    if p < 2:
        return MeanImportance(mean, np.full(mean.shape, np.nan), np.full(mean.shape, np.nan))
    beyond = 100 * special.ndtr(-np.sqrt(p / (p - 1)) * special.stdtrit(p - 1, SURE))
    counts = np.random.default_rng(seed).multinomial(p, np.full(p, 1 / p), RESAMPLES)  # how often each photo is drawn
    low, high = np.percentile(counts @ values / p, (beyond, 100 - beyond), axis=0)
    return MeanImportance(mean, low, high)
