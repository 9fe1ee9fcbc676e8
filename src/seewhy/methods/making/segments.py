"""A picture, signal or volume cut into segments: the pieces that are shown or hidden together."""

import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import numbers
from seewhy.errors import BadParameter, MissingExtra, NoSuchName, SeewhyError, closest, install
from seewhy.printable import quoted, words_of
from seewhy.targets.aim import ImageView
from seewhy.targets.target import PerImage

from .conditions import Conditions
from .marks import SeenGrid, from_file, placed

SegmentLabels = NDArray[np.intp]
Segments = (
    str | Path | NDArray[Any] | Sequence[Any] | Callable[[NDArray[Any]], Any]
)  # names, labels, or what makes labels of a picture
MOST = 5000  # segments, since each needs samples of its own
CELLS = {1: 32, 2: 8, 3: 4}  # of "grid", along each of so many axes


def segmented(picture: NDArray[Any], how: Segments, seed: int = 0) -> SegmentLabels:
    """Labels 0, 1, ... s - 1 of the pixels of a picture (*space, c), uint8 or float in [0, 1]: (*space).

    how: "slic" (about 100 compact segments, "slic:50" about 50; in volumes supervoxels, of any number of channels),
    "quickshift" (as lime cuts, ties broken under the seed), "felzenszwalb" (segments that follow edges), "grid:8" or "grid:6x8"
    (rows x columns), "grid" (32 intervals, 8 x 8 or 4 x 4 x 4 cells, fewer where there are fewer pixels), "auto" (slic, or of
    a signal the grid), labels of your own, integers (*space), or a function that takes the picture and gives such labels.

    Source: Achanta et al. 2012 (slic); Vedaldi & Soatto 2008 (quickshift); Felzenszwalb & Huttenlocher 2004.
    """
    space = picture.shape[:-1]
    if isinstance(how, str):
        labels, by = _named(picture, how, seed), how
    elif callable(how):
        by = f"the segmentation function {getattr(how, '__name__', type(how).__name__)}"
        labels = _whole(_called(how, picture, by), space, by)
    else:
        by = "segments"
        labels = _whole(how, space, by)
    present, inverse = np.unique(labels, return_inverse=True)
    _sensible(len(present), by)
    return inverse.reshape(space).astype(np.intp, copy=False)


def masks_among(how: Segments, view: ImageView | None, space: Sequence[int], name: str) -> NDArray[np.bool_] | None:
    """Masks (m, *space) of pieces of an image, where `how` is a list of such, of the image or the prepared image; else None.

    Raises BadParameter where they are of another size.
    """
    if not _is_masks(how, len(space)):
        return None
    each = [numbers(mask) for mask in how]  # type: ignore[union-attr]
    for i, mask in enumerate(each):
        found = placed(mask[None], view, space)[0]
        if found.shape != tuple(space):
            size = SeenGrid.of(view, space).shape
            known = " or ".join(map(str, dict.fromkeys((size, tuple(space)))))
            raise BadParameter(
                f"{name}: mask {i} of segments= is {mask.shape}; give it as the image or the prepared image is: {known}."
            )
        each[i] = found
    return np.stack(each)


def _is_masks(how: Any, d: int) -> bool:
    """Is it a list of boolean masks of d axes, or an array of such?"""
    several = isinstance(how, list | tuple) or getattr(how, "ndim", 0) == d + 1
    return bool(several and len(how)) and all("bool" in str(getattr(m, "dtype", "")) and np.ndim(m) == d for m in how)


def marked(how: Segments, view: ImageView | None, space: Sequence[int], name: str) -> Segments:
    """What a person marked, brought to the pixels (*space) that the network sees: labels in a file, labels of the image, masks
    that do not overlap, beside which what none marks is a segment of its own.  Anything else as it is.
    """
    masks = masks_among(how, view, space, name)
    if masks is not None:
        if (masks.sum(0) > 1).any():
            raise BadParameter(
                f"{name}: masks of segments= overlap, and each pixel has one segment here: occlusion takes such."
            )
        return np.where(masks.any(0), masks.argmax(0), len(masks))
    if isinstance(how, str | Path) and Path(how).suffix and Path(how).is_file():
        return placed(from_file(str(how), f"{name}: segments"), view, space)
    if isinstance(how, Path):
        raise BadParameter(
            f"{name}: segments={quoted(str(how))} is no file of a label map: a picture of one channel, .npy, or a volume."
        )
    if isinstance(how, str) or callable(how):
        return how
    try:
        labels = placed(np.asarray(how), view, space)
    except ValueError:  # no array: `segmented` says so
        return how
    image = SeenGrid.of(view, space).shape if view is not None and view.box is not None else tuple(space)
    if labels.ndim and labels.shape != tuple(space) and image != tuple(space):
        raise BadParameter(
            f"{name}: the labels of segments= are {labels.shape}; give one for each pixel of the image, {image}, or of what "
            f"the network sees of it, {tuple(space)}; for images of several sizes a list of labels, one for each image."
        )
    return labels


