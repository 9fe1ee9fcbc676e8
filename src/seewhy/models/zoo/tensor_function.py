"""A graph of another framework that takes one tensor of images, as a function from images to scores."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadNetwork, BadParameter
from seewhy.models.hazard import KnownFunction
from seewhy.printable import quoted

from .input_shape import InputShape, portions

MOST = 32  # images in one run, where it takes any number
CHOICES = {"takes": ("uint8", "float"), "layout": ("nchw", "nhwc")}  # options of every such graph


class TensorFunction(KnownFunction):
    """Images to scores (n, k), by a graph that `run` runs.

    takes: "uint8": photos (n, h, w, 3); "float": prepared images (n, c, h, w).
    """

    def __init__(self, name: str, shape: InputShape, takes: str) -> None:
        self.name, self.shape, self.takes = name, shape, takes

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """What the graph gives for a tensor of images that lie as its input has them, by their numbers."""
        raise NotImplementedError

    def __call__(self, images: NDArray[Any]) -> NDArray[np.float64]:
        takes = "uint8" if images.dtype == np.uint8 else "float"
        if takes != self.takes:
            raise BadParameter(f"{self.name} is given {self.takes}: options={{'takes': {takes!r}}} changes it.")
        parts = portions(self.shape.arranged(images), MOST, self.shape.batch)
        return np.concatenate([self._rows(self.run(x if self.shape.batched else x[0]), len(x))[:count] for x, count in parts])

    def _rows(self, output: NDArray[Any], images: int) -> NDArray[np.float64]:
        """The output as (n, k); BadNetwork where it is no such table, but for sides of one behind it."""
        y = np.asarray(output, np.float64)
        y = y if self.shape.batched or y.shape[:1] == (1,) else y[None]
        if y.ndim < 1 or len(y) != images or (y.ndim > 2 and prod(y.shape[2:]) != 1):
            raise BadNetwork(f"{self.name} gives {tuple(y.shape)} for {images} images; scores are ({images}, k).")
        return y.reshape(images, -1)


def checked(options: Mapping[str, Any], name: str, known: Mapping[str, Sequence[str] | None] = CHOICES) -> None:
    """BadParameter for options that such a graph does not have; known: the values that each takes, None for a text."""
    for key, value in options.items():
        if key not in known:
            raise BadParameter(f"{name} has no option {quoted(key)}. It takes: {', '.join(known)}.")
        choices = known[key]
        if not isinstance(value, str) or (choices is not None and value not in choices):
            raise BadParameter(f"{key}={quoted(value)}: it is {'a text' if choices is None else ' or '.join(choices)}.")


def one_of(names: Sequence[str], wanted: Any, what: str, name: str, how: str) -> int:
    """The place of the tensor of that name or place, or of the only one; BadParameter where that leaves none, or several."""
    if wanted is None and len(names) == 1:
        return 0
    if isinstance(wanted, int) and not isinstance(wanted, bool) and 0 <= wanted < len(names):
        return wanted
    if isinstance(wanted, str) and wanted in names:
        return names.index(wanted)
    said = f"no {what} {quoted(wanted)}" if wanted is not None else f"{len(names)} {what}s"
    raise BadParameter(f"{name} has {said}; there are {', '.join(map(quoted, names[:20])) or 'none'}: say which, {how}.")
