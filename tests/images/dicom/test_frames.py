"""The slices of one DICOM file: where each lies, how it is scaled, or why it is none."""

import numpy as np
import pytest

from seewhy.errors import BadImage
from seewhy.images.volumes import read_volume
from support.files.dicoms import edited, single
from support.files.scans import AFFINES, SHAPE, dicom_series, mm, scan

PLAIN, ROTATED = AFFINES["anisotropic"], AFFINES["rotated"]


STORED = scan(PLAIN)


def read(tmp_path, change, stored=STORED, affine=PLAIN, **tags):
    """A series whose files were changed by (place, dataset)."""
    edited(dicom_series(tmp_path / "s", stored, affine, **tags), change)
    return read_volume(tmp_path / "s")


def dose(path, affine=ROTATED, offsets=None, **tags):
    """A dose: frames without places of their own, but how far each is from the first."""
    step = np.linalg.norm(affine[:3, 2])
    offsets = [step * k for k in range(SHAPE[2])] if offsets is None else offsets
    tags = {"Modality": "RTDOSE", "DoseGridScaling": "0.002", "DoseUnits": "GY", **tags}
    one = single(path, scan(affine), affine, **tags)
    one.GridFrameOffsetVector, one.FrameIncrementPointer = [f"{v:.10g}" for v in offsets], 0x3004000C
    one.PixelRepresentation = 0
    for name in ("RescaleSlope", "RescaleIntercept"):
        delattr(one, name)
    one.save_as(path, enforce_file_format=True)
    return path


def test_a_dose_is_scaled_and_lies_where_its_offsets_say(tmp_path):
    volume = read_volume(dose(tmp_path / "a.dcm"))
    np.testing.assert_allclose(volume.values, scan(ROTATED) * 0.002, rtol=1e-6)
    np.testing.assert_allclose(volume.affine, ROTATED, atol=1e-6)
    assert volume.notes == ("doses, in Gy",)


@pytest.mark.parametrize("upwards", [True, False])
@pytest.mark.parametrize("axes", ["along z", "against z"])
def test_offsets_of_a_dose_may_be_places_along_z(tmp_path, upwards, axes):
    affine = PLAIN if axes == "along z" else AFFINES["flipped"] @ np.diag([-1, 1, 1, 1])
    backwards = np.linalg.det(affine[:3, :3]) < 0
    z = 80.0 + 2.5 * np.arange(SHAPE[2]) * (1 if upwards else -1)
    volume = read_volume(dose(tmp_path / "a.dcm", affine, z))
    at = volume.mm((0, 0, 0))[2], volume.mm((0, 0, SHAPE[2] - 1))[2]
    assert sorted(at) == pytest.approx(sorted((z[0], z[-1])))
    first = 0 if at[0] == pytest.approx(z[0]) else SHAPE[2] - 1  # of the volume's slices, which run along their normal
    np.testing.assert_allclose(volume.values[:, :, first], scan(affine)[:, :, 0] * 0.002, rtol=1e-6)
    assert backwards == (axes == "against z")


def test_offsets_that_cannot_be_are_refused(tmp_path):
    for offsets, said in (([7.0 + k for k in range(SHAPE[2])], "neither 0 nor the z"), ([0.0, 2.5], "2 numbers for 17 frames")):
        with pytest.raises(BadImage, match=rf"a\.dcm cannot be read: .*{said}"):
            read_volume(dose(tmp_path / "a.dcm", offsets=offsets))
    with pytest.raises(BadImage, match="do not lie evenly"):
        read_volume(dose(tmp_path / "a.dcm", offsets=[0, 2.5, *(2.5 * k + 5 for k in range(2, SHAPE[2]))]))
    with pytest.raises(BadImage, match="without DoseGridScaling"):
        read_volume(dose(tmp_path / "b.dcm", DoseGridScaling=None))


@pytest.mark.parametrize("sense", [1, -1])
def test_nuclear_medicine_stacks_along_or_against_the_normal(tmp_path, sense):
    from pydicom.dataset import Dataset

    one, detector = single(tmp_path / "a.dcm", STORED, PLAIN, Modality="NM"), Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = one.ImagePositionPatient, one.ImageOrientationPatient
    del one.ImagePositionPatient, one.ImageOrientationPatient
    one.DetectorInformationSequence, one.ImageType = [detector], ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    one.SpacingBetweenSlices, one.SliceVector = str(2.5 * sense), [*range(1, SHAPE[2] + 1)]
    one.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    volume = read_volume(tmp_path / "a.dcm")
    assert np.array_equal(volume.values, STORED[:, :, ::sense])
    first = mm(PLAIN, (0, 0, 0 if sense > 0 else 1 - SHAPE[2]))
    np.testing.assert_allclose(volume.mm((0, 0, 0)), first, atol=1e-6)


@pytest.mark.parametrize(("tag", "value"), [("RescaleSlope", "0"), ("RescaleSlope", "1e400"), ("RescaleIntercept", "-1e400")])
def test_a_scale_that_leaves_no_numbers_is_refused(tmp_path, tag, value):
    with pytest.raises(BadImage, match=r"IM\d+ cannot be read"):
        read(tmp_path, lambda _, one: setattr(one, tag, value))


def test_directions_that_are_none_are_refused(tmp_path):
    for way in ([2, 0, 0, 0, 1, 0], [1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0]):
        with pytest.raises(BadImage, match=r"IM\d+: its spacing .* no two directions of length 1 at right angles"):
            read(tmp_path, lambda _, one, way=way: setattr(one, "ImageOrientationPatient", way))


def test_a_distance_that_is_not_said_is(tmp_path):
    volume = read(tmp_path, lambda _, one: delattr(one, "PixelSpacing"))
    assert volume.spacing == pytest.approx((1, 1, 2.5))
    assert volume.notes == ("it does not say how far its pixels are apart (PixelSpacing): taken as 1 mm",)


def test_a_slice_that_is_turned_but_lies_nowhere_keeps_its_turn(tmp_path):
    volume = read(tmp_path, lambda _, one: delattr(one, "ImagePositionPatient"), scan(ROTATED)[:, :, :1], ROTATED)
    assert volume.notes == ("it does not say where it lies in the body: taken at 0 mm",)
    np.testing.assert_allclose(volume.affine[:3, :2], ROTATED[:3, :2], atol=1e-6)
