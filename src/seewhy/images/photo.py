"""Pictures as they are read: any file, PIL image or array as upright RGB, with notes on what was done to it."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import BadImage

from .animation import composed
from .depth import SHARE, Encoding
from .files import HEADERS as HEADERS
from .files import check_name, check_size, decoder_notes, guarded, listening, open_picture
from .orientation import UPRIGHT, oriented
from .samples import Samples, coarse, deep

QUIBBLING = ("ICO", "ICNS", "CUR")  # formats that warn while they decode
UnderlayPixels = Any  # what maps are drawn over: PIL photo, Volume, Clip, array (c, l) of a signal, None


class Photo(NamedTuple):
    """A picture as a person would see it, with its name and notes."""

    pixels: Image.Image  # RGB, upright
    name: str
    notes: tuple[str, ...] = ()


class Underlay(NamedTuple):
    """What a map is drawn over, where that is no photo."""

    pixels: UnderlayPixels
    name: str
    notes: tuple[str, ...] = ()


def read(image: Any, name: str | None = None) -> Photo:
    """Any picture as upright RGB.

    Takes a path, the bytes of a file, a PIL image, or a uint8 array (h, w), (h, w, 1), (h, w, 3) or (h, w, 4).
    The EXIF orientation is applied, transparency lies on white, numbers of more than 8 bit are scaled to 8 (see depth.py), of
    an animation the first frame is taken; all of that is noted.  Raises BadImage, naming the file, where there is no picture.
    """
    if isinstance(image, Photo):
        return image
    if isinstance(image, str | Path):
        return opened(image, name)()
    if isinstance(image, bytes):
        return _opened(image, name or "bytes").decode()
    if isinstance(image, Image.Image):
        name = name or str(getattr(image, "filename", "")) or "image"
        if _just_opened(image):
            return _opened(Path(str(getattr(image, "filename", ""))), name).decode()
        with guarded(name):
            return _upright(image, name)
    pixels = Image.fromarray(_pixels(image, name or "image"))
    return Photo(pixels, name or "image", _blank(pixels))


def opened(path: str | Path, name: str | None = None) -> Callable[[], Photo]:
    """Open a picture's file; the function that is returned decodes it, and may be called in another thread.

    What belongs to the whole process, such as the filters of warnings, is done with before this returns.  Both raise as `read`.
    """
    check_name(path)
    return _opened(Path(path), name or (str(path) if len(str(path)) < 300 else f"{str(path)[:40]}...")).decode


class OpenedFile(NamedTuple):
    """The file of a picture, opened.

    decode: decodes it, in whichever thread; format: as Pillow names it; quantization: of a JPEG, the tables by which it was
        compressed.
    """

    decode: Callable[[], Photo]
    format: str | None
    quantization: Mapping[int, Sequence[int]]


def opened_bytes(content: bytes, name: str) -> OpenedFile:
    """Open what a picture's file holds, as `opened` opens the file."""
    return _opened(content, name)


def _just_opened(image: Any) -> bool:
    """Is it an opened but not decoded file, in a format that Pillow does not always decode correctly?"""
    deep = image.format in ("TIFF", "PNG", "PPM", "FITS") and getattr(image, "fp", None) and getattr(image, "tile", None)
    name = getattr(image, "filename", "")
    return bool(deep and name and isinstance(name, str) and Path(name).is_file())


def _opened(file: Path | bytes, name: str) -> OpenedFile:
    # here, for Pillow's reader of TIFF, which comes with them, takes a while to import
    from .tiff import open_tiff
    from .tiff_tags import first_tags, is_tiff

    with guarded(name), listening(is_tiff(file)) as heard:
        tags = first_tags(file)
        if tags:
            picture = open_tiff(file, tags, name)
        else:
            picture = open_picture(io.BytesIO(file) if isinstance(file, bytes) else file, name)
        if isinstance(picture, Image.Image) and picture.format in QUIBBLING:
            picture = _with_mask(picture, file, name)
            with picture:
                picture.load()

    def again() -> Image.Image:
        return Image.open(io.BytesIO(file) if isinstance(file, bytes) else file)

    def decoded() -> Photo:
        with guarded(name):
            if not isinstance(picture, Image.Image):
                return _finished(*picture, name, decoder_notes(heard))
            with picture:
                photo = _upright(picture, name, again)
        return photo._replace(notes=photo.notes + decoder_notes(heard))

    known = picture.format if isinstance(picture, Image.Image) else "TIFF"
    return OpenedFile(decoded, known, getattr(picture, "quantization", None) or {})


