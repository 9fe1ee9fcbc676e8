"""Relevance that is propagated back layer by layer, and the share of the biases."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from einops import reduce
from numpy.typing import NDArray

from seewhy.arrays import Array, numbers
from seewhy.errors import BadParameter, NotApplicable
from seewhy.explaining.case import Case, Outcome
from seewhy.explaining.parts import TargetRows, split
from seewhy.images.resample import resized, spread
from seewhy.methods.making.baseline import Fill
from seewhy.methods.making.baseline import baseline as baseline_of
from seewhy.methods.making.reading import from_case, pixels_from_case
from seewhy.models.model import INPUT, Bias
from seewhy.models.rule import LINEAR, Relevance, Rescaled
from seewhy.printable import in_percent
from seewhy.targets.target import weighted

from .cam import weighted_sum

__all__ = ["attn_lrp", "deep_lift", "excitation_backprop", "full_grad", "lrp"]


def away_from_zero(scores: NDArray[Any]) -> NDArray[Any]:
    return np.where(abs(scores) < 1e-12, 1e-12, scores)


LrpRule = Literal["epsilon-plus", "epsilon", "gamma", "z-plus", "alpha2-beta1"]
RULES = {"epsilon-plus": ("z-plus", "epsilon"), **{rule: (rule, rule) for rule in LINEAR}}  # of convolutions, of linear layers
Composite = Literal[
    "epsilon-plus", "epsilon-plus-flat", "epsilon-alpha2-beta1", "epsilon-alpha2-beta1-flat", "epsilon-gamma-box"
]
COMPOSITES = {  # of convolutions, of linear layers, of those that read the image
    "epsilon-plus": ("z-plus", "epsilon", ""), "epsilon-plus-flat": ("z-plus", "epsilon", "flat"),
    "epsilon-alpha2-beta1": ("alpha2-beta1", "epsilon", ""), "epsilon-alpha2-beta1-flat": ("alpha2-beta1", "epsilon", "flat"),
    "epsilon-gamma-box": ("gamma", "epsilon", "z-box"),
}  # fmt: skip
FirstRule = Literal["flat", "w-square", "z-box"]
Bound = float | Sequence[float] | None


@pixels_from_case(
    "sum", needs=("relevance",), passes="1 forward of two to three passes' work, and the whole way back per target"
)
def lrp(
    case: Case, *, rule: LrpRule = "epsilon-plus", epsilon: float = 1e-6, gamma: float = 0.25, rules: Composite | None = None,
    first: FirstRule | None = None, low: Bound = None, high: Bound = None,
) -> Outcome:  # fmt: skip
    """Each layer hands its relevance down in shares of z = sum x w + b; at the image summed over channels.

    rule: "epsilon" (z + epsilon sign(z) below), "gamma" (products of z's own sign count 1 + gamma times), "z-plus"
    (positive products only), "alpha2-beta1" (twice the share of positive products, less that of negative ones), or
    "epsilon-plus": z-plus for convolutions and epsilon for linear layers.  A BatchNorm is part of the layer before it,
    sigmoids are fixed gates, other activations keep relevance.
    epsilon: of the rule "epsilon", above 0; small beside z.
    gamma: of the rule "gamma".
    rules: a composite by name, in place of `rule`: one rule for convolutions, epsilon for linear layers, and one for layers
    that read the image ("flat", or "box", which is z-box).
    first: the rule of layers that read the image: "flat" (all its pixels alike), "w-square" (by w^2) or "z-box" (of a
    convolution, x w - low w above zero - high w below it); None: that of `rule` or `rules`.
    low: of z-box, the least value of the image, in the network's own numbers, one or one a channel; None: black, of a network
    that prepares photos.
    high: of z-box, the greatest value; None: white.

    Source: Bach et al. 2015, On Pixel-wise Explanations; w-square, z-box: Montavon et al. 2017, Deep Taylor Decomposition;
    flat: Lapuschkin et al. 2019, Unmasking Clever Hans; gamma: Montavon et al. 2019, for both signs as in zennit;
    composites: Kohlbrenner et al. 2020, Towards Best Practice, and Anders et al. 2021, zennit. The same numbers as zennit's.

    Caveat: z-plus makes it barely depend on the class (Sixt et al. 2020); epsilon near 0 is input x gradient on ReLU
    networks. Biases keep their own share, and signed sums (residual branches) can blow shares up: how much of the score
    reaches the image is in Source.measured, and in a warning where it is little or too much.
    """
    if rules is not None and rule != "epsilon-plus":
        raise BadParameter(f"rules={rules!r} says the rule of every layer, and so does rule={rule!r}: give one of them.")
    conv, dense, at_image = (*RULES[rule], "") if rules is None else COMPOSITES[rules]
    by = Relevance(conv, dense, epsilon, gamma, first=first or at_image)
    if by.first == "z-box":
        by = replace(by, low=_bound(case, low, "low", 0), high=_bound(case, high, "high", 255))
        if (np.array(by.low) > np.array(by.high)).any():
            raise BadParameter(f"low={low!r} lies above high={high!r}: the image's values lie between the two.")
    return _at_the_image(case, by, "biases kept the rest")


def _bound(case: Case, value: Bound, name: str, level: int) -> tuple[float, ...]:
    """The least or greatest value of the image, one or one a channel."""
    grey = case.model.colour(level) if value is None else np.asarray(value, float)
    if grey is None:
        raise BadParameter(
            f"The z-box rule needs to know between which values the image lies: {name}=, a number, or one a channel. Of a "
            "network that prepares photos they are black and white."
        )
    each = np.ravel(grey).astype(float)
    channels = case.x.shape[1]
    if len(each) not in (1, channels) or not np.isfinite(each).all():
        raise BadParameter(f"{name}={value!r}: one number, or one for each of the {channels} channels.")
    return tuple(each.tolist())


def _at_the_image(case: Case, rule: Relevance, lost: str) -> Outcome:
    """The relevance of every channel of the images, (t, n, c, *space), and the share of the score that it adds up to."""
    trace = case.traced(rule, (INPUT,))
    x, g = trace.evidence[INPUT].a, trace.evidence[INPUT].g
    core = numbers(g if rule.first else x[None] * g)
    whole = core.sum(tuple(range(2, core.ndim)), dtype=float)
    share = whole / away_from_zero((trace.answer.scores * trace.weights).sum(-1))

    def notes(t: int, i: int) -> tuple[str, ...]:
        if 0.1 <= share[t, i] <= 2:
            return trace.notes[INPUT]
        why = lost if abs(share[t, i]) < 1 else "where terms cancel, shares grow without bound"
        return (*trace.notes[INPUT], f"the relevance at the image sums to {share[t, i]:.2g} times the score: {why}")

    return Outcome({INPUT: core}, notes, {"relevance": whole, "share_of_score": share})


AttentiveRule = Literal["epsilon-gamma", "epsilon", "gamma"]
ATTENTIVE = {"epsilon-gamma": ("gamma", "epsilon"), "epsilon": ("epsilon", "epsilon"), "gamma": ("gamma", "gamma")}


@pixels_from_case(
    "sum", needs=("products",), passes="1 forward of two to three passes' work, and the whole way back per target"
)
def attn_lrp(case: Case, *, rule: AttentiveRule = "epsilon-gamma", epsilon: float = 1e-6, gamma: float = 0.25) -> Outcome:
    """Relevance through Transformers: R as for lrp in layers with weights, half of it to each factor of a product (q k',
    A v, gates), x (R - s sum R) through a softmax s; norms and activations keep it.  At the image summed over channels.

    rule: "epsilon" (z + epsilon sign(z) below), "gamma" (products of z's own sign count 1 + gamma times), or
    "epsilon-gamma": gamma for convolutions, as a patch embedding is, and epsilon for linear layers.  A norm's divisor is
    fixed; taking the mean off is a linear layer.  The paper leaves open what a sigmoid gate gets: nothing here, as in lrp,
    so that x sigmoid(x) is SiLU however it is written; products with a weight matrix share out by their plain value.
    epsilon: of the rule "epsilon", above 0; small beside z.
    gamma: of the rule "gamma".

    Source: Achtibat et al. 2024, AttnLRP: Attention-Aware Layer-Wise Relevance Propagation for Transformers, prop. 3.1-3.4.
    The same numbers as lxt's.

    Caveat: biases, position embeddings and class tokens keep their share, a softmax absorbs or makes some: how much of the
    score reaches the image is in Source.measured. Noisy in deep networks, where rule="gamma" dampens terms that cancel.
    """
    by = Relevance(*ATTENTIVE[rule], epsilon, gamma, attention=True)
    return _at_the_image(case, by, "biases, position embeddings and softmaxes kept the rest")


@pixels_from_case(
    "sum",
    needs=("relevance",),
    counted=lambda _settings, _conditions: 2,
    passes="2 forwards, and the whole way back per target",
)
def deep_lift(case: Case, *, baseline: Fill = "zero") -> Outcome:
    """(x - x') m, summed over channels: it adds up to y(x) - y(x').  The multiplier m comes back as the gradient does, but an
    activation passes (y - y') / (x - x') in place of its slope (the rescale rule), and a maximum gives what it gained to the
    pixel that is largest in the image, what it lost to that of the baseline.

    baseline: x', as of integrated-gradients: "zero" in the network's own numbers, "black", "white", "mean", "blurred", a grey
    level or prepared array, any image.

    Source: Shrikumar et al. 2017, Learning Important Features Through Propagating Activation Differences, sec. 3.5.1. The same
    numbers as captum's where that knows all activations and nothing is max-pooled, where its sum can miss.

    Caveat: depends on the baseline: what looks like it counts nothing. What passes it by (a mask made of the image) leaves a
    gap to y(x) - y(x'), in Source.measured.
    """
    case.plain_only("deep-lift")
    x, n = case.images, len(case.x)
    start = np.broadcast_to(baseline_of(case, baseline, "deep-lift: the baseline").astype(x.dtype), x.shape)

    def of_images(target: Any) -> Any:
        """The target of the images; of their baselines behind them, none."""
        return lambda scores: np.concatenate([weighted([target], scores[:n])[0], np.zeros_like(scores[n:])])

    trace = case.model.trace(np.concatenate([x, start]), [*map(of_images, case.targets)], (INPUT,), Rescaled())
    answer, weights = trace.answer, trace.weights[:, :n]
    probabilities = None if answer.probabilities is None else answer.probabilities[:n]
    case.record_way_back(answer._replace(scores=answer.scores[:n], probabilities=probabilities), weights)
    core = (x - start) * numbers(trace.evidence[INPUT].g)[:, :n]
    difference = ((answer.scores[:n] - answer.scores[n:]) * weights).sum(-1)
    gap = core.sum(tuple(range(2, core.ndim)), dtype=float) - difference

    def notes(t: int, i: int) -> tuple[str, ...]:
        share = abs(gap[t, i]) / max(abs(difference[t, i]), 1e-12)
        if share < 0.01:
            return trace.notes[INPUT]
        missed = f"the sum misses y(x) - y(x') = {difference[t, i]:.3g} by {gap[t, i]:.2g} ({in_percent(share, 0)})"
        return (*trace.notes[INPUT], f"{missed}: the network has parts whose share of it is not known")

    return Outcome({INPUT: core}, notes, {"completeness_gap": gap, "difference": difference})


MARGINAL = Relevance("z-plus", "z-plus", epsilon=1e-12, bias=False)


@from_case("gradients", needs=("excitation",), passes="1 forward of two passes' work, and the tail back per target")
def excitation_backprop(case: Case) -> Outcome:
    """sum_c P: at each layer a unit's chance to have excited the class, P_i = sum_j P_j x_i w+_ij / sum_i x_i w+_ij.

    Source: Zhang et al. 2016, Top-down Neural Attention by Excitation Backprop. A BatchNorm is part of the layer
    before it; where activations are negative, products of two negatives excite, too.

    Caveat: positive weights alone: it barely depends on the class at early layers; a contrast, target=Contrast(a, b),
    separates better.
    """

    def chance(target: Any) -> Any:
        """The target divided by its score, so that the backward pass starts from 1 at the class."""
        return lambda scores: target(scores) / np.where(np.isfinite(scores), away_from_zero(scores), 1)

    case.plain_only("excitation-backprop")
    excited = Case(case.model, case.x, [chance(target) for target in case.targets], case.requested, ())
    rows, odd = TargetRows(len(case.targets)), {}
    for part in split(excited):
        trace = part.traced(MARGINAL, part.named)
        case.record_answer(trace.answer)
        rows.put(
            part.start, {layer: np.stack([numbers(weighted_sum(g, e.a)) for g in e.g]) for layer, e in trace.evidence.items()}
        )
        odd = {layer: trace.notes.get(layer, ()) for layer in trace.evidence}
    maps = rows.arrays

    def notes(t: int, i: int) -> tuple[str, ...]:
        most = max(float(abs(each[t, i]).sum()) for each in maps.values())
        allowed = float(abs(case.pinned[1][t, i]).sum())
        if most <= 1.05 * allowed:
            return ()
        return (f"chances sum to {most:.2g} in place of {allowed:.2g}: signed activations cancel on the way",)

    return Outcome(maps, notes, notes_at=odd)


@from_case(
    "pixels", layered=False, needs=("logits", "biases"), by_target=True,
    passes="1 forward, and the whole way back, one after the other, per target",
)  # fmt: skip
def full_grad(case: Case, *, signed: bool = False, scaled: bool = True) -> Outcome:
    """psi(x dy/dx) + sum over layers and channels of psi(b dy/db), all biases: convolutions, BatchNorm, linear, clamps.

    Here psi is the absolute value, stretched to [0, 1] in each layer and drawn out linearly to the image.

    signed: True: psi is drawing out alone, so that the map sums to the score but for the biases that have no place
    (Source.measured: placeless), as those of a linear head.
    scaled: False leaves the stretching out.

    Source: Srinivas & Fleuret 2019, Full-Gradient Representation; psi as in the authors' code.

    Caveat: stretched layers weigh the same, however little they add; parts with another kind of bias (LayerNorm, attention)
    leave a completeness gap, in Source.measured.
    """
    if case.model.explains not in ("logits", "activation"):
        raise NotApplicable(f"full-grad takes a logit apart; this model explains {case.model.explains}, which a softmax made.")
    case.plain_only("full-grad, which gathers what biases add on the plain way back")
    trace, biases = case.model.biases(case.x, case.targets)
    case.record_answer(trace.answer)
    evidence = trace.evidence[INPUT]
    x, g = (numbers(each).astype(np.float64) for each in (evidence.a, evidence.g))
    maps = [
        _grown(x * row, [b for b in rest if b.signed is not None], signed, scaled) for row, rest in zip(g, biases, strict=True)
    ]
    placeless = np.stack([sum((numbers(b.placeless).astype(np.float64) for b in rest), np.zeros(len(x))) for rest in biases])
    located = np.stack([_located(x * row, rest) for row, rest in zip(g, biases, strict=True)])
    score = (trace.answer.scores * trace.weights).sum(-1)  # (t, n)
    gap = score - located - placeless

    def notes(t: int, i: int) -> tuple[str, ...]:
        share = abs(gap[t, i]) / max(abs(score[t, i]), 1e-12)
        if share < 0.01:
            return ()
        missed = f"pixels and biases miss the score {score[t, i]:.3g} by {gap[t, i]:.2g} ({in_percent(share, 0)})"
        return (f"{missed}: the network has parts whose share of it is not known",)

    return Outcome({INPUT: np.stack(maps)}, notes, {"completeness_gap": gap, "placeless": placeless})


def _located(pixels: NDArray[Any], biases: list[Bias]) -> NDArray[Any]:
    """The sum (n,) of the biases that have a place in the image."""
    return sum((reduce(_plain(b.signed), "n ... -> n", "sum") for b in biases if b.signed is not None),
               reduce(pixels, "n ... -> n", "sum"))  # fmt: skip


def _grown(pixels: NDArray[Any], biases: list[Bias], signed: bool, scaled: bool) -> NDArray[Any]:
    """One map (n, *space) from x dy/dx (n, c, *space) and the biases of one target."""
    space = pixels.shape[2:]
    if signed:
        return sum((spread(_plain(b.signed), space) for b in biases), pixels.sum(1))
    size = abs(pixels)
    if not scaled:
        return sum((spread(_plain(b.size), space) for b in biases), size.sum(1))
    axes = tuple(range(1, size.ndim))
    least, most = size.min(axes, keepdims=True), size.max(axes, keepdims=True)
    stretched = (size - least) / np.maximum(most - least, np.finfo(size.dtype).tiny)
    return sum((resized(_plain(b.scaled), space) for b in biases), stretched.sum(1))


def _plain(map_: Array) -> NDArray[Any]:
    return numbers(map_).astype(np.float64)
