"""TIFF: pictures by their tags, with numbers from a reader that reads them correctly.

Pillow reads TIFFs of 8 bit and less, and most greys of more.  What it reads wrong (numbers of 16 bit in planes, big-endian
floats under compression, grey and alpha in compressed planes, signed bytes) or not at all is read by tifffile, where that is
installed, or refused.  tests/images/test_tiff.py compares all of this with the numbers that were written.
"""

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from seewhy.errors import BadImage, install
from seewhy.printable import printable

from .files import check_size, oversized
from .foreign_pictures import RAW, SENSORS
from .orientation import STORED, UPRIGHT, oriented
from .samples import Samples, both_bytes, has_both_bytes
from .tiff_tags import COLOURMAP, INK, PALETTE, WHITE_IS_ZERO, Tags, notes

RICH = 16  # bytes: pixels with more of them count as several pixels
CHOOSE = (
    "Choose and scale three: gdal_translate -ot Byte -scale -b 4 -b 3 -b 2 ...; or prepare the array (n, c, h, w) for the "
    "network yourself (a memmap will do), and save_geotiff(heatmap, path, like=scene) puts the map on the earth."
)


def open_tiff(
    file: Path | bytes, tags: Tags, name: str, shared: Sequence[Image.Image] = ()
) -> tuple[Image.Image, tuple[str, ...]]:
    """A page as an upright picture (a scene on the earth stays as it is stored), and notes on it.

    shared: the file, opened twice by a caller that reads many pages, so that the search for a page goes on at the last one.
    Raises BadImage where no reader gives the page's numbers, and whatever the readers raise.
    """

    def again() -> Any:
        if shared:
            shared[1].seek(tags.page)
            return nullcontext(shared[1])
        opened = Image.open(file if isinstance(file, Path) else BytesIO(file))
        try:
            opened.seek(tags.page)
        except BaseException:
            opened.close()
            raise
        return opened

    if tags.sensor or (isinstance(file, Path) and file.suffix.lower() in SENSORS):  # Pillow would give its preview
        raise BadImage(f"{name} holds what a camera's sensor saw, which is no picture yet. {RAW}")
    _check_bytes(name, tags)
    check_size(name, tags.size)
    try:
        image = shared[0] if shared else again()
        image.seek(tags.page)
    except (UnidentifiedImageError, SyntaxError):  # SyntaxError comes from pages behind the first
        image = None
    with (
        nullcontext() if shared else image or nullcontext(),
        file.open("rb") if isinstance(file, Path) else BytesIO(file) as raw,
    ):
        turn = oriented(image) if image else tags.orientation
        try:
            stored = samples(tags, raw, image, again)
            picture, remarks = stored.picture() if stored else (image, ())
            if picture is None:
                raise ValueError("no reader here knows how its numbers lie")
            picture.load()
        except (OSError, ValueError) as error:  # a compression or an order of bits that Pillow cannot read
            if image is None or not str(error).startswith(("decoder error", "unknown raw mode")):
                raise
            stored = _visible_samples(tags, _by_others(tags, raw), False)
            picture, remarks = stored.picture()
        remarks += _widened(picture, tags)
        done = image is not None and (stored is None or stored.turned) and oriented(image) != turn  # turned by Pillow
        if done and tags.earth:
            picture = picture.transpose(STORED[turn])
        elif not done and not tags.earth and turn in UPRIGHT:
            picture = picture.transpose(UPRIGHT[turn])
        return picture, (*notes(tags), *remarks)


def _widened(picture: Image.Image, tags: Tags) -> tuple[str, ...]:
    """Correct a table of colours that was written in 8 bit, where TIFF has 16, as libtiff does; then there is a note."""
    table = getattr(picture, "tag_v2", {}).get(COLOURMAP) if picture.mode == "P" and tags.photometric == PALETTE else None
    if not table or not 0 < max(table) < 256:
        return ()
    picture.putpalette(np.reshape(table, (3, -1)).T.astype(np.uint8).tobytes())
    return ("its table of colours holds numbers of 8 bit, not of 16 as TIFF has it: taken as such",)


def _check_bytes(name: str, tags: Tags) -> None:
    """Raises BadImage where pixels hold so many numbers that the picture needs more memory than a photo may take."""
    limit, each = Image.MAX_IMAGE_PIXELS, sum(tags.bits) // 8
    if limit and each > RICH and needed(tags) > limit:
        raise oversized(name, f"{tags.size[0]}x{tags.size[1]} pixels of {each} bytes.", needed(tags))


