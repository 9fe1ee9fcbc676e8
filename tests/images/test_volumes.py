"""Volumes on their way in: every voxel where the scanner found it, whatever files are called; what is broken is named."""

import gzip
import sys
from itertools import permutations

import nibabel
import numpy as np
import pytest
from nibabel.orientations import aff2axcodes

from seewhy.errors import BadImage, MissingExtra
from seewhy.images.volume import Volume
from seewhy.images.volume_kinds import holds_volume
from seewhy.images.volumes import read_volume
from support.files.dicoms import edited, enhanced
from support.files.scans import AFFINES, LESION, SHAPE, dicom_series, mm, placed, scan, turned


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mgz"])
@pytest.mark.parametrize("name", AFFINES)
def test_a_file_is_read_as_nibabel_reads_it(tmp_path, name, suffix):
    affine, stored = AFFINES[name], scan(AFFINES[name])
    kind = nibabel.MGHImage if suffix == ".mgz" else nibabel.Nifti1Image
    nibabel.save(kind(stored, affine), tmp_path / f"a{suffix}")
    theirs = nibabel.load(tmp_path / f"a{suffix}")
    volume = read_volume(tmp_path / f"a{suffix}")
    assert volume.values.dtype == np.float32
    assert np.array_equal(volume.values, theirs.get_fdata())
    assert np.array_equal(volume.affine, theirs.affine)
    assert volume.spacing == pytest.approx(theirs.header.get_zooms(), rel=1e-6)
    assert volume.codes == "".join(aff2axcodes(affine))
    np.testing.assert_allclose(volume.mm(LESION), mm(affine, LESION), atol=1e-4)


def test_codes_are_nibabels_for_any_affine():
    rng, compared = np.random.default_rng(0), 0
    for _ in range(300):
        affine = np.eye(4)
        affine[:3, :3] = rng.normal(size=(3, 3)) * rng.uniform(0.2, 4, 3)
        if abs(np.linalg.det(affine / np.linalg.norm(affine, axis=0))) < 0.05:
            continue
        orders = [[*order] for order in permutations(range(3))]
        named = {tuple(np.array(aff2axcodes(affine[:, [*order, 3]]))[np.argsort(order)]) for order in orders}
        if len(named) == 1:  # before 5.4, nibabel named a slanted axis otherwise where it came first
            assert Volume(np.zeros((2, 2, 2), np.float32), affine).codes == "".join(aff2axcodes(affine))
            compared += 1
    assert compared > 200


def test_slope_and_intercept_are_applied(tmp_path):
    image = nibabel.Nifti1Image(scan(AFFINES["plain"]), np.eye(4))
    image.header.set_slope_inter(0.5, -1024)
    nibabel.save(image, tmp_path / "ct.nii.gz")
    raw = np.asarray(nibabel.load(tmp_path / "ct.nii.gz").dataobj.get_unscaled())
    assert raw.dtype == np.int16
    assert np.array_equal(read_volume(tmp_path / "ct.nii.gz").values, raw * 0.5 - 1024)


def test_of_a_film_of_volumes_the_first_is_taken_or_all_as_channels(tmp_path):
    four = np.random.default_rng(0).normal(size=(4, 5, 6, 3)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(four, np.eye(4)), tmp_path / "a.nii")
    first, every = read_volume(tmp_path / "a.nii"), read_volume(tmp_path / "a.nii", channels=True)
    assert np.array_equal(first.values, four[..., 0])
    assert "3 volumes in one file: the first" in first.notes[0]
    assert np.array_equal(every.values, four)
    assert every.channels.shape == (3, 4, 5, 6)
    assert not every.notes


def test_units_of_the_header_become_mm(tmp_path):
    image = nibabel.Nifti1Image(scan(AFFINES["plain"]), AFFINES["all of it"])
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / "a.nii")
    assert read_volume(tmp_path / "a.nii").spacing == pytest.approx((0.0007, 0.0013, 0.0021))


