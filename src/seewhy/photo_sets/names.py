"""Which of many names are photos, in which order, and what is said of those that are left out."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from seewhy.images.suffixes import PHOTOS, UNSEEN
from seewhy.images.volume_kinds import SUFFIXES as VOLUMES
from seewhy.printable import printable

MAGIC = re.compile(r"[*?\[]")
FEW = 3  # names that a remark has


class PhotoNames(NamedTuple):
    """The names of photos, sorted, and remarks on what was left out."""

    names: list[str]
    remarks: list[str]


def photo_names(names: Iterable[str]) -> PhotoNames:
    """Those of the names, with / between folders, that are photos', by their suffix; hidden ones, and those in hidden folders,
    are passed over.
    """
    kept, volumes, no_text = list[str](), list[str](), list[str]()
    for name in dict.fromkeys(names):
        if hidden(name):
            continue
        if not is_photo_name(name):
            volumes += [name] if name.lower().endswith(VOLUMES) else []
        elif is_text(name):
            kept.append(name)
        else:
            no_text.append(name)
    remarks = [left_out(volumes, "volume", "seewhy explain reads these")] if volumes else []
    remarks += [left_out(no_text, "photo", "their names are no text (UTF-8): rename them")] if no_text else []
    return PhotoNames(sorted(kept), remarks)


def is_photo_name(name: str) -> bool:
    """Is it a photo's, as far as the suffix tells?"""
    return name.lower().endswith(PHOTOS)


def hidden(name: str) -> bool:
    """Is it a file, or in a folder, whose name begins with a point?  Runs that were killed and other systems leave such."""
    return name.startswith((".", *UNSEEN)) or "/." in name


def is_text(name: str) -> bool:
    """Can the name be written as UTF-8?  Python has names of files that cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def left_out(names: list[str], what: str, why: str) -> str:
    """A remark on what is not taken, with the first names: "left out: 2 volumes (a.nii, b.nii): seewhy explain reads these"."""
    shown = ", ".join(printable(name, 60) for name in names[:FEW]) + ", ..." * (len(names) > FEW)
    return f"left out: {len(names)} {what}{'s' * (len(names) != 1)} ({shown}): {why}"