def needed(tags: Tags) -> int:
    """For how many pixels a picture counts; a pixel with more than RICH bytes counts for several."""
    pixels = tags.size[0] * tags.size[1]
    return max(pixels, -(-pixels * (sum(tags.bits) // 8) // RICH))


def samples(tags: Tags, file: BinaryIO, image: Image.Image | None, again: Any) -> Samples | None:
    """The numbers of the page; None where the picture that Pillow decodes is correct.

    image: the page as Pillow opened it, or None where Pillow failed; again: opens it once more.
    Raises BadImage, without the name of the file, where no reader gives them.
    """
    shown = tags.visible_bands
    right = image is not None and not _wrong(tags, image)
    if (
        image is not None
        and right
        and _eight(tags)
        and ((shown is None and not tags.plain) or shown == tuple(range(len(image.getbands()))))
    ):
        return None
    values = _by_pillow(tags, image, again) if image is not None and right else None
    turned = values is not None and values.shape[-1] > max(shown or (0,))
    if values is None or not turned:
        values = _by_others(tags, file)
    return _visible_samples(tags, values, turned)


def _eight(tags: Tags) -> bool:
    return max(tags.bits) <= 8 and {*tags.kinds} == {1}


def _wrong(tags: Tags, image: Image.Image) -> bool:
    """Does Pillow open this page, but decode it wrongly?"""
    if tags.sparse:
        return True  # Pillow would take the beginning of the file for pixels
    few, raw = len(tags.bits) < 3, tags.compression == 1
    if tags.planar and (image.mode in ("LA", "La", "PA") or (raw and (few or has_both_bytes(image) or 1 in tags.extra))):
        return True
    if tags.planar and image.mode == "RGBA" and not tags.extra:
        return True
    native = (sys.byteorder == "little") == (tags.order == "<")
    if tags.kinds[0] != 1 and max(tags.bits) > 8 and tags.compression != 1 and not native:
        return True
    if max(tags.bits) == 16 and "RGBa" in str(getattr(image, "tile", "")):
        return True  # Pillow divides premultiplied 16-bit colours in 8 bit
    return max(tags.bits) == 32 and tags.kinds[0] == 1 and not native


def _by_pillow(tags: Tags, image: Image.Image, again: Any) -> NDArray[Any] | None:
    """The numbers (h, w, bands) by Pillow, upright; None where Pillow changes them."""
    if has_both_bytes(image):
        with again() as fresh:
            values = both_bytes(image, fresh)
    elif image.mode in ("L", "LA", "RGB", "RGBA") and tags.simple and 1 not in tags.extra:
        values = np.asarray(image)
    elif image.mode == "L" and tags.bits[0] == 8 and tags.kinds[0] == 2:
        values = np.asarray(image).view(np.int8)
    elif image.mode.startswith(("I;16", "F")) or (image.mode == "I" and tags.kinds[0] == 2):
        values = np.asarray(image)
        values = values.astype(np.int16) if tags.kinds[0] == 2 and tags.bits[0] == 16 else values
    elif image.mode == "I":
        values = np.asarray(image).view(np.uint32)
    else:
        return None
    if tags.simple and tags.photometric == WHITE_IS_ZERO:
        values = 255 - values  # Pillow has turned them
    return values if values.ndim == 3 else values[..., None]


def _by_others(tags: Tags, file: BinaryIO) -> NDArray[Any]:
    """The numbers (h, w, bands) by another reader, as they are stored."""
    readers = {"tifffile": _by_tifffile, "rasterio": _by_rasterio}
    failed = []
    for name, reader in readers.items():
        if find_spec(name) is None:
            failed.append(f"{name} is not installed")
            continue
        file.seek(0)
        try:
            values = reader(file, tags.page)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's bytes lead it to
            failed.append(f"{name}: {printable(error, 200)}")
            continue
        kind = {"b": 1, "u": 1, "i": 2, "f": 3}.get(values.dtype.kind)
        if values.shape == (*tags.size[::-1], len(tags.bits)) and {kind} == {*tags.kinds}:
            return values.astype(np.uint8) if values.dtype.kind == "b" else values
        failed.append(f"{name} gives {values.dtype} {values.shape}")
    cure = f"{install('tiff,geo')} brings both; or write it anew, as 8 or 16 bit without compression: gdal_translate"
    raise BadImage(f"holds {tags}, which Pillow does not read right ({'; '.join(failed)}). {cure}")


def _by_tifffile(file: BinaryIO, page: int) -> NDArray[Any]:
    import tifffile  # here, for it is an extra

    with tifffile.TiffFile(file) as opened:
        directory: Any = opened.pages[page]
        values, axes = directory.asarray(), directory.axes
    if "S" not in axes:
        values, axes = values[..., None], axes + "S"
    return np.moveaxis(values, [axes.index(axis) for axis in "YXS"], (0, 1, 2))


def _by_rasterio(file: BinaryIO, page: int) -> NDArray[Any]:
    import rasterio  # here, for it is an extra

    if page:
        raise ValueError("it reads the first page alone")
    with rasterio.MemoryFile(file.read()) as held, held.open(driver="GTiff") as opened:
        return np.moveaxis(opened.read(), 0, -1)


def _visible_samples(tags: Tags, values: NDArray[Any], turned: bool) -> Samples:
    facts, of = tags.facts, values.shape[-1]
    places, ink = list(tags.visible_bands or ()), tags.photometric == INK
    if not places or max(places) >= of:
        raise BadImage(f"holds {tags}, of which nobody knows what to show as a photo. {CHOOSE}")
    shown = 4 if ink else 3 if len(places) > 2 else 1
    colours = np.ascontiguousarray(values[..., places[:shown] if shown > 1 else places[0]])
    if len(places) == shown:
        return Samples(colours, facts, ink=ink, turned=turned)
    alpha, kind, bits = values[..., places[-1]], tags.kinds[-1], tags.bits[-1]
    if kind not in (1, 3):
        what = "what covers nothing and what everything is not said in signed numbers"
        raise BadImage(f"holds {tags}: {what}. {CHOOSE}")
    opaque = 2**bits - 1 if kind == 1 else next((top for top in (1, 255, 65535) if alpha.max() <= top), float(alpha.max()))
    premultiplied = 1 in tags.extra
    facts = replace(facts, low=0, high=opaque) if premultiplied else facts
    return Samples(colours, facts, alpha, opaque, premultiplied and not ink, ink, turned)