def test_nan_is_zero_and_said(tmp_path):
    values = np.ones(SHAPE, np.float32)
    values[:3] = np.nan
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    assert volume.values.sum() == (values == 1).sum()
    assert volume.notes == (f"{3 * 30 * 17} voxels hold NaN: they are taken as 0",)


@pytest.mark.parametrize("name", AFFINES)
def test_a_series_is_the_volume_it_was_made_of(tmp_path, name):
    affine, stored = AFFINES[name], scan(AFFINES[name])
    files = dicom_series(tmp_path / "series", stored, affine)
    for path in (tmp_path / "series", files[3]):
        volume = read_volume(path)
        backwards = np.linalg.det(affine[:3, :3]) < 0  # slices run along their normal; in the world nothing may differ
        assert np.array_equal(volume.values, stored[:, :, ::-1] if backwards else stored)
        corner = (0, 0, stored.shape[2] - 1 if backwards else 0)
        np.testing.assert_allclose(volume.mm((0, 0, 0)), mm(affine, corner), atol=1e-6)
        np.testing.assert_allclose(volume.spacing, np.linalg.norm(affine[:3, :3], axis=0), rtol=1e-6)


def test_a_tilted_gantry_is_a_sheared_affine(tmp_path):
    affine = AFFINES["anisotropic"].copy()
    affine[:3, 2] = (0, 0.6, 2.5)
    stored = scan(affine)
    dicom_series(tmp_path / "s", stored, affine)
    volume = read_volume(tmp_path / "s")
    assert np.array_equal(volume.values, stored)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-6)


def test_each_slice_has_its_own_rescale(tmp_path):
    stored = scan(AFFINES["plain"])
    dicom_series(tmp_path / "s", stored, AFFINES["plain"], RescaleSlope=lambda k: 1 + k, RescaleIntercept=lambda k: -k)
    k = np.arange(stored.shape[2])
    assert np.array_equal(read_volume(tmp_path / "s").values, stored * (1.0 + k) - k)


