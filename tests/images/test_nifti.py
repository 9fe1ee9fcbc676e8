"""NIfTI, Analyze and MGH files: where they place voxels, what they do not say, and what they claim."""

import gzip
import os
import re
import resource
import struct
import subprocess
import sys
import time

import nibabel
import numpy as np
import pytest

import seewhy
from seewhy.errors import BadImage, BadParameter
from seewhy.images.volumes import read_volume
from support.files.scans import AFFINES, SHAPE, scan

AFFINE = AFFINES["rotated"]
GUESS = r"does not say how the patient lies.* so this is a guess.* axes to the left, the front, the head\. Left and right"


def saved(path, change=None, values=None, kind=nibabel.Nifti1Image):
    """A file whose header, as it lies there, was changed."""
    image = kind(scan(AFFINE) if values is None else values, AFFINE)
    nibabel.save(image, path)
    if change:
        data = bytearray((gzip.decompress if path.suffix in (".gz", ".mgz") else bytes)(path.read_bytes()))
        header = image.header.__class__(bytes(data[: image.header.template_dtype.itemsize]), check=False)
        change(header)
        data[: len(header.binaryblock)] = header.binaryblock
        path.write_bytes(gzip.compress(bytes(data)) if path.suffix in (".gz", ".mgz") else bytes(data))
    return path


def forms(sform=None, qform=None, codes=(1, 1)):
    """Their matrices, and their codes."""

    def change(header):
        header.set_qform(AFFINE if qform is None else qform, codes[1])
        header.set_sform(AFFINE if sform is None else sform, codes[0])

    return change


def moved(mm):
    found = AFFINE.copy()
    found[:3, 3] += mm
    return found


def test_without_qform_and_sform_the_guess_is_said(tmp_path):
    volume = read_volume(saved(tmp_path / "a.nii.gz", forms(codes=(0, 0))))
    (note,) = volume.notes
    assert pytest.approx(volume.spacing, rel=1e-5) == np.linalg.norm(AFFINE[:3, :3], axis=0)
    assert volume.codes == "LAS"
    assert "sform_code and qform_code are 0" in note
    assert re.search(GUESS, note)
    assert np.array_equal(volume.affine, nibabel.load(tmp_path / "a.nii.gz").affine)  # as other tools guess it


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (1, 1), (2, 3)])
def test_with_one_of_them_or_two_that_agree_nothing_is_said(tmp_path, codes):
    other = moved([500, 0, 0])
    volume = read_volume(saved(tmp_path / "a.nii", forms(AFFINE if codes[0] else other, AFFINE if codes[1] else other, codes)))
    assert not volume.notes
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)


def test_forms_that_disagree_are_said(tmp_path):
    volume = read_volume(saved(tmp_path / "a.nii", forms(qform=moved([3, 0, 4]))))
    assert volume.notes == ("its sform and its qform place voxels up to 5 mm apart: sform is used, as most tools do",)
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
    assert not read_volume(saved(tmp_path / "b.nii", forms(qform=moved([0.03, 0, 0])))).notes  # rounding
    mirrored = AFFINE @ np.diag([-1, 1, 1, 1])
    assert "mm apart" in read_volume(saved(tmp_path / "c.nii", forms(qform=mirrored))).notes[0]


def test_sizes_of_voxels_that_disagree_are_said(tmp_path):
    def change(header):
        forms(codes=(1, 0))(header)
        header["pixdim"][1:4] = 1, 0.9, 2.5

    volume = read_volume(saved(tmp_path / "a.nii", change))
    said = "its header tells of voxels of 1x0.9x2.5 mm (pixdim), its sform of 0.7x0.9x2.5 mm: sform is used, as most tools do"
    assert volume.notes == (said,)
    assert volume.spacing == pytest.approx((0.7, 0.9, 2.5))


def test_a_unit_that_there_is_not_is_said(tmp_path):
    volume = read_volume(saved(tmp_path / "a.nii", lambda header: header.__setitem__("xyzt_units", 7)))
    assert volume.notes == ("its header names no unit that there is (code 7): taken as mm",)
    assert volume.spacing == pytest.approx((0.7, 0.9, 2.5))


@pytest.mark.parametrize("harm", [0.0, np.nan, np.inf])
def test_a_form_that_places_nothing_gives_way_to_the_other(tmp_path, harm):
    def change(header):
        forms()(header)
        header["srow_x"] = header["srow_y"] = harm

    volume = read_volume(saved(tmp_path / "a.nii.gz", change))
    assert volume.notes == ("its sform places no voxel in space: qform is used",)
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
    (heatmap,) = seewhy.grad_cam(model(), volume, 0, layer="see")  # and a map lies on the scan
    heatmap.save(tmp_path / "map.nii.gz")
    np.testing.assert_allclose(nibabel.load(tmp_path / "map.nii.gz").affine, AFFINE, atol=1e-5)


