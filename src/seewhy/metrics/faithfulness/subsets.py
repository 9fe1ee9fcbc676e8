"""Subsets of the places, hidden together: does the score fall by what the map says that they add?"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter
from seewhy.metrics.metric import metric
from seewhy.metrics.subject import Subject

from .correlation import pearson
from .removal import key_of


class SubsetFalls(NamedTuple):
    """What became of the score when subsets of the places were hidden, and what the map says of each."""

    said: NDArray[np.float64]  # (m,) the sum of the map over the subset
    fell: NDArray[np.float64]  # (m,) by how much the score fell


def falls(
    subject: Subject, values: Floats, draws: int, mask: Callable[[int], NDArray[np.bool_]], fill: Any, key: tuple[Any, ...]
) -> SubsetFalls:
    """mask: subset i of `draws` as (*space), the same whenever it is asked for; key: what tells these subsets from others."""
    if draws < 2:
        raise BadParameter(f"draws={draws}: give at least 2 subsets, as their falls are compared.")
    base = subject.fill(fill)

    def make(of: range) -> Floats:
        return np.stack([np.where(mask(i), base, subject.x) for i in of])

    scores = subject.asked(draws, make, (*key, draws, key_of(fill))).scores
    said = np.array([values[mask(i)].sum(dtype=np.float64) for i in range(draws)])
    return SubsetFalls(said, subject.score - scores)


def scattered(subject: Subject, share: float) -> Callable[[int], NDArray[np.bool_]]:
    """Subsets of that share of the places, each drawn anew."""
    places = int(np.prod(subject.space))
    size = round(share * places)
    if not 0 < size < places:
        raise BadParameter(f"A subset of the share {share} of {places} places has {size}: give a share between 0 and 1.")

    def mask(i: int) -> NDArray[np.bool_]:
        drawn = np.zeros(places, np.bool_)
        drawn[subject.rng(f"subset {share} {i}").permutation(places)[:size]] = True
        return drawn.reshape(subject.space)

    return mask


def boxes(subject: Subject, side: float) -> Callable[[int], NDArray[np.bool_]]:
    """Boxes with that share of each side of the image, each at a place drawn anew."""
    sides = [max(1, round(side * length)) for length in subject.space]
    if not 0 < side < 1 or any(one >= whole for one, whole in zip(sides, subject.space, strict=True)):
        raise BadParameter(f"side={side}: give a share of the image's sides between 0 and 1.")

    def mask(i: int) -> NDArray[np.bool_]:
        rng, drawn = subject.rng(f"box {side} {i}"), np.zeros(subject.space, np.bool_)
        at = [int(rng.integers(0, whole - one + 1)) for one, whole in zip(sides, subject.space, strict=True)]
        drawn[tuple(slice(a, a + one) for a, one in zip(at, sides, strict=True))] = True
        return drawn

    return mask


@metric(better="higher", forwards="{draws}", takes="shares")
def faithfulness_correlation(
    subject: Subject, values: Floats, *, share: float = 0.1, draws: int = 100, fill: Any = "zero"
) -> float:
    """The correlation, over random subsets of the places, of the sum of the map there and of how far the score falls when they
    are hidden together: corr_S(sum_S a, f(x) - f(x without S)).

    Source: Bhatt, Weller & Moura 2020, Evaluating and aggregating feature-based model explanations, def. 3.

    Weakness: subsets of scattered pixels are much alike, so that it is small and noisy for any map; NaN of a map or a score
    that does not vary.

    share: of the places that a subset has.
    draws: subsets.
    fill: what hides them, as for deletion (not "linear").
    """
    return pearson(*falls(subject, values, draws, scattered(subject, share), fill, ("scattered", share)))


@metric(better="higher", forwards="{draws} for each share", takes="shares")
def sensitivity_n(
    subject: Subject, values: Floats, *, shares: Sequence[float] = (0.05, 0.1, 0.2, 0.4, 0.8), draws: int = 50,
    fill: Any = "zero",
) -> float:  # fmt: skip
    """The mean, over sizes n of subsets, of the correlation of the sum of the map over random subsets of n places and of how
    far the score falls when they are hidden: mean_n corr_S(sum_S a, f(x) - f(x without S)), |S| = n.  1 of a linear network
    and its own coefficients.

    Source: Ancona et al. 2018, Towards better understanding of gradient-based attribution methods, sec. 3.3.

    Weakness: that of faithfulness-correlation, which is this at one size.

    shares: of the places that subsets have: the sizes n.
    draws: subsets of each size.
    fill: what hides them, as for deletion (not "linear").
    """
    if not len(shares):
        raise BadParameter("shares=(): give the sizes of subsets, as shares of the places.")
    each = [pearson(*falls(subject, values, draws, scattered(subject, share), fill, ("scattered", share))) for share in shares]
    return float(np.mean(each))


@metric(better="lower", forwards="{draws}", takes="shares")
def infidelity(
    subject: Subject, values: Floats, *, side: float = 0.25, draws: int = 60, fill: Any = "zero", scale: bool = True
) -> float:
    """How far what the map says of hidden boxes lies from how far the score falls: mean_I (b I.a - (f(x) - f(x without I)))^2
    over boxes I, and b = sum (I.a)(f(x) - f(x without I)) / sum (I.a)^2.

    In squared units of the score; what a map of zeros gives is the mean square of the falls themselves.

    Source: Yeh et al. 2019, On the (in)fidelity and sensitivity of explanations, def. 2.1, with the squares of sec. 2.2; b as
    in captum's infidelity(normalize=True).

    Weakness: large for images whose score moves much, so compare maps of one image alone; the size of the box decides which
    maps fit.

    side: of the boxes, as a share of the image's.
    draws: boxes.
    fill: what hides them, as for deletion (not "linear").
    scale: b is fitted, as suits maps without a unit (CAM); False: b = 1, as suits those whose sum is the score's.
    """
    said, fell = falls(subject, values, draws, boxes(subject, side), fill, ("boxes", side))
    size = float((said * said).sum())
    b = (float((said * fell).sum()) / size if size else 0.0) if scale else 1.0
    return float(((b * said - fell) ** 2).mean())
