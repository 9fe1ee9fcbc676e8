"""The photos of a run that lie elsewhere by now."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from seewhy.errors import BadParameter
from seewhy.printable import printable

from .photo_rows import PhotoRow


def moved_to(root: Path, photos: Iterable[PhotoRow]) -> Iterator[PhotoRow]:
    """The photos of a run with their paths in the folder that they were moved to.

    A photo lies where as much of the end of its path as can be is found in the folder: of a/b/1.png first a/b/1.png, then
    b/1.png, then 1.png.  One that is not there, or has an address, keeps its path.  Raises BadParameter where there is no
    such folder.
    """
    if not root.is_dir():
        raise BadParameter(f"{printable(root)} is no folder: say in which the photos of the run lie now.")
    return (photo if "://" in photo.path else replace(photo, path=_now(root, photo.path)) for photo in photos)


def _now(root: Path, path: str) -> str:
    names = [name for name in path.replace("\\", "/").split("/") if name not in ("", ".", "..")]
    ends = (os.path.join(root, *names[first:]) for first in range(len(names)))
    return next((there for there in ends if os.path.isfile(there)), path)
