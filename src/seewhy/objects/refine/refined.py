"""The ways to refine a mask, by name."""

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import NoSuchName, closest

REFINERS: dict[str, Callable[..., NDArray[Any]]] = {}


def refined(values: Floats, cut: float, seen: Sequence[slice], refine: Any, pixels: NDArray[Any] | None) -> NDArray[Any]:
    """A map's mask (*shape) of bool, refined by the image.

    values: at the size of the image; above `cut` they count as object; seen: the part that the network saw.
    refine: the name of one of `REFINERS`.
    pixels: (*shape, c); None where there is no image.
    """
    if refine not in REFINERS:
        raise NoSuchName("refinement", refine, closest(str(refine), [*REFINERS]), f"There are: {', '.join(REFINERS)}.")
    return REFINERS[refine](values, cut, seen, pixels)