def by_image(how: Any) -> Any:
    """Segments of each image, as PerImage, where `how` is a list of label arrays, names or functions; else `how` itself."""
    listed = isinstance(how, list | tuple) and len(how) > 0
    if listed and all(_of_an_image(each) for each in how):
        return PerImage(how)
    return how


def _of_an_image(how: Any) -> bool:
    return isinstance(how, str | Path) or callable(how) or ("int" in str(getattr(how, "dtype", "")) and np.ndim(how) > 1)


def count_of(how: Any, space: tuple[int, ...]) -> int | None:
    """How many segments a picture (*space) has, for a grid or labels; None where its colours decide that."""
    if isinstance(how, PerImage | Path):
        return None
    if _is_masks(how, len(space)):
        return len(how)
    if isinstance(how, str) and not _looks(how, space):
        return int(segmented(np.zeros((*space, 1)), how).max()) + 1
    return None if isinstance(how, str) or callable(how) else len(np.unique(how))


def obstacle(settings: Mapping[str, Any], conditions: Conditions) -> str:
    """Why pictures cannot be cut by this value of the parameter `segments`; "" where they can."""
    how = settings["segments"]
    if isinstance(how, PerImage):
        return next((why for each in how.targets if (why := obstacle({"segments": each}, conditions))), "")
    if isinstance(how, Path) or (isinstance(how, str) and Path(how).suffix and Path(how).is_file()):
        return ""
    if isinstance(how, str) and _looks(how, conditions.space):
        missing = f"superpixels need scikit-image: {install('superpixels')}; or give segments='grid:8'"
        return "" if find_spec("skimage") else missing
    try:
        count_of(how, conditions.space)
    except SeewhyError as error:
        return str(error)
    return ""


def _looks(how: str, space: tuple[int, ...]) -> bool:
    """Do colours decide where the segments lie, as for superpixels?"""
    return not (how.startswith("grid") or (how == "auto" and len(space) == 1))


def _named(picture: NDArray[Any], how: str, seed: int) -> NDArray[Any]:
    space = picture.shape[:-1]
    if how == "grid" or (how == "auto" and len(space) == 1):
        return _grid(space, [min(CELLS.get(len(space), 2), side) for side in space], how)
    if how == "auto":
        how = "slic"
    if match := re.fullmatch(r"grid:([0-9]{1,9}(?:x[0-9]{1,9})*)", how):
        return _grid(space, [int(part) for part in match[1].split("x")], how)
    if match := re.fullmatch(r"slic:([1-9][0-9]{0,8})", how):
        _sensible(int(match[1]), how)
        return _slic(_skimage(), picture, seed, int(match[1]))
    if how not in ALGORITHMS:
        rest = (
            f"There are auto, {', '.join(ALGORITHMS)} and slic:50, grid, grid:ROWSxCOLUMNS, as in grid:8x8; or give labels, "
            "or a function."
        )
        raise NoSuchName("segmentation", how, closest(how, ["auto", *ALGORITHMS, "grid", "grid:8"]), rest)
    run, dimensions, channels = ALGORITHMS[how]
    _fits(picture, how, dimensions, channels)
    return run(_skimage(), picture, seed)


