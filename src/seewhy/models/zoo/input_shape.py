"""What the shape of an input tensor tells of the images that it takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import BadParameter

CHANNELS = (1, 3)


@dataclass(frozen=True)
class InputShape:
    """How images lie in an input tensor."""

    channels_last: bool
    channels: int  # 1 or 3
    size: tuple[int, int] | None  # (h, w); None where it takes any
    batch: int | None  # how many images it takes, no more and no fewer; None where it takes any number
    batched: bool = True  # False: it takes one image, without a dimension of the batch

    @classmethod
    def of(cls, shape: Sequence[int | None], what: str, layout: str | None = None) -> "InputShape":
        """What a shape says, such as (-1, 3, 224, 224), None or a negative number for what may be any.

        layout: "nchw" or "nhwc"; else the channels are where 1 or 3 stands.  Raises BadParameter where that is not clear.
        """
        sides = [int(side) if side is not None and side > 0 else None for side in shape]
        batch, inner = (sides[0], sides[1:]) if len(sides) == 4 else (1, sides)
        first, last = (inner[0] in CHANNELS, inner[-1] in CHANNELS) if len(inner) == 3 else (False, False)
        channels_last = layout == "nhwc" if layout else last
        if not (first or last) or (first and last and not layout) or not (last if channels_last else first):
            said = "x".join("?" if side is None else str(side) for side in sides) + (f", and layout={layout}" if layout else "")
            raise BadParameter(
                f"{what} takes {said}: images are 1 or 3 channels with height and width, (n, 3, h, w) or (n, h, w, 3). Where "
                "both could be: options={'layout': 'nchw'} or 'nhwc'."
            )
        channels, (height, width) = (inner[-1], inner[:2]) if channels_last else (inner[0], inner[1:])
        size = (height, width) if height is not None and width is not None else None
        return cls(channels_last, channels or 3, size, batch, len(sides) == 4)

    @property
    def grey(self) -> bool:
        return self.channels == 1

    def arranged(self, images: NDArray[Any]) -> NDArray[Any]:
        """Images in the order of the tensor: photos (n, h, w, 3) of uint8, or prepared ones (n, c, h, w).

        BadParameter where they are of another size, or prepared ones have other channels; photos become grey as Pillow has it.
        """
        photos = images.dtype == np.uint8
        if self.size not in (None, space := tuple(images.shape[1:3] if photos else images.shape[2:])):
            height, width = self.size
            raise BadParameter(
                f"It takes images of {height} x {width}, not of {' x '.join(map(str, space))}: "
                f"prepare={{'size': ({height}, {width})}} (--prepare 'size=({height}, {width})')."
            )
        if photos:
            if self.grey:
                images = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in images])[..., None]
            return images if self.channels_last else np.moveaxis(images, -1, 1)
        if images.shape[1] != self.channels:
            raise BadParameter(f"It takes {self.channels} channels, and images {tuple(images.shape[1:])} were prepared.")
        return np.moveaxis(images, 1, -1) if self.channels_last else images


def portions(images: NDArray[Any], most: int, only: int | None = None) -> list[tuple[NDArray[Any], int]]:
    """Images in portions of so many at most, or of exactly `only`, the last of which is filled up with its last image; with
    each, how many of it are the images themselves.
    """
    size = only or most
    parts = [images[start : start + size] for start in range(0, len(images), size)]
    return [
        (np.concatenate([part, part[-1:].repeat((only or 0) - len(part), 0)]) if only else part, len(part)) for part in parts
    ]