def _with_mask(image: Image.Image, file: Path | bytes, name: str) -> Image.Image:
    """A cursor, read as an icon, which has the same format: Pillow ignores the transparency mask of cursors."""
    if image.format != "CUR":
        return image
    image.close()
    held = bytearray(file if isinstance(file, bytes) else file.read_bytes())
    held[2] = 1
    for entry in range(6, 6 + 16 * int.from_bytes(held[4:6], "little"), 16):  # where an icon has the number of bits per pixel
        place = int.from_bytes(held[entry + 12 : entry + 16], "little")
        held[entry + 4 : entry + 8] = b"\1\0" + (
            held[place + 14 : place + 16] if held[place : place + 4] == b"(\0\0\0" else b"\0\0"
        )
    return open_picture(io.BytesIO(bytes(held)), name)


def _upright(image: Image.Image, name: str, again: Callable[[], Image.Image] | None = None) -> Photo:
    """The picture as upright RGB.  again: opens its file once more; None for a caller's own image, which is not changed."""
    check_size(name, image.size)
    frames = getattr(image, "n_frames", 1)
    moves = getattr(image, "is_animated", False) and image.format not in ("MPO", "TIFF")
    what = "animated" if moves else "several pictures in one file"
    notes = (f"{what} ({frames} frames): the first frame is explained",) if frames > 1 else ()
    if again and image.format == "GIF":
        image, again = _gif(image, again), None
    elif frames > 1:
        again, image = None, image.copy() if image.tell() == 0 else _first(image)
    if image.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info:
        notes += ("it does not say whether its inks are inverted: they are taken to be, as Adobe writes them",)
    depth, bits = deep(image, again), coarse(image) if again else None
    orientation = oriented(image)
    if depth is not None:
        image, remarks = depth.picture()
        notes += remarks
    image = image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image
    photo = _finished(image, notes, name)
    most = max(high for _low, high in _extrema(photo.pixels)) if bits else 255
    if 0 < most < 255 / SHARE:
        dark = f"of its {bits} bits the upper 8 are read, and of these only values up to {most} used, so it is dark"
        return photo._replace(notes=(*photo.notes, f"{dark}; scale it first if that is not meant"))
    return photo


def _finished(image: Image.Image, notes: tuple[str, ...], name: str, more: tuple[str, ...] = ()) -> Photo:
    pixels = rgb(image)
    pixels.info = {}  # it is upright and opaque now, whatever its file says
    return Photo(pixels, name, (*notes, *_blank(pixels, image), *more))


def _blank(pixels: Image.Image, before: Image.Image | None = None) -> tuple[str, ...]:
    """Notes for a picture that has a single colour.  before: the picture with its transparency."""
    colour = _extrema(pixels)
    if any(low != high for low, high in colour):
        return ()
    alpha = _extrema(before)[-1] if before is not None and before.mode in ("RGBA", "LA", "PA", "La", "RGBa") else (255, 255)
    if alpha == (0, 0):
        return ("it is wholly transparent: nothing of it is seen but the white behind",)
    return (f"all its pixels are of one colour, {tuple(low for low, _ in colour)}: there is nothing on it to explain",)


def _extrema(image: Image.Image) -> tuple[tuple[int, int], ...]:
    """The lowest and the highest value of each band."""
    extrema: Any = image.getextrema()
    return extrema


def _gif(image: Image.Image, again: Callable[[], Image.Image]) -> Image.Image:
    """The first picture of a GIF; parts of the canvas that it does not cover are transparent, which Pillow would fill."""
    with again() as fresh:
        opened: Any = fresh
        if all(tuple(tile[1]) == (0, 0, *image.size) for tile in opened.tile):
            return _first(image)
        opened.fp.seek(0)
        animation = composed(opened.fp.read())
    return next(animation[1]) if animation else _first(image)


def _first(image: Image.Image) -> Image.Image:
    """The first frame; a caller's own image stays at the frame that it was at."""
    place = image.tell()
    try:
        image.seek(0)
        return image.copy()
    finally:
        image.seek(place)


def rgb(image: Image.Image) -> Image.Image:
    """An image of any 8-bit mode as RGB, with transparency shown on white."""
    if image.mode.startswith(("I", "F")):
        image, _ = Samples(np.asarray(image), Encoding(16) if image.mode != "F" else Encoding()).picture()
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return image.convert("RGB")


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
    """Read one picture after the other; those without a name are numbered by their place, from `first` on."""
    for place, image in enumerate(images, first):
        named = isinstance(image, str | Path | Photo) or getattr(image, "filename", "")
        yield read(image) if named else read(image, f"image {place}")
