"""The weights of the segments of a picture, and the pictures of them that users of lime know."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from seewhy.arrays import Floats
from seewhy.errors import BadParameter, NotApplicable
from seewhy.pictures.stretching import bands

Pixels = NDArray[np.uint8]
LabelMap = NDArray[np.int32]  # the segment of every pixel
ColourOrName = str | tuple[int, int, int]
YELLOW = (255, 255, 0)
FOR, AGAINST = (0, 255, 0), (255, 0, 0)


@dataclass(frozen=True, eq=False)
class Regions:
    """The weight of every segment of a picture, for a target."""

    segments: NDArray[np.intp]  # (*space), 0 to s - 1
    weights: Floats  # (s,), in units of the score: what showing the segment adds
    errors: Floats  # (s,), the standard error of each over the draw of samples
    intercept: float | None  # what the surrogate says with every segment hidden
    local_prediction: float | None  # what it says with every segment shown
    r2: float | None  # the share of the samples' variance that the surrogate explains
    samples: int

    def top(self, n: int = 5, positive: bool | None = True, least: float = 0.0) -> NDArray[np.bool_]:
        """Where the n heaviest segments lie, or fewer where not as many qualify: a mask (*space).

        positive: only those that speak for the target (True), against it (False), or the largest of both (None).
        least: only weights beyond it, on the side that `positive` names; where that is None, also weights equal to it.  As
            lime's get_image_and_mask.
        """
        return self._among(self._heaviest(n, positive, least))[self.segments]

    def draw(
        self,
        picture: Image.Image | None = None,
        n: int = 5,
        positive: bool | None = True,
        hide_rest: bool = False,
        hide: ColourOrName = "grey",
        least: float = 0.0,
    ) -> Image.Image:
        """The picture, at its own size, with the n heaviest segments outlined in yellow.

        picture: what the network saw, at any size; without one, white at the segments' size.
        positive, least: as in `top`.  Of both sides (None), what speaks for the target is green, what speaks against it red.
        hide_rest: cover the other segments with the colour `hide`: a name, "#rrggbb" or (r, g, b).
        """
        chosen = self._among(self._heaviest(n, positive, least))  # (s,)
        cover = _colour(hide) if hide_rest else None

        def choose(pixels: Pixels, labels: LabelMap) -> LabelMap:
            if positive is None:
                for side, colour in ((self.weights > 0, FOR), (self.weights < 0, AGAINST)):
                    lit = (chosen & side)[labels]
                    pixels[lit] = _tinted(pixels[lit], colour)
            shown = chosen[labels]
            if cover:
                pixels[~shown] = cover
            return np.where(shown, labels, -1)

        return self._outlined(picture, YELLOW, choose)

    def boundaries(self, picture: Image.Image | None = None, colour: ColourOrName = YELLOW) -> Image.Image:
        """The picture with the lines between all segments."""
        return self._outlined(picture, _colour(colour), lambda _pixels, labels: labels)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by the names under which they are saved."""
        return {"segments": self.segments, "region_weights": self.weights, "region_errors": self.errors}

    def _heaviest(self, n: int, positive: bool | None, least: float) -> NDArray[np.intp]:
        """The segments to show, the heaviest first."""
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
            raise BadParameter(f"n={n!r}: how many segments to show is a whole number from 1 on.")
        if not isinstance(least, int | float | np.number) or not least >= 0:
            raise BadParameter(f"least={least!r}: the least weight, sign aside, is a number from 0 on.")
        if positive is None:
            size = np.where(abs(self.weights) >= least, abs(self.weights), 0)
        else:
            size = self.weights if positive else -self.weights
            size = np.where(size > least, size, 0)
        order = np.argsort(-size, kind="stable")[:n]
        return order[size[order] > 0]

    def _among(self, chosen: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Of each segment, whether it is among the chosen: (s,)"""
        return np.bincount(chosen, minlength=len(self.weights)) > 0

    def _outlined(
        self, picture: Image.Image | None, colour: tuple[int, ...], change: Callable[[Pixels, LabelMap], LabelMap]
    ) -> Image.Image:
        """The picture, at its own size, with lines of the colour between its segments.

        change: takes some rows (h, w, 3), which it may change in place, and the segments that their pixels lie in (h, w); gives
        the segments between which lines are drawn.
        """
        if self.segments.ndim != 2:
            if self.segments.ndim == 1:
                raise NotApplicable("The segments of a signal cannot be drawn on a picture; `top` gives their mask.")
            raise NotApplicable(
                f"Segments of {self.segments.ndim} dimensions cannot be drawn; `top` gives their mask, to be cut in slices."
            )
        h, w = self.segments.shape
        photo = Image.new("RGB", (w, h), "white") if picture is None else picture
        rows, columns = _nearest(photo.height, h), _nearest(photo.width, w)
        segments, line = self.segments.astype(np.int32), max(1, round(min(photo.size) / 300))
        out = Image.new("RGB", photo.size)
        for top, bottom in bands(photo.size, 8 * line):
            first, last = max(0, top - line), min(photo.height, bottom + line)  # a line's place depends on what lies so near
            pixels = np.array(photo.crop((0, first, photo.width, last)).convert("RGB"))
            labels = change(pixels, segments[np.ix_(rows[first:last], columns)])
            pixels[_edges(labels, line)] = colour
            out.paste(Image.fromarray(pixels[top - first : bottom - first]), (0, top))
        return out


def _nearest(pixels: int, cells: int) -> NDArray[np.intp]:
    """The cell that the centre of each pixel lies in."""
    return (2 * np.arange(pixels) + 1) * cells // (2 * pixels)


def _tinted(pixels: Pixels, colour: tuple[int, int, int]) -> Pixels:
    """The pixels with the channel of the colour at its maximum, as in lime; the others dimmed, so that it shows on white."""
    full = np.array(colour, bool)
    return np.where(full, 255, pixels * 0.6).round().astype(np.uint8)


def _edges(labels: LabelMap, line: int) -> NDArray[np.bool_]:
    """The pixels at a border between labels, on the side of the larger: a smaller label lies at most `line` pixels away."""
    edges = np.zeros(labels.shape, bool)
    for away in range(1, line + 1):
        near, far = slice(None, -away), slice(away, None)
        for before, after in (((near,), (far,)), ((slice(None), near), (slice(None), far))):
            edges[before] |= labels[before] > labels[after]
            edges[after] |= labels[after] > labels[before]
    return edges


def _colour(colour: ColourOrName) -> tuple[int, ...]:
    try:
        return ImageColor.getrgb(colour)[:3] if isinstance(colour, str) else _three(colour)
    except (TypeError, ValueError):
        said = f"{colour!r} is no colour: give a name as on the web, '#rrggbb', or three numbers from 0 to 255."
        raise BadParameter(said) from None


def _three(colour: tuple[int, int, int]) -> tuple[int, ...]:
    red, green, blue = map(int, colour)
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError
    return red, green, blue
