"""Label maps in colour: which class each pixel has, over the photo, with a legend of the classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .lettering import Letters

VOID = 255  # of a label map: pixels that are not to be counted
BRIGHT = "e69f00 56b4e9 009e73 f0e442 d55e00 cc79a7 0072b2"  # Okabe & Ito: told apart by colour-blind eyes, too
GOLDEN = 0.381966  # of the circle of hues, from one further class to the next
HATCH, HATCHED = 6, (245, 245, 245)  # pixels from one line over what is left out to the next, and its colour
SMALLEST, NARROWEST = 12, 160  # pixels of a legend's letters, and of a legend


def class_colours(numbers: Sequence[int]) -> NDArray[np.uint8]:
    """A bright colour for each number of a class, from 1 on, the same in every picture: (k, 3)."""
    few = np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in BRIGHT.split()], np.uint8)
    return np.array([few[n - 1] if n <= len(few) else _further(n) for n in numbers], np.uint8).reshape(-1, 3)


def _further(number: int) -> NDArray[np.uint8]:
    corner = (number * GOLDEN % 1 * 6 + np.array([0, 4, 2])) % 6
    return (255 * (0.25 + 0.75 * np.clip(abs(corner - 3) - 1, 0, 1))).astype(np.uint8)


def labelled_picture(
    label_map: NDArray[Any], names: Sequence[str], photo: Image.Image | None = None, alpha: float = 0.6, legend: bool = True
) -> Image.Image:
    """A label map over its photo, RGB: classes in their colours, what is left out (255) under white lines, the rest as it is.

    label_map: (h, w), 0 where there is no object, else the place of the class in `names` plus one, or 255.
    photo: of any size, or None: black; the picture has its size.
    legend: the colours and names of the classes that are in it, below.
    """
    height, width = label_map.shape
    under = photo.convert("RGB") if photo else Image.new("RGB", (width, height))
    rows, columns = ((2 * np.arange(n) + 1) * cells // (2 * n) for n, cells in ((under.height, height), (under.width, width)))
    labels, pixels = label_map[np.ix_(rows, columns)], np.asarray(under).astype(np.float32)
    there = [int(number) for number in np.unique(label_map) if 0 < number < VOID]
    for number, colour in zip(there, class_colours(there), strict=True):
        inside = labels == number
        pixels[inside] += alpha * (colour - pixels[inside])
    y, x = np.indices(labels.shape, np.int32)
    lined = (labels == VOID) & ((x + y) % HATCH == 0)
    pixels[lined] += alpha * (np.array(HATCHED, np.float32) - pixels[lined])
    picture = Image.fromarray(pixels.round().astype(np.uint8))
    return _with_names(picture, [names[n - 1] for n in there], there, bool((label_map == VOID).any())) if legend else picture


def _with_names(picture: Image.Image, names: list[str], numbers: list[int], void: bool) -> Image.Image:
    """The picture over squares of the classes' colours, each beside its name."""
    width = max(picture.width, NARROWEST)
    letters = Letters.of(" ".join([*names, "left out"]), max(SMALLEST, width // 30))
    line, edge = letters.line, letters.line // 3
    entries = [*zip(names or ["no object"], class_colours(numbers).tolist() or [None], strict=True)]
    entries += [("left out", HATCHED)] if void else []
    places, x, y = [], edge, edge
    for name, colour in entries:
        name = letters.fitted(name, width - 2 * edge - line)
        wide = round(letters.width(name)) + (line if colour else 0)
        if x > edge and x + wide > width - edge:
            x, y = edge, y + line
        places.append((x, y, name, colour))
        x += wide + line // 2
    out = Image.new("RGB", (width, picture.height + y + line + edge), "white")
    out.paste(picture, ((width - picture.width) // 2, 0))
    for x, y, name, colour in places:
        top = picture.height + y
        if colour:
            side = letters.size
            out.paste("black", (x, top, x + side + 2, top + side + 2))
            out.paste(tuple(map(int, colour)), (x + 1, top + 1, x + side + 1, top + side + 1))
        letters.write(out, (x + (line if colour else 0), top), name)
    return out
