"""Volumes with flipped bits and missing bytes: a Volume or BadImage at once, never another exception, nor much memory."""

import gzip
import random
import resource
import time
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import pytest

from seewhy.errors import BadImage
from seewhy.images.volume import Volume
from seewhy.images.volumes import read_volume
from support.files.dicoms import enhanced, mosaic
from support.files.scans import AFFINES, dicom_series, scan

AFFINE = AFFINES["rotated"]
STORED = scan(AFFINE, shape=(6, 7, 5), voxel=(3, 3, 2))
ROUNDS = 60


def nifti(path, kind=nibabel.Nifti1Image, note=b""):
    image = kind(STORED, AFFINE)
    if note:
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", note))
    nibabel.save(image, path)


def compressed(path, kind):
    from pydicom import dcmread, uid

    (file,) = dicom_series(path.parent / "s", np.random.default_rng(0).integers(0, 999, (40, 40, 1)).astype(np.int16), AFFINE)
    one = dcmread(file)
    one.PixelRepresentation = 0
    one.compress(getattr(uid, kind))
    one.save_as(path)


def deflated(path):
    from pydicom import dcmread
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    one = dcmread(dicom_series(path.parent / "s", STORED[:, :, :1], AFFINE)[0])
    one.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    one.save_as(path, enforce_file_format=True)


FILES = {
    "a.nii": nifti,
    "two.nii": lambda path: nifti(path, nibabel.Nifti2Image),
    "noted.nii.gz": lambda path: nifti(path, note=b"what else is said" * 4),
    "a.mgz": lambda path: nifti(path, nibabel.MGHImage),
    "a.hdr": lambda path: nifti(path, nibabel.Spm2AnalyzeImage),
    "slice.dcm": lambda path: dicom_series(path.parent / "s", STORED[:, :, :1], AFFINE)[0].rename(path),
    "enhanced.dcm": lambda path: enhanced(path, STORED, AFFINE),
    "mosaic.dcm": lambda path: mosaic(path, STORED, AFFINE),
    "deflated.dcm": deflated,
    "rle.dcm": lambda path: compressed(path, "RLELossless"),
}


def harmed(data: bytes, draw: random.Random, head: int) -> bytes:
    """Cut off, a few bytes put in or taken out, or bits flipped: most of them in the header."""
    changed, way = bytearray(data), draw.random()
    at = draw.randrange(len(data))
    if way < 0.15:
        return bytes(changed[:at])
    if way < 0.2:
        changed[at:at] = draw.randbytes(draw.randrange(1, 9))
    elif way < 0.25:
        del changed[at : at + draw.randrange(1, 40)]
    else:
        for _ in range(draw.choice((1, 1, 1, 2, 4, 16))):
            at = draw.randrange(min(head, len(data)) if draw.random() < 0.7 else len(data))
            changed[at] = changed[at] ^ 1 << draw.randrange(8) if draw.random() < 0.6 else draw.choice((0, 1, 127, 128, 255))
    return bytes(changed)


@pytest.mark.parametrize("name", FILES)
def test_whatever_is_broken_it_is_a_volume_or_a_bad_image(tmp_path, name):
    path = tmp_path / "whole" / name
    path.parent.mkdir()
    FILES[name](path)
    (tmp_path / "harmed").mkdir()
    if name == "a.hdr":
        (tmp_path / "harmed" / "a.img").write_bytes(path.with_suffix(".img").read_bytes())
    assert isinstance(read_volume(path), Volume)
    packed = name.endswith(("gz", "mgz"))
    whole = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    draw, before = random.Random(name), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes = Counter()
    for _ in range(ROUNDS):
        now = harmed(whole, draw, 700 if name.endswith("dcm") else 560)
        outcomes[tried(tmp_path / "harmed" / name, gzip.compress(now, 1) if packed else now)] += 1
    assert outcomes["BadImage"] > ROUNDS // 10  # so that it was tried at all
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


def tried(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    start = time.process_time()
    try:
        kind = type(read_volume(path)).__name__
    except BadImage as bad:
        kind = "BadImage" if path.name in str(bad) else str(bad)
    assert time.process_time() - start < 3
    return kind


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.mgh", "a.mgz", "a.hdr", "a.img", "a.dcm", "a.ima", "a"])
def test_noise_is_no_volume(tmp_path, name):
    draw = random.Random(name)
    for size in (0, 1, 100, 132, 348, 352, 5000):
        for start in (b"", b"\x5c\x01\0\0", b"\0\0\0\x01", b"\x1f\x8b", b"\x08\0\x05\0CS", bytes(128) + b"DICM"):
            (tmp_path / name).write_bytes((start + draw.randbytes(size))[: max(size, len(start))])
            with pytest.raises(BadImage, match=name):
                read_volume(tmp_path / name)
