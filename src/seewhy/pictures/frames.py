"""The map of a clip as a filmstrip."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from seewhy.arrays import Floats
from seewhy.errors import BadParameter

from .paint import headed, painted, tiled
from .planes import finite
from .render import Look, shares

WIDE = 1600  # pixels that no picture exceeds


def frames(values: Any, frames: Sequence[Image.Image] | None, look: Look, count: int = 12) -> Image.Image:
    """The map over `count` frames spread evenly over the clip, the one with the strongest value among them; each is headed
    by its place in the clip, from 0 on.

    values: (t, h, w), or a sequence of t arrays (h, w), which are read one after the other.
    frames: t pictures, or None for the colours alone.
    Raises BadParameter where there are not as many maps as frames.
    """
    if not len(values) or (frames is not None and len(frames) != len(values)):
        there = "none" if frames is None else len(frames)
        raise BadParameter(f"There are {len(values)} maps for {there} frames: one for each is needed, and at least one.")
    shown = spread_out(0, len(values) - 1, whole(count), strongest((finite(flat, 2) for flat in values), look))
    size = frames[0].size if frames is not None else np.shape(values[0])[::-1]
    columns = columns_of(len(shown), size[0] / size[1])
    scale = min((WIDE - 90) / columns / size[0], 400 / max(size))
    size = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    tiles = [_frame(finite(values[t], 2), None if frames is None else frames[t], look, size, t) for t in shown]
    return tiled(tiles, columns)


def _frame(values: Floats, photo: Image.Image | None, look: Look, size: tuple[int, int], t: int) -> Image.Image:
    under = None if photo is None else photo.convert("L" if look.centred else "RGB").convert("RGB")
    picture = painted(values, under, look, size)
    field = Image.new("RGB", (max(size[0], 80), size[1]), "black")
    field.paste(picture, ((field.width - size[0]) // 2, 0))
    return headed(field, f"frame {t}")


def strongest(maps: Iterable[Floats], look: Look) -> int:
    """The place of the map with the value that stands out most in this look."""
    return int(np.argmax([shares([values.min(), values.max()], look).max() for values in maps]))


def whole(count: Any) -> int:
    """The count as an int.  Raises BadParameter for anything but a whole number from 1 on."""
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise BadParameter(f"count={count!r}: how many are shown is a whole number from 1 on.")
    return int(count)


def spread_out(first: int, last: int, count: int, among: int) -> list[int]:
    """At most `count` places, spread evenly from first to last, of which the nearest is replaced by the place `among`."""
    places = np.unique(np.linspace(first, last, min(count, last - first + 1)).round().astype(int))
    places = places if count > 1 else np.array([among])
    places[abs(places - among).argmin()] = among
    return [int(place) for place in places]


def columns_of(count: int, aspect: float) -> int:
    """In how many columns to put `count` pictures of that width by height, so that all together are about 4 to 3."""
    return int(np.clip(round(np.sqrt(count * 1.4 / aspect)), 1, min(count, 10)))
