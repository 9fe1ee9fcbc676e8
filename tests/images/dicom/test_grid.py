"""Slices put together on one even grid, or refused with what they differ in."""

import numpy as np
import pytest

from seewhy.errors import BadImage
from seewhy.images.volumes import read_volume
from support.files.dicoms import edited, enhanced
from support.files.scans import AFFINES, SHAPE, dicom_series, scan

PLAIN, ROTATED = AFFINES["anisotropic"], AFFINES["rotated"]


STORED = scan(PLAIN)


def read(tmp_path, change, stored=STORED, affine=PLAIN, **tags):
    """A series whose files were changed by (place, dataset)."""
    edited(dicom_series(tmp_path / "s", stored, affine, **tags), change)
    return read_volume(tmp_path / "s")


def test_slices_that_are_there_twice_alike_are_taken_once(tmp_path):
    files = dicom_series(tmp_path / "s", STORED, PLAIN)
    for file in files[:4]:
        (tmp_path / "s" / f"copy of {file.name}").write_bytes(file.read_bytes())
    volume = read_volume(tmp_path / "s")
    assert np.array_equal(volume.values, STORED)
    np.testing.assert_allclose(volume.affine, PLAIN, atol=1e-6)
    assert volume.notes == ("4 of its slices are there twice, alike: each is taken once",)


@pytest.mark.parametrize(
    ("tag", "values"),
    [
        ("FrameOfReferenceUID", ("1.2.3", "1.2.4")),
        ("PhotometricInterpretation", ("MONOCHROME2", "MONOCHROME1")),
        ("RescaleType", ("HU", "US")),
    ],
)
def test_slices_that_do_not_mean_the_same_are_no_volume(tmp_path, tag, values):
    with pytest.raises(BadImage, match=f"differ in .*{tag}: {min(values)}, {max(values)}.*folder of their own"):
        read(tmp_path / "a", lambda k, one: setattr(one, tag, values[k > 1]))
    assert read(tmp_path / "b", lambda _k, one: setattr(one, tag, values[0])).values.shape == SHAPE


def test_slices_at_one_place_are_told_apart(tmp_path):
    for place, (echo, name) in enumerate((("2.5", "a"), ("30", "b"))):
        files = dicom_series(tmp_path / name, STORED + place, PLAIN, EchoTime=echo, SeriesInstanceUID="1.2.3")
        (tmp_path / "s").mkdir(exist_ok=True)
        for file in files:
            file.rename(tmp_path / "s" / f"{name}{file.name}")
    with pytest.raises(BadImage, match=r"several slices lie at 80\.00 mm .*differ in EchoTime \(2\.5, 30\): .* echoes"):
        read_volume(tmp_path / "s")


def test_frames_of_several_phases_are_told_apart(tmp_path):
    from pydicom.dataset import Dataset

    def in_time(k, frame):
        content = Dataset()
        content.TemporalPositionIndex, content.StackID = int(k) // 2 + 1, "1"
        frame.FrameContentSequence = [content]
        frame.PlanePositionSequence[0].ImagePositionPatient = [0, 0, float(k % 2)]

    enhanced(tmp_path / "a.dcm", STORED[:, :, 8:12], PLAIN, in_time)
    with pytest.raises(BadImage, match=r"differ in TemporalPositionIndex \(1, 2\): .*convert it to NIfTI"):
        read_volume(tmp_path / "a.dcm")


def test_floats_that_are_no_numbers_are_zero_and_said(tmp_path):
    def floats(k, one):
        values = one.pixel_array.astype("<f4") / 3
        values[0, 0] = np.nan
        del one.PixelData, one.RescaleSlope, one.RescaleIntercept, one.PixelRepresentation, one.BitsStored, one.HighBit
        one.BitsAllocated, one.FloatPixelData = 32, values.tobytes()

    volume = read(tmp_path, floats)
    expected = (STORED / np.float32(3)).astype(np.float32)
    expected[0, 0] = 0
    assert np.array_equal(volume.values, expected)
    assert volume.notes == ("17 voxels hold NaN: they are taken as 0",)
