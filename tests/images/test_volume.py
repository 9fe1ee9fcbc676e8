"""Volumes: values on a grid of voxels, and where each of them lies in the body."""

import nibabel
import numpy as np
import pytest

import seewhy
from seewhy.images.volume import Volume, check_voxels, most_voxels
from seewhy.prepare.volume_fit import VolumeFit
from support.files.scans import AFFINES, volume


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAL", "PIR"])
@pytest.mark.parametrize("name", AFFINES)
def test_turning_is_nibabels(name, codes):
    from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

    scanned = volume(AFFINES[name])
    image = nibabel.Nifti1Image(scanned.values, scanned.affine)
    theirs = image.as_reoriented(ornt_transform(io_orientation(image.affine), axcodes2ornt(codes)))
    fit = VolumeFit(orientation=codes)
    assert np.array_equal(fit(scanned)[0], theirs.get_fdata())
    np.testing.assert_allclose(scanned.affine @ fit.box(scanned).matrix, theirs.affine, atol=1e-12)


AFFINE = np.array([[0, 0, 3.0, 10], [-2, 0, 0, 20], [0, 1.5, 0, 30], [0, 0, 0, 1]])


def test_a_volume_says_where_its_voxels_lie():
    volume = Volume(np.zeros((4, 5, 6)), AFFINE, "scan.nii")
    assert volume.spacing == (2, 1.5, 3)
    assert volume.codes == "PSR"
    assert volume.mm((1, 2, 3)).tolist() == [19, 18, 33]
    assert volume.mm([[0, 0, 0], [1, 0, 0]]).tolist() == [[10, 20, 30], [10, 18, 30]]
    assert repr(volume) == "<Volume scan.nii: 4x5x6 voxels of 2x1.5x3 mm, PSR>"
    assert volume.values.dtype == np.float32


def test_channels_stand_last_as_stored_and_first_for_the_network():
    values = np.arange(2 * 3 * 4 * 2.0).reshape(2, 3, 4, 2)
    volume = Volume(values, np.eye(4))
    assert volume.shape == (2, 3, 4)
    assert np.array_equal(volume.channels, np.moveaxis(values, -1, 0))
    assert np.array_equal(Volume(values[..., 0], np.eye(4)).channels, values[None, ..., 0])


def test_turned_axes_hold_the_same_voxels():
    values = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    assert np.array_equal(Volume(values, AFFINE).towards("RAS").read(values), values[::-1].transpose(2, 0, 1))
    for wrong in ("RRS", "XYZ", "RA", None):
        with pytest.raises(seewhy.BadParameter, match="one letter each of"):
            Volume(values, AFFINE).towards(wrong)


@pytest.mark.parametrize(
    ("values", "affine", "said"),
    [
        (np.zeros((2, 2)), np.eye(4), "is no volume"),
        (np.zeros((0, 2, 2)), np.eye(4), "is no volume"),
        (np.zeros((2, 2, 2), complex), np.eye(4), "is no volume"),
        (np.zeros((2, 2, 2)), np.diag([1, 1, 0, 1]), "does not place voxels"),
        (np.zeros((2, 2, 2)), np.full((4, 4), np.nan), "does not place voxels"),
    ],
)
def test_what_is_no_volume_is_refused(values, affine, said):
    with pytest.raises(seewhy.BadImage, match=f"^volume: .*{said}"):
        Volume(values, affine)


def test_more_voxels_than_the_bound_are_refused_with_what_would_read_them(monkeypatch):
    monkeypatch.setattr("seewhy.images.volume.MAX_VOXELS", 24)
    assert most_voxels() == 24
    assert most_voxels("7") == 7
    check_voxels((2, 3, 4), most_voxels(), "a.nii")
    with pytest.raises(seewhy.BadImage, match=r"a\.nii is too large: 2x3x5, 30 voxels.*most=30.*--max-voxels 30"):
        check_voxels((2, 3, 5), most_voxels(), "a.nii")
    for wrong in (0, -1, "many", float("inf")):
        with pytest.raises(seewhy.BadParameter, match="give a number of voxels"):
            most_voxels(wrong)
