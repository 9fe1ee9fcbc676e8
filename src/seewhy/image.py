"""Pictures on their way in: read any of them as upright RGB, and remember which part the network saw."""

import io
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import BadImage
from .volume import Volume

HEADERS = Lock()  # catching warnings is no business of two threads at a time
Array = Any  # a numpy array or a torch tensor: formulas use what both can do
Images = Any  # a path, a PIL image, a uint8 array, a list of these, or a prepared float batch (n, c, *space)
Under = Any  # what a map lies on: a PIL photo, a Volume, a Clip, of a prepared signal an array (c, l), of other arrays None
Where = Any  # what the network saw of it: a Extent of a photo, else a Grid


class Photo(NamedTuple):
    """A picture as a person would see it."""

    pixels: Image.Image  # RGB, upright
    name: str
    notes: tuple[str, ...] = ()


class Given(NamedTuple):
    """What lies under a map, where it is no photo."""

    pixels: Under
    name: str
    notes: tuple[str, ...] = ()


class Extent(NamedTuple):
    """A part of the original image, in its pixels; edges, so a whole 4x3 image is (0, 0, 4, 3)."""

    left: float
    top: float
    right: float
    bottom: float

    def cut(self, photo: Image.Image) -> Image.Image:
        """That part of a photo, at least a pixel of it; mirrored, where the edges are the other way round."""
        (left, right), (top, bottom) = (sorted(edges) for edges in ((self.left, self.right), (self.top, self.bottom)))
        x, y = round(left), round(top)
        part = photo.crop((x, y, max(x + 1, round(right)), max(y + 1, round(bottom))))
        part = ImageOps.mirror(part) if self.left > self.right else part
        return ImageOps.flip(part) if self.top > self.bottom else part


@dataclass(frozen=True)
class Prepared:
    """Floats that already went through the user's own preprocessing."""

    x: Array  # (n, c, *space)
    first: int = 0  # the place of its first image among those given


def sort_out(images: Images, signals: bool = False) -> Prepared | list[Any]:
    """Tell a prepared batch from pictures still to be read; the latter as a list, not yet opened.

    signals: floats (n, c, l) are a prepared batch, too.
    """
    if isinstance(images, Prepared):
        return images
    if isinstance(images, str | Path | Image.Image | Photo | Volume | bytes) or is_clip(images):
        return [images]
    if hasattr(images, "dtype") and hasattr(images, "shape"):
        return _sort_array(images, 3 if signals else 4)
    if not isinstance(images, Sequence):
        images = _listed(images)
    if not len(images):
        raise BadImage("No images were given. Give a path, a PIL image, a uint8 array (h, w, 3), or a list of these.")
    if all(_is_float(i) for i in images):
        raise BadImage("A list of float arrays is neither photos nor a batch. Stack it: (n, c, h, w), prepared.")
    return list(images)


def is_clip(image: Any) -> bool:
    from .video import Clip  # which itself reads pictures by this file

    return isinstance(image, Clip)


def _listed(images: Any) -> list[Any]:
    try:
        return list(images)
    except TypeError:
        raise BadImage(
            f"{type(images).__name__} is no image. Give a path, a PIL image, a uint8 array (h, w, 3) or (h, w), "
            "a list of these, or a prepared float batch (n, c, h, w)."
        ) from None


def _is_float(image: Any) -> bool:
    return "float" in str(getattr(image, "dtype", ""))


def _sort_array(array: Array, least: int) -> Prepared | list[Any]:
    shape, kind = tuple(array.shape), str(array.dtype)
    if "float" in kind:
        if len(shape) < least:
            raise BadImage(
                f"A float array {shape} is no prepared batch {'(n, c, l)' if least == 3 else '(n, c, h, w)'}. "
                "For a photo give uint8 (h, w, 3); for one prepared image add the batch axis: x[None]."
            )
        if 0 in shape:
            raise BadImage(f"The prepared batch {shape} is empty.")
        return Prepared(array)
    if kind.endswith("uint8") and len(shape) == 4 and shape[-1] in (1, 3, 4):
        return list(array)
    return [array]


def read(image: Any, name: str | None = None) -> Photo:
    """Any picture as upright RGB.

    Takes a path, the bytes of a file, a PIL image, or a uint8 array (h, w), (h, w, 1), (h, w, 3) or (h, w, 4).
    The EXIF orientation is applied, transparency lies on white, 16-bit and float greys are scaled to 8 bit, of an
    animation the first frame is taken (and noted).  Raises BadImage, naming the file, where there is no picture.
    """
    if isinstance(image, Photo):
        return image
    if isinstance(image, str | Path):
        name = name or (str(image) if len(str(image)) < 300 else f"{str(image)[:40]}...")
        return _guarded(lambda: _decoded(Path(image), name), name)
    if isinstance(image, bytes):
        name = name or "bytes"
        return _guarded(lambda: _decoded(io.BytesIO(image), name), name)
    if isinstance(image, Image.Image):
        name = name or str(getattr(image, "filename", "")) or "image"
        return _guarded(lambda: _upright(image, name), name)
    return Photo(Image.fromarray(_pixels(image, name or "image")), name or "image")


