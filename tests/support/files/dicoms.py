"""DICOM files of odd kinds, written from scratch: mosaics, doses, nuclear medicine, enhanced ones, JPEG Lossless."""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from support.files.scans import dicom_series, mm

LPS = np.diag([-1, -1, 1, 1])


def edited(files: list[Path], change: Any) -> list[Path]:
    """DICOM files, each changed by (place, dataset)."""
    from pydicom import dcmread

    for k, file in enumerate(files):
        one = dcmread(file)
        change(k, one)
        one.save_as(file)
    return files


def single(path: Path, stored: np.ndarray, affine: np.ndarray, **tags: Any) -> Any:
    """A dataset of the first slice, and as its pixels all of them: frames (k, rows, columns)."""
    from pydicom import dcmread

    (first,) = dicom_series(path.parent / f"{path.stem}-first", stored[:, :, :1], affine)
    one = dcmread(first)
    first.unlink()
    first.parent.rmdir()
    one.NumberOfFrames = stored.shape[2]
    one.PixelData = np.ascontiguousarray(stored.transpose(2, 1, 0).astype("<i2")).tobytes()
    for name, value in tags.items():
        setattr(one, name, value)
    return one


def enhanced(path: Path, stored: np.ndarray, affine: np.ndarray, change: Any = None) -> None:
    """One multi-frame file: what the frames share stands apart from where each lies, and they are in no order."""
    from pydicom.dataset import Dataset

    one, lps = single(path, stored, affine), LPS @ affine
    order = np.random.default_rng(0).permutation(stored.shape[2])
    shared, measures, turn = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, turn.ImageOrientationPatient = one.PixelSpacing, one.ImageOrientationPatient
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [turn]
    one.SharedFunctionalGroupsSequence, frames = [shared], []
    for k in order:
        frame, place, scale = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [f"{v:.10g}" for v in mm(lps, (0, 0, k))]
        scale.RescaleSlope, scale.RescaleIntercept = 2, -1000
        frame.PlanePositionSequence, frame.PixelValueTransformationSequence = [place], [scale]
        if change:
            change(k, frame)
        frames.append(frame)
    one.PerFrameFunctionalGroupsSequence, one.NumberOfFrames = frames, len(frames)
    for name in ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "RescaleSlope", "RescaleIntercept"):
        delattr(one, name)
    one.PixelData = np.ascontiguousarray(stored[:, :, order].transpose(2, 1, 0).astype("<i2")).tobytes()
    one.save_as(path, enforce_file_format=True)


def csa(**tags: list[str]) -> bytes:
    """A Siemens CSA header of the second kind, with these tags as strings."""
    told = b"SV10\4\3\2\1" + struct.pack("<2I", len(tags), 77)
    for name, items in tags.items():
        told += struct.pack("<64si4s3i", name.encode(), len(items), b"FD", 4, 6, 77)
        for item in [*items, *[""] * (6 - len(items))]:
            text = item.encode() + b"\0" if item else b""
            told += struct.pack("<4i", len(text), len(text), 77, len(text)) + text.ljust(-(-len(text) // 4) * 4, b"\0")
    return told


def mosaic(path: Path, stored: np.ndarray, affine: np.ndarray, private: bool = True, **tags: Any) -> Path:
    """Slices (i, j, k) as the tiles of one picture, as Siemens writes them: the position is that of a slice as large as that.

    private: with the scanner's own tags, which say how many slices there are and in which direction they follow.
    """
    one, lps = single(path, stored[:, :, :1], affine), LPS @ affine
    columns, rows, count = stored.shape
    side = int(np.ceil(np.sqrt(count)))
    picture = np.zeros((rows * side, columns * side), "<i2")
    for k in range(count):
        top, left = k // side * rows, k % side * columns
        picture[top : top + rows, left : left + columns] = stored[:, :, k].T
    del one.NumberOfFrames
    one.Rows, one.Columns = picture.shape
    one.PixelData, one.Modality, one.Manufacturer = picture.tobytes(), "MR", "SIEMENS"
    one.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    corner = mm(lps, (-(picture.shape[1] - columns) / 2, -(picture.shape[0] - rows) / 2, 0))
    one.ImagePositionPatient = [f"{v:.10g}" for v in corner]
    step = np.linalg.norm(lps[:3, 2])
    one.SpacingBetweenSlices, one.SliceThickness = f"{step:.10g}", "1"
    if private:
        normal = [f"{v:.8f}" for v in lps[:3, 2] / step]
        header = csa(EchoLinePosition=["32"], NumberOfImagesInMosaic=[str(count)], SliceNormalVector=normal)
        one.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", header)
        one.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", count)
    for name, value in tags.items():
        setattr(one, name, value)
    one.save_as(path, enforce_file_format=True)
    return path


def jpeg_lossless(picture: np.ndarray) -> bytes:
    """A 16-bit picture (rows, columns) as JPEG Lossless, first-order prediction (process 14, selection value 1)."""
    rows, columns = picture.shape
    whole = picture.astype(int)
    before = np.empty_like(whole)
    before[0, 0], before[0, 1:], before[1:, 0], before[1:, 1:] = 1 << 15, whole[0, :-1], whole[:-1, 0], whole[1:, :-1]
    bits = []
    for apart in ((whole - before + (1 << 15)) % (1 << 16) - (1 << 15)).ravel().tolist():
        size = abs(apart).bit_length()
        bits.append(f"{size:05b}")  # of 17 lengths, each has a code of 5 bits
        if 0 < size < 16:
            bits.append(f"{apart if apart > 0 else apart + (1 << size) - 1:0{size}b}")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    coded = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")

    def part(marker: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content

    frame = struct.pack(">BHHB3B", 16, rows, columns, 1, 1, 0x11, 0)
    table = bytes([0, 0, 0, 0, 0, 17, *[0] * 11, *range(17)])
    scan = bytes([1, 1, 0, 1, 0, 0])
    return b"\xff\xd8" + part(0xC3, frame) + part(0xC4, table) + part(0xDA, scan) + coded + b"\xff\xd9"
