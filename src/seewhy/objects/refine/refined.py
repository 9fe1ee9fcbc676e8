"""The ways to refine a mask, by name, and their settings."""

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter, NoSuchName, NotApplicable, closest, whole_number
from seewhy.printable import quoted

from .crf_mask import crf
from .grabcut import grabcut
from .guided import guided
from .superpixels import superpixels
from .walker import random_walker

REFINERS: dict[str, Callable[..., NDArray[np.bool_]]] = {
    "guided": guided,
    "crf": crf,
    "superpixels": superpixels,
    "random-walker": random_walker,
    "grabcut": grabcut,
}
FLAT = ("grabcut",)  # those that take no volumes and clips
USUAL = "guided"
SHARES = ("radius", "sure", "xy")  # settings that are above 0 and at most 1,
WEIGHTS = ("weight", "smooth")  # that may be 0,
MANY = {"iterations": 100, "segments": 10_000}  # and that are whole numbers, from 1 to at most; the others are above 0


class Refinement(NamedTuple):
    """A way to refine masks with all its settings, checked."""

    name: str
    settings: dict[str, float]

    def __str__(self) -> str:
        told = ", ".join(f"{name} {value:.4g}" for name, value in self.settings.items())
        return f"{self.name} ({told})" if told else self.name

    def run(self, values: Floats, cut: float, seen: Sequence[slice], pixels: NDArray[Any] | None) -> NDArray[np.bool_]:
        """A map's mask (*shape), refined by the image: true only where the network saw it.

        values: at the size of the image; above `cut` they count as object; seen: the part that the network saw.
        pixels: (*shape, c); None where there is no image.
        Raises BadParameter, NotApplicable where this takes no image of that kind, MissingExtra.
        """
        if values.ndim == 1:
            raise NotApplicable("refine= brings masks to the edges in images, and a signal has none. Leave it out.")
        if pixels is None:
            raise BadParameter(
                f"refine={self.name!r} brings a mask to the edges in the image, and here is none: the network was given an "
                "array. Give the photo itself, or leave out refine=."
            )
        if pixels.shape[:-1] != values.shape:
            raise BadParameter(f"The image is {pixels.shape[:-1]}, the map {values.shape}: refine= takes both at one size.")
        if values.ndim > 2 and self.name in FLAT:
            others = ", ".join(name for name in REFINERS if name not in FLAT)
            raise NotApplicable(f"{self.name} refines masks of photos alone. On volumes and clips these do: {others}.")
        mask, part = np.zeros(values.shape, bool), tuple(seen)
        mask[part] = REFINERS[self.name](values[part], cut, pixels[part], **self.settings)
        return mask


def refinement(refine: Any) -> Refinement:
    """What `refine=` says: a name of `REFINERS`, (name, {setting: value}), or True, the guided filter.

    Raises NoSuchName, BadParameter.
    """
    name, given = refine if isinstance(refine, tuple | list) and len(refine) == 2 else (refine, {})
    name = USUAL if name is True else name.replace("_", "-") if isinstance(name, str) else name
    if not isinstance(name, str) or name not in REFINERS:
        near = closest(str(name), [*REFINERS])
        raise NoSuchName(
            "refinement", refine, near, f"There are: {', '.join(REFINERS)}, each also as (name, {{setting: value}})."
        )
    usual = {
        each.name: each.default for each in signature(REFINERS[name]).parameters.values() if each.kind == each.KEYWORD_ONLY
    }
    if not isinstance(given, Mapping) or set(given) - set(usual):
        raise BadParameter(
            f"{name} takes the settings {', '.join(usual)}, as in refine=({name!r}, {usual}), not {quoted(given)}."
        )
    return Refinement(name, {key: _checked(name, key, given.get(key, value)) for key, value in usual.items()})


def _checked(name: str, key: str, value: Any) -> float:
    if key in MANY:
        return whole_number(value, f"{key} of {name}", 1, MANY[key])
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool) and np.isfinite(value)
    if not number or not (value > 0 or (key in WEIGHTS and value == 0)) or (key in SHARES and value > 1):
        span = "a share above 0, at most 1" if key in SHARES else "a number from 0 on" if key in WEIGHTS else "a number above 0"
        raise BadParameter(f"{key} of {name} is {span}, not {quoted(value)}.")
    return float(value)
