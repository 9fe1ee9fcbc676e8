"""Scans with a lesion at a known place in mm, as NIfTI and as DICOM series, and a network whose map is the scan itself."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from seewhy.images.volume import Volume

SHAPE = (22, 30, 17)
LESION = (14.0, 19.0, 6.0)  # voxel


def turned(*angles: float) -> np.ndarray:
    """(3, 3), about x, then y, then z."""
    found = np.eye(3)
    for axis, angle in enumerate(angles):
        one = np.eye(3)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        one[i, i] = one[j, j] = np.cos(angle)
        one[i, j], one[j, i] = -np.sin(angle), np.sin(angle)
        found = one @ found
    return found


def placed(columns: np.ndarray, spacing: Any, corner: Any = (-31.5, 12.25, 80.0)) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = columns * np.asarray(spacing)
    affine[:3, 3] = corner
    return affine


AFFINES = {
    "plain": placed(np.eye(3), (1, 1, 1)),
    "anisotropic": placed(np.eye(3), (0.7, 0.9, 2.5)),
    "flipped": placed(np.diag([-1.0, -1.0, 1.0]), (0.7, 0.9, 2.5)),
    "permuted": placed(np.eye(3)[:, [1, 2, 0]] * (1, -1, -1), (0.7, 1.3, 2.0)),
    "rotated": placed(turned(0.3, -0.2, 0.4), (0.7, 0.9, 2.5)),
    "all of it": placed(turned(0.25, 0.35, -0.3) @ (np.eye(3)[:, [2, 0, 1]] * (-1, 1, -1)), (0.7, 1.3, 2.1)),
}


def mm(affine: np.ndarray, voxel: Any) -> np.ndarray:
    return affine[:3, :3] @ np.asarray(voxel, float) + affine[:3, 3]


def scan(affine: np.ndarray, voxel: Any = LESION, shape: Any = SHAPE, width: float = 4.0) -> np.ndarray:
    """A Gaussian lesion of so many mm around a voxel, as int16 from 0 to 1000, on a grid of that affine."""
    at = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) @ affine[:3, :3].T + affine[:3, 3]
    apart = np.linalg.norm(at - mm(affine, voxel), axis=-1)
    return (1000 * np.exp(-((apart / width) ** 2) / 2)).round().astype(np.int16)


def volume(affine: np.ndarray, **other: Any) -> Volume:
    return Volume(scan(affine, **other).astype(np.float32), affine, "scan")


def peak_mm(values: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Where the greatest value lies."""
    return mm(affine, np.unravel_index(values.argmax(), values.shape))


def centre_mm(values: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """The centre of mass, of what is above half the greatest value."""
    mass = np.where(values > values.max() / 2, values, 0).astype(float)
    at = np.stack(np.meshgrid(*map(np.arange, values.shape), indexing="ij"), -1).reshape(-1, 3)
    return mm(affine, mass.ravel() @ at / mass.sum())


class Sees(nn.Module):
    """Scores: the mean over space, and its opposite; layer `see` emits the image itself, `cells` the means of blocks."""

    def __init__(self, block: int = 1, channels: int = 1) -> None:
        super().__init__()
        self.see = nn.Conv3d(channels, 1, 1, bias=False)
        self.cells = nn.AvgPool3d(block) if block > 1 else nn.Identity()
        self.weigh = nn.Linear(1, 2, bias=False)
        with torch.no_grad():
            self.see.weight.fill_(1.0)
            self.weigh.weight.copy_(torch.tensor([[1.0], [-1.0]]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weigh(self.cells(self.see(x)).mean((2, 3, 4)))


def dicom_series(folder: Path, stored: np.ndarray, affine: np.ndarray, seed: int = 0, **tags: Any) -> list[Path]:
    """Slices (i, j, k) along k, with file names and instance numbers that say nothing of where they lie."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    lps = np.diag([-1, -1, 1, 1]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    series, count = generate_uid(), stored.shape[2]
    names = np.random.default_rng(seed).permutation(count)
    numbers = np.random.default_rng(seed + 1).permutation(count)
    files = []
    for k in range(count):
        one = Dataset()
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID = CTImageStorage
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID = generate_uid()
        one.SeriesInstanceUID, one.Modality, one.SeriesNumber = series, "CT", 3
        one.InstanceNumber = int(numbers[k])
        one.ImageOrientationPatient = [float(v) for v in (*(lps[:3, 0] / spacing[0]), *(lps[:3, 1] / spacing[1]))]
        one.ImagePositionPatient = [f"{v:.10g}" for v in mm(lps, (0, 0, k))]
        one.PixelSpacing = [float(spacing[1]), float(spacing[0])]
        one.Columns, one.Rows = stored.shape[:2]
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
        one.RescaleSlope, one.RescaleIntercept = 1, 0
        one.PixelData = np.ascontiguousarray(stored[:, :, k].T.astype("<i2")).tobytes()
        for name, value in tags.items():
            setattr(one, name, value(k) if callable(value) else value)
        files.append(folder / f"IM{names[k]:04d}")
        one.save_as(files[-1], enforce_file_format=True)
    return files
