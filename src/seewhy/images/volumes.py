"""Reading volumes from files: NIfTI and MGH (`images.nifti`), DICOM series (`images.dicom`)."""

from pathlib import Path

from seewhy.errors import BadImage

from .decoding import decoding
from .files import check_name, has_suffix
from .foreign_volumes import foreign_kind
from .volume import Volume, most_voxels
from .volume_kinds import BY_NIBABEL, is_dicom


def read_volume(path: str | Path, channels: bool = False, most: int | None = None) -> Volume:
    """A volume, and where its voxels lie: a NIfTI (.nii, .nii.gz) or MGH (.mgz) file; or a DICOM series, as the folder that it
    lies in or any one of its files, or a multi-frame DICOM file.

    channels: take all volumes of a 4-D file or of a series of mosaics, as channels (i, j, k, c); otherwise the first (noted).
    most: voxels at most; by default `seewhy.images.volume.MAX_VOXELS`, 2**29.  More are refused before room is made for them.
    Scaled as the file says (NIfTI's slope and intercept, DICOM's rescale: Hounsfield units of a CT, the dose of an RTDOSE).
    Raises BadImage for what is missing, broken, too large or no volume, MissingExtra where nibabel or pydicom is not installed.
    """
    check_name(path)
    file, name = Path(path), str(path)
    most = most_voxels(most)
    with decoding(f"{name} cannot be read as a volume"):
        if not file.exists():
            raise BadImage(f"{name} is not there.")
        if file.is_dir() or is_dicom(file):
            return _series(file, name, channels, most)
        if not file.is_file():
            raise BadImage(f"{name} is no file, but a device or a pipe.")
        if not has_suffix(file, (".img",)) and (kind := foreign_kind(file)):
            raise BadImage(f"{name} is {kind}.")
        if not has_suffix(file, BY_NIBABEL):
            return _series(file, name, channels, most)
        from .nifti import read_nifti  # here, to keep start-up light

        return read_nifti(file, name, channels, most)


def _series(file: Path, name: str, channels: bool, most: int) -> Volume:
    from seewhy.images.dicom.series import read_series  # here, to keep start-up light

    return read_series(file, name, channels, most)
