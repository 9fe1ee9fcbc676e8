"""From floats to pixels: which colour a value has, overlays, and pictures of attributions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Floats
from seewhy.errors import BadParameter, NoSuchName, NotApplicable, closest
from seewhy.images.places import Extent

from .stretching import Rows, Size, bands

VALUE = "value"  # an alpha: as opaque as the value is large
MOST_OPAQUE = 0.7  # what alpha=VALUE reaches at the end of the colours
Alpha = float | Literal["value"]
Below = Callable[[int], Image.Image]  # what stands under a picture of a width: as wide, or wider


def _stops(codes: str) -> Floats:
    return np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in codes.split()], float)


COLOURS = {  # evenly spaced stops, mixed linearly between
    # perceptually even and safe for colour-blind eyes; Smith & van der Walt, CC0
    "inferno": _stops(
        "000004 040312 0b0724 150b37 210c4a 2f0a5b 3d0965 4a0c6b 57106e 64156e 71196e "
        "7d1e6d 8a226a 972766 a32c61 b0315b bc3754 c73e4c d24644 db503b e45a31 eb6628 "
        "f1731d f68013 f98e09 fb9d07 fcac11 fbbc21 f9cb35 f5db4c f2ea69 f3f68a fcffa4"
    ),
    "viridis": _stops(
        "440154 470d60 48186a 482374 472d7b 453781 424086 3e4989 3b528b 375b8d 33638d "
        "2f6b8e 2c728e 297a8e 26828e 23898e 21918c 1f988b 1fa088 22a785 28ae80 32b67a "
        "3fbc73 4ec36b 5ec962 70cf57 84d44b 98d83e addc30 c2df23 d8e219 ece51b fde725"
    ),
    # the field's old habit: bright bands where the values have none
    "jet": _stops(
        "000080 000092 0000a4 0000b6 0000c8 0000da 0000ed 0000ff 0000ff 0010ff 0020ff "
        "0030ff 0040ff 0050ff 0060ff 0070ff 0080ff 0090ff 00a0ff 00b0ff 00c0ff 00d0ff "
        "00e0fb 09f0ee 16ffe1 23ffd4 30ffc7 3cffba 49ffad 56ffa0 63ff94 70ff87 7dff7a "
        "8aff6d 97ff60 a4ff53 b1ff46 beff39 caff2c d7ff1f e4ff13 f1fc06 feed00 ffde00 "
        "ffd000 ffc100 ffb200 ffa300 ff9400 ff8600 ff7700 ff6800 ff5900 ff4a00 ff3b00 "
        "ff2d00 ff1e00 fa0f00 e80000 d60000 c40000 b20000 9f0000 8d0000 800000"
    ),
    "grey": _stops("000000 ffffff"),
    # for signed maps, zero in the middle: ColorBrewer RdBu
    "blue-red": _stops("053061 2065ab 4393c3 90c4dd d1e5f0 f7f6f6 fddbc7 f3a481 d6604d b1182b 67001f"),
}


@dataclass(frozen=True)
class Look:
    """How values become colours: which colours, over which range, how opaque.

    alpha: the opacity of all values; by_value: it is that of the value that says most, and of the others in proportion.
    """

    colours: str
    low: float
    high: float
    alpha: float
    by_value: bool = False

    @classmethod
    def of(
        cls, values: Floats, alpha: Alpha, colours: str | None, scale: tuple[float, float] | None, signed: bool = False
    ) -> "Look":
        low, high = _range(min(0, values.min()), max(0, values.max())) if scale is None else _range(*scale)
        signed = signed or low < 0
        colours = colours or ("blue-red" if signed else "inferno")
        if not isinstance(colours, str) or colours not in COLOURS:
            raise NoSuchName("colours", colours, closest(str(colours), [*COLOURS]), f"There are: {', '.join(COLOURS)}.")
        by_value = isinstance(alpha, str) and alpha == VALUE
        share = MOST_OPAQUE if by_value else alpha
        if not isinstance(share, int | float | np.floating) or not 0 <= share <= 1:
            raise BadParameter(
                f"alpha is {alpha!r}; it lies between 0 (the photo alone) and 1 (the map alone), or is {VALUE!r}: the less a "
                "value says, the more of the photo shows."
            )
        if colours == "blue-red":  # zero is white, whatever the values
            high = max(abs(low), abs(high))
            low = -high
        return cls(colours, low, high, float(share), by_value)

    @property
    def centred(self) -> bool:
        """Whether the middle of the colours stands for zero."""
        return self.colours == "blue-red"

    def paint(self, values: Floats) -> NDArray[np.uint8]:
        """(h, w) values -> (h, w, 3) colours; what lies beyond the range takes its end's colour."""
        span = self.high - self.low
        at = (values - self.low) / span if span > 0 else np.full(values.shape, 0.5 if self.centred else 0.0)
        return _table(self.colours).take((np.clip(at, 0, 1) * 1024).round().astype(np.intp), 0)

    def blend(self, photo: Image.Image, values: Floats) -> Image.Image:
        """The colours of the values (h, w) over a photo (RGB); below the colours of a signed map it is grey, as it has blue
        and red of its own.
        """
        colours, grey = Image.fromarray(self.paint(values)), photo.convert("L").convert("RGB") if self.centred else None
        if not self.by_value:
            return Image.blend(Image.blend(photo, grey, min(1, 2 * self.alpha)) if grey else photo, colours, self.alpha)
        opacity = self.alpha * shares(values, self)
        under = Image.composite(grey, photo, mask(np.minimum(1, 2 * opacity))) if grey else photo
        return Image.composite(colours, under, mask(opacity))


