"""Photos in folders of this machine, and those that a pattern such as photos/**/*.jpg stands for."""

import os
from collections.abc import Iterator
from glob import iglob
from pathlib import Path

from seewhy.errors import BadImage, BadParameter
from seewhy.images.suffixes import PHOTOS
from seewhy.maps.made_here import made_here
from seewhy.printable import printable

from .items import PhotoPlace
from .names import MAGIC, PhotoNames, hidden, is_photo_name, left_out, photo_names

RUN = "run.json"  # lies in the folder of a run, whose pictures are no photos of a set


def folder_place(folder: str) -> PhotoPlace:
    """The place of the photos in a folder, whose path is made absolute: who reads them may work in another folder."""
    return PhotoPlace(os.path.join(os.path.abspath(folder), ""))


def in_folder(folder: str) -> PhotoNames:
    """The photos in a folder and in all folders in it, but for maps that seewhy made, the folders of runs, and what is hidden.

    Raises BadImage where it cannot be read, BadParameter where it holds none.
    """
    remarks, runs = list[str](), list[str]()
    found = photo_names(_files(folder, remarks, runs))
    names, made = _of_strangers(folder, found.names)
    remarks += found.remarks + ([left_out(runs, "folder", "runs of seewhy lie there")] if runs else [])
    remarks += [left_out(made, "picture", "seewhy made them")] if made else []
    if not names:
        why = f" ({'; '.join(remarks)})" if remarks else ""
        raise BadParameter(
            f"The folder {printable(folder)} holds no photos ({', '.join(PHOTOS)}), nor do the folders in it{why}."
        )
    return PhotoNames(names, remarks)


def _files(top: str, remarks: list[str], runs: list[str]) -> Iterator[str]:
    """The names of all files below a folder; of a folder to which several links lead, once."""
    waiting, visited = [""], set[tuple[int, int]]()
    while waiting:
        below = waiting.pop()
        folder = os.path.join(top, below)
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as there:
                entries = sorted(there, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            wrong = f"The folder {printable(folder)} cannot be read: {error.strerror or error}."
            if not below:
                raise BadImage(wrong) from None
            remarks.append(wrong.rstrip("."))
            continue
        if below and any(entry.name == RUN for entry in entries):
            runs.append(below.rstrip("/"))
            continue
        for entry in entries:
            if hidden(entry.name):
                continue
            if _is_folder(entry):
                waiting.append(f"{below}{entry.name}/")
            else:
                yield f"{below}{entry.name}"


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle
        return False


def _of_strangers(folder: str, names: list[str]) -> tuple[list[str], list[str]]:
    """The names of those that seewhy did not make, and of those that it did."""
    made = {name for name in names if name.lower().endswith((".png", ".tif", ".tiff")) and made_here(Path(folder, name))}
    return [name for name in names if name not in made] if made else names, sorted(made)


def of_pattern(pattern: str) -> tuple[PhotoPlace, PhotoNames]:
    """The photos that a pattern stands for; ** in it stands for any number of folders.  Hidden ones have to be named.

    Raises BadParameter where there are none.
    """
    magic = MAGIC.search(pattern)
    base = os.path.dirname(pattern[: magic.start()]) if magic else os.path.dirname(pattern)
    rest = os.path.relpath(pattern, base or ".")
    fits = [name.replace(os.sep, "/") for name in iglob(rest, root_dir=base or ".", recursive=True)]
    found = photo_names(name for name in fits if not is_photo_name(name) or not os.path.isdir(os.path.join(base, name)))
    names, made = _of_strangers(base or ".", found.names)
    remarks = found.remarks + ([left_out(made, "picture", "seewhy made them")] if made else [])
    if not names:
        what = f"{len(fits)} files or folders, none of which is a photo" if fits else "nothing"
        more = "; for photos in folders end it in /**/*.jpg" if fits else ""
        raise BadParameter(f"The pattern {printable(pattern)} stands for {what}{more}.")
    return folder_place(base or "."), PhotoNames(names, remarks)
