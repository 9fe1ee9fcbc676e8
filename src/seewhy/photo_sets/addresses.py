"""Photos at addresses that fsspec reads: buckets (s3://, gs://, az://), servers (http://), and what else has a protocol."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

from seewhy.errors import BadImage, BadParameter, MissingExtra, SeewhyError
from seewhy.images.suffixes import PHOTOS
from seewhy.printable import printable

from .items import PhotoPlace
from .names import PhotoNames, is_photo_name, photo_names

T = TypeVar("T")
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|[a-z0-9]+::")
ANSWER = 30.0  # seconds within which an address has to answer for the first time
WILD = re.compile(r"[*\[]")  # a ? is no pattern here: it stands before the query of a web address


def is_address(data: str) -> bool:
    """Is it an address, such as s3://bucket/photos, and no path of this machine?"""
    return ADDRESS.match(data) is not None


def suffix_of(address: str) -> str:
    """The suffix of what the address names, in lower case: .zip of https://host/photos.zip?version=2."""
    path = urlsplit(address).path if address.startswith(("http://", "https://")) else address
    return "." + path.rpartition(".")[2].lower() if "." in path.rpartition("/")[2] else ""


def file_system(address: str) -> tuple[Any, str]:
    """fsspec's file system of an address, and the path in it.

    Raises MissingExtra without fsspec; BadParameter where nobody knows the protocol, or its package is not installed.
    """
    try:
        from fsspec.core import url_to_fs  # here, for it comes with an extra
    except ModuleNotFoundError:
        raise MissingExtra("fsspec, which reads addresses,", "dataset") from None
    try:
        return url_to_fs(address)
    except ImportError as error:
        raise BadParameter(
            f"{printable(address, 200)} takes a package that is not installed: {printable(error, 300)}."
        ) from None
    except ValueError as error:
        raise BadParameter(f"{printable(address, 200)} is no address that can be read: {printable(error, 200)}.") from None


def in_address(address: str) -> tuple[PhotoPlace, PhotoNames]:
    """The photos at an address: below a folder or prefix, those that a pattern stands for, or a single one.

    Raises BadImage where it cannot be read or does not answer within half a minute, BadParameter where there is nothing, or no
    photo.
    """
    system, path = file_system(address)
    wild = WILD.search(path)
    with reading(address):
        if wild:
            base = path[: wild.start()].rpartition("/")[0]
            _answering(lambda: system.exists(base), address)
            paths = system.glob(path)
        else:
            single = is_photo_name(suffix_of(address)) and _answering(lambda: system.isfile(path), address)
            if single or _answering(lambda: system.exists(path), address):
                base, paths = (path.rpartition("/")[0], [path]) if single else (path, system.find(path))
            else:
                raise BadParameter(f"{printable(address, 300)} is not there.")
    below = base.rstrip("/") + "/" if base else ""
    found = photo_names(each.removeprefix(below) for each in map(str, paths))
    if not found.names:
        why = f" ({'; '.join(found.remarks)})" if found.remarks else ""
        raise BadParameter(f"There are no photos ({', '.join(PHOTOS)}) at {printable(address, 300)}{why}.")
    begins = system.unstrip_protocol(below) if below else ""  # which may end without the last /
    return address_place(address, begins if begins.endswith("/") or not begins else begins + "/"), found


def address_place(address: str, below: str = "") -> PhotoPlace:
    """The place of the photos below an address."""
    return PhotoPlace(below or address.rstrip("/") + "/", local=False)


def read_address(address: str, most: int) -> bytes:
    """The bytes at an address.  Raises BadImage where they cannot be read, or are more than `most`."""
    with reading(address):
        system, path = file_system(address)
        data = system.cat_file(path, start=0, end=most + 1)
    if len(data) > most:
        raise BadImage(f"{printable(address, 300)} has more than {most:,} bytes, which are read at most.")
    return data


def opened_address(address: str) -> IO[bytes]:
    """The file at an address, of which what is read is fetched.  Raises OSError; BadImage where it does not answer."""
    system, path = file_system(address)
    with reading(address):
        return _answering(lambda: system.open(path, "rb"), address)


@contextmanager
def reading(address: str) -> Iterator[None]:
    """What file systems raise in the block becomes a BadImage that names the address."""
    try:
        yield
    except SeewhyError:
        raise
    except FileNotFoundError:
        raise BadImage(f"{printable(address, 300)} is not there.") from None
    except Exception as error:  # noqa: BLE001 - each file system raises errors of its own
        what = printable(error, 300) or type(error).__name__
        raise BadImage(f"{printable(address, 300)} cannot be read: {what}") from None


def _answering(work: Callable[[], T], address: str) -> T:
    """What the work gives.  Clients of buckets try again for minutes where there is no network: nobody waits that long.

    Raises BadImage where it takes longer than ANSWER, and whatever the work raises.
    """
    answer: Queue[tuple[bool, Any]] = Queue()

    def ask() -> None:
        try:
            answer.put((True, work()))
        except BaseException as error:  # noqa: BLE001 - raised again where the answer is waited for
            answer.put((False, error))

    Thread(target=ask, daemon=True).start()
    try:
        well, value = answer.get(timeout=ANSWER)
    except Empty:
        raise BadImage(
            f"{printable(address, 300)} did not answer within {ANSWER:.0f} seconds. Is there a network, and are the "
            "credentials set, as its file system wants them?"
        ) from None
    if well:
        return value
    raise value
