"""Tensors of a graph to maps (n, c, *space) and back, and how many images go through a graph at once."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadNetwork

from .views import TensorView

ArraysByName = dict[str, NDArray[Any]]


class RowBatches:
    """How many rows go through a graph at once: any number, unless it states one or refuses a batch of several."""

    def __init__(self, fixed: int | None, name: str) -> None:
        self.fixed, self.name = fixed, name

    def run(self, rows: NDArray[Any], at_once: Callable[[NDArray[Any]], ArraysByName]) -> ArraysByName:
        """What `at_once` gives for all rows, joined; it raises ValueError or BadNetwork where it cannot take as many."""
        if self.fixed is None:
            try:
                return at_once(rows)
            except (BadNetwork, ValueError):
                if len(rows) > 1:
                    at_once(rows[:1])  # where a single one fails, too, that is said
            self.fixed = 1
        parts = []
        for start in range(0, len(rows), self.fixed):
            part = rows[start : start + self.fixed]
            filled = np.concatenate([part, np.repeat(part[-1:], self.fixed - len(part), 0)])
            try:
                parts.append({name: array[: len(part)] for name, array in at_once(filled).items()})
            except ValueError:
                raise BadNetwork(f"{self.name} takes {self.fixed} images at once, and does not give as many answers.") from None
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def rows_of(array: NDArray[Any], n: int) -> NDArray[Any]:
    """A tensor with a row for each of n images; ValueError where it has none."""
    if array.ndim and len(array) == n:
        return as_floats(array)
    if n == 1:
        return as_floats(array)[None]
    raise ValueError(f"{array.shape} is not of {n} images")


def maps_of(array: NDArray[Any], view: TensorView, n: int) -> NDArray[Any]:
    """A tensor that lies so as maps (n, c, *space); ValueError where it is not one of n images."""
    lead, order, rest = _dimensions(view)
    turned = array.transpose(*lead, *order, *rest)
    if (turned.shape[0] if lead else 1) != n:
        raise ValueError(f"{array.shape} is not of {n} images")
    return as_floats(turned.reshape(n, *turned.shape[len(lead) : len(lead) + len(order)]))


def tensor_of(maps: NDArray[Any], view: TensorView, dtype: Any) -> NDArray[Any]:
    """Maps (n, c, *space) as the tensor that lies so; ValueError where it has no room for several images."""
    lead, order, rest = _dimensions(view)
    if not lead and len(maps) > 1:
        raise ValueError(f"{view.shape} is of one image")
    wide = maps.reshape(*maps.shape[1 - len(lead) :], *[1] * len(rest))
    return np.ascontiguousarray(wide.transpose(np.argsort([*lead, *order, *rest])), dtype)


def _dimensions(view: TensorView) -> tuple[list[int], tuple[int, ...], list[int]]:
    """The dimension of images, if there is one; those of channels and space; all others, which hold one entry each."""
    order, images = view.order(), view.images()
    assert order is not None, "a layer holds channels and space"
    others = [k for k in range(len(view.dims)) if k not in order]
    lead = others if len(others) == 1 else [] if images is None else [images]  # the only other one is that of images
    return lead, order, [k for k in others if k not in lead]


def as_floats(array: NDArray[Any]) -> NDArray[Any]:
    """Halves as floats; anything else as it is."""
    return array.astype(np.float32) if array.dtype == np.float16 else array


def repeated(arrays: Mapping[str, NDArray[Any]], n: int) -> ArraysByName:
    """Tensors of one image, for each of n."""
    return {name: np.repeat(array, n, 0) if array.ndim and len(array) == 1 < n else array for name, array in arrays.items()}
