"""DICOM series as volumes: which files belong to a series, whatever their names and whatever else is in the folder."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seewhy.errors import BadImage
from seewhy.images.decoding import decoding, quietly
from seewhy.images.files import has_suffix, need
from seewhy.images.foreign_volumes import foreign_kind
from seewhy.images.volume import Volume, check_voxels, most_voxels
from seewhy.images.volume_kinds import BY_NIBABEL, INDEX, is_dicom
from seewhy.printable import printable

from .frames import slices
from .grid import stacked
from .header import Header, header, pixels
from .mosaic import is_mosaic, unfolded
from .slice import Slice

TURNED = 0.01  # if direction cosines differ by more, the slices lie in another plane, as scouts do


class Member(NamedTuple):
    """One file of a series, by its header."""

    file: Path
    slices: list[Slice]
    wrong: BadImage | None  # why its slices cannot be read; then it has none
    mosaic: bool
    order: tuple[Any, ...]  # a key that sorts files by time


def read_series(path: Path, name: str, channels: bool, most: int) -> Volume:
    """The volume of the series in a folder, of the series that a file belongs to, or of one file with many slices (multi-frame,
    mosaic).

    Slices are put in order by their positions along the normal of the slices; the step between them is that of the positions.
    channels: take all volumes of a series of mosaics, as channels; otherwise the first.
    Other files in the folder that cannot be read are left out, with a note.  Raises BadImage for several series, slices that
    are missing, doubled or turned, colours, more than `most` voxels, and what pydicom cannot read.
    """
    need("pydicom")
    with decoding(f"{name} cannot be read as a DICOM series"), quietly("pydicom"):
        members, beside = _series(path, name, most)
        if wrong := next((member.wrong for member in members if member.wrong), None):
            raise wrong
        if any(member.mosaic for member in members):
            return _mosaics(members, name, channels, most, beside)
        listed = [each for member in members for each in member.slices]
        notes = tuple(dict.fromkeys(note for each in listed for note in each.notes))
        check_voxels((*listed[0].shape[::-1], len(listed)), most, name)
        values, affine, remarks = stacked([each for member in members for each in _read(member)], name)
    return Volume(values, affine, name, (*notes, *remarks, *beside))


def _read(member: Member) -> list[Slice]:
    """The slices of a file with their pixels."""
    read = pixels(member.file, str(member.file))
    if member.mosaic:
        return unfolded(read[0], member.slices)
    if len(read) != len(member.slices):
        raise BadImage(f"{member.file} cannot be read: it has {len(read)} frames, and tells of {len(member.slices)}.")
    return [each._replace(pixels=frame) for each, frame in zip(member.slices, read, strict=True)]


def _mosaics(members: list[Member], name: str, channels: bool, most: int, beside: tuple[str, ...]) -> Volume:
    """The volume of a series of mosaics, each of which is a volume: the first in time, or all as channels."""
    if not all(member.mosaic for member in members):
        single = next(member.file.name for member in members if not member.mosaic)
        raise BadImage(
            f"{name}: some files of its series are mosaics, others, such as {single}, are not. Give one of the mosaics."
        )
    members = sorted(members, key=lambda member: member.order)
    first = members[0]
    whole = (*first.slices[0].shape[::-1], len(first.slices))
    taken = members if channels else members[:1]
    check_voxels((*whole, len(taken)) if channels else whole, most, name)
    read = [stacked(_read(member), str(member.file)) for member in taken]
    values, affine, remarks = read[0]
    if any(other[0].shape != values.shape or not np.allclose(other[1], affine, atol=1e-3) for other in read):
        raise BadImage(f"{name}: its volumes (mosaics) lie on different grids, so they are no channels of one.")
    notes = (*first.slices[0].notes, *remarks)
    if len(members) > 1 and not channels:
        notes += (f"{len(members)} volumes in one series (mosaics): the first in time, {first.file.name}, is explained",)
    values = np.stack([volume[0] for volume in read], -1) if channels and len(read) > 1 else values
    return Volume(values, affine, name, (*notes, *beside))


class SeriesKey(NamedTuple):
    """What the slices of a volume have in common: the series, and in it the orientation, by which scouts differ."""

    title: str
    series: str
    turned: tuple[float, ...]

    @classmethod
    def of(cls, data: Any) -> "SeriesKey":
        """The key of a header; tags that are missing or broken are left empty."""

        def said(name: str) -> Any:
            try:
                return data.get(name)
            except Exception:  # noqa: BLE001 - pydicom raises many kinds for a tag that is broken
                return None

        number, what = said("SeriesNumber"), said("SeriesDescription") or said("Modality") or "unnamed"
        title = f"{printable(what, 64)}{'' if number is None else f' (number {printable(number, 16)})'}"
        try:
            turned = tuple(map(float, said("ImageOrientationPatient") or ()))
        except (TypeError, ValueError):
            turned = ()
        return cls(title, str(said("SeriesInstanceUID") or ""), turned)

    def nearly(self, other: "SeriesKey") -> bool:
        """Are the keys equal, up to rounding of the orientation?"""
        if self[:2] != other[:2] or len(self.turned) != len(other.turned):
            return False
        return all(abs(mine - theirs) < TURNED for mine, theirs in zip(self.turned, other.turned, strict=True))


class Folder(NamedTuple):
    """The DICOM images of a folder by series; and those whose series is unknown, with the error that says why."""

    groups: dict[SeriesKey, list[Member]]
    lost: dict[Path, BadImage]


def _series(path: Path, name: str, most: int) -> tuple[list[Member], tuple[str, ...]]:
    """The files of the one series that is meant, and notes on what was left out beside it."""
    if not path.is_dir():
        return _series_of(path, name, most)
    groups, lost = _looked_through(path, most)
    sound = {key: members for key, members in groups.items() if not any(member.wrong for member in members)}
    if len(sound) == 1:
        (key,) = sound
        return sound[key], _beside({other: members for other, members in groups.items() if other != key}, lost)
    if len(groups) == 1:
        return next(iter(groups.values())), ()
    if not groups:
        raise _none(path, name, lost)
    listed = "; ".join(
        f"{key.title} ({len(members)} files, such as {members[0].file.name}{', malformed' if key not in sound else ''})"
        for key, members in groups.items()
    )
    raise BadImage(f"The folder {name} holds {len(groups)} series: {listed}. Give one file of the series that you mean.")


def _series_of(path: Path, name: str, most: int) -> tuple[list[Member], tuple[str, ...]]:
    """The files of the series that a file belongs to, and notes on what was left out."""
    head = header(path, name, most)
    single = _member(head)
    if single.wrong:
        raise single.wrong
    if single.mosaic or len(single.slices) > 1 or not SeriesKey.of(head.data).series:
        return [single], ()
    groups, lost = _looked_through(path.parent, most)
    here = next((members for members in groups.values() if any(member.file == path for member in members)), [single])
    return here, _beside({}, lost)


def same_volume(folder: Path) -> list[set[str]]:
    """For each series in a folder, the names of its files of one slice: `read_series` gives the same volume for any of them."""
    need("pydicom")
    with decoding(f"{folder} cannot be read"), quietly("pydicom"):
        groups, _ = _looked_through(folder, most_voxels(None))
    return [
        {member.file.name for member in members if not member.wrong and not member.mosaic and len(member.slices) == 1}
        for shared, members in groups.items()
        if shared.series
    ]


def _none(path: Path, name: str, lost: dict[Path, BadImage]) -> BadImage:
    if lost:
        return BadImage(f"The folder {name} holds no DICOM image that can be read, of {len(lost)}: {next(iter(lost.values()))}")
    there = sorted(path.iterdir())
    below = [inner.name for inner in there if inner.is_dir()]
    where = f" It holds folders: {', '.join(below[:5])}: give one of these." if below else ""
    files = [inner for inner in there if inner.is_file()]
    if files and not below:
        what = (
            "no DICOM: give the files themselves"
            if has_suffix(files[0], BY_NIBABEL)
            else foreign_kind(files[0]) or "none, either"
        )
        where = f" It holds {len(files)} other files, such as {files[0].name}, which is {what}."
    return BadImage(f"The folder {name} holds no DICOM images.{where}")


def _beside(groups: dict[SeriesKey, list[Member]], lost: dict[Path, BadImage]) -> tuple[str, ...]:
    """Notes on what was left out."""
    notes = tuple(
        f"beside it lies a series that cannot be read, {key.title} ({len(members)} files): "
        f"{printable(next(member.wrong for member in members if member.wrong), 200)}"
        for key, members in groups.items()
    )
    if lost:
        notes += (f"beside it, {len(lost)} DICOM files cannot be read, such as {printable(next(iter(lost.values())), 200)}",)
    return notes


def _looked_through(folder: Path, most: int) -> Folder:
    groups: dict[SeriesKey, list[Member]] = {}
    lost: dict[Path, BadImage] = {}
    malformed: list[tuple[SeriesKey, Member]] = []
    for file in sorted(folder.iterdir()):
        if not file.is_file() or file.name.startswith(".") or file.name.upper() == INDEX:
            continue
        try:
            if not is_dicom(file):
                continue  # another kind of file
            head = header(file, str(file), most)
            if "Rows" not in head.data:
                continue  # a report, or a plan
        except (BadImage, OSError) as wrong:
            lost[file] = wrong if isinstance(wrong, BadImage) else BadImage(f"{file} cannot be opened: {wrong.strerror}")
            continue
        shared, member = SeriesKey.of(head.data), _member(head)
        if member.wrong:
            malformed.append((shared, member))
        else:
            groups.setdefault(next(filter(shared.nearly, groups), shared), []).append(member)
    for shared, member in malformed:  # malformed files belong to the series whose identifier they have
        theirs = [key for key in groups if key.series == shared.series]
        for key in theirs or [shared]:
            groups.setdefault(key, []).append(member)
    return Folder(groups, lost)


def _member(head: Header) -> Member:
    try:
        with decoding(f"{head.file} cannot be read"):
            return Member(head.file, slices(head), None, is_mosaic(head.data), _order(head))
    except BadImage as wrong:
        return Member(head.file, [], wrong, False, ())


def _order(head: Header) -> tuple[Any, ...]:
    """A key that sorts files by the time of their acquisition."""
    data = head.data
    numbers = (int(data.get(name) or 0) for name in ("AcquisitionNumber", "InstanceNumber"))
    return (*numbers, str(data.get("AcquisitionTime") or ""), head.file.name)
