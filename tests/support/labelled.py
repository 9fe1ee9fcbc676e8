"""Labels made by hand: images with boxes and masks, as writers take them."""

from typing import Any

import numpy as np

from seewhy.localize.labels.labelled import LabelledImage, LabelledObject
from seewhy.objects.found import FoundBox

MADE = {"seewhy": "0.1", "model": "net", "weights": "w.pth", "method": "grad-cam", "layer": "layer4", "threshold": 0.15}
CORNER = np.array([[True, False], [True, True]])  # a mask of three pixels


def labelled_object(
    mask: Any = CORNER, at: tuple[int, ...] = (2, 3), category: str = "tabby", index: int | None = None, score: float = 0.5
) -> LabelledObject:
    """An object whose box begins at `at`, in the order of the axes: row, column."""
    mask = np.asarray(mask, bool)
    spans = tuple((first, first + side) for first, side in zip(at, mask.shape, strict=True))
    box = FoundBox(spans, 0.8, int(mask.sum()), 0.6, category, index, 0.625)
    return LabelledObject(category, box, mask, score)


def labelled(
    file: str = "a.jpg", size: tuple[int, ...] = (8, 6), *objects: LabelledObject, why: str = "", image: Any = None, **made: Any
) -> LabelledImage:
    """An image of 8 x 6 pixels, if nothing else is said."""
    return LabelledImage(file, size, objects, {**MADE, **made}, why, image)


def whole(image: LabelledImage, place: int = 0) -> np.ndarray:
    """The mask of one object at the image's own size, put there pixel by pixel."""
    one = image.objects[place]
    mask = np.zeros(image.size[::-1] if len(image.size) == 2 else image.size, bool)
    for where in np.argwhere(one.mask):
        mask[tuple(where + [low for low, _ in one.found.spans])] = True
    return mask


def blobs(seed: int, size: tuple[int, int] = (40, 30)) -> np.ndarray:
    """A mask (h, w) of several parts with holes."""
    noise = np.random.default_rng(seed).normal(size=(size[1] // 3 + 1, size[0] // 3 + 1))
    return np.kron(noise > 0.2, np.ones((3, 3), bool))[: size[1], : size[0]]
