"""What a map is drawn on: a photo, a volume, a clip, a signal, or, of a prepared array, nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import BadParameter, NoSuchName, NotApplicable, closest
from seewhy.images.given import is_clip
from seewhy.images.places import Cells, Extent, Floats, Grid
from seewhy.images.volume import Volume

from .render import Below, Look, over, overlay, with_legend
from .stretching import Size, stretch, stretched

if TYPE_CHECKING:
    from seewhy.maps.heatmap import Heatmap

VIEWS = ("panel", "axial", "coronal", "sagittal", "projection", "curve")  # of a volume


def full(heatmap: "Heatmap") -> NDArray[np.float32]:
    """The values on the grid of what was given: of a photo (H, W), a volume (i, j, k), a clip (t, H, W), a signal (l,)."""
    if isinstance(heatmap.box, Grid) and heatmap.values.ndim == len(heatmap.box.size):
        return heatmap.box.spread(heatmap.values, heatmap.cells)
    return stretch(*_flat(heatmap))


def _flat(heatmap: "Heatmap") -> tuple[NDArray[np.float32], Extent, Size, Cells | None]:
    """What `stretch` asks for."""
    values, box = heatmap.values, heatmap.box
    if isinstance(box, Grid) or values.ndim != 2 or isinstance(heatmap.image, Volume):
        raise NotApplicable(f"This map is {values.shape}, which cannot lie on {_named(heatmap)}. Use .values.")
    width, height = heatmap.size
    return values, box, (width, height), heatmap.cells


def drawn(
    heatmap: "Heatmap", look: Look, view: str | None, window: Any, count: int | None, below: Below | None = None
) -> Image.Image:
    """The map in colour on what was given.

    view, window: of a volume; count: how many slices or frames, where the picture shows some; below: what stands under it.
    """
    if view is not None and view not in VIEWS:
        raise NoSuchName("view", view, closest(str(view), [*VIEWS]), f"There are: {', '.join(VIEWS)}.")
    flat = None if isinstance(heatmap.box, Grid) else _flat(heatmap)
    if view not in (None, "panel") and not views(heatmap):
        raise BadParameter(f"view={view!r}: {_named(heatmap)} has no such view; volumes have {', '.join(VIEWS)}.")
    if flat:
        photo = heatmap.image if isinstance(heatmap.image, Image.Image) else None
        return overlay(stretched(*flat), flat[2], photo, flat[1], look, below)
    picture = _on_grid(full(heatmap), heatmap.image, look, view, window, {} if count is None else {"count": count})
    return over(picture, below(picture.width)) if below else picture


def _on_grid(values: Floats, image: Any, look: Look, view: str | None, window: Any, some: dict[str, int]) -> Image.Image:
    """A volume's, a clip's, a signal's map."""
    from .volumes import frames, signal  # as long to import as much of seewhy

    if values.ndim == 1:
        return signal(values, image, look)
    if is_clip(image):
        return frames(values, image.frames, look, **some)
    return _volume(values, image if isinstance(image, Volume) else None, look, view or "panel", window, some)


class _Full(Sequence[NDArray[np.float32]]):
    """Maps at the size of their photos, made when they are asked for."""

    def __init__(self, maps: "Sequence[Heatmap]") -> None:
        self.maps = maps

    def __len__(self) -> int:
        return len(self.maps)

    def __getitem__(self, at: Any) -> Any:
        return full(self.maps[at])


def strip(maps: "Sequence[Heatmap]", count: int, alpha: float, colours: str | None, legend: bool) -> Image.Image:
    """Maps over photos of one size, beside each other on one scale."""
    from .volumes import frames

    asked = sorted({f"{m.source.method} for {m.source.target} at {m.source.layer}" for m in maps})
    if len(asked) != 1 or len({m.size for m in maps}) != 1 or not all(isinstance(m.image, Image.Image) for m in maps):
        there = "; ".join(asked) or "none"
        raise BadParameter(f"A strip shows maps of one question over photos of one size; here are {there}. Pick with where().")
    signed = any(bool(m.source.params.get("signed")) for m in maps)
    ends = (min(0.0, *(float(m.values.min()) for m in maps)), max(0.0, *(float(m.values.max()) for m in maps)))
    look = Look.of(maps[0].values, alpha, colours, ends, signed)
    picture = frames(_Full(maps), [m.image for m in maps], look, count)
    captions = {m.source.caption for m in maps}
    said = captions.pop() if len(captions) == 1 else f"{asked[0]}, of each by itself"
    return with_legend(picture, look, said, 22) if legend else picture


def views(heatmap: "Heatmap") -> tuple[str, ...]:
    """The pictures that a volume's map has."""
    return VIEWS if heatmap.values.ndim == 3 and isinstance(heatmap.box, Grid) and not is_clip(heatmap.image) else ()


def remark(heatmap: "Heatmap") -> str:
    """What a legend has to say of where the map lies."""
    return "; sides lettered as if its axes ran to R, A, S" if views(heatmap) and heatmap.image is None else ""


def _volume(values: Floats, volume: Volume | None, look: Look, view: str, window: Any, some: dict[str, int]) -> Image.Image:
    """In RAS+ order; what has no affine is taken to be so."""
    from .volumes import curve, montage, panel, projections

    grid = volume.towards("RAS") if volume else Grid.whole(values.shape)
    under = grid.read(volume.channels[0]) if volume else None
    spacing = tuple(volume.spacing[axis] for axis in grid.axes) if volume else (1.0, 1.0, 1.0)
    values = grid.read(values)
    if view == "panel":
        return panel(values, under, look, window, spacing)
    if view == "curve":
        return curve(values, "axial", spacing)
    if view == "projection":
        return projections(values, under, look, window, spacing)
    return montage(values, under, look, view, window=window, spacing=spacing, **some)


def _named(heatmap: "Heatmap") -> str:
    image = heatmap.image
    if isinstance(image, Image.Image):
        return "a photo"
    return f"a {type(image).__name__.lower()}" if isinstance(image, Volume) or is_clip(image) else "a prepared array"
