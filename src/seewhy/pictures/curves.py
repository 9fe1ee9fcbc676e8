"""Line charts in Pillow: the evidence in every slice of a volume, and signals over their map."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from seewhy.arrays import Floats

from .lettering import Letters
from .planes import Plane, apart, finite
from .render import Look
from .stretching import Size

SMOOTH = 3  # lines are drawn this many times larger, then reduced
INK, FAINT = (40, 40, 40), (225, 225, 225)
FOR, AGAINST = (178, 24, 43), (33, 102, 172)
MOST_CHANNELS = 32
LineColour = tuple[int, int, int]


def curve(values: Any, plane: str = "axial", spacing: Any = (1, 1, 1)) -> Image.Image:
    """The evidence in every slice, 720 x 360: the sum of the values; of a signed map also of those above and below zero.

    values: (i, j, k) in RAS+ order; spacing: mm between voxels, None where not known.  Raises BadParameter, NoSuchName.
    """
    mm = None if spacing is None else apart(spacing)[Plane.named(plane).axis]
    return evidence(finite(values, 3), Plane.named(plane), mm, (720, 360))


def signal(values: Any, signal: Any, look: Look) -> Image.Image:
    """The line of every channel over the map's colours, 1200 pixels wide; of more than 32 channels, 32 spread evenly.

    values: (l,), one for each sample, or fewer, each of which then covers as many samples.
    signal: (c, l), or None for the colours alone.
    Where several samples fall on a pixel, the colour is that of the value furthest from zero, and the line covers them all.
    """
    values = finite(values, 1)
    lines, below = _channels(signal)
    values = values if signal is None else _shared_out(values, np.shape(signal)[1])
    high = {1: 260, 2: 150, 3: 110}.get(len(lines), max(34, min(80, 700 // len(lines))))
    picture = Image.new("RGB", (1200, high * len(lines) + 62), "white")
    for row, (name, line) in enumerate(lines.items()):
        room = (0.0, 1.0) if line is None else _room(line)
        axes = Axes((130, 10 + row * high, 1180, 2 + (row + 1) * high), (-0.5, len(values) - 0.5), room)
        _strip(picture, axes, values, look)
        if line is not None:
            _over(picture, axes, line, look)
            axes.upward(picture, most=max(2, high // 40), grid=False)
        _named(picture, axes, name)
        axes.frame(picture)
        if row == len(lines) - 1:
            axes.along(picture, below)
    return picture


def _channels(signal: Any) -> tuple[dict[str, Floats | None], str]:
    """The lines to draw by their names, and what stands below them."""
    if signal is None:
        return {"": None}, "sample"
    signal = finite(signal, 2)
    shown = np.unique(np.linspace(0, len(signal) - 1, MOST_CHANNELS).round().astype(int))
    some = "" if len(shown) == len(signal) else f"; {len(shown)} of {len(signal)} channels"
    return {f"channel {c}" if len(signal) > 1 else "": signal[c] for c in shown}, f"sample{some}"


def _shared_out(values: Floats, samples: int) -> Floats:
    """(l,) -> (samples,): linear between the centres of values, each of which covers as many samples."""
    at = (np.arange(samples) + 0.5) * len(values) / samples - 0.5
    return values if len(values) == samples else np.interp(at, np.arange(len(values)), values)


def evidence(values: Floats, plane: Plane, apart: float | None, size: Size, mark: int | None = None) -> Image.Image:
    """`curve` as a picture of `size`; mark: the number of a slice to be marked by a line."""
    sums = _sums(values, plane)
    picture = Image.new("RGB", size, "white")
    count = len(sums["sum"])
    low, high = min(0.0, *(s.min() for s in sums.values())), max(0.0, *(s.max() for s in sums.values()))
    axes = Axes((74, 34, size[0] - 18, size[1] - 46), (-0.5, count - 0.5), _wider(low, high))
    axes.upward(picture, most=max(3, size[1] // 45))
    if mark is not None:
        x = axes.x(mark)
        ImageDraw.Draw(picture).line([(x, axes.box[1]), (x, axes.box[3])], (60, 160, 80), 1)
    colours = {name: colour for name, colour in SUMS.items() if name in sums}
    for name, colour in colours.items():
        width = 3.2 if name == "sum" and len(sums) > 1 else 1.8
        axes.line(picture, np.arange(count, dtype=float), sums[name], colour, width, dots=count <= 40)
    axes.frame(picture)
    apart_in_mm = "" if apart is None else f", {apart:.4g} mm apart"
    axes.along(picture, f"{plane.name} slice, {plane.first} to {plane.last}{apart_in_mm}")
    _titled(picture, axes, "evidence per slice", colours if len(colours) > 1 else {})
    return picture


SUMS = {"sum": INK, "above zero": FOR, "below zero": AGAINST}  # in the order they are drawn


def _sums(values: Floats, plane: Plane) -> dict[str, Floats]:
    """The sums of every slice, in double precision; slice by slice, to save memory."""
    slices = np.moveaxis(values, plane.axis, 0)
    sums = {"sum": np.array([section.sum(dtype=float) for section in slices])}
    if values.min() < 0:
        sums["above zero"] = np.array([section.clip(min=0).sum(dtype=float) for section in slices])
        sums["below zero"] = sums["sum"] - sums["above zero"]
    return sums


class Axes(NamedTuple):
    """Where numbers lie in a picture, and what is drawn by it."""

    box: tuple[int, int, int, int]  # left, top, right, bottom in pixels
    across: tuple[float, float]  # the numbers at its left and right
    up: tuple[float, float]  # at its bottom and top

    def x(self, number: Any) -> Any:
        """The column of pixels that a number lies at."""
        left, _, right, _ = self.box
        return left + (number - self.across[0]) / (self.across[1] - self.across[0]) * (right - left)

    def y(self, number: Any) -> Any:
        """The row of pixels that a number lies at."""
        _, top, _, bottom = self.box
        return bottom - (number - self.up[0]) / (self.up[1] - self.up[0]) * (bottom - top)

    def line(
        self,
        picture: Image.Image,
        x: Floats,
        y: Floats,
        colour: LineColour,
        width: float,
        dots: bool = False,
        halo: bool = False,
    ) -> None:
        """Draw a smooth line through points; dots: with a dot at each; halo: on a wider line of the opposite colour."""
        left, top, right, bottom = self.box
        size = ((right - left + 1) * SMOOTH, (bottom - top + 1) * SMOOTH)
        points = [*zip((self.x(x) - left + 0.5) * SMOOTH, (self.y(y) - top + 0.5) * SMOOTH, strict=True)]
        for ink, wide in (((tuple(255 - c for c in colour), width + 2.4),) if halo else ()) + ((colour, width),):
            drawing = Image.new("L", size)
            draw = ImageDraw.Draw(drawing)
            draw.line(points, 255, round(wide * SMOOTH), joint="curve")
            reach = (wide * 1.6 if dots or len(points) == 1 else wide / 2) * SMOOTH
            for px, py in points if dots or len(points) == 1 else points[:: len(points) - 1]:
                draw.ellipse((px - reach, py - reach, px + reach, py + reach), 255)
            picture.paste(ink, (left, top), drawing.reduce(SMOOTH))

    def upward(self, picture: Image.Image, most: int, grid: bool = True) -> None:
        """Draw numbers at the left, lines through them, and a darker line through zero; grid: whether there are lines."""
        draw = ImageDraw.Draw(picture)
        for number in ticks(*self.up, most):
            y = round(self.y(number))
            if grid:
                draw.line([(self.box[0], y), (self.box[2], y)], INK if number == 0 else FAINT)
            draw.line([(self.box[0] - 4, y), (self.box[0], y)], INK)
            Letters(12).write(picture, (self.box[0] - 8, y), f"{number:.6g}", INK, "rm")

    def along(self, picture: Image.Image, name: str) -> None:
        """Draw whole numbers below the picture, and the name of what they count."""
        draw = ImageDraw.Draw(picture)
        low, high = np.ceil(self.across[0]), np.floor(self.across[1])
        for number in ticks(low, high, max(2, (self.box[2] - self.box[0]) // 70), least=1.0):
            x = round(self.x(number))
            draw.line([(x, self.box[3]), (x, self.box[3] + 4)], INK)
            Letters(12).write(picture, (x, self.box[3] + 7), f"{number:.12g}", INK, "ma")
        Letters(12).write(picture, ((self.box[0] + self.box[2]) // 2, self.box[3] + 24), name, INK, "ma")

    def frame(self, picture: Image.Image) -> None:
        """Draw the two axes."""
        left, top, right, bottom = self.box
        ImageDraw.Draw(picture).line([(left, top), (left, bottom), (right, bottom)], INK)


def ticks(low: float, high: float, most: int, least: float = 0.0) -> list[float]:
    """Round numbers from low to high, at most `most` steps of 1, 2 or 5 times a power of ten, not below `least`."""
    step = _step((high - low) / most, least)
    return [n * step for n in range(int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9)) + 1)]


def _step(wanted: float, least: float) -> float:
    if wanted <= least or wanted <= 0:
        return least or 1.0
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(next(s * power for s in (1, 2, 5, 10) if s * power >= wanted * (1 - 1e-9)))


def _wider(low: float, high: float) -> tuple[float, float]:
    """The ends, a little further apart, so that lines do not touch the frame; an end at zero stays there."""
    if low == high:
        return (low, low + 1) if low == 0 else (low - abs(low), low + abs(low))
    more = 0.06 * (high - low)
    return (low - more if low != 0 else low), (high + more if high != 0 else high)


def _room(line: Floats) -> tuple[float, float]:
    low, high = float(line.min()), float(line.max())
    more = 0.08 * (high - low) or abs(low) or 1.0
    return low - more, high + more


def _titled(picture: Image.Image, axes: Axes, title: str, colours: dict[str, LineColour]) -> None:
    draw, letters = ImageDraw.Draw(picture), Letters(13)
    letters.write(picture, (axes.box[0], 10), title, INK)
    x = axes.box[2]
    for name, colour in reversed(colours.items()):
        x -= round(letters.width(name))
        letters.write(picture, (x, 10), name, colour)
        draw.line([(x - 22, 19), (x - 6, 19)], colour, 3)
        x -= 40


def _named(picture: Image.Image, axes: Axes, name: str) -> None:
    _, top, _, bottom = axes.box
    Letters(12).write(picture, (10, (top + bottom) // 2), name, INK, "lm")


def _strip(picture: Image.Image, axes: Axes, values: Floats, look: Look) -> None:
    """Draw the map's colours behind a channel."""
    left, top, right, bottom = axes.box
    colours = look.paint(np.asarray(furthest(values, right - left)))[None]
    picture.paste(Image.fromarray(colours).resize((right - left, bottom - top)), (left, top))


