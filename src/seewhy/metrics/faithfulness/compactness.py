"""What is asked of a map without asking the network, or with one question: completeness, complexity, sparseness."""

from typing import Any

import numpy as np

from seewhy.arrays import Floats
from seewhy.metrics.metric import metric
from seewhy.metrics.subject import Subject

from .removal import all_hidden


@metric(better="lower", forwards="1", takes="shares")
def completeness(subject: Subject, values: Floats, *, fill: Any = "zero") -> float:
    """How far the sum of the map lies from what it should explain, as a share of that:
    |sum a - (f(x) - f(x0))| / |f(x) - f(x0)|, x0 the image that is all fill.

    Source: Sundararajan et al. 2017, Axiomatic attribution for deep networks, sec. 3; Bach et al. 2015 (conservation).

    Weakness: a sum says nothing of where; most maps (CAM, gradients) make no such promise, and those that do promise it for
    their own baseline, which `fill` has to be.  NaN where the score is the same without the image.

    fill: the baseline: "zero", "black", "blur", a number, all that methods take as `fill`.
    """
    fell = subject.score - float(all_hidden(subject, fill).scores[0])
    return np.nan if fell == 0 else abs(float(values.sum()) - fell) / abs(fell)


@metric(better="lower", forwards="none")
def complexity(_subject: Subject, values: Floats) -> float:
    """The entropy of the map's absolute values as shares of their sum: -sum q ln q, q = |a| / sum |a|; from 0 (one place) to
    ln(places) (all alike).

    Source: Bhatt, Weller & Moura 2020, Evaluating and aggregating feature-based model explanations, def. 4.

    Weakness: a map that marks one wrong pixel is best; it depends on the size of the grid.
    """
    size = np.abs(values).reshape(-1)
    if not size.any():
        return np.nan
    shares = size[size > 0] / size.sum()
    return float(abs((shares * np.log(shares)).sum()))


@metric(better="higher", forwards="none", share=True)
def sparseness(_subject: Subject, values: Floats) -> float:
    """The Gini index of the map's absolute values: sum_k (2k - n - 1) v_k / (n sum v), v_1 <= ... <= v_n; from 0 (all alike) to
    1 - 1/n (one place).

    Source: Chalasani et al. 2020, Concise explanations of neural networks using adversarial training, sec. 4.

    Weakness: a map that marks one wrong pixel is best.
    """
    size = np.sort(np.abs(values).reshape(-1))
    n = len(size)
    return float(((2 * np.arange(1, n + 1) - n - 1) * size).sum() / (n * size.sum())) if size.any() else np.nan
