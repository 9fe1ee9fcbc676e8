"""What a hidden pixel becomes, and where integrated gradients begin: colours by name, grey levels, arrays, other images."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from seewhy.arrays import Floats, numbers
from seewhy.errors import BadParameter, closest
from seewhy.explaining.case import Case
from seewhy.images.inputs import Images
from seewhy.images.resample import blurred

Fill = str | float | Sequence[float] | Images  # a colour by name, numbers as the network takes them, or any image


def baseline(case: Case, choice: Any, what: str) -> Floats:
    """The baseline as (n, c, *space), or (1, c, *space) if it is the same for all images.

    choice: a name of COLOURS, a number, one for each channel or a float array, as the network takes them, or any image.
    Raises BadParameter, beginning with `what` ("integrated-gradients: the baseline"), where it is none of these.
    """
    x = case.images
    if isinstance(choice, str) and choice in COLOURS:
        return COLOURS[choice](x, case, what)
    if isinstance(choice, int | float | np.number) and not isinstance(choice, bool):
        return _finite(np.full((1, *x.shape[1:]), float(choice)), what)
    if (
        isinstance(choice, list | tuple)
        and len(choice) == x.shape[1]
        and all(isinstance(n, int | float | np.number) for n in choice)
    ):
        colour = np.reshape(np.asarray(choice, float), (1, -1, *[1] * (x.ndim - 2)))
        return _finite(np.broadcast_to(colour, (1, *x.shape[1:])), what)
    if "float" in str(getattr(choice, "dtype", "")):
        array = numbers(choice)
        array = array[None] if array.ndim == x.ndim - 1 else array
        if array.shape[1:] == x.shape[1:] and len(array) in (1, len(x)):
            return _finite(array, what)
        raise BadParameter(f"{what} is {array.shape}, the prepared images are {x.shape}.")
    return _picture(case, choice, what)


def _finite(values: Floats, what: str) -> Floats:
    if not np.isfinite(values).all():
        raise BadParameter(f"{what} holds NaN or infinity.")
    return values


def _picture(case: Case, choice: Any, what: str) -> Floats:
    """Any image, prepared in the same way as the explained images."""
    try:
        (batch,) = case.model.batches(choice)
    except ValueError as error:
        near = ", ".join(closest(str(choice), [*COLOURS])) if isinstance(choice, str) else ""
        names = (f"Closest: {near}. " if near else "") + f"Known by name are {', '.join(COLOURS)}."
        raise BadParameter(f"{what}, {choice!r}: {error} {names}") from None
    if batch.x.shape[1:] != case.images.shape[1:] or len(batch.x) > 1:
        raise BadParameter(
            f"{what} becomes {tuple(batch.x.shape)}, the images are {case.images.shape}: give one image, of their proportions."
        )
    return np.asarray(batch.x)


def _grey(x: Floats, case: Case, what: str, level: int) -> Floats:
    colour = case.model.colour(level)
    if colour is None or len(colour) != x.shape[1]:
        why = "it takes volumes" if x.ndim == 5 else "it was wrapped without `prepare`"
        raise BadParameter(
            f"{what}: what is {'white' if level else 'black'} to {case.model.name} is unknown: {why}. "
            'Give a number or a prepared array, or "zero" or "mean".'
        )
    return np.broadcast_to(colour.reshape(1, -1, *[1] * (x.ndim - 2)), (1, *x.shape[1:]))


def _own_mean(x: Floats, _case: Case, _what: str) -> Floats:
    return np.broadcast_to(x.mean(tuple(range(2, x.ndim)), keepdims=True), x.shape)


def _blurred(x: Floats, _case: Case, _what: str) -> Floats:
    return blurred(x, 0.1)


COLOURS: Mapping[str, Any] = {
    "zero": lambda x, _case, _what: np.zeros((1, *x.shape[1:])),
    "black": partial(_grey, level=0),
    "white": partial(_grey, level=255),
    "mean": _own_mean,
    "blurred": _blurred,
    "blur": _blurred,
}
