"""Which files hold volumes: NIfTI, MGH and Analyze by their names, DICOM by its first bytes, whatever it is called."""

from pathlib import Path
from typing import Any

from .files import has_suffix
from .foreign_volumes import is_picture

NIFTI = (".nii", ".nii.gz")
BY_NIBABEL = (*NIFTI, ".mgz", ".mgh", ".img", ".hdr")
SUFFIXES = (*BY_NIBABEL, ".dcm", ".ima")
INDEX = "DICOMDIR"  # the table of contents of a disc


def holds_volume(path: Any) -> bool:
    """Is this the path of a volume?  Its suffix says so, unless the file is a picture; or it is a DICOM file, or a folder that
    holds one.
    """
    if not isinstance(path, str | Path) or not 0 < len(str(path)) <= 4096:
        return False
    path = Path(path)
    try:
        if path.is_dir():
            return any(is_dicom(file) for file in path.iterdir() if file.name.upper() != INDEX)
        return is_dicom(path) or (has_suffix(path, SUFFIXES) and not (path.is_file() and is_picture(path)))
    except (OSError, ValueError):
        return False


def is_dicom(path: Path) -> bool:
    """Is it a DICOM file?  It begins with any 128 bytes, then DICM; older files begin with a tag of the first group."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(132)
    return head[128:] == b"DICM" or is_bare(head)


def is_bare(head: bytes) -> bool:
    """Do these first bytes look like DICOM without the 128 bytes and DICM: the tag (0008,00xx), its kind or its length?"""
    kind, length = head[4:6], int.from_bytes(head[4:8], "little")
    first = head[:2] == b"\x08\0" and head[3:4] == b"\0" and (kind in (b"UL", b"CS", b"UI", b"SH") or 0 < length < 128)
    return first or head[:6] == b"\x02\0\0\0UL"
