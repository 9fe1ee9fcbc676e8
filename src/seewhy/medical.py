"""Medical volumes in and out: NIfTI and MGH files by nibabel, DICOM series by pydicom (`seewhy.dicom`)."""

import warnings
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BadImage, MissingExtra
from .image import HEADERS
from .source import Source
from .volume import Volume

NIFTI = (".nii", ".nii.gz")
SUFFIXES = (*NIFTI, ".mgz", ".mgh", ".dcm", ".ima", ".img", ".hdr")
MM = {"micron": 1e-3, "meter": 1e3}  # of the units that a NIfTI header names
MARK = b"seewhy "  # before the Source, in the header's comment
BROKEN = (OSError, EOFError, ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError, zlib.error)


def read_volume(path: str | Path, channels: bool = False) -> Volume:
    """A volume, and where its voxels lie: a NIfTI (.nii, .nii.gz) or MGH (.mgz) file; or a DICOM series, as the folder that it
    lies in or any one of its files, or a multi-frame DICOM file.

    channels: take all volumes of a 4-D file, as channels (i, j, k, c); otherwise the first, with a note.
    Scaled as the file says (NIfTI's slope and intercept, DICOM's rescale: Hounsfield units of a CT).
    Raises BadImage for what is missing, broken or no volume, MissingExtra where nibabel or pydicom is not installed.
    """
    file, name = Path(path), str(path)
    if not file.exists():
        raise BadImage(f"{name} is not there.")
    if file.is_dir() or not named(file, [suffix for suffix in SUFFIXES if suffix not in (".dcm", ".ima")]):
        from .dicom import read_series

        return read_series(file, name)
    return _nibabel_volume(file, name, channels)


def holds_volume(path: Any) -> bool:
    """Is this the path of a volume: by its suffix, or as a DICOM file or a folder that holds one?"""
    if not isinstance(path, str | Path) or len(str(path)) > 4096:
        return False
    path = Path(path)
    try:
        if path.is_dir():
            return any(is_dicom(file) for file in path.iterdir())
        return named(path, SUFFIXES) or is_dicom(path)
    except OSError:
        return False


def named(path: Path, suffixes: Any) -> bool:
    """Does its name end so?"""
    return path.name.lower().endswith(tuple(suffixes))


def is_dicom(path: Path) -> bool:
    """By its first bytes: 128 of any kind, then DICM."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def need(package: str) -> Any:
    """The package, imported; MissingExtra where it is not installed."""
    try:
        return import_module(package)
    except ModuleNotFoundError:
        raise MissingExtra(package, "medical") from None


def _nibabel_volume(file: Path, name: str, channels: bool) -> Volume:
    nibabel = need("nibabel")
    try:
        with HEADERS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image: Any = nibabel.load(file)
            values, notes = _voxels(image, name, channels)
    except BadImage:
        raise
    except (*BROKEN, nibabel.filebasedimages.ImageFileError, nibabel.spatialimages.HeaderDataError) as broken:
        raise BadImage(f"{name} cannot be read as a volume: {broken or type(broken).__name__}") from None
    header = image.header if isinstance(image.header, nibabel.Nifti1Header) else None
    scale = MM.get(header.get_xyzt_units()[0], 1.0) if header is not None else 1.0
    return Volume(values, np.diag([scale, scale, scale, 1]) @ image.affine, name, notes, header)


def _voxels(image: Any, name: str, channels: bool) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    data, shape, notes = image.dataobj, tuple(image.shape), ()
    if data.dtype.kind not in "fiu":
        raise BadImage(f"{name} holds {data.dtype} voxels, which are no single numbers: colours or complex ones.")
    if len(shape) == 5 and shape[3] == 1:  # vectors, as NIfTI keeps them
        data = np.asarray(data)[:, :, :, 0]
        shape = tuple(data.shape)
    if len(shape) == 4 and not channels:
        if shape[3] > 1:
            notes = (f"{shape[3]} volumes in one file: the first is explained (channels=True takes all as channels)",)
        data = data[..., 0]
    elif len(shape) not in (2, 3, 4):
        raise BadImage(f"{name} is {'x'.join(map(str, shape))}: no volume (i, j, k), nor several of them.")
    values = np.asarray(data, np.float32)
    values = values[..., None] if values.ndim == 2 else values
    return _numbers_only(values, notes)


def _numbers_only(values: NDArray[np.float32], notes: tuple[str, ...]) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """NaN, as some tools write outside the brain, as zero; said."""
    lost = np.isnan(values)
    if not lost.any():
        return values, notes
    return np.where(lost, np.float32(0), values), (*notes, f"{lost.sum()} voxels hold NaN: they are taken as 0")


def nifti(values: NDArray[np.float32], volume: Volume, source: Source) -> Any:
    """A map (i, j, k) as nibabel's image: on the volume's own grid, with its affine, zooms, units and codes; the Source in the
    header.
    """
    nibabel = need("nibabel")
    header = volume.header.copy() if volume.header is not None else None
    kind = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
    if header is None:
        image = kind(values, volume.affine)
        _say_scanner(image, volume.affine)
    else:
        header.set_data_dtype(np.float32)
        header.extensions.clear()  # what else the file says of the patient
        for text in {"descrip", "aux_file", "intent_name", "db_name"} & {*header}:
            header[text] = b""
        header.set_intent("none")
        image = kind(values, None, header)
    note = nibabel.nifti1.Nifti1Extension("comment", MARK + source.to_json().encode())
    image.header.extensions.append(note)
    image.header["descrip"] = f"seewhy {source.caption}".encode("ascii", "replace")[:79]
    image.header["cal_min"], image.header["cal_max"] = min(0.0, float(values.min())), max(0.0, float(values.max()))
    return image


def _say_scanner(image: Any, affine: NDArray[np.float64]) -> None:
    """The affine says where voxels lie for the scanner; also as a rotation, which some viewers read first, if it is one."""
    image.set_sform(affine, "scanner")
    turn = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    if np.allclose(turn.T @ turn, np.eye(3), atol=1e-4):
        image.set_qform(affine, "scanner")
    image.header.set_xyzt_units("mm")


def source_in(path: Path) -> Source:
    """The Source that `nifti` put there.  Raises KeyError where there is none."""
    nibabel = need("nibabel")
    try:
        extensions = nibabel.load(path).header.extensions
    except (*BROKEN, nibabel.filebasedimages.ImageFileError, nibabel.spatialimages.HeaderDataError) as broken:
        raise BadImage(f"{path} cannot be read as NIfTI: {broken}") from None
    for extension in extensions:
        content = extension.get_content()
        text = content.encode() if isinstance(content, str) else bytes(content)
        if text.startswith(MARK):
            return Source.from_json(text[len(MARK) :].rstrip(b"\0").decode())
    raise KeyError("seewhy")