def model():
    from support.files.scans import Sees

    return seewhy.wrap(Sees(), prepare={"axes": "ijk"})


def test_forms_that_place_nothing_are_refused(tmp_path):
    def change(header):
        forms(codes=(1, 0))(header)
        header["srow_z"] = 0

    with pytest.raises(BadImage, match=r"a\.nii: its sform places no voxel in space .*seewhy\.Volume"):
        read_volume(saved(tmp_path / "a.nii", change))


def test_a_broken_qform_beside_a_good_sform_is_said(tmp_path):
    def change(header):
        forms()(header)
        header["quatern_b"] = header["quatern_c"] = 3.0

    volume = read_volume(saved(tmp_path / "a.nii", change))
    assert volume.notes == ("its qform places no voxel in space: sform is used",)
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)


def test_what_nibabel_mends_is_noted_and_not_printed(tmp_path, capfd):
    def change(header):
        header["pixdim"][0] = 0  # which is taken as 1, as NIfTI says
        header["sform_code"] = 99

    volume = read_volume(saved(tmp_path / "a.nii", change))
    assert "sform_code 99 not valid" in " ".join(volume.notes)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [nibabel.AnalyzeImage, nibabel.Spm2AnalyzeImage])
def test_analyze_says_that_it_guesses(tmp_path, kind):
    nibabel.save(kind(scan(AFFINE), np.diag([-1.0, 1, 1, 1])), tmp_path / "a.img")
    for suffix in (".img", ".hdr"):
        (tmp_path / "a.mat").unlink(missing_ok=True)
        volume = read_volume(tmp_path / f"a{suffix}")
        assert np.array_equal(volume.values, scan(AFFINE))
        assert re.search(GUESS, volume.notes[0])


def test_mgh_without_its_flag_says_that_it_guesses(tmp_path):
    nibabel.save(nibabel.MGHImage(scan(AFFINE), AFFINE), tmp_path / "a.mgz")
    assert not read_volume(tmp_path / "a.mgz").notes
    data = bytearray(gzip.decompress((tmp_path / "a.mgz").read_bytes()))
    data[28:30] = struct.pack(">h", 0)
    (tmp_path / "a.mgz").write_bytes(gzip.compress(bytes(data)))
    assert "does not say how the patient lies" in read_volume(tmp_path / "a.mgz").notes[0]


@pytest.mark.parametrize("slope", [0.0, np.nan])
def test_a_slope_that_is_none_scales_nothing(tmp_path, slope):
    def change(header):
        header["scl_slope"], header["scl_inter"] = slope, 5

    assert np.array_equal(read_volume(saved(tmp_path / "a.nii", change)).values, scan(AFFINE))


@pytest.mark.parametrize("shape", [(5, 4, 3, 1), (5, 4, 3, 1, 1), (5, 4, 3, 2), (5, 4, 3, 1, 2), (5, 4), (5,), (5, 4, 1, 1, 3)])
def test_any_shape_of_volumes(tmp_path, shape):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    values[0] = np.nan
    nibabel.save(nibabel.Nifti1Image(values, AFFINE), tmp_path / "a.nii.gz")
    count = shape[-1] if len(shape) > 3 and shape[-1] > 1 else 0
    flat = np.nan_to_num(values.reshape(*(*shape, 1, 1)[:3], *([count] if count else [])))
    assert np.array_equal(read_volume(tmp_path / "a.nii.gz").values, flat[..., 0] if count else flat)
    assert np.array_equal(read_volume(tmp_path / "a.nii.gz", channels=True).values, flat)


def test_slabs_join_without_a_seam(tmp_path, monkeypatch):
    monkeypatch.setattr("seewhy.images.nifti.SLAB", 22 * 30 * 5)  # 17 slices are no multiple of 5
    path = saved(tmp_path / "a.nii.gz", lambda header: header.set_slope_inter(0.1, 3))
    assert np.array_equal(read_volume(path).values, nibabel.load(path).get_fdata(dtype=np.float64).astype(np.float32))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mgz", ".img"])
