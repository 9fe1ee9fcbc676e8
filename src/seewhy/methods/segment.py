"""Which segments of the image the score depends on: LIME, kernel SHAP, Sobol indices."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, Floats
from seewhy.errors import MANY, BadParameter, NoSuchName, closest, whole_number
from seewhy.maps.regions import Regions
from seewhy.methods.making.baseline import COLOURS, Fill
from seewhy.methods.making.conditions import Conditions, MethodSettings
from seewhy.methods.making.probe import Probe
from seewhy.methods.making.scoring import Estimate, from_scores
from seewhy.methods.making.segments import SegmentLabels, Segments, count_of, marked, obstacle, segmented
from seewhy.methods.making.surrogate import Regression, coalitions, proximity, ridge, shapley, shapley_coalitions, total_indices

__all__ = ["kernel_shap", "lime", "sobol"]

ENOUGH = 1.5  # draws per segment, below which there are no standard errors
HELD = 2**26  # draws times segments that are in memory at once


@from_scores("{samples} forwards", sampled=True, obstacle=obstacle)
def lime(
    probe: Probe, *, segments: Segments = "auto", samples: int = 1000, hide: Fill = "mean", kernel_width: float = 0.25,
    alpha: float = 1.0, features: int | None = None, seed: int = 0,
) -> Estimate:  # fmt: skip
    """The weights of a ridge regression of y on which superpixels are shown, samples near the whole image counting more.

    samples: how many times superpixels are hidden, each by a fair coin.
    kernel_width: of the weights sqrt(exp(-d^2 / width^2)) of samples, d their cosine distance to the whole image.
    alpha: of the ridge, 0 for none.
    features: only so many superpixels, those that weigh most.  None: all.

    Heatmap.regions holds segments, weights, standard errors, intercept, local prediction and weighted R^2.

    Source: Ribeiro et al. 2016, "Why Should I Trust You?": Explaining the Predictions of Any Classifier, and the paper's code.

    Caveat: depends on the segments and on what hides them; a low R^2 says that no linear model of the superpixels serves.
    """
    count = whole_number(samples, "lime: samples", 2, MANY)
    if not kernel_width > 0 or not 0 <= alpha < np.inf:
        raise BadParameter(f"lime: kernel_width must be above 0 and alpha from 0 on, not {kernel_width} and {alpha}.")
    few = None if features is None else whole_number(features, "lime: features", 1)
    seed = whole_number(seed, "lime: seed", 0)
    labels = labelled(probe, segments, seed)
    _held(count, int(labels.max()) + 1, "lime")
    z = coalitions(count, int(labels.max()) + 1, seed)
    w = proximity(z, kernel_width)
    if w[1:].max() < 1e-9:
        raise BadParameter(
            f"lime: kernel_width={kernel_width}: no sample counts, the nearest lies {1 - np.sqrt(z[1:].mean(1).max()):.2g} "
            "from the whole image: give a width of that order; 0.25 is usual."
        )
    y = np.zeros((0, len(probe.y)))

    def fit() -> Regression:
        return ridge(z[: len(y)], y, w[: len(y)], alpha, few)

    def error() -> Floats:
        return standard_errors(fit(), len(y))

    native = probe.scorer.array(labels)
    hidden = probe.hidden(lambda of: shown(z, of, native, probe), hiding(probe, hide, labels))
    for part in probe.scored(count, hidden, least=2):
        y = np.concatenate([y, part.y])
        probe.enough(error)
    if len(y) < 2 and probe.failure is not None:
        raise probe.failure
    return judged(labels, fit(), len(y), len(y), "samples")


def _coalitions(settings: MethodSettings, conditions: Conditions) -> int:
    """The number of forwards: the image with all segments hidden, and the coalitions, which may be all there are."""
    count, segments = settings["samples"], count_of(settings["segments"], conditions.space)
    return 1 + (2**segments - 2 if segments is not None and 2**segments - 2 <= count else count // 2 * 2)


@from_scores("{samples} forwards", sampled=True, forwards=_coalitions, obstacle=obstacle)
def kernel_shap(
    probe: Probe, *, segments: Segments = "auto", samples: int = 1000, hide: Fill = "mean", seed: int = 0
) -> Estimate:
    """The Shapley value of each superpixel: its mean contribution over all orders of showing them.

    They sum to y(x) - y(all hidden).

    samples: coalitions, in pairs of opposites; all of them, and so the exact values, where there are no more.

    Source: Lundberg & Lee 2017, A Unified Approach to Interpreting Model Predictions, theorem 2; Covert & Lee 2021,
    Improving KernelSHAP: paired sampling and the constrained solution.

    Caveat: depends on the segments and on what hides them: the hidden image's score is the intercept.
    """
    seed = whole_number(seed, "kernel-shap: seed", 0)
    count = whole_number(samples, "kernel-shap: samples", 2, MANY)
    labels = labelled(probe, segments, seed)
    s = int(labels.max()) + 1
    _held(min(count, 2**s - 2), s, "kernel-shap")
    z, w, complete = shapley_coalitions(count, s, seed)
    hide = hiding(probe, hide, labels)
    empty = probe.asked(hide)
    y = np.zeros((0, len(probe.y)))

    def fit() -> Regression:
        m = len(y) // 2 * 2
        return shapley(z[:m], w[:m], y[:m], probe.y, empty, complete)

    def error() -> Floats:
        return standard_errors(fit(), len(y) // 2)

    native = probe.scorer.array(labels)
    for part in probe.scored(len(z), probe.hidden(lambda of: shown(z, of, native, probe), hide), least=2):
        y = np.concatenate([y, part.y])
        probe.enough(error)
    if len(y) < 2 and probe.failure is not None:
        raise probe.failure
    return judged(labels, fit(), len(y), len(y) // 2, "pairs of samples")


def _design(settings: MethodSettings, conditions: Conditions) -> int | None:
    segments = count_of(settings["segments"], conditions.space)
    return None if segments is None else settings["samples"] * (segments + 2)


@from_scores("{samples} x (segments + 2) forwards", sampled=True, forwards=_design, obstacle=obstacle)
def sobol(probe: Probe, *, segments: Segments = "grid", samples: int = 32, hide: Fill = "zero", seed: int = 0) -> Estimate:
    """The total Sobol index of each segment: the share of the score's variance it has a part in.

    Segments are dimmed independently, each by a factor drawn evenly from 0 to 1.

    samples: rows of the design, each of (segments + 2) forwards, drawn evenly and independently.

    Source: Fel et al. 2021, Look at the Variance! Efficient Black-box Explanations with Sobol-based Sensitivity Analysis, with
    Jansen's estimator; there the draws are a Sobol sequence, here independent, so that the standard error is known.

    Caveat: has no sign: evidence against counts as evidence for.  With few samples the error is large; see Heatmap.error.
    """
    rows, seed = whole_number(samples, "sobol: samples", 2, MANY), whole_number(seed, "sobol: seed", 0)
    labels = labelled(probe, segments, seed)
    s = int(labels.max()) + 1
    _held(rows, s, "sobol")
    a, b = np.random.default_rng(seed).random((2, rows, s))
    y = np.zeros((0, len(probe.y)))
    native = probe.scorer.array(labels)

    def dimmed(of: range) -> Array:
        row, what = np.divmod(np.asarray(of), s + 2)  # what: 0 is A, 1 is B, then A with one segment of B
        z = np.where((what == 1)[:, None], b[row], a[row])
        mixed = np.flatnonzero(what > 1)
        z[mixed, what[mixed] - 2] = b[row[mixed], what[mixed] - 2]
        return probe.scorer.array(z)[:, native]

    def indices() -> tuple[Floats, Floats]:
        done = y[: len(y) // (s + 2) * (s + 2)].reshape(-1, s + 2, y.shape[1])
        return total_indices(done[:, 0], done[:, 1], done[:, 2:])

    least = 2 * (s + 2)  # forwards
    for part in probe.scored(rows * (s + 2), probe.hidden(dimmed, hiding(probe, hide, labels)), least=least):
        y = np.concatenate([y, part.y])
        if len(y) >= least:
            probe.enough(lambda: indices()[1])
    if len(y) < least and probe.failure is not None:
        raise probe.failure
    values, errors = indices()
    values[probe.moved <= probe.rounding] = 0  # the score does not vary
    errors[probe.moved <= probe.rounding] = 0
    return _drawn(labels, [Regions(labels, v, e, None, None, None, len(y)) for v, e in zip(values, errors, strict=True)])


def _held(count: int, segments: int, name: str) -> None:
    if count * segments > HELD:
        raise BadParameter(
            f"{name}: samples={count:,} of {segments} segments; {HELD // segments:,} are the most: ask for fewer."
        )


def labelled(probe: Probe, how: Segments, seed: int) -> SegmentLabels:
    """The number of each pixel's segment, from 0 on; the photo is cut as the network saw it, or else the array itself."""
    photo = probe.case.photo(probe.place)
    how = marked(how, probe.case.view(probe.place), probe.space, probe.name)
    if photo is not None:
        return segmented(np.asarray(photo), how, seed)
    low, high = probe.x.min(), probe.x.max()
    stretched = (probe.x - low) / (high - low) if high > low else np.zeros_like(probe.x)
    return segmented(np.moveaxis(stretched, 0, -1), how, seed)


