"""The zip archives that torch writes, checked so strictly that every reader sees the same records in them.

A zip file lists what it holds twice, may hide anything before, between and behind its records, and readers differ in which
of the lists they believe.  Files that torch wrote leave no such room, so that what is checked here is what torch will load.
"""

import struct
from collections import Counter
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_STORED, BadZipFile, LargeZipFile, ZipFile, ZipInfo

from seewhy.errors import BadWeights

END, END_LONG, LONG, LOCAL, BEHIND = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x03\x04", b"PK\x07\x08"
FULL = 0xFFFFFFFF  # stands for a number that is written elsewhere, in 64 bits
FLAGS = 0x8 | 0x800  # sizes behind the record, names in UTF-8: the only flags that torch sets


def is_archive(file: BinaryIO) -> bool:
    """Does torch take the file for a zip file?  Leaves it at its start."""
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    return start == LOCAL


def names_in(file: BinaryIO) -> list[str]:
    """The names in a zip file as Python's reader sees them, unchecked; none of another file."""
    try:
        with ZipFile(file) as archive:
            return archive.namelist()
    except (BadZipFile, LargeZipFile, OSError, ValueError, NotImplementedError, struct.error):
        return []


def records(file: BinaryIO, path: Path) -> list[str]:
    """The names of all that the archive holds, without the one folder that all of it lies in.

    Raises BadWeights where readers could differ about it: lists that do not agree, anything before, between or behind the
    records, two of a name, packed or encrypted records, names that lead elsewhere.
    """
    try:
        names = _walked(file)
    except (BadZipFile, LargeZipFile, NotImplementedError, OSError, ValueError, struct.error) as error:
        raise BadWeights(
            f"{path} is no archive as torch writes it ({error}), so what is checked might not be what is loaded. Save it again "
            "with torch; or, if you trust who made it, trust=True (--trust)."
        ) from None
    return names


def _walked(file: BinaryIO) -> list[str]:
    """The names of the records, after a walk from record to record; ValueError where anything is not as torch writes it."""
    with ZipFile(file) as archive:
        entries, start, note = (
            sorted(archive.infolist(), key=lambda entry: entry.header_offset),
            archive.start_dir,
            archive.comment,
        )
    if not entries:
        raise ValueError("it is empty")
    _check_end(file, len(entries), start, note)
    position = 0
    for entry, following in zip(entries, [*(entry.header_offset for entry in entries[1:]), start], strict=True):
        if entry.header_offset != position:
            raise ValueError(f"{entry.header_offset - position} bytes before {entry.filename!r} belong to no record")
        position = _behind(file, entry, following)
    if position != start:
        raise ValueError("between its records and its list lies something else")
    return _names(entries)


def _check_end(file: BinaryIO, count: int, start: int, note: bytes) -> None:
    """Raise ValueError unless the list of records begins where it says and ends at the end of the file."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 98))
    tail = file.read().rjust(98, b"\0")
    mark, *disks, here, total, length, begins, noted = struct.unpack("<4s4H2LH", tail[-22:])
    if mark != END or noted or note or any(disks):
        raise ValueError("something lies behind its list")
    long = tail[-42:-38] == LONG
    ends = [here, total, length, begins]
    if long:
        position, mark, *ends = *struct.unpack("<Q", tail[-34:-26]), *struct.unpack("<4s20x4Q", tail[-98:-42])
        if mark != END_LONG or position != size - 98:
            raise ValueError("its two ends do not agree")
        short = ((here, 0xFFFF), (total, 0xFFFF), (length, FULL), (begins, FULL))
        if any(number not in (full, long_number) for (number, full), long_number in zip(short, ends, strict=True)):
            raise ValueError("its two ends do not agree")
    if ends != [count, count, size - (98 if long else 22) - start, start]:
        raise ValueError("its list is not where it says, or not as long")


def _behind(file: BinaryIO, entry: ZipInfo, following: int) -> int:
    """Where a record ends; ValueError where it differs from its entry in the list.

    following: where the next record begins, or after the last of them the list.
    """
    file.seek(entry.header_offset)
    mark, _, flags, packed, _, _, crc, length, size, named, more = struct.unpack("<4s5H3L2H", file.read(30))
    name = file.read(named).decode("utf-8" if flags & 0x800 else "cp437")
    if mark != LOCAL or name != entry.orig_filename or (flags, packed) != (entry.flag_bits, entry.compress_type):
        raise ValueError(f"its two lists do not agree on {entry.filename!r}")
    if flags & ~FLAGS or packed != ZIP_STORED or entry.compress_size != entry.file_size:
        raise ValueError(f"{entry.filename!r} is packed or encrypted")
    pairs = ((crc, entry.CRC), (length, entry.compress_size), (size, entry.file_size))
    if any(here != listed and not (flags & 0x8 and here == 0) and here != FULL for here, listed in pairs):
        raise ValueError(f"its two lists do not agree on {entry.filename!r}")
    ends = entry.header_offset + 30 + named + more + entry.compress_size
    file.seek(ends)
    sizes = (entry.CRC, entry.compress_size, entry.file_size)
    for form in ("<4s3L", "<4sL2Q"):
        if flags & 0x8 and following - ends == struct.calcsize(form):
            if struct.unpack(form, file.read(struct.calcsize(form))) != (BEHIND, *sizes):
                raise ValueError(f"its two lists do not agree on {entry.filename!r}")
            return following
    return ends


def _names(entries: list[ZipInfo]) -> list[str]:
    """The names without their one folder; ValueError for names that torch does not write, and for two of a name."""
    names = [entry.orig_filename for entry in entries]
    odd = [name for name in names if not name.isprintable() or "\\" in name or {"", ".", ".."} & {*name.split("/")}]
    roots = {name.partition("/")[0] for name in names}
    if odd or len(roots) != 1 or not all("/" in name for name in names):
        raise ValueError(f"{(odd or names)[0]!r} is no name as torch gives it")
    twice = [name for name, times in Counter(map(str.lower, names)).items() if times > 1]
    if twice:
        raise ValueError(f"there are two records {twice[0]!r}")
    return [name.partition("/")[2] for name in names]