def shares(values: Any, look: Look) -> Floats:
    """How much each value says, from 0 to 1: its distance from zero, or from the end of the look that is nearest to zero, as a
    share of the greatest such distance within the look.
    """
    nothing = min(max(0.0, look.low), look.high)
    reach = max(look.high - nothing, nothing - look.low)
    size = abs(np.clip(np.asarray(values), look.low, look.high) - nothing)
    return size / reach if reach > 0 else np.zeros(size.shape)


def mask(opacity: Floats) -> Image.Image:
    """Numbers from 0 to 1 as a grey picture."""
    return Image.fromarray((opacity * 255).round().astype(np.uint8))


@cache
def _table(colours: str) -> NDArray[np.uint8]:
    """(1025, 3): the colours from the least to the greatest value."""
    stops = COLOURS[colours]
    where, at = np.linspace(0, 1, len(stops)), np.linspace(0, 1, 1025)
    return np.stack([np.interp(at, where, stops[:, c]) for c in range(3)], -1).round().astype(np.uint8)


def clipped(values: Floats, percent: float) -> tuple[float, float]:
    """The range from zero to the percentile of absolute values (the greatest of them, where the percentile is 0); to both sides
    where values have both signs.
    """
    if not isinstance(percent, int | float | np.number) or not 0 < percent <= 100:
        raise BadParameter(f"clip={percent!r} is a percentile: above 0, and 100 to clip nothing.")
    size = abs(values)
    end = float(np.percentile(size, percent, overwrite_input=True)) if percent < 100 else 0.0
    end = end or float(size.max())
    return (-end if values.min() < 0 else 0.0), (end if values.max() > 0 else 0.0)


def _range(*ends: Any) -> tuple[float, float]:
    try:
        low, high = map(float, ends)
        if np.isfinite([low, high]).all() and low <= high:
            return low, high
    except (TypeError, ValueError):
        pass
    raise BadParameter(f"scale={ends}: give the (low, high) that the colours span, low first; Heatmaps.scale() finds it.")


def unit(values: Floats) -> NDArray[np.float32]:
    """The values stretched to [0, 1]; a map that is the same everywhere becomes zeros."""
    low, high = values.min(), values.max()
    stretched = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return stretched.astype(np.float32)


def overlay(
    rows: Rows, size: Size, image: Image.Image | None, box: Extent, look: Look, below: Below | None = None
) -> Image.Image:
    """Colours over the image of `size`; what the network did not see stays pale and grey.  below: what stands under it."""
    out, left = room_above(size, below(size[0]) if below else None)
    for top, bottom in bands(size):
        values = rows(top, bottom)
        crop = None if image is None else image.crop((0, top, size[0], bottom))
        part = Image.fromarray(look.paint(values)) if crop is None else _over(crop, top, values, box, look)
        out.paste(part, (left, top))
    return out


