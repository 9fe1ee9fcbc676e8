"""Pictures of volumes, signals and clips.

Volumes are (i, j, k) in RAS+ order and shown by the radiological convention, which every picture says with letters: the
patient's right lies on the left, seen from the feet, from the front, and from the patient's left side.  One look, so one
scale of colours, holds for all slices of a picture; `legend.with_legend` tells it.  Colours are as opaque as the map says
something there, backgrounds windowed.
"""

from typing import Any

import numpy as np
from PIL import Image

from .curves import curve, evidence, signal
from .frames import WIDE, columns_of, frames, spread_out, whole
from .paint import headed, lettered, tiled
from .planes import PLANES, Plane, Stack
from .render import Look

__all__ = ["curve", "frames", "montage", "panel", "projection", "projections", "signal"]

SHOWN = 0.1  # a slice with evidence has a value that stands out at least this much, as a share of the look's reach


def montage(
    values: Any,
    background: Any,
    look: Look,
    plane: str = "axial",
    count: int = 12,
    window: Any = None,
    spacing: Any = (1, 1, 1),
    affine: Any = None,
) -> Image.Image:
    """`count` slices spread over those with evidence, the strongest voxel's among them, in the order of their number.

    values, background: (i, j, k); background None shows the colours alone.  plane: axial, coronal or sagittal.
    window: the (low, high) of the background shown as black and white, by default its 1st to 99th percentile.
    spacing: mm between voxels along i, j, k; None where it is not known.  Slices are numbered from 0 on.
    affine: (4, 4), from voxels to mm in the scanner's coordinates, for headings; else mm count from the first slice.
    Raises BadParameter, NoSuchName.
    """
    stack, across = Stack.of(values, background, look, window, spacing, affine), Plane.named(plane)
    shown = _chosen(stack, across, whole(count))
    w, h = stack.extent(across)
    columns = columns_of(len(shown), w / h)
    scale = min((WIDE - 90) / columns / w, 1500 / -(-len(shown) // columns) / h, 480 / max(w, h))
    tiles = [_slice(stack, across, at, scale, (144, 60)) for at in shown]
    heading = f"{across.name} slices, {across.first} to {across.last}, seen {across.viewpoint}{stack.units}"
    return headed(tiled(tiles, columns), heading, 18)


def projection(
    values: Any, background: Any, look: Look, plane: str = "axial", window: Any = None, spacing: Any = (1, 1, 1)
) -> Image.Image:
    """Along the plane's axis, the value of the largest size with its sign, over the mean of the background.

    Parameters as of `montage`.
    """
    stack, across = Stack.of(values, background, look, window, spacing), Plane.named(plane)
    return _projected(stack, across, 800 / max(stack.extent(across)), (220, 60))


def projections(values: Any, background: Any, look: Look, window: Any = None, spacing: Any = (1, 1, 1)) -> Image.Image:
    """The projections along all three axes, of one scale as in a `panel`.  Parameters as of `montage`."""
    stack = Stack.of(values, background, look, window, spacing)
    scales, field = _fields(stack, 700)
    return tiled([_projected(stack, plane, scale, field) for plane, scale in scales], 3, 12)


def panel(
    values: Any, background: Any, look: Look, window: Any = None, spacing: Any = (1, 1, 1), affine: Any = None
) -> Image.Image:
    """A volume at one glance: the three planes through the strongest voxel, crossed out at it, all projections, and the
    evidence in every slice of the three axes.  Without any evidence the planes go through the middle.

    Parameters as of `montage`.
    """
    stack = Stack.of(values, background, look, window, spacing, affine)
    peak = stack.peak
    at = peak or tuple(side // 2 for side in stack.values.shape)
    scales, field = _fields(stack, 520)
    planes = [_slice(stack, plane, at[plane.axis], scale, field, at) for plane, scale in scales]
    flat = [_projected(stack, plane, scale, field) for plane, scale in scales]
    curves = [
        evidence(stack.values, plane, stack.apart(plane), (field[0], 250), mark=peak[plane.axis] if peak else None)
        for plane in PLANES.values()
    ]
    return headed(_rows([tiled(row, 3, 12) for row in (planes, flat, curves)]), _peak_in_words(stack, peak), 18)


def _fields(stack: Stack, most: int) -> tuple[list[tuple[Plane, float]], tuple[int, int]]:
    """Of three planes side by side, `most` pixels high: the scale of each, and the field that each of them has."""
    column = (WIDE - 48) // 3
    scales = _scales(stack, (column, most))
    return scales, (column, max(60, *(stack.size(plane, scale)[1] for plane, scale in scales)))


def _scales(stack: Stack, field: tuple[int, int]) -> list[tuple[Plane, float]]:
    """Pixels per mm of each plane: the same in all, but a plane that would be small fills at least 3/5 of its field."""
    fitting = {plane: min(side / mm for side, mm in zip(field, stack.extent(plane), strict=True)) for plane in PLANES.values()}
    return [(plane, max(min(fitting.values()), 0.6 * largest)) for plane, largest in fitting.items()]


def _slice(
    stack: Stack, plane: Plane, at: int, scale: float, field: tuple[int, int], cross: tuple[int, ...] | None = None
) -> Image.Image:
    size = stack.size(plane, scale)
    place = plane.place(cross, stack.values.shape, size) if cross is not None else None
    picture = stack.drawn(stack.slice(plane, at), size)
    ruled = scale if stack.in_mm else None
    return headed(lettered(picture, plane.letters, field, ruled, place), stack.named(plane, at, cross))


def _projected(stack: Stack, plane: Plane, scale: float, field: tuple[int, int]) -> Image.Image:
    picture = stack.drawn(stack.projected(plane), stack.size(plane, scale))
    ruled = scale if stack.in_mm else None
    return headed(lettered(picture, plane.letters, field, ruled), f"{plane.name} projection, seen {plane.viewpoint}")


def _chosen(stack: Stack, plane: Plane, count: int) -> list[int]:
    """The numbers of `count` slices, spread over the extent of the evidence, which is widened where it holds fewer."""
    evidence, slices = stack.evidence(plane), stack.values.shape[plane.axis]
    with_some = np.flatnonzero(evidence >= SHOWN * evidence.max())
    first, last = int(with_some[0]), int(with_some[-1])
    lacking = max(0, min(count, slices) - (last - first + 1))
    first = max(0, min(first - lacking // 2, slices - min(count, slices)))
    last = min(slices - 1, max(last, first + min(count, slices) - 1))
    peak = stack.peak
    return spread_out(first, last, count, peak[plane.axis] if peak else (first + last) // 2)


def _peak_in_words(stack: Stack, peak: tuple[int, ...] | None) -> str:
    if peak is None:
        return "the map is zero everywhere: the planes go through the middle"
    i, j, k = peak
    where = "" if stack.affine is None else f" at {', '.join(stack.coordinates(peak))} mm"
    return f"strongest value {stack.values[peak]:.3g}{where}: axial {k}, coronal {j}, sagittal {i}{stack.units}"


def _rows(rows: list[Image.Image]) -> Image.Image:
    out = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), "black")
    top = 0
    for row in rows:
        out.paste(row, (0, top))
        top += row.height
    return out