@pytest.mark.parametrize("sides", [(4000, 4000, 4000), (32767, 32767, 100), (SHAPE[0], SHAPE[1], 2000)])
def test_a_header_that_claims_more_than_the_file_holds_costs_nothing(tmp_path, suffix, sides):
    kind = {".mgz": nibabel.MGHImage, ".img": nibabel.Nifti1Pair}.get(suffix, nibabel.Nifti1Image)
    path = tmp_path / f"a{suffix}"
    nibabel.save(kind(np.random.default_rng(0).integers(0, 999, SHAPE).astype(np.int16), AFFINE), path)
    head = path.with_suffix(".hdr") if suffix == ".img" else path
    packed = suffix in (".nii.gz", ".mgz")
    data = bytearray(gzip.decompress(head.read_bytes()) if packed else head.read_bytes())
    if suffix == ".mgz":
        data[4:16] = struct.pack(">3i", *sides)
    else:
        data[42:48] = struct.pack("<3h", *sides)
    head.write_bytes(gzip.compress(bytes(data)) if packed else bytes(data))
    start = time.process_time()
    with pytest.raises(BadImage, match=rf"a{suffix} (is too large|cannot be read as a volume)"):
        read_volume(path)
    assert time.process_time() - start < 5


@pytest.mark.parametrize("size", [7, 8 << 20, 0, -16, 2**31 - 1])
def test_parts_of_a_packed_header_are_bounded(tmp_path, size):
    """A few kB that gzip makes of 64 MB of zeros, of which the header claims `size` as a part of itself."""
    head = bytearray(saved(tmp_path / "a.nii").read_bytes()[:352])
    head[108:112], head[348:352] = struct.pack("<f", 544), b"\1\0\0\0"
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(head) + struct.pack("<2i", size, 6) + bytes(1 << 26), 9))
    (tmp_path / "a.nii").unlink()
    with pytest.raises(BadImage, match="a part of its header claims"):
        read_volume(tmp_path / "a.nii.gz")
    head[108:112] = struct.pack("<f", 2e9)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(bytes(head) + bytes(1 << 20)))
    with pytest.raises(BadImage, match="places the first voxel at byte 2000000000"):
        read_volume(tmp_path / "b.nii.gz")


def blank(path, sides, dtype="<i2"):
    """A packed file of zeros, written without room for them."""
    header = nibabel.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(sides)
    header.set_sform(AFFINE, 1)
    header["magic"], header["vox_offset"] = b"n+1", 352
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header.binaryblock + bytes(4))
        plane = bytes(sides[0] * sides[1] * np.dtype(dtype).itemsize)
        for _ in range(int(np.prod(sides[2:]))):
            file.write(plane)
    return path


READ = """
import resource, sys
from seewhy.images.volumes import read_volume
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(read_volume(sys.argv[1], most=int(sys.argv[2])).shape)
except Exception as error:
    print(type(error).__name__, error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def peak(path, most):
    """What is said, and by how many MB the process grew; under 1.5 GB in all."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (3 << 29, 3 << 29))  # noqa: E731
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path), str(most)],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        timeout=120,
        check=True,
    )
    said, grown = done.stdout.strip().rsplit("\n", 1)
    return said, int(grown) / 1024


def test_too_many_voxels_are_refused_before_room_is_made_and_the_bound_can_be_raised(tmp_path):
    path = blank(tmp_path / "a.nii.gz", (320, 320, 320))
    said, grown = peak(path, 320**3 - 1)
    assert said.startswith(f"BadImage {path} is too large: 320x320x320, 32768000 voxels (0.1 GB in memory")
    assert "seewhy.read_volume(path, most=32768000), on the command line --max-voxels 32768000." in said
    assert grown < 60
    said, grown = peak(path, 320**3)
    assert said == "(320, 320, 320)"
    assert grown < 125 + 140  # the volume, 125 MB, and a slab of it


def test_of_many_volumes_only_the_first_takes_room(tmp_path):
    said, grown = peak(blank(tmp_path / "a.nii.gz", (128, 128, 64, 100)), 128 * 128 * 64)
    assert said == "(128, 128, 64)"
    assert grown < 60
    with pytest.raises(BadImage, match="128x128x64x100, 104857600 voxels"):
        read_volume(tmp_path / "a.nii.gz", channels=True, most=10**8)


def test_the_bound_is_a_number_and_can_be_set_for_all(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.nii")
    monkeypatch.setattr("seewhy.images.volume.MAX_VOXELS", 1000)
    with pytest.raises(BadImage, match="at most 1000 are read"):
        seewhy.grad_cam(model(), path, 0)
    assert read_volume(path, most=10**9).shape == SHAPE
    for wrong in (0, -1, "many", float("nan"), float("inf")):
        with pytest.raises(BadParameter, match="most="):
            read_volume(path, most=wrong)
