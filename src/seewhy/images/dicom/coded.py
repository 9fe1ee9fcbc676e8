"""Compressed frames: the size in their own headers, which is checked before a decoder takes memory for it."""

from typing import Any

from seewhy.errors import BadImage

SIZED = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7}  # JPEG's frame headers, and JPEG-LS's


def check_coded(data: Any, name: str) -> None:
    """Raises BadImage where the size of a frame is not that of the file's header."""
    from pydicom.encaps import generate_frames  # here, for pydicom is an extra

    rows, columns, frames = int(data.Rows), int(data.Columns), int(data.get("NumberOfFrames") or 1)
    for place, frame in enumerate(generate_frames(data.PixelData, number_of_frames=frames)):
        size = coded_size(frame)
        if size is not None and size != (rows, columns):
            raise BadImage(
                f"{name} cannot be read: its frame {place + 1} is coded as {size[1]}x{size[0]} pixels, the header says "
                f"{columns}x{rows}."
            )


def coded_size(frame: bytes) -> tuple[int, int] | None:
    """(rows, columns) of a JPEG, JPEG-LS or JPEG 2000 stream; None for other kinds."""
    if frame[:4] == b"\xff\x4f\xff\x51":
        right, bottom, left, top = (int.from_bytes(frame[at : at + 4], "big") for at in (8, 12, 16, 20))
        return bottom - top, right - left
    if frame[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
        if marker in SIZED:
            return int.from_bytes(frame[at + 5 : at + 7], "big"), int.from_bytes(frame[at + 7 : at + 9], "big")
        at += 1 if marker == 0xFF else 2 + length
    return None
