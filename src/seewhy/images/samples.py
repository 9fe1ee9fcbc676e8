"""The numbers that a file holds, before they are scaled to a picture of 8 bit."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from einops import rearrange
from numpy.typing import NDArray
from PIL import Image

from .depth import Encoding, Numbers, eight_bit


@dataclass(frozen=True, eq=False)
class Samples:
    """Numbers of any depth: greys (h, w), or colours (h, w, 3), as ink (h, w, 4); and what the file says of them.

    alpha: (h, w), the opacity of each pixel, from 0 to `opaque`; premultiplied: the colours are multiplied by it already;
    turned: the rows are in the order in which a person sees them, else in that of the file.
    """

    values: Numbers
    facts: Encoding = field(default_factory=Encoding)
    alpha: Numbers | None = None
    opaque: float = 1
    premultiplied: bool = False
    ink: bool = False
    turned: bool = False
    notes: tuple[str, ...] = ()

    def picture(self) -> tuple[Image.Image, tuple[str, ...]]:
        """The picture in 8 bit (RGB, L or RGBA), and notes on how it was made.  Raises ValueError where all is no data."""
        plain = self.values.dtype == np.uint8 and self.facts.bits == 8
        pixels, notes = _plain(self.values, self.facts) if plain else eight_bit(self.values, self.facts)
        notes = self.notes + (notes if (self.facts.bits or 16) > 8 else ())
        if self.ink:
            inks = [Image.fromarray(np.ascontiguousarray(pixels[..., ink])) for ink in range(4)]
            picture = Image.merge("CMYK", inks).convert("RGB")
            if self.alpha is None:
                return picture, notes
            pixels = np.asarray(picture)
        if self.alpha is None:
            return Image.fromarray(pixels), notes
        alpha, _ = eight_bit(self.alpha, Encoding(low=0, high=self.opaque))
        pixels = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, -1)
        if self.premultiplied:  # the colours are mixed with black; here white is added instead
            return Image.fromarray(np.minimum(pixels, alpha[..., None]) + (255 - alpha)[..., None]), notes
        return Image.fromarray(np.dstack([pixels, alpha])), notes


def _plain(values: NDArray[np.uint8], facts: Encoding) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    return (255 - values if facts.inverted else values), ()


def deep(image: Image.Image, again: Callable[[], Image.Image] | None) -> Samples | None:
    """The numbers of a picture that is no TIFF, if they have more than 8 bit and can be read; else None.

    again: opens its file once more; None for a picture that is no newly opened file: then only its mode is looked at.
    """
    reader = {"PNG": _png, "PPM": _netpbm, "FITS": _fits}.get(image.format or "")
    samples = reader(image, again) if reader and again else None
    if samples is not None or not image.mode.startswith(("I", "F")):
        return samples
    values, key = np.asarray(image), image.info.get("transparency")
    facts = Encoding(16) if image.mode != "F" else Encoding()
    if isinstance(key, int | float):
        return Samples(values, facts, (values != key).astype(np.uint8))
    return Samples(values, facts)


def _png(image: Image.Image, again: Callable[[], Image.Image]) -> Samples | None:
    key = image.info.get("transparency")
    with again() as fresh:  # the first was decoded when its EXIF was read
        if _rawmode(fresh) == "LA;16B":  # four bytes a pixel, as RGBA has them
            values = rearrange(np.asarray(_read_as(fresh, lambda _raw: "RGBA")), "h w (s b) -> b h w s", b=2).astype(np.uint16)
            values = values[0] << 8 | values[1]
            return Samples(values[..., 0], Encoding(16), values[..., 1], 65535)
        few = re.fullmatch(r"L;([24])", _rawmode(fresh))
        if few and isinstance(key, int):  # the transparent grey has the file's bits, the picture of Pillow has 8
            grey = np.asarray(image)
            return Samples(grey, Encoding(8), (grey != key * 255 // (2 ** int(few[1]) - 1)).astype(np.uint8))
        if not has_both_bytes(fresh):
            return None
        values = both_bytes(image, fresh)
    alpha = values[..., 3] if values.shape[-1] == 4 else None
    if alpha is None and isinstance(key, tuple):
        alpha = np.where((values == key).all(-1), 0, 65535).astype(np.uint16)
    return Samples(values[..., :3], Encoding(16), alpha, 65535)


def has_both_bytes(image: Image.Image) -> bool:
    """Does the picture have numbers of 16 bit, of which Pillow keeps only the high byte, but `both_bytes` reads both?"""
    return re.fullmatch(r"(RGBX?|RGBA|CMYK);16[BLN]", _rawmode(image)) is not None


def both_bytes(image: Image.Image, again: Image.Image) -> NDArray[np.uint16]:
    """Colours of 16 bit: the high bytes as Pillow reads them, and the low bytes, read with the bytes of each number swapped.

    again: the same file, newly opened; it cannot be used afterwards.
    """
    other = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    low = _read_as(again, lambda raw: raw[:-1] + other[raw[-1]])
    values = np.asarray(image).astype(np.uint16)
    values <<= 8
    values |= np.asarray(low)
    return values


def _read_as(image: Any, change: Callable[[str], str]) -> Image.Image:
    """The picture, set to be decoded in another raw mode than that of its file."""
    image.tile = [_other_tile(tile, change) for tile in image.tile]
    return image


def _other_tile(tile: Any, change: Callable[[str], str]) -> Any:
    *fields, args = tile
    new = change(args) if isinstance(args, str) else (change(args[0]), *args[1:])
    return tile._replace(args=new) if hasattr(tile, "_replace") else (*fields, new)


def _rawmode(image: Image.Image) -> str:
    """The raw mode in which the picture will be decoded; empty if it is decoded already."""
    args = next((args for _codec, _extents, _offset, args in getattr(image, "tile", None) or ()), "")
    args = args[0] if isinstance(args, tuple) and args else args
    return args if isinstance(args, str) else ""


def _netpbm(image: Any, _again: object) -> Samples | None:
    """The numbers of a PPM with more than 8 bit, which Pillow cuts to 8; it gives greys scaled to 16 bit."""
    codec, _extents, offset, args = image.tile[0]
    if image.mode != "RGB" or codec == "raw" or not isinstance(args, tuple) or args[-1] < 256:
        return None
    count, most = image.width * image.height * 3, int(args[-1])
    image.fp.seek(offset)
    if codec == "ppm":
        values = np.frombuffer(image.fp.read(2 * count), ">u2", count)
    else:
        words = b" ".join(line.partition(b"#")[0] for line in image.fp.read().splitlines()).split()
        values = np.array(words[:count], np.int64)
    if len(values) < count or values.max() > most:
        raise ValueError(f"it ends too early, or holds values above its own maximum, {most}")
    return Samples(values.astype(np.uint16).reshape(image.height, image.width, 3), Encoding(most.bit_length(), 0, most))


def _fits(image: Any, _again: object) -> Samples | None:
    """The numbers of a FITS picture: its integers are signed, and its header has a scale, both of which Pillow ignores."""
    image.fp.seek(0)
    cards: dict[str, str] = {}
    while len(card := image.fp.read(80)) == 80 and not card.startswith(b"END "):
        cards.setdefault(card[:8].decode("latin-1").strip(), card[9:].partition(b"/")[0].decode("latin-1").strip())
    kinds = {"8": "u1", "16": ">i2", "32": ">i4", "-32": ">f4", "-64": ">f8"}
    if cards.get("BITPIX") not in kinds or int(cards.get("NAXIS", 0)) < 1:
        raise ValueError("its picture is not in its first part: read it with astropy.io.fits, scale it, and give uint8")
    bits, scale, zero = int(cards["BITPIX"]), float(cards.get("BSCALE", 1)), float(cards.get("BZERO", 0))
    image.fp.seek(-(-image.fp.tell() // 2880) * 2880)  # data begin at a whole block of 2880 bytes
    stored = np.dtype(kinds[cards["BITPIX"]])
    count = image.width * image.height
    values = np.frombuffer(image.fp.read(count * stored.itemsize), stored, count).reshape(image.height, image.width)
    values = values[::-1].astype(stored.newbyteorder("="))  # its rows go upwards
    empty = values == int(cards["BLANK"]) if bits > 0 and "BLANK" in cards else None
    planes = [f"{cards['NAXIS']} axes"] if int(cards["NAXIS"]) > 2 else []
    notes = tuple(f"it has {axes}: the first plane is explained" for axes in planes)
    if bits == 8 and (scale, zero) == (1, 0):
        return Samples(values, Encoding(8), notes=notes)
    if (bits, scale, zero) == (16, 1, 32768):  # how FITS writes unsigned numbers
        return Samples(values.view(np.uint16) ^ np.uint16(0x8000), Encoding(16), notes=notes)
    if (scale, zero) != (1, 0):
        values = values * scale + zero
    if empty is not None and empty.any():
        values = np.where(empty, np.nan, values)
    return Samples(values, Encoding(), notes=notes)


def coarse(image: Any) -> int | None:
    """How many bits the numbers have, if Pillow keeps only the upper 8 of them; None if it keeps all, or that is unknown."""
    if image.format == "SGI":
        return 16 if "16" in str(getattr(image, "tile", "")) else None
    if image.format == "JPEG2000" and image.mode in ("L", "LA", "RGB", "RGBA", "YCbCr", "CMYK") and image.fp:
        image.fp.seek(0)
        size = image.fp.read(2**16).partition(b"\xff\x4f\xff\x51")[2]  # the size marker begins the stream
        bits = (size[36] & 127) + 1 if len(size) > 36 else 8
        return bits if bits > 8 else None
    return None
