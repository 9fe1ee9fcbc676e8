"""The preprocessing that weights bring, as a person changes it: the one meaning of `prepare=` and of `--prepare`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from seewhy.errors import BadParameter

from .batch import preparer
from .facts import facts_of
from .fit import Fit
from .unscaled import Unscaled
from .volume_fit import VolumeFit, means_volumes

ALL = ("size", "crop", "mean", "std", "interpolation")  # the numbers that make a Fit of their own


def prepared_with(own: Any, given: Any) -> Any:
    """What the weights bring (`own`, None where that is nothing) with what a person gives.

    None leaves it as it is; a dict changes what it names, and nothing else; anything else takes its place.  Where the weights
    bring nothing, a dict is as `wrap` takes it.  Raises BadParameter for what the preprocessing has not, and where it is code,
    whose numbers cannot be changed one by one.
    """
    if given is None or not isinstance(given, Mapping) or own is None:
        return own if given is None else given
    if isinstance(own, Mapping):
        return {**own, **given}
    fit: Any = preparer(own)
    if means_volumes(given) and not isinstance(fit, VolumeFit):
        return given  # the network takes volumes, whatever its weights were trained on
    if hasattr(fit, "count") or "count" in given:
        from .clip_fit import ClipFit  # here, for clips are rare and, with the reader of TIFF's tags, take a while to import

        numbers = {key: value for key, value in given.items() if key != "count"}
        photo, count = (fit.fit, fit.count) if isinstance(fit, ClipFit) else (fit, None)
        return ClipFit(preparer(prepared_with(photo, numbers)), given.get("count", count))
    if isinstance(fit, Unscaled):
        return fit.said(given)
    if isinstance(fit, Fit | VolumeFit):
        return replace(fit, **_known(given, [*type(fit).__dataclass_fields__]))
    if not given or {*ALL} <= {*given}:
        return given or own
    said = facts_of(fit)
    raise BadParameter(
        f"These weights bring code to prepare photos, {said['code']}, whose numbers cannot be changed one by one. Say all of "
        f"{', '.join(ALL)}, or give a callable in its place."
    )


def _known(given: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """The settings, lists as tuples.  Raises BadParameter for others than these names."""
    if unknown := {*given} - {*names}:
        raise BadParameter(f"`prepare` has no {', '.join(sorted(map(str, unknown)))}. It takes: {', '.join(names)}.")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
