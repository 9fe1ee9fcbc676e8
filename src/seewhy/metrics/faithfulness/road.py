"""ROAD: remove and debias. What is hidden is imputed, so that the shape of what was hidden tells the network nothing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter
from seewhy.metrics.metric import metric
from seewhy.metrics.subject import Subject

from .removal import LINEAR, hidden

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)


def _chances(subject: Subject, order: NDArray[np.intp], shares: Sequence[float]) -> NDArray[np.float64]:
    if not len(shares) or min(shares) <= 0 or max(shares) >= 1:
        raise BadParameter(f"shares={shares}: give shares of the image that are hidden, between 0 and 1.")
    counts = np.round(np.asarray(shares, np.float64) * len(order)).astype(np.intp)
    return hidden(subject, order, counts, LINEAR).probabilities


@metric(better="lower", forwards="one for each share", share=True)
def road_morf(subject: Subject, values: Floats, *, shares: Sequence[float] = SHARES) -> float:
    """The mean probability of the explained class over images whose most relevant places are imputed (MoRF): the mean over
    shares s of p(image, its highest s places imputed from their neighbours with a little noise).

    Source: Rong et al. 2022, A consistent and efficient evaluation strategy for attribution methods; there the accuracy of a
    set in place of the mean probability.

    Weakness: what is left of a large hole is smooth, and no photo is; textures that are repaired by interpolation count little.

    shares: of the image that are imputed, a forward each.
    """
    return float(_chances(subject, subject.order(values), shares).mean())


@metric(better="higher", forwards="one for each share", share=True)
def road_lerf(subject: Subject, values: Floats, *, shares: Sequence[float] = SHARES) -> float:
    """The mean probability of the explained class over images whose least relevant places are imputed (LeRF): as road-morf,
    from the lowest of the map on.

    Source: Rong et al. 2022, A consistent and efficient evaluation strategy for attribution methods.

    Weakness: that of road-morf; and of a map with wide zeros (after a ReLU) their order is drawn.

    shares: of the image that are imputed, a forward each.
    """
    return float(_chances(subject, subject.order(values)[::-1], shares).mean())


@metric(better="higher", forwards="two for each share")
def road(subject: Subject, values: Floats, *, shares: Sequence[float] = SHARES) -> float:
    """How much more of the probability stays without the least relevant places than without the most relevant ones: road-lerf
    minus road-morf, from -1 to 1; 0 at chance.

    Source: Rong et al. 2022, who ask that both orders agree; their difference, halved, is pytorch-grad-cam's ROADCombined.

    Weakness: that of both; a map that is right about half of the places cancels out.

    shares: of the image that are imputed, two forwards each, which road-morf and road-lerf share.
    """
    order = subject.order(values)
    return float((_chances(subject, order[::-1], shares) - _chances(subject, order, shares)).mean())
