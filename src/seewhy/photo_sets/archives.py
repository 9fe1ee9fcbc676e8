"""Photos in ZIP archives.  Nothing is unpacked onto the disk: each is read where it lies.

The path of a photo is written as fsspec writes it, zip://cats/1.jpg::/data/photos.zip, so that other programs open it, too.
"""

import os
import zlib
from collections.abc import Hashable
from pathlib import PurePosixPath
from threading import Lock
from typing import IO
from weakref import finalize
from zipfile import BadZipFile, ZipFile, ZipInfo

from seewhy.errors import BadImage, BadParameter
from seewhy.images.suffixes import PHOTOS
from seewhy.printable import printable

from .addresses import is_address, opened_address
from .items import PhotoPlace
from .names import PhotoNames, is_photo_name, left_out, photo_names

BEFORE, BETWEEN = "zip://", "::"
ENCRYPTED = 1  # the bit of a member's flags
MOST_OPEN = 8  # archives that stay open in a process
PACKED = (".zip", ".tar", ".tgz", ".tar.gz", ".7z", ".rar")
_open: dict[Hashable, ZipFile] = {}
_opening = Lock()


def archive_place(archive: str) -> PhotoPlace:
    """The place of the photos in an archive, a file or an address."""
    path = archive if is_address(archive) else os.path.abspath(archive)
    if BETWEEN in path:
        raise BadParameter(f"The path of an archive cannot hold {BETWEEN}: {printable(path)}. Rename it.")
    return PhotoPlace(BEFORE, f"{BETWEEN}{path}", local=False)


def in_archive(archive: str) -> PhotoNames:
    """The photos in an archive, in all its folders.

    Left out, with a remark: members whose names lead out of the archive, and archives in it.
    Raises BadImage where it cannot be read, BadParameter where it holds no photos, or all of them are encrypted.
    """
    members = _archive(archive).infolist()
    files = [member.filename for member in members if not member.is_dir()]
    unsafe = [name for name in files if is_photo_name(name) and _leads_out(name)]
    packed = [name for name in files if name.lower().endswith(PACKED)]
    found = photo_names(name for name in files if not _leads_out(name))
    remarks = [*found.remarks]
    remarks += [left_out(unsafe, "photo", "their names lead out of the archive")] if unsafe else []
    remarks += [left_out(packed, "archive", "one in another is not looked into: unpack it first")] if packed else []
    if not found.names:
        why = f" ({'; '.join(remarks)})" if remarks else ""
        raise BadParameter(f"The archive {printable(archive)} holds no photos ({', '.join(PHOTOS)}){why}.")
    photos = {*found.names}
    encrypted = {member.filename for member in members if member.flag_bits & ENCRYPTED} & photos
    if encrypted == photos:
        raise BadParameter(f"The photos in the archive {printable(archive)} are encrypted: unpack it, and give the folder.")
    if encrypted:
        remarks.append(f"{len(encrypted)} of {len(photos)} photos are encrypted, and cannot be read")
    return PhotoNames(found.names, remarks)


def _leads_out(name: str) -> bool:
    """Would it lie elsewhere than below the folder that the archive is unpacked into?"""
    slashes = name.replace("\\", "/")
    return slashes.startswith("/") or ".." in PurePosixPath(slashes).parts or slashes[1:2] == ":" or BETWEEN in name


def read_member(path: str, most: int) -> bytes:
    """The bytes of a photo in an archive.  Raises BadImage where it cannot be read, or has more than `most`."""
    name, _, archive = path.removeprefix(BEFORE).rpartition(BETWEEN)
    unpacked = _archive(archive)
    try:
        member: ZipInfo = unpacked.getinfo(name)
        if member.flag_bits & ENCRYPTED:
            raise BadImage(f"{printable(path)} is encrypted: unpack the archive, and give the folder.")
        if member.file_size > most:
            raise BadImage(f"{printable(path)} has {member.file_size:,} bytes, and {most:,} are read at most.")
        with unpacked.open(member) as file:
            return file.read(most)  # of a member that says less than it has, zipfile reads what it says
    except KeyError:
        raise BadImage(f"{printable(path)} is not there: the archive has no such member.") from None
    except (BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError, zlib.error, ValueError) as error:
        raise BadImage(f"{printable(path)} cannot be read: {printable(error, 200) or type(error).__name__}.") from None


def _archive(archive: str) -> ZipFile:
    """The archive, opened once in each process: its table of contents is long, and threads may share it."""
    try:
        known = _key(archive)
        with _opening:
            if known not in _open:
                while len(_open) >= MOST_OPEN:
                    _open.pop(next(iter(_open)))
                _open[known] = _unpacked(archive)
            return _open[known]
    except BadZipFile as error:
        raise BadImage(f"{printable(archive)} is no ZIP archive, or is damaged: {printable(error, 200)}.") from None
    except OSError as error:
        raise BadImage(f"{printable(archive)} cannot be read: {error.strerror or printable(error, 200)}.") from None


def _unpacked(archive: str) -> ZipFile:
    file: IO[bytes] = opened_address(archive) if is_address(archive) else open(archive, "rb")  # noqa: SIM115 - closed below
    try:
        unpacked = ZipFile(file)  # which closes no file that it was given, so that threads may share it
    except BaseException:
        file.close()
        raise
    finalize(unpacked, file.close)
    return unpacked


def _key(archive: str) -> Hashable:
    """What an archive is known again by; a process that was split off another one opens its own."""
    if is_address(archive):
        return archive, os.getpid()
    status = os.stat(archive)
    return archive, os.getpid(), status.st_mtime_ns, status.st_size
