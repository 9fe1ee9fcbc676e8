"""The tags of a TIFF: how its numbers are stored, what its bands show, whether it has a place on the earth."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from PIL import TiffImagePlugin

from .depth import Encoding
from .orientation import ORIENTATION

WHITE_IS_ZERO, BLACK_IS_ZERO, COLOURS, PALETTE, INK, BRIGHTNESS = 0, 1, 2, 3, 5, 6  # PhotometricInterpretation
SENSOR = (32803, 34892)  # PhotometricInterpretation of raw files, whose pixels have one colour each
SUBFILE, COLOURMAP, NODATA, METADATA, DNG = 254, 320, 42113, 42112, 50706
EARTH = (33550, 33922, 34264, 34735)  # the tags by which GeoTIFF gives a place on the earth
MOST = 4096  # bands
PREVIEW, MASK = 1, 4  # bits of NewSubfileType


@dataclass(frozen=True)
class Tags:
    """The tags of one page of a TIFF."""

    order: str  # < or >
    size: tuple[int, int]  # (w, h) as stored
    bits: tuple[int, ...]
    kinds: tuple[int, ...]  # SampleFormat: 1 unsigned, 2 signed, 3 float, others
    photometric: int
    planar: bool
    compression: int
    extra: tuple[int, ...]
    orientation: int
    earth: bool
    roles: tuple[str, ...]  # what each band shows: gray, red, green, blue, alpha, undefined, ...
    low: float | None
    high: float | None
    empty: float | None
    sensor: bool  # raw data of a camera's sensor
    page: int  # its number in the file
    kind: int  # bits of NewSubfileType
    sparse: bool  # empty parts are left out of the file
    pages: int = 1  # pictures in the file, without smaller copies and masks

    @property
    def facts(self) -> Encoding:
        bits = self.bits[0] if self.kinds[0] == 1 else None
        return Encoding(bits, self.low, self.high, self.empty, self.photometric == WHITE_IS_ZERO)

    @property
    def beside(self) -> bool:
        """Is the page a smaller copy or a mask of another one?"""
        return bool(self.kind & (PREVIEW | MASK))

    @property
    def plain(self) -> bool:
        """Are these greys or colours, so that `roles` tells its bands apart?"""
        return self.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, COLOURS)

    @property
    def visible_bands(self) -> tuple[int, ...] | None:
        """The bands that a person sees; None where the tags do not say it, and for kinds of pictures that only Pillow reads."""
        if self.photometric == INK and len(self.roles) >= 4:
            return (0, 1, 2, 3, *(4 + place for place, kind in enumerate(self.extra[: len(self.roles) - 4]) if kind == 2))[:5]
        return bands(self.roles) if self.plain else None

    @property
    def simple(self) -> bool:
        """Are all numbers unsigned integers of 8 bit, as in photos?"""
        return {*self.bits} == {8} and {*self.kinds} == {1}

    def __str__(self) -> str:
        kinds = {1: "unsigned", 2: "signed", 3: "float"}
        bits = "/".join(map(str, dict.fromkeys(self.bits)))
        kind = "/".join(kinds.get(kind, "other") for kind in dict.fromkeys(self.kinds))
        many = f"{len(self.bits)} bands" if len(self.bits) != 1 else "one band"
        return f"{many} of {bits} bit, {kind}{', each in a plane of its own' if self.planar else ''} ({', '.join(self.roles)})"


def tags_of(file: BinaryIO) -> list[Tags]:
    """The tags of every page before the first broken one.  Raises what Pillow raises where the first page is broken."""
    file.seek(0)
    head = file.read(8)
    head += file.read(8) if head[2] == 43 or head[3] == 43 else b""
    high = head[3] == 43  # a BigTIFF with the high byte first, which Pillow takes for a small one
    ifd: Any = TiffImagePlugin.ImageFileDirectory_v2(head[:8] if high else head)
    if high:
        ifd._bigtiff, ifd.next = True, int.from_bytes(head[8:16], "big")
    begun, pages = ifd.next, []
    visited: set[int] = set()
    while begun and begun not in visited:
        visited.add(begun)
        try:
            file.seek(begun)
            ifd.load(file)
            pages.append(_tags(ifd, "<" if head[:1] == b"I" else ">", len(pages)))
        except Exception:
            if not pages:
                raise
            break
        begun = ifd.next
    if not pages:
        raise ValueError("it has no page")
    count = sum(not page.beside for page in pages)
    return [replace(page, pages=max(1, count)) for page in pages]


def _tags(ifd: Any, order: str, page: int) -> Tags:
    count, where = int(ifd.get(277, 1)), _listed(ifd.get(273, ifd.get(324, ())))
    if not 0 < count <= MOST:
        raise ValueError(f"{count} bands are none, or too many")
    if not where or not all(isinstance(place, int) for place in where):
        raise ValueError("where its numbers lie is not said in whole numbers")
    bits, kinds = _each(ifd.get(258, (1,)), count), _each(ifd.get(339, (1,)), count)
    photometric, extra = int(ifd.get(262, WHITE_IS_ZERO)), tuple(map(int, _listed(ifd.get(338, ()))))
    low, high = _number(ifd.get(340, ifd.get(280)), min), _number(ifd.get(341, ifd.get(281)), max)
    orientation = ifd.get(ORIENTATION, 1)
    return Tags(
        order, (int(ifd[256]), int(ifd[257])), bits, kinds, photometric, ifd.get(284, 1) == 2,
        int(ifd.get(259, 1)), extra, orientation if orientation in range(1, 9) else 1, any(tag in ifd for tag in EARTH),
        _roles(photometric, count, extra, str(ifd.get(METADATA, ""))), low, high, _empty(ifd.get(NODATA)),
        photometric in SENSOR or DNG in ifd, page, _kind(ifd.get(SUBFILE, 0)), 0 in where,
    )  # fmt: skip


def _kind(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _each(value: Any, count: int) -> tuple[int, ...]:
    """A number for each band; some files have a single one for all bands."""
    values = tuple(map(int, _listed(value)))
    return values[:count] if len(values) >= count else values * count if len(values) == 1 else (0,)


def _number(value: Any, of: Any) -> float | None:
    try:
        return float(of(map(float, _listed(value)))) if value is not None else None
    except (TypeError, ValueError):
        return None


def _empty(text: Any) -> float | None:
    try:
        return float(str(text).strip("\0 ")) if text is not None else None
    except ValueError:
        return None


def _roles(photometric: int, count: int, extra: Sequence[int], metadata: str) -> tuple[str, ...]:
    """What each band shows: by PhotometricInterpretation and ExtraSamples, unless GDAL's metadata say it (COLORINTERP)."""
    first = {
        WHITE_IS_ZERO: ("gray",), BLACK_IS_ZERO: ("gray",), COLOURS: ("red", "green", "blue"), PALETTE: ("palette",),
        INK: ("cyan", "magenta", "yellow", "black"), BRIGHTNESS: ("red", "green", "blue"),
    }.get(photometric, ("undefined",))  # fmt: skip
    rest = [{1: "alpha", 2: "alpha"}.get(kind, "undefined") for kind in extra]
    if photometric == COLOURS and count == 4 and not extra:
        rest = ["alpha"]  # as Pillow takes it
    roles = [*first, *rest, *["undefined"] * count][:count]
    for item in re.findall(r"<Item\s[^>]*>[^<]*", metadata):
        place, role = re.search(r'sample="(\d+)"', item), re.search(r'role="colorinterp"', item, re.IGNORECASE)
        if place and role and int(place[1]) < count:
            roles[int(place[1])] = item.rpartition(">")[2].strip().lower()
    return tuple(roles)