def _over(image: Image.Image, top: int, values: Floats, box: Extent, look: Look) -> Image.Image:
    """Some rows of the image, of which the first is `top`, under the colours of their values."""
    photo, (width, height) = image.convert("RGB"), image.size
    mixed = look.blend(photo, values)
    (left, right), (first, last) = (sorted(map(round, edges)) for edges in ((box.left, box.right), (box.top, box.bottom)))
    inside = (max(0, left), max(0, first - top), min(width, right), min(height, last - top))
    if inside == (0, 0, width, height):
        return mixed
    unseen = Image.blend(photo.convert("L").convert("RGB"), Image.new("RGB", photo.size, "white"), 0.45)
    if inside[0] < inside[2] and inside[1] < inside[3]:
        unseen.paste(mixed.crop(inside), inside[:2])
    return unseen


PICTURES = {  # of attributions (c, h, w), as the papers show them
    "colour": "black {low:.3g}, white {high:.3g} in each colour",
    "grey": "absolute sum over channels",
    "positive": "what lies above zero, in colour: white {high:.3g}",
    "negative": "what lies below zero, in colour: white {high:.3g}",
    "signed": "sum over channels",
}


def picture(channels: Floats, kind: str, clip: float | None) -> tuple[Image.Image, Look | None, str]:
    """A picture of that kind (`PICTURES`), at the size of the attributions; its look, where a colour bar can tell it; and a
    description in words.
    """
    if kind not in PICTURES:
        raise NoSuchName("picture", kind, closest(str(kind), [*PICTURES]), f"There are: {', '.join(PICTURES)}.")
    clip = 99 if clip is None else clip
    if kind in ("grey", "signed"):
        flat = (abs(channels) if kind == "grey" else channels).sum(0, dtype=float)
        look = Look.of(flat, 1, "grey" if kind == "grey" else "blue-red", clipped(flat, clip))
        return _banded(flat.shape[::-1], lambda some: look.paint(flat[some])), look, PICTURES[kind] + beyond(flat, clip)
    if len(channels) not in (1, 3):
        raise NotApplicable(
            f"A {kind} picture has three channels, or one; this map has {len(channels)}. Ask for grey or signed."
        )
    part = {"colour": channels, "positive": channels.clip(min=0), "negative": -channels.clip(max=0)}[kind].astype(float)
    low, high = clipped(part, clip)
    if clip == 100 and kind == "colour":
        low, high = float(part.min()), float(part.max())

    def shown(some: slice) -> NDArray[np.uint8]:
        rows = part[:, some]
        shares = (rows - low) / (high - low) if high > low else np.zeros(rows.shape)
        return (np.clip(shares, 0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0).repeat(3 // len(channels), 2)

    said = PICTURES[kind].format(low=low + 0.0, high=(-high if kind == "negative" else high) + 0.0)
    said += (", zero grey" if -low == high > 0 else "") + beyond(part, clip)
    return _banded(part.shape[:0:-1], shown), None, said


def _banded(size: Size, shown: Callable[[slice], NDArray[np.uint8]]) -> Image.Image:
    """A picture of `size`, put together from bands of rows; shown: gives the pixels (h, w, 3) of the rows in a slice."""
    out = Image.new("RGB", size)
    for top, bottom in bands(size):
        out.paste(Image.fromarray(shown(slice(top, bottom))), (0, top))
    return out


def beyond(values: Floats, percent: float) -> str:
    """What a legend has to say where values lie beyond the percentile; empty where none do."""
    if percent == 100:
        return ""
    most = float(max(values.max(), -values.min()))
    if most <= max(map(abs, clipped(values, percent))):
        return ""
    return f"; colours end at the {percent:g}th percentile, largest value {most:.3g}"


def room_above(size: Size, strip: Image.Image | None) -> tuple[Image.Image, int]:
    """A picture with the strip at its bottom and room above it for a picture of `size`; and the left edge of that room."""
    if strip is None:
        return Image.new("RGB", size), 0
    out = Image.new("RGB", (strip.width, size[1] + strip.height), "white")
    out.paste(strip, (0, size[1]))
    return out, (strip.width - size[0]) // 2
