"""From a photo to what the network eats, and back: where on the photo each of its pixels lies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Array, numbers
from seewhy.errors import BadImage, BadParameter
from seewhy.images.inputs import Images, PreparedBatch, is_clip, sort_out
from seewhy.images.photo import Photo, Underlay, UnderlayPixels, photos
from seewhy.images.photo import opened as open_file
from seewhy.images.places import Extent, Grid, Turned, Where
from seewhy.images.volume import Volume
from seewhy.images.volume_kinds import holds_volume
from seewhy.images.volumes import read_volume

from .callable_fit import CallableFit
from .fit import Fit, Preparer, Ready
from .unscaled import Unscaled
from .volume_fit import VolumeFit, means_volumes, volume_fit

ROOM = 2**28  # bytes of volumes that wait for one batch
LOST = "where the network looked on the photo cannot be measured: the map lies on the whole photo"


class Batch(NamedTuple):
    """Images at the border: what the network is given, and where each came from."""

    x: Array  # (n, c, *space)
    photos: list[Photo | Underlay | None]  # None for a prepared array
    names: list[str]
    boxes: list[Where]  # where in these what the network is given lies; all of an image where that is not known
    notes: list[tuple[str, ...]]
    sha256: Sequence[str] = ()  # of each image's pixels, as `images.digest` has it, where they are known before

    def known_box(self, i: int) -> Where | None:
        """Where in image i what the network is given lies; None where it is not known."""
        return None if LOST in self.notes[i] else self.boxes[i]

    def network_view(self, i: int) -> Image.Image | None:
        """The photo as the network saw it, cropped and of its size; None of a prepared array, and where that is not known."""
        photo, box, space = self.photos[i], self.known_box(i), tuple(self.x.shape[2:])
        if not isinstance(photo, Photo) or not isinstance(box, Extent | Turned) or len(space) != 2:
            return None
        return box.cut(photo.pixels).resize((space[1], space[0]), Image.Resampling.BILINEAR)

    def part(self, start: int, stop: int) -> "Batch":
        """Some of the images."""
        s = slice(start, stop)
        return Batch(self.x[s], self.photos[s], self.names[s], self.boxes[s], self.notes[s], self.sha256[s])


def _fitting_crop(numbers: dict[str, Any]) -> dict[str, Any]:
    """Where a size is named that is smaller than the usual crop, and no crop, all of that size is seen: no rim around it."""
    size = Fit(numbers.get("size"), None).size  # checked
    small = size is not None and "crop" not in numbers and np.min(size) < np.min(Fit().crop or 0)
    return {**numbers, "crop": size} if small else numbers


def preparer(prepare: Any) -> Preparer | None:
    """What `wrap(prepare=)` takes: None, a Fit, VolumeFit or ClipFit, a dict of the numbers of one of these, or any callable
    PIL image -> (c, h, w).
    """
    from .clip_fit import ClipFit  # here, for clips are rare and, with the reader of TIFF's tags, take a while to import

    if prepare is None or isinstance(prepare, Fit | CallableFit | VolumeFit | ClipFit):
        return prepare
    if isinstance(prepare, Mapping) and means_volumes(prepare):
        return volume_fit(prepare)
    if isinstance(prepare, Mapping) and "count" in prepare:
        return ClipFit(Fit(**{key: value for key, value in prepare.items() if key != "count"}), prepare["count"])
    if isinstance(prepare, Mapping):
        unknown = set(prepare) - set(Fit.__dataclass_fields__)
        if unknown:
            names = ", ".join(Fit.__dataclass_fields__)
            raise BadParameter(f"`prepare` has no {', '.join(sorted(map(str, unknown)))}. It takes: {names}.")
        numbers: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in prepare.items()}
        return Fit(**_fitting_crop(numbers))
    if callable(prepare) and not isinstance(prepare, type):
        return CallableFit(prepare)
    raise BadParameter(
        f"`prepare` is {type(prepare).__name__}. Give a dict of size, crop, mean, std, "
        "or a callable PIL image -> float array (c, h, w)."
    )


class ReadyPhoto(NamedTuple):
    """What was prepared of an image, and the image."""

    ready: Ready
    photo: Photo | Underlay


def batches(
    images: Images, prepare: Preparer | None, together: Callable[[Sequence[int]], int], model: str,
    signals: bool | Callable[[], bool] = False,
) -> Iterator[Batch]:  # fmt: skip
    """Images as the network eats them, each batch of one shape; read as they are needed.

    together: how many images of these sides go in one batch at most; signals: as `sort_out` has it.
    """
    sorted_out = in_frames(sort_out(images, signals), prepare)
    if isinstance(sorted_out, PreparedBatch):
        x, size = sorted_out.x, together(sorted_out.x.shape[2:])
        for start in range(0, len(x), size):
            yield _prepared(x[start : start + size], sorted_out.first + start)
        return
    waiting: list[ReadyPhoto] = []
    for each in prepared(sorted_out, prepare, model):
        if waiting and each.ready.x.shape != waiting[0].ready.x.shape:
            yield joined(waiting)
            waiting = []
        waiting.append(each)
        if full(waiting, together):
            yield joined(waiting)
            waiting = []
    if waiting:
        yield joined(waiting)


def prepared(images: list[Any], prepare: Preparer | None, model: str, first: int = 0) -> Iterator[ReadyPhoto]:
    """Read and prepared one after the other for the model of that name; first: the place of the first."""
    fit = prepare or _without(images, model)
    for photo in opened(images, fit, model, first):
        try:
            yield ReadyPhoto(fit.ready(photo.pixels), photo)
        except BadImage as error:
            raise BadImage(f"{photo.name} {error}") from None


def full(waiting: Sequence[ReadyPhoto], together: Callable[[Sequence[int]], int]) -> bool:
    """Are there as many as go in one batch?  Of volumes fewer go."""
    size, pixels = together(waiting[0].ready.x.shape[1:]), waiting[0].photo.pixels
    return len(waiting) >= (max(1, min(size, ROOM // pixels.values.nbytes)) if isinstance(pixels, Volume) else size)


def in_frames(images: PreparedBatch | list[Any], prepare: Preparer | None) -> PreparedBatch | list[Any]:
    """What `sort_out` gave; clips as their frames, one by one, where photos are what the model takes."""
    from .clip_fit import ClipFit  # here, for clips are rare and, with the reader of TIFF's tags, take a while to import

    if isinstance(images, PreparedBatch) or prepare is None or isinstance(prepare, VolumeFit | ClipFit):
        return images
    return [picture for image in images for picture in (image.photos if is_clip(image) else [image])]


def _without(images: list[Any], model: str) -> Preparer:
    """Volumes are taken as they are stored, where nothing else is said; photos are not."""
    if isinstance(images[0], Volume) or holds_volume(images[0]):
        return VolumeFit()
    raise BadParameter(
        f"{model} was wrapped without `prepare`, so it takes prepared float batches (n, c, h, w), not photos. "
        "Pass wrap(network, prepare=...): a torchvision transform, a callable PIL image -> (c, h, w), "
        "or a dict such as {'size': 256, 'crop': 224, 'mean': (...), 'std': (...)}; on the command line, "
        "--prepare mean=0.5 --prepare std=0.5."
    )


def opened(images: list[Any], prepare: Preparer | None, model: str, first: int = 0) -> Iterator[Photo | Underlay]:
    """Read one after the other, as what the model of that name prepares: photos, volumes or clips; first: the first's place."""
    from seewhy.images.clip import (
        read_clip,  # here, for clips are rare and, with the reader of TIFF's tags, take a while to import
    )

    from .clip_fit import ClipFit

    fit = prepare or _without(images, model)
    if isinstance(fit, VolumeFit):
        images_read = (_volume(image, place, fit.channels) for place, image in enumerate(images, first))
    elif isinstance(fit, ClipFit):
        images_read = (read_clip(image) for image in images)
    else:
        yield from photos((_no_other(image, model) for image in images), first)
        return
    for image_read in images_read:
        yield Underlay(image_read, image_read.name, image_read.notes)


