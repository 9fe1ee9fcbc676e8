"""Pixels in the order of the map, hidden or shown step by step: deletion, insertion, pixel flipping, monotonicity."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.metrics.metric import metric
from seewhy.metrics.subject import Subject

from .removal import hidden, steps_of

STEPS = 28  # of a curve


def area(shares: Floats, values: Floats) -> float:
    """The area under values over shares that rise from 0 to 1, by trapezoids."""
    return float(((values[1:] + values[:-1]) / 2 * np.diff(shares)).sum())


def deletion_curve(
    subject: Subject, values: Floats, steps: int = STEPS, fill: Any = "zero"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of the places that are hidden, the highest of the map first, and the probability with these hidden."""
    places = int(np.prod(subject.space))
    counts = steps_of(places, steps)
    return counts / places, hidden(subject, subject.order(values), counts, fill).probabilities


def insertion_curve(
    subject: Subject, values: Floats, steps: int = STEPS, fill: Any = "blur"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of the places that are shown, the highest of the map first, and the probability with these alone shown."""
    places = int(np.prod(subject.space))
    counts = steps_of(places, steps)
    return counts / places, hidden(subject, subject.order(values)[::-1], places - counts, fill).probabilities


@metric(better="lower", forwards="{steps}", share=True)
def deletion(subject: Subject, values: Floats, *, steps: int = STEPS, fill: Any = "zero") -> float:
    """The area under the probability of the explained class while the places of the image are hidden, the highest of the map
    first: int_0^1 p(image without its first s places) ds, by trapezoids.

    Source: Petsiuk et al. 2018, RISE, sec. 4.1.

    Weakness: hidden images are like none that the network was trained on, and what hides decides who wins: look at two fills.
    Fine maps win, for scattered dots upset a network beyond what they show.

    steps: of the curve, each of one forward.
    fill: what hides: "zero" (in the network's own numbers), "blur", "mean", "noise", "linear" (noisy linear imputation), or
        all that methods take as `fill`.
    """
    return area(*deletion_curve(subject, values, steps, fill))


@metric(better="higher", forwards="{steps}", share=True)
def insertion(subject: Subject, values: Floats, *, steps: int = STEPS, fill: Any = "blur") -> float:
    """The area under the probability of the explained class while the places of the image are shown, the highest of the map
    first: int_0^1 p(image with its first s places alone) ds, by trapezoids.

    Source: Petsiuk et al. 2018, RISE, sec. 4.1.

    Weakness: coarse maps win, as whole objects are shown early. Photographers put objects into the middle, so that a bell over
    the middle does well: compare with that, and with chance.

    steps: of the curve, each of one forward.
    fill: what lies where nothing is shown yet: "blur", "zero", "mean", "noise", "linear", or all that methods take as `fill`.
    """
    return area(*insertion_curve(subject, values, steps, fill))


@metric(better="higher", forwards="{steps}", share=True)
def pixel_flipping(subject: Subject, values: Floats, *, steps: int = STEPS, fill: Any = "zero") -> float:
    """The mean drop of the probability over the steps of flipping the map's highest places (AOPC of single places):
    1/(L + 1) sum_k (p(x) - p(x_k)) over k = 0 ... L.

    Source: Bach et al. 2015, On pixel-wise explanations by layer-wise relevance propagation, sec. Evaluating heatmaps; the mean
    as in Samek et al. 2017.

    Weakness: that of deletion, of which it is the mirror image: with the same steps and fill both come from the same passes.

    steps: as many flips of equally many places, until all are flipped.
    fill: what a place is flipped to, as for deletion.
    """
    _, chances = deletion_curve(subject, values, steps, fill)
    return float((subject.probability - chances).mean())


@metric(better="higher", forwards="{steps}", share=True)
def monotonicity(subject: Subject, values: Floats, *, steps: int = STEPS, fill: Any = "zero") -> float:
    """The share of steps at which the probability does not fall while the places are shown, the lowest of the map first.

    Source: Arya et al. 2019, One explanation does not fit all, sec. 5: there it is true where this is 1, else false.

    Weakness: the size of a fall is of no account, so near the end of a saturated network rounding decides.

    steps: of the curve, each of one forward.
    fill: what lies where nothing is shown yet, as for insertion.
    """
    places = int(np.prod(subject.space))
    chances = hidden(subject, subject.order(values), places - steps_of(places, steps), fill).probabilities
    return float((np.diff(chances) >= 0).mean())