def furthest(values: Sequence[float] | Floats, pixels: int) -> Floats:
    """(l,) -> (pixels,): for each pixel, of the samples that it covers the one furthest from zero; the sample that the pixel
    lies in, where samples are wider than pixels.
    """
    values = np.asarray(values)
    edges = np.arange(pixels + 1) * len(values) / pixels
    first = np.floor(edges[:-1] + (0 if len(values) > pixels else 0.5 * len(values) / pixels)).astype(int)
    if len(values) <= pixels:
        return values[first]
    high, low = np.maximum.reduceat(values, first), np.minimum.reduceat(values, first)
    return np.where(-low > high, low, high)


def _over(picture: Image.Image, axes: Axes, line: Floats, look: Look) -> None:
    """Draw the signal; where a pixel covers more than two samples, from the least to the greatest of them."""
    pixels = axes.box[2] - axes.box[0]
    x, y = np.arange(len(line)).astype(float), line.astype(float)
    if len(line) > 2 * pixels:
        first = (np.arange(pixels) * len(line)) // pixels
        y = np.stack([np.minimum.reduceat(y, first), np.maximum.reduceat(y, first)], 1).ravel()
        x = np.repeat((np.arange(pixels) + 0.5) * len(line) / pixels - 0.5, 2)
    axes.line(picture, x, y, (0, 0, 0) if look.centred else (255, 255, 255), 1.4, halo=True)
