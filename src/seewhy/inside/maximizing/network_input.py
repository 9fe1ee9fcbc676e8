"""From an image with values between 0 and 1 to what a network takes: its sides, its channels, its range of values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import BadParameter, NotApplicable
from seewhy.prepare.callable_fit import CallableFit
from seewhy.prepare.fit import Fit
from seewhy.printable import quoted

from .colours import Pullback

SIDE = 224  # pixels of an image, where the model takes any
LEVELS = {"black": (0, 0, 0), "red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
CHECKED = ((51, 153, 204), (255, 255, 255))  # colours whose place is known from the four above
SLACK = 0.01  # of the range that a preparation may bend these by: it rounds to 255 levels
LARGEST = 2**24  # values of an image


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """How an image (c, *space) in [0, 1] becomes the network's input: matrix @ image + offset, at every place."""

    channels: int  # of the image
    space: tuple[int, ...]
    matrix: NDArray[np.float64]  # (network's channels, c)
    offset: NDArray[np.float64]  # (network's channels,)
    photos: bool  # red, green and blue, of 256 levels

    def of(self, image: NDArray[Any]) -> tuple[NDArray[Any], Pullback]:
        """The network's input (n, channels, *space) for images (n, c, *space), and its pullback."""
        matrix = self.matrix.astype(image.dtype)
        offset = self.offset.astype(image.dtype).reshape(-1, *[1] * len(self.space))
        return _mixed(matrix, image) + offset, lambda g: _mixed(matrix.T, g).astype(image.dtype, copy=False)

    def image(self, x: NDArray[Any]) -> NDArray[Any]:
        """The images that inputs (n, channels, *space) were made of, as far as the network sees it, in [0, 1]."""
        offset = self.offset.reshape(-1, *[1] * len(self.space))
        return _mixed(np.linalg.pinv(self.matrix), x - offset).clip(0, 1)


def _mixed(matrix: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    return np.einsum("oc,nc...->no...", matrix, x, optimize=True)


def network_input(model: Any, size: Any = None, values: Any = None) -> NetworkInput:
    """What images for a model look like.

    size: of photos a side or (h, w), by default that of the photos which the model prepares; with `values` all of (c, *space).
    values: the lowest and the highest value that the network's input takes, each a number or one for each channel: for models
        of which no preparation of photos tells it.
    Raises BadParameter or NotApplicable, with advice, where the range of values is not known.
    """
    if values is not None:
        return _in_range(size, values)
    prepare = model.prepare
    if not isinstance(prepare, Fit | CallableFit):
        what = "takes prepared numbers" if prepare is None else f"prepares its input by {type(prepare).__name__}"
        raise NotApplicable(
            f"{model.name} {what}, so the range of values that an image may take is not known. Say how it prepares photos, "
            "wrap(network, prepare={'size': 256, 'crop': 224, 'mean': (...), 'std': (...)}), or the range and the shape of its "
            "input: values=(-1, 1), size=(3, 224, 224)."
        )
    sides = _sides(size)
    colours = {name: _solid(prepare, colour) for name, colour in LEVELS.items()}
    flat = {name: x.mean((1, 2), dtype=np.float64) for name, x in colours.items()}
    offset = flat["black"]
    matrix = np.stack([flat[name] - offset for name in ("red", "green", "blue")], 1)
    slack = SLACK * max(abs(matrix).max(), np.finfo(float).tiny)
    for colour in CHECKED:
        x = _solid(prepare, colour)
        expected = (matrix @ (np.array(colour) / 255) + offset)[:, None, None]
        if not abs(x - expected).max() <= slack:
            raise NotApplicable(
                f"The preparation of {model.name} makes of one colour something else than a fixed mixture of it (it may "
                "stretch contrast), so no image can be made through it. Give the range and the shape of the network's input: "
                "values=(-1, 1), size=(3, 224, 224)."
            )
    fixed = isinstance(prepare, CallableFit) or prepare.size is not None or prepare.crop is not None
    usual = tuple(colours["black"].shape[1:]) if fixed else (SIDE, SIDE)
    return NetworkInput(3, sides or usual, matrix, offset, photos=True)


def _solid(prepare: Any, colour: tuple[int, int, int]) -> NDArray[Any]:
    photo = Image.new("RGB", (SIDE, SIDE), colour)
    return prepare.undrawn(photo) if isinstance(prepare, CallableFit) else prepare(photo)


def _sides(size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    try:
        sides = (size, size) if np.ndim(size) == 0 else tuple(size)
        if len(sides) == 2 and all(_is_side(side) for side in sides) and np.prod(sides) * 3 <= LARGEST:
            return int(sides[0]), int(sides[1])
    except TypeError:
        pass
    raise BadParameter(f"size={quoted(size)} is no side in pixels, and no (h, w), of an image that a network could take.")


def _is_side(side: Any) -> bool:
    return isinstance(side, int | np.integer) and not isinstance(side, bool) and bool(side > 0)


def _in_range(size: Any, values: Any) -> NetworkInput:
    shape = tuple(size) if isinstance(size, Sequence) else ()
    if not 2 <= len(shape) <= 4 or not all(map(_is_side, shape)) or np.prod(shape) > LARGEST:
        raise BadParameter(
            f"size={quoted(size)}: with values= the size is the whole shape of an image as the network takes it, (c, h, w); of "
            "a signal (c, l), of a volume (c, d, h, w)."
        )
    try:
        low, high = (np.broadcast_to(np.asarray(each, np.float64), shape[:1]) for each in values)
        good = bool((np.isfinite(low) & np.isfinite(high) & (low < high)).all())
    except (TypeError, ValueError):
        good, low, high = False, np.empty(0), np.empty(0)
    if not good:
        raise BadParameter(f"values={quoted(values)}: the lowest and the highest value, (-1, 1), or one for each channel.")
    channels, *space = map(int, shape)
    return NetworkInput(channels, tuple(space), np.diag(high - low), low.copy(), photos=False)
