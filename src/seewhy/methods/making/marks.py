"""What a person marks in an image - a part of it, labels of its pixels - brought to the pixels that the network sees."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats, numbers
from seewhy.errors import BadImage, BadParameter
from seewhy.images.files import guarded, open_picture
from seewhy.images.orientation import UPRIGHT, oriented
from seewhy.images.places import Grid, Turned
from seewhy.images.volume_kinds import holds_volume
from seewhy.images.volumes import read_volume
from seewhy.printable import quoted
from seewhy.targets.aim import ImageView

Within = str | Path | Sequence[float] | NDArray[Any]  # the file of a mask, a box, a mask
BESIDE = 0.05  # of a pixel that the network sees: what covers less of it lies beside it, as where a view is measured, not known
BEYOND = 1.0  # pixels by which a box may reach over the edge of the image, as boxes that were rounded do


class SeenAxis(NamedTuple):
    """Where the pixels that the network sees lie along one axis of them, in the image that was given."""

    of_image: int  # the axis of the image that it runs along
    edges: Floats  # (n + 1,) of its n pixels, in pixels of the image: the first is (0, 1)


class SeenGrid(NamedTuple):
    """The pixels that the network sees, in the image that was given."""

    shape: tuple[int, ...]  # of the image: of a photo (h, w)
    axes: tuple[SeenAxis, ...]
    frames: bool = False  # is it a clip, on whose frames boxes of a photo lie?

    @classmethod
    def of(cls, view: ImageView | None, space: Sequence[int]) -> "SeenGrid":
        """The grid of an image seen so.  Raises NotApplicable where it is not known which part of a photo the network sees."""
        if view is None:
            return cls(tuple(space), tuple(SeenAxis(axis, np.arange(side + 1.0)) for axis, side in enumerate(space)))
        view.require_place()
        box: Any = view.box
        if isinstance(box, Grid):
            each = zip(box.axes, box.first, box.step, box.size, space, strict=True)  # of n pixels, at whatever scale
            axes = [
                SeenAxis(axis, first + 0.5 + step * (size * np.arange(n + 1) / n - 0.5)) for axis, first, step, size, n in each
            ]
            return cls(box.shape, tuple(axes), view.size is not None)
        extent, order = (box.extent, (1, 0)) if isinstance(box, Turned) else (box, (0, 1))
        spans = (extent.top, extent.bottom), (extent.left, extent.right)
        axes = [
            SeenAxis(axis, spans[axis][0] + (spans[axis][1] - spans[axis][0]) * np.arange(n + 1) / n)
            for axis, n in zip(order, space, strict=True)
        ]
        return cls(view.size[::-1] if view.size else tuple(space), tuple(axes))

    @property
    def space(self) -> tuple[int, ...]:
        return tuple(len(axis.edges) - 1 for axis in self.axes)

    def touched(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask of the image -> True at the pixels (*space) that hold any of it."""
        found = mask.astype(np.int64)
        for axis, edges in self.axes:
            low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
            first, last = (np.clip(side, 0, mask.shape[axis]).astype(np.intp) for side in
                           (np.floor(low + BESIDE * (high - low)), np.ceil(high - BESIDE * (high - low))))  # fmt: skip
            sums = np.concatenate([np.zeros_like(found.take([0], axis)), found.cumsum(axis)], axis)
            found = (sums.take(np.maximum(first, last), axis) - sums.take(first, axis) > 0).astype(np.int64)
        return found.transpose([axis.of_image for axis in self.axes]) > 0

    def boxed(self, low: Floats, high: Floats) -> NDArray[np.bool_]:
        """True at the pixels (*space) that a box of the image, by its edges along each axis, covers in part."""
        inside = np.ones(self.space, bool)
        for place, (axis, edges) in enumerate(self.axes):
            least, most = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
            along = np.minimum(most, high[axis]) - np.maximum(least, low[axis]) > BESIDE * (most - least)
            inside &= along.reshape([-1 if a == place else 1 for a in range(len(self.axes))])
        return inside

    def read(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Labels of the image at the centres of the pixels (*space); beyond the image those at its edge."""
        for axis, edges in self.axes:
            at = np.floor((edges[:-1] + edges[1:]) / 2).clip(0, self.shape[axis] - 1).astype(np.intp)
            labels = labels.take(at, axis)
        return labels.transpose([axis.of_image for axis in self.axes])


def part(within: Within, view: ImageView | None, space: Sequence[int], what: str) -> NDArray[np.bool_]:
    """True at the pixels (*space) of the part of an image that is asked for.

    within: a mask of the image, or of the prepared image, or a file with one: not zero there; or a box: of a photo
        (x0, y0, x1, y1), of a clip the same in all frames, else the lower edges along the image's axes, and then the upper:
        of a signal (start, stop).
    Raises BadParameter, beginning with `what`, where it is none of these, or nothing of it is seen.
    """
    given = from_file(str(within), what) if isinstance(within, str | Path) else within
    try:
        array = numbers(given)
    except ValueError:
        array = np.zeros(0, object)
    if array.dtype.kind not in "biuf":
        raise BadParameter(f"{what}={quoted(within)} is no part of an image: {_wanted(len(space))}.")
    grid = SeenGrid.of(view, space)
    mask = array.dtype.kind == "b" or array.ndim > 1 or (len(space) == 1 and len(array) != 2)
    found = _masked(array, grid, what) if mask else _boxed(array, grid, what, within)
    if not found.any():
        raise BadParameter(f"{what}: nothing of it lies in what the network sees of the image: mark a place that it sees.")
    return found


def _masked(array: NDArray[Any], grid: SeenGrid, what: str) -> NDArray[np.bool_]:
    mask = (array != 0) & (array == array)  # NaN marks nothing
    if mask.shape == grid.shape:
        return grid.touched(mask)
    if mask.shape == grid.space:
        return mask
    if len(grid.shape) == 3 and mask.shape == grid.shape[1:]:  # of every frame
        return grid.touched(np.broadcast_to(mask, grid.shape))
    known = " or ".join(map(str, dict.fromkeys((grid.shape, grid.space))))
    raise BadParameter(f"{what}: the mask is {mask.shape}; give it as the image or the prepared image is: {known}.")


def _boxed(array: NDArray[Any], grid: SeenGrid, what: str, within: Any) -> NDArray[np.bool_]:
    d = len(grid.shape)
    if grid.frames and array.shape == (4,):  # all frames
        x0, y0, x1, y1 = array
        array = np.array([0, y0, x0, grid.shape[0], y1, x1])
    if array.shape != (2 * d,) or not np.isfinite(array.astype(float)).all():
        raise BadParameter(f"{what}={quoted(within)} is no box: {_wanted(d)}.")
    low, high = array[:d].astype(float), array[d:].astype(float)
    low, high = (low[::-1], high[::-1]) if d == 2 else (low, high)  # x comes first
    if (low >= high).any() or (low < -BEYOND).any() or (high > np.array(grid.shape) + BEYOND).any():
        size = " x ".join(map(str, grid.shape[::-1] if d == 2 else grid.shape))
        raise BadParameter(f"{what}={quoted(within)} is empty or reaches beyond the image of {size} pixels: {_wanted(d)}.")
    return grid.boxed(low, high)


def _wanted(d: int) -> str:
    boxes = {1: "(start, stop)", 2: "(x0, y0, x1, y1)"}
    box = boxes.get(d, f"the {d} lower and then the {d} upper edges along its axes")
    return f"give a mask of the image's size, the file of one, or a box, {box}"


def placed(labels: NDArray[Any], view: ImageView | None, space: Sequence[int]) -> NDArray[Any]:
    """Labels (*image) of the pixels of an image -> of those that the network sees (*space), read at their centres; labels that
    are given so are handed on, and those of any other shape.

    Masks (m, *image) likewise, (m, *space): each is True wherever any of it lies.
    """
    grid = SeenGrid.of(view, space) if view is not None and view.box is not None else SeenGrid.of(None, space)
    if labels.shape == grid.shape:
        return grid.read(labels)
    if labels.ndim == len(space) + 1 and labels.dtype.kind == "b" and labels.shape[1:] == grid.shape:
        return np.stack([grid.touched(mask) for mask in labels])
    return labels


def from_file(file: str, what: str) -> NDArray[Any]:
    """The numbers of a mask or label map in a file: a picture of one channel or with a palette, .npy, or a volume."""
    path, said = Path(file), f"{what}={quoted(file)}"
    try:
        with guarded(said):
            array = _opened(path, said)
    except BadImage as error:
        raise BadParameter(f"{error} {what} takes a file of a mask or of labels.") from None
    if not holds_volume(path) and array.ndim != 2 and path.suffix.lower() != ".npy":
        raise BadParameter(f"{said} is a picture of {array.shape[-1]} channels: labels are one number for each pixel.")
    whole = array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.round(array)).all()
    return array.astype(np.intp) if whole else array


def _opened(path: Path, said: str) -> NDArray[Any]:
    if holds_volume(path):
        return read_volume(path).values
    if path.suffix.lower() == ".npy":
        return np.load(path, allow_pickle=False)
    with open_picture(path, said) as picture:
        turn = oriented(picture)
        upright = picture.transpose(UPRIGHT[turn]) if turn in UPRIGHT else picture
        return np.asarray(upright)
