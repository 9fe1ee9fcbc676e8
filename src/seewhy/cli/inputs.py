"""What the arguments of a command stand for: photos, volumes, series, and folders of them.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from seewhy.images.suffixes import PHOTOS, UNSEEN

VOLUMES = {".nii", ".nii.gz", ".mgz", ".mgh", ".img"}
SUFFIXES = {*VOLUMES, *PHOTOS}


class PhotoFiles(NamedTuple):
    """What the arguments of a command stand for: files to explain, arguments that stand for none, each with the reason, and
    remarks for the person who gave them.
    """

    files: list[str]
    failed: dict[str, Exception]
    remarks: list[str]


@dataclass
class Skipped:
    """What folders hold that was not taken."""

    folders: list[str] = field(default_factory=list)
    made_here: list[str] = field(default_factory=list)  # maps, and sheets of them, that seewhy made
    others: list[str] = field(default_factory=list)  # pictures of kinds that are not read as they are
    failed: dict[str, Exception] = field(default_factory=dict)


def find_inputs(arguments: tuple[str, ...], recursive: bool, out: Path) -> PhotoFiles:
    """Photos and volumes as they are named; a folder stands for the pictures, volumes and DICOM series in it (recursive: and
    in its folders), but for those that seewhy made.  An argument that stands for nothing is no other's fault.

    out: the folder that is written into, which is not looked into where it lies in another, and may be empty.
    """
    from seewhy.maps.made_here import made_here

    files: list[str] = []
    skipped, named = Skipped(), list[str]()
    for argument in arguments:
        if not argument.strip():  # `os.path.abspath` would make the folder that is worked in of it
            skipped.failed[argument] = _no_name()
            continue
        if not os.path.isdir(argument):
            files.append(argument)
            named += [argument] if made_here(Path(argument)) else []
            if argument == "-" and not os.path.exists(argument):
                files.pop()
                skipped.failed[argument] = _no_stream()
            continue
        try:
            files += _expanded(Path(argument), recursive, skipped, out)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one folder
            skipped.failed[argument] = error
    once = list({os.path.abspath(file): file for file in reversed(files)}.values())[::-1]
    several = [*_of_series_named(once)]
    remarks = [*_remarks(skipped, named, len(files) - len(once))]
    if several:
        remarks.append(f"explained once, as slices of one series: {_listed(several, 'further file')}")
    return PhotoFiles([file for file in once if file not in several], skipped.failed, remarks)


def _of_series_named(files: list[str]) -> Iterator[str]:
    """Files of DICOM series of which another file is named before: each file stands for its whole series."""
    from seewhy.images.volume_kinds import is_dicom

    folders: dict[Path, list[str]] = {}
    for file in files:
        with suppress(OSError):
            if is_dicom(Path(file)):
                folders.setdefault(Path(file).parent, []).append(file)
    for folder, named in folders.items():
        groups = list[set[str]]()
        if len(named) > 1:
            from seewhy.images.dicom.series import same_volume

            with suppress(Exception):  # whoever reads them says what is wrong
                groups = same_volume(folder)
        for group in groups:
            yield from [file for file in named if Path(file).name in group][1:]


def _expanded(folder: Path, recursive: bool, skipped: Skipped, out: Path) -> list[str]:
    from seewhy.errors import BadParameter

    folders, maps, failed = len(skipped.folders), len(skipped.made_here), len(skipped.failed)
    files = [*_inside(folder, recursive, skipped, out)]
    passed_over = len(skipped.made_here) > maps or len(skipped.failed) > failed or _identity(folder) == _identity(out)
    if not files and not passed_over:
        passed = len(skipped.folders) - folders
        more = f", but {passed} folder{'s' * (passed != 1)}: --recursive looks into them" if passed else ""
        del skipped.folders[folders:]
        raise BadParameter(f"The folder {folder} holds no pictures ({', '.join(sorted(SUFFIXES))}){more}.")
    return files


def _inside(top: Path, recursive: bool, skipped: Skipped, out: Path) -> Iterator[str]:
    """Folder by folder, each once, whatever links lead to it."""
    from seewhy.images.files import has_suffix
    from seewhy.images.volume_kinds import holds_volume
    from seewhy.maps.made_here import made_here

    folders, visited = [top], {_identity(out)} - {_identity(top)}
    while folders:
        folder = folders.pop()
        if (identity := _identity(folder)) in visited:
            continue
        visited.add(identity)
        try:
            paths = sorted(path for path in folder.iterdir() if not path.name.startswith(UNSEEN))
        except OSError as error:
            _unreadable(folder, error, top, skipped)
            continue
        series = holds_volume(folder)
        if series:
            yield str(folder)
        below = []
        for path in paths:
            if os.path.isdir(path):
                if path.name.startswith(".") or _identity(path) in visited:  # hidden, or visited, or written into
                    continue
                if recursive:
                    below.append(path)
                elif holds_volume(path):
                    yield str(path)
                else:
                    skipped.folders.append(str(path))
            elif not has_suffix(path, VOLUMES if series else SUFFIXES):  # pictures beside a series are its previews
                skipped.others += [str(path)] if not series and _of_another_kind(path) else []
            elif made_here(path):
                skipped.made_here.append(str(path))
            else:
                yield str(path)
        folders += below[::-1]


def _of_another_kind(path: Path) -> bool:
    """Is it a picture or a film, as far as its name tells?"""
    from seewhy.images.foreign_pictures import DICOM, ENDINGS, NUMPY, PACKED

    return ENDINGS.get(path.suffix.lower(), NUMPY) not in (DICOM, NUMPY, PACKED)


def _unreadable(folder: Path, error: OSError, top: Path, skipped: Skipped) -> None:
    from seewhy.errors import BadImage

    wrong = BadImage(f"The folder {folder} cannot be read: {error.strerror or error}.")
    if folder == top:
        raise wrong from None
    skipped.failed[str(folder)] = wrong


def _identity(folder: Path) -> object:
    """What two names of one folder share."""
    try:
        status = os.stat(folder)
    except OSError:
        return str(folder)
    return status.st_dev, status.st_ino


def kind_of(files: Iterable[str]) -> str:
    """What the files are, by their names, in a word: photos, volumes, or images where they are both."""
    from seewhy.images.volume_kinds import holds_volume

    volumes = {holds_volume(file) for file in files}
    return "images" if len(volumes) > 1 else "volumes" if True in volumes else "photos"


def _no_name() -> Exception:
    from seewhy.errors import BadImage
    from seewhy.images.files import NAMELESS  # with Pillow, which the command line starts without

    return BadImage(NAMELESS)


def _no_stream() -> Exception:
    from seewhy.errors import BadImage

    return BadImage("-: a photo is read from a file, not from standard input; a file of that name is ./-")


def _remarks(skipped: Skipped, named: list[str], twice: int) -> Iterator[str]:
    if skipped.folders:
        yield f"not looked into without --recursive: {_listed(skipped.folders, 'folder')}"
    if skipped.made_here:
        yield f"not explained, as seewhy made them: {_listed(skipped.made_here, 'file')}"
    if skipped.others:
        yield f"left out, as of kinds not read as they are: {_listed(skipped.others, 'file')}; name one to hear what helps"
    if named:
        yield f"explained as you name them, although seewhy made them: {_listed(named, 'file')}"
    if twice:
        yield f"explained once, although named more often: {twice} file{'s' * (twice != 1)}"


def _listed(paths: list[str], what: str) -> str:
    count = f"{len(paths)} {what}{'s' * (len(paths) != 1)}"
    return f"{count} ({', '.join(paths[:3])}{', ...' * (len(paths) > 3)})"