def opened_photo(file: str, prepare: Preparer | None, model: str) -> Callable[[], Photo] | None:
    """Open a photo's file for the model of that name; what decodes it, in whichever thread.  None where that model is given
    other images than photos.  Raises BadImage.
    """
    from .clip_fit import ClipFit  # here, for clips are rare and, with the reader of TIFF's tags, take a while to import

    if isinstance(prepare or _without([file], model), VolumeFit | ClipFit):
        return None
    return open_file(_no_other(file, model))


def _volume(image: Any, place: int, channels: bool) -> Volume:
    if isinstance(image, Volume):
        return image
    if isinstance(image, str | Path):
        return read_volume(image, channels)
    what = f"image {place}: {type(image).__name__} is no volume"
    raise BadImage(f"{what}. Give a path (NIfTI, DICOM), or seewhy.Volume(values, affine).")


def _no_other(image: Any, model: str) -> Any:
    """The image; BadImage where it is no photo."""
    if isinstance(image, Volume) or holds_volume(image):
        advice = "{'orientation': 'RAS', 'window': (low, high), ...}"
        name = getattr(image, "name", image)
        raise BadImage(f"{name} is a volume; {model} takes photos. For a volume: wrap(network, prepare={advice}).")
    return image


def _prepared(x: Array, start: int) -> Batch:
    space, n = tuple(x.shape[2:]), len(x)
    names = [f"image {start + i}" for i in range(n)]
    _check_finite(x, names)
    place = Extent(0, 0, space[1], space[0]) if len(space) == 2 else Grid.whole(space)
    return Batch(x, [_signal(signal, name) for signal, name in zip(x, names, strict=True)], names, [place] * n, [()] * n)