def test_a_slice_that_is_missing_or_doubled_is_named(tmp_path):
    stored, affine = scan(AFFINES["anisotropic"]), AFFINES["anisotropic"]
    files = dicom_series(tmp_path / "s", stored, affine)
    files[5].unlink()
    with pytest.raises(BadImage, match=r"do not lie evenly: between 90\.00 and 95\.00 mm .* 5\.00 mm, elsewhere 2\.50"):
        read_volume(tmp_path / "s")
    dicom_series(tmp_path / "t", stored, affine, ImagePositionPatient=lambda k: [0, 0, k // 2])
    with pytest.raises(BadImage, match=r"several slices lie at 0\.00 mm .* phases"):
        read_volume(tmp_path / "t")


def test_several_series_in_a_folder_are_told_apart(tmp_path):
    affine = AFFINES["plain"]
    one = dicom_series(tmp_path / "s", scan(affine), affine, SeriesDescription="lung", SeriesNumber=2)
    for file in one:
        file.rename(file.with_name(f"a{file.name}"))
    other = dicom_series(tmp_path / "s", scan(affine, voxel=(3, 3, 3)), affine, SeriesDescription="bone", SeriesNumber=4)
    with pytest.raises(BadImage, match=r"2 series: .*(lung \(number 2\)|bone \(number 4\)) \(17 files, such as"):
        read_volume(tmp_path / "s")
    assert np.array_equal(read_volume(other[0]).values, scan(affine, voxel=(3, 3, 3)))


def test_other_files_in_the_folder_do_not_matter(tmp_path):
    stored, affine = scan(AFFINES["plain"]), AFFINES["plain"]
    dicom_series(tmp_path / "s", stored, affine)
    (tmp_path / "s" / "readme.txt").write_text("not a slice")
    (tmp_path / "s" / ".hidden").write_bytes(b"\0" * 300)
    assert np.array_equal(read_volume(tmp_path / "s").values, stored)


def test_the_last_digits_of_the_orientation_part_no_series(tmp_path):
    affine = placed(turned(0, 0, 0.005), (0.7, 0.9, 2.5))

    def jitter(k, one):
        way = [float(v) for v in one.ImageOrientationPatient]
        one.ImageOrientationPatient = [way[0], way[1] + (-1) ** k * 1e-5, way[2], way[3] - (-1) ** k * 1e-5, *way[4:]]

    files = edited(dicom_series(tmp_path / "s", scan(affine), affine), jitter)
    for path in (tmp_path / "s", files[0]):
        volume = read_volume(path)
        assert volume.shape == SHAPE
        np.testing.assert_allclose(volume.affine, affine, atol=1e-4)


def test_slices_of_another_spacing_or_direction_are_no_grid(tmp_path):
    affine = AFFINES["anisotropic"]

    def coarser(k, one):
        one.PixelSpacing = [0.9, 0.7] if k % 2 else [1.8, 1.4]

    def askew(k, one):
        one.ImageOrientationPatient = [1, 0.005 * (k % 2), 0, -0.005 * (k % 2), 1, 0]

    for name, change in (("s", coarser), ("t", askew)):
        edited(dicom_series(tmp_path / name, scan(affine), affine), change)
        with pytest.raises(BadImage, match="slices differ in the distance or the direction of their pixels"):
            read_volume(tmp_path / name)


def test_slices_that_do_not_say_how_they_are_turned_are_refused(tmp_path):
    files = dicom_series(tmp_path / "s", scan(AFFINES["plain"]), AFFINES["plain"])
    edited(files, lambda _, one: delattr(one, "ImageOrientationPatient"))
    with pytest.raises(BadImage, match="17 slices do not say where they lie"):
        read_volume(tmp_path / "s")


@pytest.mark.parametrize(
    ("tag", "value"), [("PixelSpacing", b"0.x"), ("ImageOrientationPatient", b"1.x"), ("PixelSpacing", b"0.0")]
)
def test_a_tag_that_is_no_number_is_named(tmp_path, tag, value):
    stored = scan(AFFINES["plain"])
    files = dicom_series(tmp_path / "s", stored, AFFINES["plain"], **{tag: [7.25] * (2 if tag == "PixelSpacing" else 6)})
    for file in files:
        data = file.read_bytes()
        file.write_bytes(data.replace(b"7.25", value.ljust(4)))
    for path in (tmp_path / "s", files[2]):
        with pytest.raises(BadImage, match=r"IM\d+( cannot be read|: its spacing)"):
            read_volume(path)


def test_a_multi_frame_file_is_a_volume(tmp_path):
    affine, stored = AFFINES["rotated"], scan(AFFINES["rotated"])
    enhanced(tmp_path / "many.dcm", stored, affine)
    volume = read_volume(tmp_path / "many.dcm")
    assert np.array_equal(volume.values, stored * 2.0 - 1000)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-6)


def test_a_film_and_colours_are_no_volume(tmp_path):
    from pydicom import dcmread

    (file, *_) = dicom_series(tmp_path / "s", scan(AFFINES["plain"])[:, :, :1], np.eye(4))
    film = dcmread(file)
    film.NumberOfFrames, film.PixelData = 2, film.PixelData * 2
    film.save_as(tmp_path / "film.dcm")
    with pytest.raises(BadImage, match=r"film\.dcm holds 2 frames, and not where"):
        read_volume(tmp_path / "film.dcm")
    colours = dcmread(file)
    colours.SamplesPerPixel, colours.PhotometricInterpretation, colours.PlanarConfiguration = 3, "RGB", 0
    colours.BitsAllocated, colours.BitsStored, colours.HighBit, colours.PixelRepresentation = 8, 8, 7, 0
    colours.PixelData = bytes(colours.Rows * colours.Columns * 3)
    (tmp_path / "c").mkdir()
    colours.save_as(tmp_path / "c" / "rgb.dcm")
    with pytest.raises(BadImage, match=r"rgb\.dcm holds colours"):
        read_volume(tmp_path / "c" / "rgb.dcm")


def test_a_radiograph_is_a_volume_of_one_slice(tmp_path):
    from pydicom import dcmread

    (file, *_) = dicom_series(
        tmp_path / "s", scan(AFFINES["plain"])[:, :, :1], np.eye(4), PhotometricInterpretation="MONOCHROME1"
    )
    one = dcmread(file)
    for name in ("ImageOrientationPatient", "ImagePositionPatient"):
        delattr(one, name)
    one.save_as(file)
    volume = read_volume(file)
    assert volume.shape == (*SHAPE[:2], 1)
    assert "MONOCHROME1" in volume.notes[0]
    assert "does not say where it lies" in volume.notes[1]


BROKEN = {
    "missing": ("no.nii.gz", None, "no.nii.gz is not there"),
    "empty": ("a.nii", b"", "a.nii cannot be read as a volume"),
    "not gzip": ("a.nii.gz", b"hello, this is text", "a.nii.gz cannot be read as a volume"),
    "not NIfTI": ("a.nii", b"text " * 200, "a.nii cannot be read as a volume"),
    "not DICOM": ("a.dcm", b"text " * 200, "a.dcm is no DICOM file"),
    "a picture": ("a.png", b"\x89PNG\r\n\x1a\n", r"a.png is a picture \(PNG\), no volume"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_named(tmp_path, name):
    file, content, said = BROKEN[name]
    if content is not None:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(BadImage, match=said):
        read_volume(tmp_path / file)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_what_is_cut_off_is_named(tmp_path, suffix, share):
    nibabel.save(nibabel.Nifti1Image(scan(AFFINES["plain"]), np.eye(4)), tmp_path / f"a{suffix}")
    data = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BadImage, match=f"a{suffix} cannot be read as a volume"):
        read_volume(tmp_path / f"a{suffix}")


def test_a_cut_off_slice_is_named(tmp_path):
    files = dicom_series(tmp_path / "s", scan(AFFINES["plain"]), AFFINES["plain"])
    files[4].write_bytes(files[4].read_bytes()[:-200])
    with pytest.raises(BadImage, match=f"{files[4].name} cannot be read"):
        read_volume(tmp_path / "s")


def test_an_empty_folder_says_where_to_look(tmp_path):
    (tmp_path / "a" / "SER1").mkdir(parents=True)
    with pytest.raises(BadImage, match=r"holds no DICOM images. It holds folders: SER1"):
        read_volume(tmp_path / "a")


def test_an_affine_that_places_nothing_is_refused():
    flat = np.eye(4)
    flat[:3, 2] = 0
    with pytest.raises(BadImage, match="does not place voxels"):
        Volume(np.zeros((2, 3, 4), np.float32), flat)
    with pytest.raises(BadImage, match=r"float64 \(3, 4\) is no volume"):
        Volume(np.zeros((3, 4)), np.eye(4))  # type: ignore[arg-type]


@pytest.mark.parametrize("package", ["nibabel", "pydicom"])
def test_without_the_extra_it_is_named(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    nibabel.save(nibabel.Nifti1Image(scan(AFFINES["plain"]), np.eye(4)), tmp_path / "a.nii")
    (tmp_path / "b.dcm").write_bytes(bytes(128) + b"DICM")
    with pytest.raises(MissingExtra, match=rf"{package} is not installed.*pip install '.*\[medical\]'"):
        read_volume(tmp_path / ("a.nii" if package == "nibabel" else "b.dcm"))


def test_volumes_are_told_from_photos(tmp_path):
    (tmp_path / "b").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "c").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "empty").mkdir()
    (tmp_path / "d.png").write_bytes(gzip.compress(b"x"))
    volumes = ("a.nii", "a.NII.GZ", "a.mgz", "a.dcm", "b", "folder")
    assert all(holds_volume(tmp_path / name) for name in volumes)
    assert not any(holds_volume(tmp_path / name) for name in ("d.png", "empty", "nothing"))
