"""A text put into a PNG file that was written before; its pixels stay as they are."""

import struct
import zlib
from io import BytesIO

from .made_here import PNG, chunks


def with_text(png: bytes, name: str, text: bytes) -> bytes:
    """The PNG with a text (UTF-8) in a chunk of that name before its pixels, in the place of such a chunk that it had.

    Source: PNG Specification (Third Edition), 11.3.3.4 iTXt.  Raises ValueError for what is no PNG.
    """
    kept, end = [PNG], len(PNG)
    for length, _kind in chunks(file := BytesIO(png)):
        start, end = file.tell() - 8, file.tell() + length + 4
        chunk = png[start:end]
        if not (chunk[4:8] == b"iTXt" and chunk[8:].startswith(name.encode() + b"\0")):
            kept.append(chunk)
    if len(kept) == 1:
        raise ValueError("it is no PNG")
    content = b"iTXt" + name.encode() + b"\0\0\0\0\0" + text  # neither packed, nor in a language, nor under another name
    added = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return b"".join([*kept, added, png[end:]])
