"""A map drawn on what it explains: a photo, a volume, a clip, a signal or, for a prepared array, on nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Floats
from seewhy.errors import BadParameter, NoSuchName, NotApplicable, closest
from seewhy.images.inputs import is_clip
from seewhy.images.photo import UnderlayPixels
from seewhy.images.places import Cells, Extent, Grid, Where
from seewhy.images.volume import Volume

from .legend import over, with_legend
from .render import VALUE, Alpha, Below, Look, beyond, clipped, overlay
from .stretching import Size, stretch, stretched

VIEWS = ("panel", "axial", "coronal", "sagittal", "projection", "curve")  # of a volume


@dataclass(frozen=True, eq=False)
class Overlay:
    """A map and the image that it lies over: the fields of a `Heatmap` that a picture needs."""

    values: NDArray[np.float32]
    image: UnderlayPixels
    box: Where
    cells: Cells | None = None

    @cached_property
    def on_grid(self) -> NDArray[np.float32]:
        """The values of a map that lies in a Grid, on the whole of it."""
        assert isinstance(self.box, Grid)
        return self.box.spread(self.values, self.cells)

    @property
    def size(self) -> tuple[int, ...]:
        """(w, h) of the original photo, in pixels; of a volume (i, j, k), of a clip (t, h, w), of a signal (l,)."""
        if isinstance(self.box, Grid):
            return self.box.shape
        return self.image.size if isinstance(self.image, Image.Image) else (round(self.box.right), round(self.box.bottom))


@dataclass(frozen=True)
class DrawingOptions:
    """How a map is to be drawn: the arguments of `Heatmap.overlay`, which says what each of them means."""

    alpha: Alpha = VALUE
    colours: str | None = None
    legend: bool = False
    scale: tuple[float, float] | None = None
    clip: float | None = None
    view: str | None = None
    window: tuple[float, float] | None = None
    count: int | None = None

    def look(self, values: Floats, percent: float, signed: bool, from_least: bool) -> tuple[Look, str]:
        """The colours of these values, and what a legend has to say of values that lie beyond the range of the colours.

        percent: the percentile of absolute values at which colours end, where neither `clip` nor `scale` is given.
        signed: centre the colours on zero, even where no value is negative.
        from_least: let the colours begin at the least value in place of zero.
        """
        percent = percent if self.clip is None else self.clip
        said = beyond(values, percent) if self.scale is None else ""
        span, colours = clipped(values, percent) if self.scale is None and percent != 100 else self.scale, self.colours
        if span is None and from_least and values.min() < values.max():
            span, colours = (float(values.min()), float(values.max())), colours or "inferno"
        return Look.of(values, self.alpha, colours, span, signed), said


def on_photo(shown: Overlay) -> bool:
    """Does the map lie on a photo, or on a prepared array of one?"""
    return isinstance(shown.box, Extent) and (shown.image is None or isinstance(shown.image, Image.Image))


def magnified(shown: Overlay, times: float) -> Overlay:
    """The same map over its photo, or prepared array, of so many times as many pixels on each side.

    Raises NotApplicable where it lies on anything else, BadParameter where that is no size for a picture.
    """
    if times == 1:
        return shown
    if not on_photo(shown):
        raise NotApplicable(f"Only pictures of photos are drawn larger; that of {_named(shown)} has a size of its own.")
    return resized(shown, magnified_size(shown.size, times), Image.Resampling.LANCZOS)


def magnified_size(size: tuple[int, ...], times: float) -> Size:
    """The size (w, h) of a picture drawn so many times as large.  Raises BadParameter where that is none, or too large."""
    if isinstance(times, bool) or not isinstance(times, int | float | np.number) or not 0 < times < np.inf:
        raise BadParameter(f"A picture cannot be drawn {times!r} times as large: give a number above 0, as 2 or 1.5.")
    width, height = (max(1, round(side * times)) for side in size)
    if Image.MAX_IMAGE_PIXELS is not None and width * height > max(Image.MAX_IMAGE_PIXELS, size[0] * size[1]):
        most = (Image.MAX_IMAGE_PIXELS / (size[0] * size[1])) ** 0.5
        raise BadParameter(
            f"Drawn {times:g} times as large, a picture of {size[0]} x {size[1]} pixels has {width} x {height}, more than the "
            f"{Image.MAX_IMAGE_PIXELS} that a photo may have. Give {most:.2g} or less."
        )
    return width, height


def resized(shown: Overlay, size: Size, how: Image.Resampling, photo: Image.Image | None = None) -> Overlay:
    """The same map over its photo, or prepared array, brought to that size; photo: the photo of that size, if there is one."""
    image, box, (width, height) = shown.image, shown.box, shown.size
    across, down = size[0] / width, size[1] / height
    placed = Extent(box.left * across, box.top * down, box.right * across, box.bottom * down)  # type: ignore[union-attr]
    return replace(shown, image=photo or (image and image.convert("RGB").resize(size, how)), box=placed)  # type: ignore[union-attr]


def plain(alpha: Alpha) -> Alpha:
    """The opacity on anything but a photo: that of volumes and clips follows the value by `paint.painted`, up to this."""
    return 0.5 if alpha == VALUE else alpha


def full(shown: Overlay) -> NDArray[np.float32]:
    """The values at the size of the image: of a photo (H, W), a volume (i, j, k), a clip (t, H, W), a signal (l,)."""
    if isinstance(shown.box, Grid) and shown.values.ndim == len(shown.box.size):
        return shown.on_grid
    return stretch(*_flat(shown))


def _flat(shown: Overlay) -> tuple[NDArray[np.float32], Extent, Size, Cells | None]:
    """The arguments of `stretch`.  Raises NotApplicable where the map has other dimensions than a photo."""
    if isinstance(shown.box, Grid) or shown.values.ndim != 2 or isinstance(shown.image, Volume):
        raise NotApplicable(f"This map is {shown.values.shape}, which cannot lie on {_named(shown)}. Use .values.")
    width, height = shown.size
    return shown.values, shown.box, (width, height), shown.cells


def drawn(shown: Overlay, look: Look, options: DrawingOptions, below: Below | None = None) -> Image.Image:
    """The map in colour over its image; below: draws what stands under a picture, from its width.

    Raises NoSuchName, BadParameter, NotApplicable.
    """
    view = options.view
    if view is not None and view not in VIEWS:
        raise NoSuchName("view", view, closest(str(view), [*VIEWS]), f"There are: {', '.join(VIEWS)}.")
    flat = None if isinstance(shown.box, Grid) else _flat(shown)
    if view not in (None, "panel") and not views(shown):
        raise BadParameter(f"view={view!r}: {_named(shown)} has no such view; volumes have {', '.join(VIEWS)}.")
    if flat:
        photo = shown.image if isinstance(shown.image, Image.Image) else None
        return overlay(stretched(*flat), flat[2], photo, flat[1], look, below)
    picture = _on_grid(full(shown), shown.image, look, options)
    return over(picture, below(picture.width)) if below else picture


def _on_grid(values: Floats, image: Any, look: Look, options: DrawingOptions) -> Image.Image:
    """The map of a volume, a clip or a signal."""
    from .volumes import frames, signal  # here, for importing it takes as long as much of seewhy does

    if values.ndim == 1:
        return signal(values, image, look)
    if is_clip(image):
        return frames(values, image.frames, look, **_count(options))
    return _volume(values, image if isinstance(image, Volume) else None, look, options)


def _count(options: DrawingOptions) -> dict[str, int]:
    """The keyword `count` of functions that draw slices or frames, where it is given; else they have a default."""
    return {} if options.count is None else {"count": options.count}


class _FullSize(Sequence[NDArray[np.float32]]):
    """Maps at the size of their photos, each made anew whenever it is read."""

    def __init__(self, maps: Sequence[Overlay]) -> None:
        self.maps = maps

    def __len__(self) -> int:
        return len(self.maps)

    def __getitem__(self, at: Any) -> Any:
        return full(self.maps[at])


def strip(maps: Sequence[Overlay], options: DrawingOptions, signed: bool, caption: str) -> Image.Image:
    """Maps over photos of one size, beside each other on one scale: `options.count` of them."""
    from .volumes import frames  # here, for importing it takes as long as much of seewhy does

    ends = (min(0.0, *(float(m.values.min()) for m in maps)), max(0.0, *(float(m.values.max()) for m in maps)))
    look = Look.of(maps[0].values, plain(options.alpha), options.colours, ends, signed)
    picture = frames(_FullSize(maps), [m.image for m in maps], look, **_count(options))  # type: ignore[misc]
    return with_legend(picture, look, caption, 22) if options.legend else picture


def views(shown: Overlay) -> tuple[str, ...]:
    """The views that the map can be drawn in: those of a volume, or none."""
    return VIEWS if shown.values.ndim == 3 and isinstance(shown.box, Grid) and not is_clip(shown.image) else ()


def remark(shown: Overlay, window: tuple[float, float] | None = None) -> str:
    """What a legend has to add on how the map lies, and which values its greys are; empty where there is nothing to add."""
    if not views(shown):
        return ""
    if not isinstance(shown.image, Volume):
        return "; sides lettered as if its axes ran to R, A, S"
    from .planes import GreyWindow  # here, for importing it takes as long as much of seewhy does

    black, white = GreyWindow.of(shown.image.channels[0], window)
    guess = "" if shown.image.sides_known else "; LEFT AND RIGHT ARE A GUESS: the file does not say how the patient lies"
    return f"; black {black:.4g}, white {white:.4g}{guess}"


def _volume(values: Floats, volume: Volume | None, look: Look, options: DrawingOptions) -> Image.Image:
    """A map of a volume, both turned to RAS+ order; a prepared array is taken to be in that order."""
    from .volumes import curve, montage, panel, projections  # here, for importing it takes as long as much of seewhy does

    grid = volume.towards("RAS") if volume else Grid.whole(values.shape)
    under = grid.read(volume.channels[0]) if volume else None
    spacing = tuple(volume.spacing[axis] for axis in grid.axes) if volume else None
    affine = volume.affine @ grid.matrix if volume and volume.sides_known else None
    values, view, window = grid.read(values), options.view or "panel", options.window
    if view == "panel":
        return panel(values, under, look, window, spacing, affine)
    if view == "curve":
        return curve(values, "axial", spacing)
    if view == "projection":
        return projections(values, under, look, window, spacing)
    return montage(values, under, look, view, window=window, spacing=spacing, affine=affine, **_count(options))


def _named(shown: Overlay) -> str:
    """What the map lies on, in words for an error."""
    image = shown.image
    if isinstance(image, Image.Image):
        return "a photo"
    return f"a {type(image).__name__.lower()}" if isinstance(image, Volume) or is_clip(image) else "a prepared array"