def _signal(x: Array, name: str) -> Underlay | None:
    """A signal (c, l), which is small enough to be drawn under its map; None of anything else."""
    if x.ndim != 2 or x.shape[0] * x.shape[1] > ROOM // 64:
        return None
    return Underlay(np.array(numbers(x), np.float32), name)


def joined(waiting: Sequence[ReadyPhoto]) -> Batch:
    """The batch of prepared images of one shape."""
    x = np.stack([ready.x for ready, _ in waiting])
    names = [photo.name for _, photo in waiting]
    _check_finite(x, names)
    boxes = [_on(photo.pixels, ready.box, x.shape[2:]) for ready, photo in waiting]
    notes = [(*photo.notes, *ready.notes, *[LOST] * (ready.box is None)) for ready, photo in waiting]
    return Batch(x, [photo for _, photo in waiting], names, boxes, notes)


def _on(pixels: UnderlayPixels, box: Where, space: tuple[int, ...]) -> Where:
    """Where what the network saw lies on what was given; of a clip, also in time."""
    if isinstance(box, Grid):
        return box
    box = box or Extent(0, 0, *pixels.size)
    if not is_clip(pixels):
        return box
    extent, axes = (box.extent, (0, 2, 1)) if isinstance(box, Turned) else (box, (0, 1, 2))
    sides = [space[axes.index(axis)] for axis in (1, 2)]
    steps = (len(pixels) / space[0], (extent.bottom - extent.top) / sides[0], (extent.right - extent.left) / sides[1])
    firsts = ((steps[0] - 1) / 2, extent.top + steps[1] / 2 - 0.5, extent.left + steps[2] / 2 - 0.5)
    first, step = (tuple(each[axis] for axis in axes) for each in (firsts, steps))
    return Grid(axes, first, step, space, (len(pixels), *pixels.size[::-1]))


def _check_finite(x: Array, names: list[str]) -> None:
    plain = x.detach() if hasattr(x, "detach") else np.asarray(x)
    with np.errstate(all="ignore"):
        if bool(plain.max() < np.inf) and bool(plain.min() > -np.inf):  # false of NaN, too
            return
    broken = [name for name, array in zip(names, plain, strict=True) if not bool(abs(array).max() < np.inf)]
    raise BadImage(f"{', '.join(broken)}: the prepared array holds NaN or infinity.")


def blank(prepare: Any, size: tuple[int, int], level: int) -> NDArray[Any]:
    """What a grey photo (w, h) of that level (0 black, 255 white) becomes: (c, h, w), and (c, t, h, w) where clips of such are
    prepared; no random number is drawn for it.
    """
    from .clip_fit import ClipFit  # here, for clips are rare and, with the reader of TIFF's tags, take a while to import

    if isinstance(prepare, ClipFit):
        return np.stack([blank(prepare.fit, size, level)] * (prepare.count or 16), 1)
    photo = Image.new("RGB", size, (level,) * 3)
    return prepare.undrawn(photo) if isinstance(prepare, CallableFit) else prepare(photo)


def grey(prepare: Any, level: int) -> NDArray[Any] | None:
    """What a grey photo of that level (0 black, 255 white) becomes: (c,); None where no photos are prepared, or their scale is
    not said.
    """
    photo = getattr(prepare, "fit", prepare)  # of each frame of a clip
    if photo is None or isinstance(photo, VolumeFit) or (isinstance(photo, Unscaled) and not photo.scaled):
        return None
    return blank(photo, (64, 64), level).mean((1, 2), dtype=np.float64)