def is_tiff(file: Path | bytes) -> bool:
    """Is it a TIFF, by its first bytes?"""
    if isinstance(file, Path):
        if not file.is_file():
            return False
        with file.open("rb") as opened:
            head = opened.read(4)
    else:
        head = file[:4]
    return head in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def first_tags(file: Path | bytes) -> Tags | None:
    """The tags of the first page of a TIFF; None for other files, and where they cannot be read."""
    return next(iter(all_tags(file)), None)


def all_tags(file: Path | bytes) -> list[Tags]:
    """The tags of every page of a TIFF; none for other files, and where they cannot be read."""
    if not is_tiff(file):
        return []
    with file.open("rb") if isinstance(file, Path) else BytesIO(file) as raw:
        try:
            return tags_of(raw)
        except Exception:  # noqa: BLE001 - opening the file raises the error that says what is wrong
            return []


def bands(roles: Sequence[str]) -> tuple[int, ...] | None:
    """The bands that a person sees, in this order: grey, or red, green and blue, then alpha; None where roles do not say it."""
    alpha = tuple(place for place, role in enumerate(roles) if role == "alpha")[:1]
    others = tuple(place for place, role in enumerate(roles) if role != "alpha")
    if {"red", "green", "blue"} <= {*roles}:
        return (*map(roles.index, ("red", "green", "blue")), *alpha)
    if len(others) == 3:
        return (*others, *alpha)
    if len(others) < 3 and others:
        return (roles.index("gray") if "gray" in roles else others[0], *alpha)
    return None


def notes(tags: Tags) -> tuple[str, ...]:
    """Notes on pages, bands and orientation that are not shown as one would expect."""
    remarks = []
    if tags.pages > 1:
        remarks.append(f"several pictures in one file ({tags.pages} frames): the first frame is explained")
    if tags.kind & PREVIEW:
        remarks.append("its first picture is a preview: a smaller copy of another one in the file")
    visible = tags.visible_bands or ()
    if tags.plain and len(visible) >= 3 and not {"red", "green", "blue"} <= {*tags.roles}:
        remarks.append(f"what its bands show is not said ({', '.join(tags.roles)}): they are taken as red, green and blue")
    if visible and len(tags.roles) > len(visible):
        shown = ", ".join(str(place + 1) for place in visible)
        remarks.append(f"of its {len(tags.roles)} bands ({', '.join(tags.roles)}) {len(visible)} are seen: {shown}")
    if tags.earth and tags.orientation != 1:
        remarks.append(f"its Orientation tag ({tags.orientation}) is not followed: it lies on the earth as its rows are stored")
    return tuple(remarks)
