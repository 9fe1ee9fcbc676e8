"""The usual preprocessing of photos, by its numbers; and what every preprocessing has to offer."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, NamedTuple, Protocol

import numpy as np
from einops import rearrange
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import BadParameter
from seewhy.images.places import Extent, Where

from .framing import framed

RESAMPLING = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
SideOrSize = int | tuple[int, int]


class Ready(NamedTuple):
    """An image as the network takes it."""

    x: NDArray[Any]  # (c, *space)
    box: Where | None  # the part of the image that is in x; None if it cannot be told
    notes: tuple[str, ...] = ()  # what a person should know of how it was prepared


class Preparer(Protocol):
    """Makes a photo ready, and knows which part of it the network saw."""

    def __call__(self, photo: Any, /) -> NDArray[Any]: ...  # (c, h, w)

    def ready(self, photo: Any, /) -> Ready: ...  # with the part that is in it
    def box(self, size: Any, /) -> Where | None: ...  # of a photo or frames (w, h), of a Volume; None if it cannot be told


@dataclass(frozen=True)
class Fit:
    """Resize, centre crop, scale to [0, 1] and normalise: the usual preprocessing, by its numbers.

    size: shorter side, or (h, w) outright; crop: side or (h, w) of the centre crop, None for none; mean and std per
    channel, red first, on the [0, 1] scale (one number serves all three); bgr: the network takes blue first, as those trained
    with Caffe or OpenCV do.  Same pixels as torchvision's transforms.
    """

    size: SideOrSize | None = 256
    crop: SideOrSize | None = 224
    mean: float | Sequence[float] = (0.485, 0.456, 0.406)
    std: float | Sequence[float] = (0.229, 0.224, 0.225)
    interpolation: str = "bilinear"  # or nearest, lanczos, bicubic, box, hamming
    bgr: bool = False

    def __post_init__(self) -> None:
        if self.interpolation not in RESAMPLING:
            raise BadParameter(f"No interpolation {self.interpolation!r}. It is one of: {', '.join(RESAMPLING)}.")
        for name in ("size", "crop"):
            object.__setattr__(self, name, _sides(name, getattr(self, name)))
        mean, std = _numbers("mean", self.mean), _numbers("std", self.std)
        if mean.size not in (1, 3) or std.size not in (1, 3) or not (std > 0).all():
            raise BadParameter(f"mean={self.mean}, std={self.std}: give one number or three of each, std above zero.")
        for name, numbers in (("mean", mean), ("std", std)):  # the same numbers are the same Fit, however they were written
            object.__setattr__(self, name, tuple(numbers.tolist()) if numbers.ndim else float(numbers))

    def __call__(self, photo: Image.Image) -> NDArray[np.float32]:
        whole = self._resized(photo.size)
        part = self._cropped(whole) if self.crop is not None else None  # beyond the image: black, as torchvision pads
        photo = framed(photo, whole, part, RESAMPLING[self.interpolation])
        mean, std = (np.reshape(np.asarray(of, np.float32), (-1, 1, 1)) for of in (self.mean, self.std))
        grey = np.ndim(self.mean) == 1 and np.size(mean) == 1
        pixels = np.asarray(photo.convert("L"))[..., None] if grey else np.asarray(photo)
        x = np.array(rearrange(pixels, "h w c -> c h w"), np.float32, order="C")  # so that all that copies it is quick
        x /= np.float32(255)
        x -= mean
        x /= std
        return x[::-1].copy() if self.bgr else x

    def ready(self, photo: Image.Image) -> Ready:
        """What the network sees of the photo, and the part of it that this is."""
        return Ready(self(photo), self.box(photo.size))

    def box(self, size: tuple[int, int]) -> Extent:
        width, height = self._resized(size)
        left, top, right, bottom = self._cropped((width, height)) if self.crop is not None else (0, 0, width, height)
        across, down = size[0] / width, size[1] / height
        return Extent(left * across, top * down, right * across, bottom * down)

    def _resized(self, size: tuple[int, int]) -> tuple[int, int]:
        width, height = size
        if self.size is None:
            return size
        if not isinstance(self.size, int):
            return self.size[1], self.size[0]
        short = min(width, height)
        return int(self.size * width / short), int(self.size * height / short)

    def _cropped(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        height, width = (self.crop, self.crop) if isinstance(self.crop, int) else self.crop or size[::-1]
        left, top = _margin(size[0], width), _margin(size[1], height)
        return left, top, left + width, top + height


def _sides(name: str, value: Any) -> SideOrSize | None:
    try:
        if value is None:
            return None
        height, width = map(index, value) if np.ndim(value) else (index(value), index(value))
        if height > 0 and width > 0:
            return (height, width) if np.ndim(value) else height
    except (TypeError, ValueError, IndexError):
        pass
    raise BadParameter(f"{name}={value!r}: give a number of pixels, (height, width), or None.")


def _numbers(name: str, value: Any) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(value, np.float64)
        if np.isfinite(numbers).all() and numbers.ndim < 2:
            return numbers
    except (TypeError, ValueError):
        pass
    raise BadParameter(f"{name}={value!r}: give a number, or one for each channel, on the scale from 0 to 1.")


def _margin(side: int, crop: int) -> int:
    return round((side - crop) / 2) if side >= crop else -((crop - side) // 2)
