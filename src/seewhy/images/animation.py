"""Animated GIF and PNG: the pictures that a person sees one after the other, composed as browsers do it.

Pillow composes them differently: it mixes half-transparent parts of a PNG wrongly, does not always restore what was there
before a part, and fills areas that a GIF clears with a colour instead of leaving them transparent.  So Pillow only decodes
each part here, as a picture of its own.
"""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from .depth import Encoding
from .samples import Samples

KEEP, CLEAR, RESTORE = 0, 1, 2  # what is done with a part before the next one is drawn
SIGNATURE = b"\x89PNG\r\n\x1a\n"
HIDDEN = (b"acTL", b"fcTL", b"fdAT", b"IDAT", b"IEND", b"IHDR")  # chunks that differ from part to part


class FramePart(NamedTuple):
    """A part of an animation: what changes from one picture to the next."""

    file: bytes  # as a still picture of its own
    place: tuple[int, int]  # its left and top
    after: int
    over: bool  # it is blended over what is there; else it replaces that, including its transparency


def composed(file: bytes) -> tuple[tuple[int, int], Iterator[Image.Image]] | None:
    """The size and the pictures (RGBA) of an animated GIF or PNG; None for other files.

    Raises ValueError or EOFError where the file ends too early or contradicts itself.
    """
    if file[:6] in (b"GIF87a", b"GIF89a"):
        size, parts = _gif(file)
    elif file[:8] == SIGNATURE and b"acTL" in file[:4096]:
        size, parts = _apng(file)
    else:
        return None
    return size, _pictures(size, parts)


def count(file: bytes) -> int:
    """The number of pictures, counted without decoding any."""
    if file[:8] == SIGNATURE:
        return sum(name == b"fcTL" for name, _ in _chunks(file))
    return len(_gif(file)[1])


def _pictures(size: tuple[int, int], parts: Sequence[FramePart]) -> Iterator[Image.Image]:
    canvas = Image.new("RGBA", size)
    for part in parts:
        with Image.open(io.BytesIO(part.file)) as still:
            drawn = _rgba(still)
        before = canvas.copy()
        box = (*part.place, part.place[0] + drawn.width, part.place[1] + drawn.height)
        layer = Image.new("RGBA", size)
        layer.paste(drawn, part.place)
        if part.over:
            canvas = Image.alpha_composite(canvas, layer)
        else:
            canvas.paste(drawn, part.place)
        yield canvas.copy()
        if part.after == RESTORE:
            canvas = before
        elif part.after == CLEAR:
            canvas.paste((0, 0, 0, 0), box)


def _rgba(still: Image.Image) -> Image.Image:
    if still.mode.startswith("I"):
        still, _ = Samples(np.asarray(still), Encoding(16)).picture()
    return still.convert("RGBA")


def _chunks(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place < len(file):
        if place + 12 > len(file):
            raise EOFError("it ends in the middle of a chunk")
        (length,) = struct.unpack_from(">I", file, place)
        name, data = file[place + 4 : place + 8], file[place + 8 : place + 8 + length]
        if len(data) < length:
            raise EOFError("it ends in the middle of a chunk")
        yield name, data
        if name == b"IEND":
            return
        place += 12 + length
    raise EOFError("it ends too early")


def _apng(file: bytes) -> tuple[tuple[int, int], list[FramePart]]:
    every = list(_chunks(file))
    header = every[0][1]
    shared = [(name, data) for name, data in every if name not in HIDDEN]
    frames: list[tuple[bytes, list[bytes]]] = []  # for each part its fcTL chunk and its data
    for name, data in every:
        if name == b"fcTL":
            frames.append((data, []))
        elif frames and name in (b"IDAT", b"fdAT"):
            frames[-1][1].append(data if name == b"IDAT" else data[4:])
    size, parts = struct.unpack(">II", header[:8]), []
    for control, pieces in frames:
        width, height, left, top = struct.unpack(">IIII", control[4:20])
        if not pieces or left + width > size[0] or top + height > size[1]:
            raise ValueError(f"part {len(parts)} has no pixels, or reaches beyond the picture")
        still = [
            (b"IHDR", struct.pack(">II", width, height) + header[8:]),
            *shared,
            (b"IDAT", b"".join(pieces)),
            (b"IEND", b""),
        ]
        after = control[24] if len(parts) or control[24] != RESTORE else CLEAR  # before the first there is nothing
        parts.append(FramePart(SIGNATURE + b"".join(_chunk(*piece) for piece in still), (left, top), after, control[25] == 1))
    return (size[0], size[1]), parts


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _gif(file: bytes) -> tuple[tuple[int, int], list[FramePart]]:
    width, height, flags = struct.unpack("<HHB", _taken(file, 6, 5))
    colours = 3 * 2 ** ((flags & 7) + 1) if flags & 128 else 0
    shared, place = _taken(file, 13, colours), 13 + colours
    parts: list[FramePart] = []
    control: bytes = bytes(4)
    while place < len(file) and file[place] != 0x3B:
        if file[place] == 0x21:  # an extension
            begun, place = place, _behind(file, place + 2)
            control = file[begun + 3 : begun + 7] if file[begun + 1] == 0xF9 else control
        elif file[place] == 0x2C:  # a part
            left, top, wide, high, local = struct.unpack("<HHHHB", _taken(file, place + 1, 9))
            begun, place = place + 10, place + 10
            palette, depth = shared, flags & 7
            if local & 128:
                depth = local & 7
                palette, begun = _taken(file, begun, 3 * 2 ** (depth + 1)), begun + 3 * 2 ** (depth + 1)
            place = _behind(file, begun + 1)
            parts.append(_still(wide, high, local & 64, palette, depth, control, file[begun:place], (left, top)))
            control = bytes(4)
        else:
            break  # what stands behind the last picture
    if not parts:
        raise EOFError("it holds no picture")
    if parts[0].after == RESTORE:
        parts[0] = parts[0]._replace(after=CLEAR)  # before the first there is nothing
    return _canvas((width, height), parts), parts


def _canvas(size: tuple[int, int], parts: Sequence[FramePart]) -> tuple[int, int]:
    """The transparent canvas; if the file gives no size, it is as large as the first part."""
    if all(size):
        return size
    with Image.open(io.BytesIO(parts[0].file)) as first:
        return first.size


def _still(
    wide: int, high: int, interlaced: int, palette: bytes, depth: int, control: bytes, data: bytes, place: tuple[int, int]
) -> FramePart:
    head = b"GIF89a" + struct.pack("<HHBBB", wide, high, 0x80 | depth if palette else 0, 0, 0) + palette
    extension = b"\x21\xf9\x04" + bytes([control[0] & 1]) + control[1:] + b"\0"  # it keeps only the transparent colour
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, wide, high, interlaced)
    after = {2: CLEAR, 3: RESTORE, 4: RESTORE}.get(control[0] >> 2 & 7, KEEP)
    return FramePart(head + extension + frame + data + b";", place, after, True)


def _behind(file: bytes, place: int) -> int:
    """The place behind a sequence of data blocks."""
    while True:
        length = _taken(file, place, 1)[0]
        place += 1 + length
        if not length:
            return place


def _taken(file: bytes, place: int, length: int) -> bytes:
    data = file[place : place + length]
    if len(data) < length:
        raise EOFError("it ends too early")
    return data