def _grid(space: tuple[int, ...], cells: list[int], how: str) -> SegmentLabels:
    """Cells whose sides are equal up to one pixel."""
    cells = cells * len(space) if len(cells) == 1 else cells
    if len(cells) != len(space) or not all(1 <= n <= side for n, side in zip(cells, space, strict=True)):
        raise BadParameter(
            f"{how!r} does not divide a picture of {_sides(space)} pixels: give one number for all its {len(space)} sides, or "
            f"one for each, every one from 1 to the pixels of that side."
        )
    along = [np.arange(side) * n // side for side, n in zip(space, cells, strict=True)]
    return np.ravel_multi_index(np.meshgrid(*along, indexing="ij"), cells)


def _slic(skimage: Any, picture: NDArray[Any], seed: int, about: int = 100) -> NDArray[Any]:
    colour = picture.shape[-1] == 3  # slic compares colours in Lab, from 0 to 100, but other channels from 0 to 1
    compactness = 20 if colour else 0.2
    return skimage.slic(picture, about, compactness, sigma=1, start_label=0)  # without smoothing, noise would be one segment


def _quickshift(skimage: Any, picture: NDArray[Any], seed: int) -> NDArray[Any]:
    colour = np.repeat(picture, 3, -1) if picture.shape[-1] == 1 else picture
    return skimage.quickshift(colour, kernel_size=4, max_dist=200, ratio=0.2, rng=seed)


def _felzenszwalb(skimage: Any, picture: NDArray[Any], seed: int) -> NDArray[Any]:
    smallest = max(1, picture[..., 0].size // 500)
    return skimage.felzenszwalb(picture, scale=100, sigma=0.8, min_size=smallest)


ALGORITHMS: dict[str, tuple[Callable[[Any, NDArray[Any], int], NDArray[Any]], tuple[int, ...], tuple[int, ...] | None]] = {
    "slic": (_slic, (2, 3), None),  # the function, its numbers of dimensions, its numbers of channels (None: any)
    "quickshift": (_quickshift, (2,), (1, 3)),
    "felzenszwalb": (_felzenszwalb, (2,), (1, 2, 3)),
}


def _fits(picture: NDArray[Any], how: str, dimensions: tuple[int, ...], channels: tuple[int, ...] | None) -> None:
    *space, c = picture.shape
    if len(space) not in dimensions:
        other = '"slic" takes volumes too' if len(space) == 3 else '"grid" and "grid:8" take any'
        axes = "1 dimension" if len(space) == 1 else f"{len(space)} dimensions"
        raise BadParameter(f"{how} does not cut {_sides(space)} pixels, {axes} of space: {other}.")
    if channels and c not in channels:
        raise BadParameter(f'{how} takes pictures of {channels} channels, and this one has {c}: "slic" takes any number.')
    if picture.dtype == np.uint8:
        return
    if not np.issubdtype(picture.dtype, np.floating) or not (picture.min() >= 0 and picture.max() <= 1):
        raise BadParameter(
            f"{how} reads colours, uint8 or floats from 0 to 1; this picture is {picture.dtype} from {picture.min():.3g} to "
            f'{picture.max():.3g}. Scale it, or cut without looking: "grid:8", or labels of your own.'
        )


def _skimage() -> Any:
    try:
        return import_module("skimage.segmentation")
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] != "skimage":
            raise
        raise MissingExtra("scikit-image", "superpixels") from None


def _called(how: Callable[[NDArray[Any]], Any], picture: NDArray[Any], by: str) -> Any:
    try:
        return how(picture.copy())
    except Exception as error:
        said = f"{by} failed on a picture {picture.shape} of {picture.dtype}: {type(error).__name__}: {words_of(error)}"
        raise BadParameter(said) from error


def _whole(labels: Any, space: tuple[int, ...], by: str) -> NDArray[Any]:
    wanted = f"give integer labels of shape {space}, one for each pixel of the picture"
    try:
        labels = np.asarray(labels)
    except Exception as error:
        raise BadParameter(f"{by}: {type(labels).__name__} is no array ({error}): {wanted}.") from error
    if labels.dtype.kind not in "iub":
        raise BadParameter(f"{by}: labels of {labels.dtype} {labels.shape}: {wanted}.")
    if labels.shape != space:
        raise BadParameter(f"{by}: labels of shape {labels.shape} for a picture of {space}: {wanted}.")
    return labels


def _sensible(count: int, by: str) -> None:
    if count == 1:
        raise BadParameter(
            f"{by}: the whole picture is one segment, and nothing in it can be hidden against the rest. "
            'Cut it finer: "grid:8", or labels of your own.'
        )
    if count > MOST:
        raise BadParameter(
            f"{by}: {count} segments, and each wants samples of its own; at most {MOST} are taken. "
            'Cut it coarser: "slic" gives about 100, "grid:10" as many.'
        )


def _sides(space: Any) -> str:
    return " x ".join(map(str, space))
