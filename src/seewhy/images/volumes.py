"""Volumes by their files: NIfTI and MGH (`images.nifti`), DICOM series (`images.dicom`)."""

from pathlib import Path
from typing import Any

from seewhy.errors import BadImage

from .decoding import decoding
from .files import named
from .volume import Volume, most_voxels

NIFTI = (".nii", ".nii.gz")
BY_NIBABEL = (*NIFTI, ".mgz", ".mgh", ".img", ".hdr")
SUFFIXES = (*BY_NIBABEL, ".dcm", ".ima")
INDEX = "DICOMDIR"  # the table of contents of a disc


def read_volume(path: str | Path, channels: bool = False, most: int | None = None) -> Volume:
    """A volume, and where its voxels lie: a NIfTI (.nii, .nii.gz) or MGH (.mgz) file; or a DICOM series, as the folder that it
    lies in or any one of its files, or a multi-frame DICOM file.

    channels: take all volumes of a 4-D file or of a series of mosaics, as channels (i, j, k, c); otherwise the first (noted).
    most: voxels at most; by default `seewhy.images.volume.MAX_VOXELS`, 2**29.  More are refused before room is made for them.
    Scaled as the file says (NIfTI's slope and intercept, DICOM's rescale: Hounsfield units of a CT, the dose of an RTDOSE).
    Raises BadImage for what is missing, broken, too large or no volume, MissingExtra where nibabel or pydicom is not installed.
    """
    file, name = Path(path), str(path)
    most = most_voxels(most)
    with decoding(f"{name} cannot be read as a volume"):
        if not file.exists():
            raise BadImage(f"{name} is not there.")
        if file.is_dir() or is_dicom(file):
            return _series(file, name, channels, most)
        if not file.is_file():
            raise BadImage(f"{name} is no file, but a device or a pipe.")
        from .other_volumes import told

        if not named(file, (".img",)) and (said := told(file)):
            raise BadImage(f"{name} is {said}.")
        if not named(file, BY_NIBABEL):
            return _series(file, name, channels, most)
        from .nifti import read_nifti

        return read_nifti(file, name, channels, most)


def _series(file: Path, name: str, channels: bool, most: int) -> Volume:
    from seewhy.images.dicom.series import read_series

    return read_series(file, name, channels, most)


def holds_volume(path: Any) -> bool:
    """Is this the path of a volume: by its suffix, unless it is a picture that is called so, or as a DICOM file or a folder
    that holds one?
    """
    if not isinstance(path, str | Path) or len(str(path)) > 4096:
        return False
    from .other_volumes import is_picture

    path = Path(path)
    try:
        if path.is_dir():
            return any(is_dicom(file) for file in path.iterdir() if file.name.upper() != INDEX)
        return is_dicom(path) or (named(path, SUFFIXES) and not (path.is_file() and is_picture(path)))
    except (OSError, ValueError):
        return False


def is_dicom(path: Path) -> bool:
    """By its first bytes: 128 of any kind, then DICM; or, as older files have it, at once a tag of the first group."""
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