def _decoded(file: Path | io.BytesIO, name: str) -> Photo:
    if isinstance(file, Path) and not file.is_file():
        what = "a folder: give the photos in it" if file.is_dir() else "not there"
        raise BadImage(f"{name} is {what}.")
    with HEADERS, warnings.catch_warnings():  # quibbles about headers, and the bomb that _upright turns away
        warnings.simplefilter("ignore")
        opened = Image.open(file)
        with suppress(Exception):  # read without, if it is broken
            opened.getexif()
    with opened:
        return _upright(opened, name)


def _guarded(decode: Callable[[], Photo], name: str) -> Photo:
    """Whatever a broken picture makes Pillow raise, as one error that names it."""
    try:
        return decode()
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise BadImage(f"{name} is not an image that Pillow can read.") from None
    except Image.DecompressionBombError as bomb:
        raise _oversized(name, str(bomb)) from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, struct.error) as broken:
        raise BadImage(f"{name} cannot be read: {broken}") from None


def _oversized(name: str, what: str) -> BadImage:
    return BadImage(f"{name} is too large: {what} Make it smaller, or raise PIL.Image.MAX_IMAGE_PIXELS if you trust it.")


def _upright(image: Image.Image, name: str) -> Photo:
    limit = Image.MAX_IMAGE_PIXELS
    if limit and image.width * image.height > limit:
        raise _oversized(name, f"{image.width}x{image.height} pixels.")
    if not image.width * image.height:
        raise BadImage(f"{name} holds no pixels: it is {image.width}x{image.height}.")
    frames = getattr(image, "n_frames", 1)
    moves = getattr(image, "is_animated", False) and image.format not in ("MPO", "TIFF")
    what = "animated" if moves else "several pictures in one file"
    notes = (f"{what} ({frames} frames): the first frame is explained",) if frames > 1 else ()
    if frames > 1:
        image = image.copy() if image.tell() == 0 else _first(image)
    if image.mode.startswith("I") and 255 < (most := int(np.asarray(image).max())) < 65535 // 8:
        notes += (f"of its 16 bits only values up to {most} are used, so it is dark; scale it first if that is not meant",)
    return Photo(rgb(ImageOps.exif_transpose(image)), name, notes)


def _first(image: Image.Image) -> Image.Image:
    """The first frame; the caller's own image stays where it was."""
    place = image.tell()
    try:
        image.seek(0)
        return image.copy()
    finally:
        image.seek(place)


def rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB of any mode: transparency on white, 16-bit and float greys scaled to 8 bit."""
    if image.mode.startswith(("I", "F")):
        image = _eight_bit(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Greys of more than 8 bit: integers over their full 16-bit range, floats in [0, 1] or as they lie."""
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("it holds NaN or infinite pixels")
    low, high = values.min(), values.max()
    if image.mode == "F":
        low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (0.0, 255.0) if low >= 0 and high <= 255 else (low, high)
    else:
        low, high = (0.0, 65535.0) if low >= 0 and high <= 65535 else (low, high)
    scaled = (values - low) / (high - low) * 255 if high > low else np.zeros_like(values)
    return Image.fromarray(scaled.round().astype(np.uint8))


def _pixels(array: Any, name: str) -> NDArray[np.uint8]:
    pixels = np.asarray(array)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[-1] in (3, 4))):
        raise BadImage(
            f"{name}: an array {pixels.shape} of {pixels.dtype} is no photo. Photos are uint8 (h, w, 3) or (h, w); "
            "a float array (n, c, h, w) is taken as prepared."
        )
    if not pixels.size:
        raise BadImage(f"{name}: an array {pixels.shape} holds no pixels.")
    if pixels.shape[-1] == 4 and pixels.ndim == 3:
        return np.asarray(rgb(Image.fromarray(pixels)))
    return np.asarray(Image.fromarray(pixels).convert("RGB"))


def photos(images: Iterable[Any], first: int = 0) -> Iterator[Photo]:
    """Read one picture after the other; those without a name of their own are called by their place, from `first` on."""
    for place, image in enumerate(images, first):
        named = isinstance(image, str | Path | Photo) or getattr(image, "filename", "")
        yield read(image) if named else read(image, f"image {place}")