def hiding(probe: Probe, how: Fill, labels: SegmentLabels) -> Array:
    """The image (c, *space) that lies where segments are hidden."""
    if isinstance(how, str) and how not in ("own-mean", *COLOURS) and not Path(how).exists():
        names = ["own-mean", *COLOURS]
        raise NoSuchName(
            "hide", how, closest(how, names), f"There are {', '.join(names)}; or give a number, an array, an image."
        )
    if not isinstance(how, str) or how != "own-mean":
        return probe.fill(how)
    flat, count = labels.ravel(), np.bincount(labels.ravel())
    means = np.stack([np.bincount(flat, channel.ravel()) / count for channel in probe.x])
    return probe.scorer.array(means[:, labels].astype(probe.x.dtype))


def shown(z: NDArray[Any], of: range, labels: Array, probe: Probe) -> Array:
    """Masks (m, *space) that are true where a pixel's segment is shown."""
    return probe.scorer.array(z[of.start : of.stop].astype(bool))[:, labels]


def too_few(fit: Regression, draws: int) -> bool:
    """Are there fewer than 1.5 draws per segment?  Then the fit follows the noise, and its errors are unknown."""
    return bool(fit.errors.any()) and draws < ENOUGH * fit.errors.shape[1]


def standard_errors(fit: Regression, draws: int) -> Floats:
    """The standard errors (t, s); infinite where there are too few draws for them."""
    return np.full(fit.errors.shape, np.inf) if too_few(fit, draws) else fit.errors


def judged(labels: SegmentLabels, fit: Regression, samples: int, draws: int, what: str) -> Estimate:
    """The map of each target, in which a pixel has the weight of its segment."""
    few, errors = too_few(fit, draws), standard_errors(fit, draws)
    r2 = [None if few else float(share) for share in fit.score]
    each = [
        Regions(labels, fit.weights[t], errors[t], float(fit.intercept[t]), float(fit.local[t]), r2[t], samples)
        for t in range(len(fit.weights))
    ]
    s = len(each[0].weights)
    notes = (
        (f"{draws} {what} for {s} segments are too few to tell errors or R2, or to trust the map: ask for more",) if few else ()
    )
    measured = {"intercept": fit.intercept, "local_prediction": fit.local, **({} if few else {"r2": fit.score})}
    return _drawn(labels, each, measured, notes)


def _drawn(labels: SegmentLabels, each: list[Regions], measured: Any = {}, notes: tuple[str, ...] = ()) -> Estimate:  # noqa: B006
    values, errors = (np.stack([getattr(regions, name)[labels] for regions in each]) for name in ("weights", "errors"))
    return Estimate(values, errors, each.__getitem__, {"segments": int(labels.max()) + 1, **measured}, notes)
