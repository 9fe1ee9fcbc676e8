"""Files of pictures from scratch, byte by byte: what a writer can say that Pillow's own does not write."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

TYPES = {"B": 1, "s": 2, "H": 3, "I": 4, "b": 6, "h": 8, "i": 9, "f": 11, "d": 12}  # struct's letter -> TIFF's type
KINDS = {"u": 1, "i": 2, "f": 3}  # numpy's kind -> TIFF's SampleFormat
NONE, LZW, DEFLATE, PACKBITS = 1, 5, 8, 32773
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, SEPARATED = 0, 1, 2, 3, 5
Tags = Mapping[int, tuple[str, Sequence[Any] | bytes]]  # number -> struct's letter and values


def tiff(
    samples: np.ndarray, *, bits: int | None = None, order: str = "<", photometric: int | None = None, planar: int = 1,
    compression: int = NONE, rows: int | None = None, tile: tuple[int, int] | None = None, extra: Sequence[int] = (),
    tags: Tags | None = None, without: Sequence[int] = (),
) -> bytes:  # fmt: skip
    """A TIFF of one page: samples (h, w) or (h, w, s), integers or floats, written with `bits` each (by default as they are).

    rows: of a strip; tile: (h, w) of a tile instead; extra: ExtraSamples; tags: more of them, or others; without: left out.
    """
    samples = samples[..., None] if samples.ndim == 2 else samples
    height, width, count = samples.shape
    bits = bits or samples.dtype.itemsize * 8
    photometric = photometric if photometric is not None else RGB if count - len(extra) == 3 else BLACK_IS_ZERO
    known: dict[int, tuple[str, Any]] = {
        256: ("I", [width]), 257: ("I", [height]), 258: ("H", [bits] * count), 259: ("H", [compression]),
        262: ("H", [photometric]), 277: ("H", [count]), 284: ("H", [planar]), 339: ("H", [KINDS[samples.dtype.kind]] * count),
    }  # fmt: skip
    down, across = tile or (rows or height, width)
    planes = [samples[..., i : i + 1] for i in range(count)] if planar == 2 else [samples]
    parts = [_cut(p[y : y + down, x : x + across], (down, across) if tile else None)
             for p in planes for y in range(0, height, down) for x in range(0, width, across)]  # fmt: skip
    data = [packed(_bytes(part, bits, order), compression) for part in parts]
    known |= {322: ("I", [across]), 323: ("I", [down])} if tile else {278: ("I", [down])}
    known |= {338: ("H", list(extra))} if extra else {}
    offsets, sizes = (324, 325) if tile else (273, 279)
    places = np.cumsum([8, *map(len, data)]).tolist()
    known |= {offsets: ("I", places[:-1]), sizes: ("I", [len(part) for part in data])}
    known |= dict(tags or {})
    body = b"".join(data) + b"\0" * (places[-1] % 2)
    start = 8 + len(body)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return head + body + _directory({k: v for k, v in known.items() if k not in without}, start, order)


def _directory(tags: dict[int, tuple[str, Any]], start: int, order: str) -> bytes:
    entries, behind = [], b""
    place = start + 2 + 12 * len(tags) + 4
    for tag, (letter, values) in sorted(tags.items()):
        raw = values if isinstance(values, bytes) else struct.pack(f"{order}{len(values)}{letter}", *values)
        count = len(values)
        if len(raw) > 4:
            entries.append(struct.pack(f"{order}HHII", tag, TYPES[letter], count, place + len(behind)))
            behind += raw + b"\0" * (len(raw) % 2)
        else:
            entries.append(struct.pack(f"{order}HHI", tag, TYPES[letter], count) + raw.ljust(4, b"\0"))
    return struct.pack(f"{order}H", len(tags)) + b"".join(entries) + bytes(4) + behind


def _cut(part: np.ndarray, sides: tuple[int, int] | None) -> np.ndarray:
    """Tiles at the rim are whole, too."""
    if sides is None:
        return part
    return np.pad(part, [(0, sides[0] - part.shape[0]), (0, sides[1] - part.shape[1]), (0, 0)])


def _bytes(part: np.ndarray, bits: int, order: str) -> bytes:
    if bits in (8, 16, 32, 64):
        return np.ascontiguousarray(part).astype(np.dtype(f"{part.dtype.kind}{bits // 8}").newbyteorder(order)).tobytes()
    rows = part.reshape(len(part), -1)
    planes = (rows[..., None].astype(np.int64) >> np.arange(bits - 1, -1, -1)) & 1  # the highest bit first
    return np.packbits(planes.reshape(len(part), -1).astype(np.uint8), axis=1).tobytes()


def packed(raw: bytes, compression: int) -> bytes:
    """As TIFF compresses a strip: none, deflate, PackBits in literal runs, LZW with a table that is never used."""
    if compression == DEFLATE:
        return zlib.compress(raw)
    if compression == PACKBITS:
        runs = [raw[i : i + 128] for i in range(0, len(raw), 128)]
        return b"".join(bytes([len(run) - 1]) + run for run in runs)
    if compression == LZW:
        codes = [code for i in range(0, len(raw), 250) for code in (256, *raw[i : i + 250])] + [257]
        planes = (np.array(codes)[:, None] >> np.arange(8, -1, -1)) & 1
        return np.packbits(planes.ravel().astype(np.uint8)).tobytes()
    return raw


def png(samples: np.ndarray, colour: int, bits: int, *, chunks: Sequence[tuple[bytes, bytes]] = (), interlaced: bool = False,
        filtered: int = 0) -> bytes:  # fmt: skip
    """A PNG: samples (h, w) or (h, w, s); colour: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA; chunks stand before IDAT.

    filtered: 0 for no filter, 1 for the difference to the left pixel (of the whole bytes that a pixel fills).
    """
    samples = samples[..., None] if samples.ndim == 2 else samples
    height, width = samples.shape[:2]
    starts = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    passes = [samples[y::down, x::across] for y, x, down, across in starts] if interlaced else [samples]
    raw = b"".join(_filtered(_bytes(row[None], bits, ">"), filtered, max(1, samples.shape[2] * bits // 8))
                   for part in passes if part.size for row in part)  # fmt: skip
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    every = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in every)


def _filtered(row: bytes, kind: int, pixel: int) -> bytes:
    values = np.frombuffer(row, np.uint8)
    left = np.concatenate([np.zeros(pixel, np.uint8), values[:-pixel]])[: len(values)]
    return bytes([kind]) + (values - left if kind else values).tobytes()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def apng(frames: Sequence[tuple[np.ndarray, int, int, int, int]], size: tuple[int, int], *,
         chunks: Sequence[tuple[bytes, bytes]] = ()) -> bytes:  # fmt: skip
    """An animated PNG of 8-bit RGBA: of each part its pixels (h, w, 4), left, top, dispose_op and blend_op; size (w, h)."""
    every = [(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 6, 0, 0, 0)), (b"acTL", struct.pack(">II", len(frames), 0)), *chunks]
    number = 0
    for pixels, left, top, after, blend in frames:
        height, width = pixels.shape[:2]
        every.append((b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, left, top, 1, 10, after, blend)))
        data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
        every.append((b"fdAT", struct.pack(">I", number + 1) + data) if number else (b"IDAT", data))
        number += 2 if number else 1
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in [*every, (b"IEND", b"")])


def gif(frames: Sequence[tuple[np.ndarray, int, int, int, int | None, np.ndarray | None]], size: tuple[int, int],
        palette: np.ndarray, background: int = 0) -> bytes:  # fmt: skip
    """A GIF: of each part its indices (h, w), left, top, disposal, transparent index and own palette (256, 3); size (w, h)."""
    file = b"GIF89a" + struct.pack("<HHBBB", *size, 0xF7, background, 0) + palette.tobytes()
    for indices, left, top, disposal, clear, own in frames:
        file += b"\x21\xf9\x04" + struct.pack("<BHBB", disposal << 2 | (clear is not None), 10, clear or 0, 0)
        file += b"\x2c" + struct.pack("<HHHHB", left, top, *indices.shape[::-1], 0x87 if own is not None else 0)
        file += (own.tobytes() if own is not None else b"") + b"\x08" + _codes(indices.ravel())
    return file + b";"


def _codes(values: np.ndarray) -> bytes:
    """As GIF compresses, with a table that is never used: codes of 9 bit, the lowest first, in blocks."""
    codes = [code for i in range(0, len(values), 250) for code in (256, *values[i : i + 250])] + [257]
    data = np.packbits((np.array(codes)[:, None] >> np.arange(9) & 1).ravel().astype(np.uint8), bitorder="little").tobytes()
    return b"".join(bytes([len(part)]) + part for part in (data[i : i + 255] for i in range(0, len(data), 255))) + b"\0"
