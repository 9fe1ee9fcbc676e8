"""What a hidden pixel becomes, and where integrated gradients begin: colours by name, grey levels, arrays, other images."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from seewhy.arrays import Floats, numbers
from seewhy.errors import BadParameter, closest
from seewhy.explaining.case import Case
from seewhy.images.inputs import Images
from seewhy.images.resample import blurred
from seewhy.printable import quoted

Fill = str | float | Sequence[float] | Images  # a colour by name, numbers as the network takes them, or any image


def baseline(case: Case, choice: Any, what: str) -> Floats:
    """The baseline as (n, c, *space), or (1, c, *space) if it is the same for all images; of the precision of the images.

    choice: a name of COLOURS, a number, one for each channel or an array of them, as the network takes them, or any image.
    Raises BadParameter, beginning with `what` ("integrated-gradients: the baseline"), where it is none of these.
    """
    values = _values(case, choice, what)
    with np.errstate(over="ignore"):  # beyond the precision of the images: infinity, which is refused
        return _finite(values.astype(_precision(case.images), copy=False), what)


def _precision(x: Floats) -> Any:
    return x.dtype if x.dtype.kind == "f" else np.float64


def _values(case: Case, choice: Any, what: str) -> Floats:
    x = case.images
    if isinstance(choice, str):
        return COLOURS[choice](x, case, what) if choice in COLOURS else _picture(case, _no_number(choice, what), what)
    array = _as_numbers(choice, case, what)
    if array is None:
        return _picture(case, choice, what)
    if array.ndim == 0 or (array.shape == x.shape[1:2] and array.shape != x.shape[1:]):
        return np.broadcast_to(array.reshape(1, -1, *[1] * (x.ndim - 2)), (1, *x.shape[1:]))
    array = array[None] if array.ndim == x.ndim - 1 else array
    if array.shape[1:] == x.shape[1:] and len(array) in (1, len(x)):
        return array
    raise BadParameter(f"{what} is {np.shape(choice)}, the prepared images are {x.shape}.")


def _as_numbers(choice: Any, case: Case, what: str) -> Floats | None:
    """Numbers as the network takes them, whole or not; None of what may be a picture.  Raises BadParameter of truth values."""
    listed = isinstance(choice, list | tuple)
    each = choice if listed else [choice]
    if any(isinstance(n, bool | np.bool_) for n in each) or "bool" in str(getattr(choice, "dtype", "")):
        raise BadParameter(f"{what} is {quoted(choice)}: a truth value is no colour. Give a number, such as 0 or 1.")
    if not listed and not isinstance(choice, int | float | np.number) and not hasattr(choice, "dtype"):
        return None
    if listed and not all(isinstance(n, int | float | np.number) or (np.ndim(n) == 0 and hasattr(n, "dtype")) for n in choice):
        return None
    array = np.asarray([numbers(n) for n in choice]) if listed else numbers(choice)
    if array.dtype.kind not in "fiu":
        return None
    channels = case.images.shape[1]
    if listed and len(array) != channels:
        raise BadParameter(f"{what} is {len(array)} numbers, one for each channel, and the images have {channels}.")
    photo = array.dtype == np.uint8 and array.ndim in (2, 3) and case.model.prepare is not None
    whole_batch = array.ndim < 2 or array.dtype.kind == "f" or array.shape[-case.images.ndim + 1 :] == case.images.shape[1:]
    return array if whole_batch and not photo else None


def _no_number(text: str, what: str) -> str:
    """The text; BadParameter where it is a number, of which nobody can know whether it is meant as one."""
    try:
        number = float(text)
    except ValueError:
        return text
    if Path(text).exists():
        return text
    raise BadParameter(f"{what} is the text {quoted(text)}. Give the number itself: {number:g}.")


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
        raise BadParameter(f"{what}, {quoted(choice)}: {error} {names}") from None
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
