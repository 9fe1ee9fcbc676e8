"""Siemens mosaics: the slices of a volume as tiles of one picture come back as the volume, in its place."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from seewhy.errors import BadImage
from seewhy.images.volumes import read_volume
from support.files.dicoms import edited, mosaic
from support.files.scans import AFFINES, LESION, SHAPE, centre_mm, dicom_series, mm, scan


@pytest.mark.parametrize("name", AFFINES)
def test_a_mosaic_is_unfolded_where_its_slices_lie(tmp_path, name):
    affine, stored = AFFINES[name], scan(AFFINES[name])
    volume = read_volume(mosaic(tmp_path / "a.dcm", stored, affine))
    backwards = np.linalg.det(affine[:3, :3]) < 0  # slices run along their normal; in the world nothing may differ
    assert np.array_equal(volume.values, stored[:, :, ::-1] if backwards else stored)
    np.testing.assert_allclose(volume.mm((0, 0, 0)), mm(affine, (0, 0, SHAPE[2] - 1 if backwards else 0)), atol=1e-4)
    np.testing.assert_allclose(centre_mm(volume.values, volume.affine), mm(affine, LESION), atol=0.2)
    np.testing.assert_allclose(volume.spacing, np.linalg.norm(affine[:3, :3], axis=0), rtol=1e-6)
    assert not volume.notes


@pytest.mark.parametrize("slices", [1, 2, 4, 5, 16])
def test_any_number_of_tiles(tmp_path, slices):
    affine, stored = AFFINES["rotated"], scan(AFFINES["rotated"])[:, :, :slices]
    volume = read_volume(mosaic(tmp_path / "a.dcm", stored, affine))
    assert np.array_equal(volume.values, stored)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-4)


@pytest.mark.parametrize("number", ["0", "1000"])
def test_a_real_one_is_where_nibabel_finds_it(tmp_path, number):
    """Of nibabel's own test files (its pixels are blank, so others are written)."""
    nicom = pytest.importorskip("nibabel.nicom", reason="no nibabel.nicom")
    packed = Path(nicom.__file__).parent / "tests" / "data" / f"siemens_dwi_{number}.dcm.gz"
    if not packed.exists():
        pytest.skip("nibabel was installed without its test files")
    from nibabel.nicom.dicomwrappers import wrapper_from_data
    from pydicom import dcmread

    (tmp_path / "a.dcm").write_bytes(gzip.decompress(packed.read_bytes()))
    blank = dcmread(tmp_path / "a.dcm")
    blank.PixelData = np.random.default_rng(0).integers(0, 1000, (blank.Rows, blank.Columns)).astype("<u2").tobytes()
    blank.save_as(tmp_path / "a.dcm")
    volume, theirs = read_volume(tmp_path / "a.dcm"), wrapper_from_data(dcmread(tmp_path / "a.dcm"))
    assert volume.shape == (128, 128, 48)
    assert np.array_equal(volume.values, theirs.get_data().transpose(1, 0, 2))  # theirs is (rows, columns, slices), in LPS+
    np.testing.assert_allclose(volume.affine, (np.diag([-1, -1, 1, 1]) @ theirs.affine)[:, [1, 0, 2, 3]], atol=1e-3)


def test_of_a_series_of_mosaics_the_first_in_time_is_taken_or_all_as_channels(tmp_path):
    affine, stored = AFFINES["rotated"], scan(AFFINES["rotated"])
    for place, name in enumerate("cab"):  # the names say nothing of the time
        mosaic(tmp_path / f"{name}.dcm", stored + place, affine, SeriesInstanceUID="1.2.3", InstanceNumber=place + 1)
    first, every = read_volume(tmp_path), read_volume(tmp_path, channels=True)
    assert np.array_equal(first.values, stored)
    assert first.notes == ("3 volumes in one series (mosaics): the first in time, c.dcm, is explained",)
    assert np.array_equal(every.values, np.stack([stored, stored + 1, stored + 2], -1))
    assert not every.notes
    one = read_volume(tmp_path / "b.dcm")  # one file is asked for, and is a whole volume
    assert np.array_equal(one.values, stored + 2)
    assert not one.notes


def test_mosaics_and_slices_of_one_series_are_not_mixed(tmp_path):
    affine, stored = AFFINES["rotated"], scan(AFFINES["rotated"])
    dicom_series(tmp_path / "s", stored[:, :, :1], affine, SeriesInstanceUID="1.2.3", SeriesDescription="a")
    whole = mosaic(tmp_path / "s" / "a.dcm", stored, affine, SeriesInstanceUID="1.2.3", SeriesDescription="a")
    with pytest.raises(BadImage, match=r"some files of its series are mosaics, others, such as IM0000, are not"):
        read_volume(tmp_path / "s")
    assert np.array_equal(read_volume(whole).values, stored)


def test_what_does_not_say_how_it_is_unfolded_is_refused(tmp_path):
    affine, stored = AFFINES["rotated"], scan(AFFINES["rotated"])
    anonymous = mosaic(tmp_path / "a.dcm", stored, affine, private=False)
    with pytest.raises(BadImage, match=r"a\.dcm holds the slices .* \(a mosaic\), and does not say how many .* dcm2niix"):
        read_volume(anonymous)
    counted = mosaic(tmp_path / "b.dcm", stored, affine)
    edited([counted], lambda _, one: one.pop((0x0029, 0x1010)))
    with pytest.raises(BadImage, match="in which direction they follow"):
        read_volume(counted)
    unnamed = mosaic(tmp_path / "c.dcm", stored, affine, ImageType=["ORIGINAL", "PRIMARY"])  # it is told by the scanner's tags
    assert np.array_equal(read_volume(unnamed).values, stored)
    cut = mosaic(tmp_path / "d.dcm", stored, affine)

    def cropped(_, one):
        one.PixelData = one.pixel_array[:-1].tobytes()
        one.Rows -= 1

    edited([cut], cropped)
    with pytest.raises(BadImage, match=r"17 slices as 5x5 tiles do not share out its 110x149 pixels"):
        read_volume(cut)
    turned = mosaic(tmp_path / "e.dcm", stored, affine, ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    with pytest.raises(BadImage, match=r"normal .* does not stand on its rows"):
        read_volume(turned)
    apart = mosaic(tmp_path / "f.dcm", stored, affine, SpacingBetweenSlices=None)
    with pytest.raises(BadImage, match=r"how far the slices of its mosaic are apart"):
        read_volume(apart)
