"""The image seen through the map: average drop, increase and gain, and how much of the image the map lets through."""

from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter
from seewhy.metrics.metric import metric
from seewhy.metrics.subject import Subject

from .removal import key_of


def mask_of(values: Floats, keep: float = 1.0) -> NDArray[np.float64] | None:
    """A map stretched to [0, 1], zero but for the share `keep` of its places with the highest values; None of a map that is the
    same everywhere, which masks nothing.
    """
    if not 0 < keep <= 1:
        raise BadParameter(f"keep={keep}: give the share of the places that stay, above 0 and up to 1.")
    low, span = values.min(), np.ptp(values)
    if span <= 1e-12 * np.abs(values).max():
        return None
    mask = (values - low) / span
    return mask if keep == 1 else np.where(mask >= np.quantile(mask, 1 - keep), mask, 0)


def _masked(subject: Subject, values: Floats, keep: float, fill: Any) -> float | None:
    """The probability of the explained class in the image as the map lets it through; None of a map that masks nothing."""
    mask = mask_of(values, keep)
    if mask is None:
        return None
    key = "masked", sha256(mask.tobytes()).hexdigest(), key_of(fill)
    base = subject.fill(fill)
    seen = (base + (subject.x - base) * mask).astype(subject.x.dtype)
    return float(subject.asked(1, lambda _: seen[None], key).probabilities[0])


@metric(better="lower", forwards="1, shared with average-increase and average-gain", share=True)
def average_drop(subject: Subject, values: Floats, *, keep: float = 1.0, fill: Any = "zero") -> float:
    """By which share of itself the probability falls when the image is seen through the map: max(0, p(x) - p(x * map)) / p(x),
    the map stretched to [0, 1].

    Source: Chattopadhay et al. 2018, Grad-CAM++, sec. 5.1.

    Weakness: a map that lets everything through wins, whatever it says: read it beside mask-size and against a random map.

    keep: the share of the places that stay, the highest; 0.5 as Score-CAM's authors mute the lower half.
    fill: what lies where the map is zero, in the network's own numbers "zero".
    """
    seen = _masked(subject, values, keep, fill)
    if seen is None or subject.probability <= 0:
        return np.nan
    return max(0.0, subject.probability - seen) / subject.probability


@metric(better="higher", forwards="1, shared with average-drop and average-gain", share=True)
def average_increase(subject: Subject, values: Floats, *, keep: float = 1.0, fill: Any = "zero") -> float:
    """1 where the probability rises when the image is seen through the map, else 0: p(x * map) > p(x).

    Source: Chattopadhay et al. 2018, Grad-CAM++, sec. 5.1 ("increase in confidence").

    Weakness: that of average-drop; and of images that the network is sure of it is never 1.

    keep: the share of the places that stay, the highest.
    fill: what lies where the map is zero.
    """
    seen = _masked(subject, values, keep, fill)
    return np.nan if seen is None else float(seen > subject.probability)


@metric(better="higher", forwards="1, shared with average-drop and average-increase", share=True)
def average_gain(subject: Subject, values: Floats, *, keep: float = 1.0, fill: Any = "zero") -> float:
    """Which share of what was missing to certainty the probability gains when the image is seen through the map:
    max(0, p(x * map) - p(x)) / (1 - p(x)); of scores that are no probabilities it is not defined.

    Source: Zhang et al. 2024, Opti-CAM, sec. 4.

    Weakness: that of average-drop; of images that the network is sure of it is a ratio of tiny numbers.

    keep: the share of the places that stay, the highest.
    fill: what lies where the map is zero.
    """
    seen = _masked(subject, values, keep, fill) if subject.reads == "probability" and subject.probability < 1 else None
    return np.nan if seen is None else max(0.0, seen - subject.probability) / (1 - subject.probability)


@metric(better="neither", forwards="none", share=True)
def mask_size(_subject: Subject, values: Floats, *, keep: float = 1.0) -> float:
    """How much of the image the map lets through: its mean, stretched to [0, 1].

    Source: what average-drop has to be read beside; see Poppi et al. 2021, Revisiting the evaluation of class activation
    mapping, who show that a constant map has no drop.

    Weakness: it says nothing of right or wrong.

    keep: the share of the places that stay, the highest.
    """
    mask = mask_of(values, keep)
    return np.nan if mask is None else float(mask.mean())
