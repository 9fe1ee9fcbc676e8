"""Maps of volumes as NIfTI files, on the volume's own grid."""

from gzip import GzipFile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.images.files import need
from seewhy.images.volume import Volume

from .source import Source

MARK = b"seewhy "  # before the Source, in the header's comment


def nifti(values: NDArray[np.float32], volume: Volume, source: Source) -> Any:
    """A map (i, j, k) as nibabel's image: on the volume's own grid, with its affine, zooms, units and codes; the Source in the
    header.
    """
    image = on_grid(values, volume, MARK + source.to_json().encode(), f"seewhy {source.caption}")
    image.header["cal_min"], image.header["cal_max"] = min(0.0, float(values.min())), max(0.0, float(values.max()))
    return image


def on_grid(values: NDArray[Any], volume: Volume, note: bytes, words: str) -> Any:
    """Values (i, j, k) of a volume, in their own type, as nibabel's image on its grid, without what else its file says.

    note: for the header's comment; words: for its description, which is cut after 79 bytes.
    """
    nibabel = need("nibabel")
    header = volume.header.copy() if volume.header is not None else None
    kind = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
    if header is None:
        image = kind(values, volume.affine)
        _say_scanner(image, volume.affine)
    else:
        header.set_data_dtype(values.dtype)
        header.extensions.clear()  # what else the file says of the patient
        for text in {"descrip", "aux_file", "intent_name", "db_name"} & {*header}:
            header[text] = b""
        header.set_intent("none")
        image = kind(values, None, header)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", note))
    image.header["descrip"] = words.encode("ascii", "replace")[:79]
    return image


def write_nifti(image: Any, beside: Path) -> None:
    """Write what nibabel would, packed unless the file's name ends in .nii; nibabel itself leaves files open where a disk is
    full.
    """
    with beside.open("wb") as file:
        if beside.suffix.lower() == ".nii":
            image.to_stream(file)
            return
        with GzipFile("", "wb", 1, file, mtime=0) as packed:
            image.to_stream(packed)


def _say_scanner(image: Any, affine: NDArray[np.float64]) -> None:
    """Note in the header that the affine leads to the scanner's space; where it is a rotation, also in the form for rotations,
    which some viewers read first.
    """
    image.set_sform(affine, "scanner")
    turn = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    if np.allclose(turn.T @ turn, np.eye(3), atol=1e-4):
        image.set_qform(affine, "scanner")
    image.header.set_xyzt_units("mm")
