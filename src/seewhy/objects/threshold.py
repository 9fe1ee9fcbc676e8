"""The value above which a map counts as object."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from seewhy.arrays import Floats
from seewhy.errors import BadParameter, NoSuchName, closest
from seewhy.printable import quoted

from .scikit import skimage


class Preset(NamedTuple):
    """How a paper makes boxes of its maps."""

    threshold: float
    source: str


PRESETS = {
    "cam": Preset(0.2, "Zhou et al. 2016, section 3.2: above 20 % of the maximum, the largest region"),
    "grad-cam": Preset(0.15, "Selvaraju et al. 2017, section 4.1: above 15 % of the maximum, the largest region"),
}
USUAL = {"max": 0.15, "quantile": 0.85, "otsu": None}


def cut_of(values: Floats, threshold: float | None = None, of: str = "max", preset: str | None = None) -> float:
    """The value above which the values count as object; infinite where none does.

    values: of what the network saw; those that are not positive are no evidence and never count.  Where the greatest is not
        finite, or all are the same, none counts.
    threshold: a share of the greatest value (of="max", by default 0.15), or the share of values that lie below
        (of="quantile", by default 0.85); Otsu's threshold (of="otsu") is found from the positive values, and takes none.
    preset: one of `PRESETS`, in place of both.
    """
    threshold = checked_threshold(threshold, of, preset)
    greatest = float(values.max(initial=0))
    if not 0 < greatest < np.inf or greatest == float(values.min()):  # NaN, too
        return float("inf")
    return max(_WAYS[of](values, greatest, threshold), 0.0)


def cut_words(threshold: float | None = None, of: str = "max", preset: str | None = None) -> str:
    """The threshold in words: "above 15 % of the maximum"."""
    share = checked_threshold(threshold, of, preset)
    return {
        "max": f"above {100 * share:.3g} % of the maximum",
        "quantile": f"above {100 * share:.3g} % of the values",
        "otsu": "above Otsu's threshold",
    }[of]


def checked_threshold(threshold: float | None, of: str, preset: str | None) -> float:
    """The threshold as a number.  Raises NoSuchName, BadParameter."""
    if not isinstance(of, str) or of not in USUAL:
        raise NoSuchName("kind of threshold", of, closest(str(of), [*USUAL]), f"There are: {', '.join(USUAL)}.")
    if preset is not None:
        name = str(preset).replace("_", "-")
        if name not in PRESETS:
            raise NoSuchName("preset", preset, closest(name, [*PRESETS]), f"There are: {', '.join(PRESETS)}.")
        if threshold is not None or of != "max":
            raise BadParameter(
                f"preset={name!r} says the threshold: {100 * PRESETS[name].threshold:g} % of the maximum. "
                "Leave out threshold= and of=."
            )
        return PRESETS[name].threshold
    usual = USUAL[of]
    if usual is None:
        if threshold is not None:
            raise BadParameter(f'of="otsu" finds the threshold by itself. Leave out threshold={threshold!r}.')
        return 0.0
    return share(threshold, "threshold", usual)


def share(value: Any, name: str, usual: float) -> float:
    """A number from 0 to below 1.  Raises BadParameter for anything else."""
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= float(value) < 1:
        raise BadParameter(f"{name}={quoted(value)} is no share: give a number from 0 to below 1, as 0.15 for 15 %.")
    return float(value)


def _of_max(values: Floats, greatest: float, threshold: float) -> float:
    return threshold * greatest


def _of_quantile(values: Floats, greatest: float, threshold: float) -> float:
    return float(np.quantile(values, threshold))


def _otsu(values: Floats, greatest: float, threshold: float) -> float:
    positive = values[values > 0]
    return float(skimage("filters").threshold_otsu(positive)) if positive.min() < positive.max() else 0.0


_WAYS: dict[str, Callable[[Floats, float, float], float]] = {"max": _of_max, "quantile": _of_quantile, "otsu": _otsu}
