"""A map of a volume lies where it was found, however the volume was turned, resampled and cut on its way in."""

import itertools

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from seewhy import Heatmap
from seewhy.errors import BadImage, BadParameter, NotApplicable
from seewhy.images.places import Cells, Grid
from seewhy.images.volume import Volume
from seewhy.prepare.volume_fit import VolumeFit
from support.files.scans import AFFINES, LESION, SHAPE, Sees, centre_mm, dicom_series, mm, peak_mm, scan, volume


def model(block: int = 1, prepare=None, channels: int = 1):
    return seewhy.wrap(Sees(block, channels).double(), prepare=prepare, name="sees")


@pytest.mark.parametrize("name", AFFINES)
def test_a_nifti_comes_back_with_the_map_at_the_lesion(tmp_path, name):
    affine = AFFINES[name]
    given = nibabel.Nifti1Image(scan(affine), affine)
    given.set_sform(affine, "mni")
    given.set_qform(affine, "scanner")
    given.header.set_xyzt_units("mm", "sec")
    nibabel.save(given, tmp_path / "scan.nii.gz")
    (heatmap,) = seewhy.grad_cam(model(), tmp_path / "scan.nii.gz", target=0, layer="see")
    heatmap.save(tmp_path / "map.nii.gz")
    before, after = nibabel.load(tmp_path / "scan.nii.gz"), nibabel.load(tmp_path / "map.nii.gz")
    assert np.array_equal(before.affine, after.affine)
    assert before.header.get_zooms() == after.header.get_zooms()
    for name in ("sform_code", "qform_code", "xyzt_units", "quatern_b", "quatern_c", "quatern_d", "srow_x", "srow_y", "srow_z"):
        assert np.array_equal(before.header[name], after.header[name]), name
    found = after.get_fdata()
    assert found.shape == SHAPE
    assert after.get_data_dtype() == np.float32
    np.testing.assert_allclose(peak_mm(found, after.affine), mm(affine, LESION), atol=1e-4)
    stored = scan(affine)
    np.testing.assert_allclose(found / found.max(), stored / stored.max(), atol=1e-6)
    assert after.header["cal_max"] == pytest.approx(found.max())
    assert Heatmap.source_of(tmp_path / "map.nii.gz") == heatmap.source


@pytest.mark.parametrize("name", AFFINES)
def test_a_series_gives_the_same_place_as_the_nifti(tmp_path, name):
    affine = AFFINES[name]
    dicom_series(tmp_path / "series", scan(affine), affine)
    (heatmap,) = seewhy.grad_cam(model(), tmp_path / "series", target=0, layer="see")
    heatmap.save(tmp_path / "map.nii.gz")
    after = nibabel.load(tmp_path / "map.nii.gz")
    np.testing.assert_allclose(peak_mm(after.get_fdata(), after.affine), mm(affine, LESION), atol=1e-3)
    assert after.header.get_xyzt_units()[0] == "mm"
    assert (after.header["sform_code"], after.header["qform_code"]) == (1, 1)
    np.testing.assert_allclose(after.get_qform(), after.affine, atol=1e-3)


PREPARES = {
    "as it is": {"window": (0, 1000)},
    "turned": {"orientation": "RAS"},
    "turned to LPS": {"orientation": "LPS"},
    "turned to odd axes": {"orientation": "SAL"},
    "axes": {"axes": "kji"},
    "resized": {"size": (31, 20, 26)},
    "resized, smaller": {"size": (16, 21, 13)},
    "spaced": {"spacing": 1.1},
    "spaced unevenly": {"spacing": (1.0, 0.8, 1.7)},
    "cut": {"crop": (12, 20, 16)},
    "cut and padded": {"crop": (40, 16, 30)},
    "all of it": {"orientation": "LPS", "axes": "kji", "spacing": (1.3, 0.9, 1.0), "crop": (26, 24, 22), "window": (0, 900)},
    "spaced, then resized": {"orientation": "RAS", "spacing": 1.0, "size": 24, "mean": 0.1, "std": 2.0},
}


@pytest.mark.parametrize("prepare", PREPARES)
@pytest.mark.parametrize("name", ["anisotropic", "flipped", "all of it"])
def test_the_lesion_stays_in_its_place(name, prepare):
    affine, fit = AFFINES[name], VolumeFit(**PREPARES[prepare])
    scanned = volume(affine, voxel=(11.0, 15.0, 8.0))
    (heatmap,) = seewhy.grad_cam(model(prepare=fit), scanned, target=0, layer="see", signed=True)
    grid = fit.box(scanned)
    step = np.linalg.norm(affine[:3, :3] @ grid.matrix[:3, :3], axis=0).max()  # mm, of what the network saw
    full = heatmap.full()
    assert full.shape == SHAPE
    lesion = mm(affine, (11.0, 15.0, 8.0))
    assert np.linalg.norm(peak_mm(full, affine) - lesion) <= 0.87 * max(step, *scanned.spacing)
    assert np.linalg.norm(centre_mm(full - full.min(), affine) - lesion) < 0.25 * step
    x = fit(scanned)[0]  # and where the network saw it, by the grid's own affine
    assert np.linalg.norm(centre_mm(x - x.min(), affine @ grid.matrix) - lesion) < 0.25 * step


def slowly(scanned: Volume, affine: np.ndarray, shape) -> np.ndarray:
    """Trilinear at each voxel of a grid, by way of the world, one after the other; edges go on."""
    back, values = np.linalg.inv(scanned.affine), scanned.values.astype(float)
    found = np.zeros(shape)
    for at in itertools.product(*map(range, shape)):
        place = np.clip((back @ affine @ (*at, 1))[:3], 0, np.array(scanned.shape) - 1)
        low = np.minimum(place.astype(int), np.array(scanned.shape) - 2)
        for corner in itertools.product((0, 1), repeat=3):
            weight = np.prod([s if c else 1 - s for c, s in zip(corner, place - low, strict=True)])
            found[at] += weight * values[tuple(low + corner)]
    return found


@pytest.mark.parametrize("prepare", ["turned to odd axes", "resized", "spaced unevenly", "all of it", "spaced, then resized"])
def test_what_the_network_sees_is_the_volume_at_those_places(prepare):
    numbers = {k: v for k, v in PREPARES[prepare].items() if k not in ("window", "mean", "std")}
    scanned = Volume(np.random.default_rng(0).normal(size=(9, 8, 7)).astype(np.float32), AFFINES["all of it"])
    fit = VolumeFit(
        **{**numbers, **({"crop": (5, 6, 4)} if "crop" in numbers else {}), **({"size": 6} if "size" in numbers else {})}
    )
    x, grid = fit(scanned)[0], fit.box(scanned)
    np.testing.assert_allclose(x, slowly(scanned, scanned.affine @ grid.matrix, x.shape), atol=1e-5)


@pytest.mark.parametrize("size", [(6, 9, 20), (13, 13, 13)])
def test_resizing_is_torchs_trilinear(size):
    scanned = volume(AFFINES["anisotropic"])
    x = torch.from_numpy(scanned.values)[None, None].double()
    theirs = torch.nn.functional.interpolate(x, size, mode="trilinear", align_corners=False)[0].numpy()
    np.testing.assert_allclose(VolumeFit(size=size)(scanned), theirs, atol=1e-3)


def test_the_numbers_of_intensity():
    scanned = volume(AFFINES["plain"])
    window = VolumeFit(window=(100, 600), mean=0.5, std=0.25)(scanned)[0]
    np.testing.assert_allclose(window, (np.clip((scanned.values - 100) / 500, 0, 1) - 0.5) / 0.25, atol=1e-5)
    own = VolumeFit(mean="own", std="own", crop=12)(scanned)
    assert own.mean() == pytest.approx(0, abs=1e-5)
    assert own.std() == pytest.approx(1, abs=1e-5)
    assert not VolumeFit(mean="own", std="own")(Volume(np.full((3, 3, 3), 7, np.float32), np.eye(4))).any()


def test_channels_are_normalised_one_by_one():
    both = Volume(np.random.default_rng(0).normal(size=(4, 5, 6, 2)).astype(np.float32), np.eye(4))
    x = VolumeFit(mean=(1, 2), std=(3, 4), axes="kij")(both)
    assert x.shape == (2, 6, 4, 5)
    np.testing.assert_allclose(x[1], (both.values[..., 1].transpose(2, 0, 1) - 2) / 4, atol=1e-6)
    (heatmap,) = seewhy.grad_cam(model(channels=2, prepare={"axes": "kij"}), both, target=0, layer="see", signed=True)
    full = heatmap.full()
    assert np.corrcoef(full.ravel(), both.values.sum(-1).ravel())[0, 1] == pytest.approx(1)
    with pytest.raises(BadImage, match="2 channels, `prepare` 3 numbers"):
        VolumeFit(mean=(1, 2, 3))(both)


def test_beyond_the_volume_lies_its_lowest_value_and_no_map():
    scanned = volume(AFFINES["plain"])
    scanned = Volume(scanned.values - 1000, scanned.affine)
    x = VolumeFit(crop=(40, 30, 17))(scanned)[0]
    assert (x[:9] == scanned.values.min()).all()
    assert (x[31:] == scanned.values.min()).all()
    assert np.array_equal(x[9:31], scanned.values)
    full = VolumeFit(crop=(10, 30, 17)).box(scanned).spread(np.ones((10, 30, 17), np.float32))
    assert (full[6:16] == 1).all()
    assert full.sum() == 10 * 30 * 17


@pytest.mark.parametrize("block", [2, 4])
def test_coarse_cells_lie_at_the_middle_of_their_blocks(block):
    """Each map value of a layer of blocks is at the centre of its block: by the affine of block-averaged values."""
    affine = AFFINES["all of it"]
    scanned = volume(affine, shape=(24, 32, 16), voxel=(11.5, 15.5, 7.5), width=8.0)
    (heatmap,) = seewhy.grad_cam(model(block), scanned, target=0, layer="cells", signed=True)
    assert heatmap.values.shape == (24 // block, 32 // block, 16 // block)
    assert heatmap.cells.uncut == Cells(((block - 1) / 2,) * 3, (float(block),) * 3, (24, 32, 16))
    assert heatmap.cells.centres(0, 24 // block).tolist() == heatmap.cells.uncut.centres(0, 24 // block).tolist()
    np.testing.assert_allclose(centre_mm(heatmap.full(), affine), mm(affine, (11.5, 15.5, 7.5)), atol=0.05)


def test_a_map_is_spread_as_torch_resizes():
    values = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    theirs = torch.nn.functional.interpolate(torch.from_numpy(values)[None, None], (12, 10, 5), mode="trilinear")[0, 0]
    np.testing.assert_allclose(Grid.whole((12, 10, 5)).spread(values), theirs, atol=1e-6)


def test_a_scan_is_asked_as_a_whole_or_by_its_values():
    """occlusion and gradient read the same question of a Volume and of its values as a batch."""
    scanned = volume(AFFINES["all of it"])
    for method in (seewhy.gradient, seewhy.occlusion.using(window=6, stride=6)):
        (one,) = method(model(), scanned, target=0)
        (other,) = method(model(), scanned.values[None, None].astype(float), target=0)
        np.testing.assert_allclose(one.values, other.values, rtol=1e-5)


def test_what_the_file_says_of_the_patient_is_left_out(tmp_path):
    image = nibabel.Nifti1Image(scan(AFFINES["plain"]), np.eye(4))
    image.header["descrip"], image.header["db_name"] = b"Jane Doe", b"Doe^Jane"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Jane Doe, born 1970"))
    nibabel.save(image, tmp_path / "a.nii")
    (heatmap,) = seewhy.grad_cam(model(), tmp_path / "a.nii", layer="see")
    heatmap.save(tmp_path / "b.nii")
    assert b"Doe" not in (tmp_path / "b.nii").read_bytes()
    assert b"seewhy grad-cam" in (tmp_path / "b.nii").read_bytes()


def test_nifti2_and_micrometres_stay(tmp_path):
    image = nibabel.Nifti2Image(scan(AFFINES["plain"]), AFFINES["all of it"])
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / "a.nii")
    (heatmap,) = seewhy.grad_cam(model(), tmp_path / "a.nii", layer="see")
    heatmap.save(tmp_path / "b.nii")
    after = nibabel.load(tmp_path / "b.nii")
    assert isinstance(after, nibabel.Nifti2Image)
    assert after.header.get_xyzt_units()[0] == "micron"
    assert np.array_equal(after.affine, nibabel.load(tmp_path / "a.nii").affine)


def test_the_arrays_say_where_they_lie(tmp_path):
    scanned = volume(AFFINES["all of it"])
    fit = VolumeFit(**PREPARES["all of it"])
    (heatmap,) = seewhy.grad_cam(model(prepare=fit), scanned, layer="see")
    heatmap.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as kept:
        assert np.array_equal(kept["values"], heatmap.values)
        at = kept["affine"] @ kept["box"] @ (*np.unravel_index(kept["values"].argmax(), kept["values"].shape), 1)
        assert np.linalg.norm(at[:3] - mm(scanned.affine, LESION)) < 1.2
        assert tuple(kept["shape"]) == SHAPE
    assert Heatmap.source_of(tmp_path / "a.npz") == heatmap.source


@pytest.mark.parametrize("view", [None, "panel", "axial", "coronal", "sagittal", "projection", "curve"])
def test_every_view_is_a_picture_that_carries_its_source(tmp_path, view):
    (heatmap,) = seewhy.grad_cam(model(), volume(AFFINES["all of it"]), target=0, layer="see")
    assert heatmap.pictures == ("overlay", "panel", "axial", "coronal", "sagittal", "projection", "curve")
    drawn = heatmap.overlay(view=view, window=(0, 500), legend=True)
    assert drawn.width <= 1600
    heatmap.save(tmp_path / "a.png", picture=view or "overlay", legend=True)
    assert Heatmap.source_of(tmp_path / "a.png") == heatmap.source


def test_views_are_given_the_volume_in_ras(monkeypatch):
    """What is drawn is (i, j, k) in RAS+: the lesion's place there, by nibabel's closest canonical image."""
    from seewhy.pictures import volumes as views

    given = []
    monkeypatch.setattr(views, "panel", lambda *args: given.extend(args) or Image.new("RGB", (8, 8)))
    scanned = volume(AFFINES["all of it"])
    (heatmap,) = seewhy.grad_cam(model(), scanned, target=0, layer="see")
    heatmap.overlay()
    values, under, _, _, spacing, affine = given
    theirs = nibabel.as_closest_canonical(nibabel.Nifti1Image(scanned.values, scanned.affine))
    assert np.array_equal(under, theirs.get_fdata())
    assert np.array_equal(values, nibabel.as_closest_canonical(nibabel.Nifti1Image(heatmap.full(), scanned.affine)).get_fdata())
    assert spacing == pytest.approx(theirs.header.get_zooms(), rel=1e-6)
    np.testing.assert_allclose(affine, theirs.affine, atol=1e-6)


def test_a_photo_has_no_view_and_no_nifti(made_heatmap, tmp_path):
    flat = made_heatmap([[0, 1], [2, 3]])
    with pytest.raises(BadParameter, match="view='axial': a photo has no such view"):
        flat.overlay(view="axial")
    with pytest.raises(seewhy.NoSuchName, match=r"No view 'axail'. Closest: axial"):
        flat.overlay(view="axail")
    with pytest.raises(NotApplicable, match="only the map of a volume"):
        flat.save(tmp_path / "a.nii.gz")
    assert not (tmp_path / "a.nii.gz").exists()


WRONG = {
    "orientation": ({"orientation": "RAX"}, "orientation='RAX'"),
    "orientation twice": ({"orientation": "RLS"}, "orientation='RLS'"),
    "axes": ({"axes": "xyz"}, "axes='xyz'"),
    "spacing": ({"spacing": (1, 2)}, r"spacing=\(1, 2\)"),
    "spacing zero": ({"spacing": 0}, "spacing=0"),
    "spacing of nothing": ({"spacing": 1e-320}, "spacing=1e-320"),
    "size": ({"size": (1.5, 2, 3)}, "size="),
    "crop": ({"axes": "kji", "crop": (1, 2)}, "crop="),
    "window": ({"window": (400, -100)}, "window="),
    "window of one": ({"window": 400}, "window=400"),
    "mean": ({"axes": "kji", "mean": "mine"}, "mean='mine'"),
    "std": ({"axes": "kji", "std": (1, 0)}, "std="),
    "a stranger": ({"axes": "kji", "flip": True}, "has no flip. It takes: orientation, axes, spacing"),
}


@pytest.mark.parametrize("name", WRONG)
def test_numbers_that_cannot_be_are_misuse(name):
    prepare, said = WRONG[name]
    with pytest.raises(BadParameter, match=said):
        model(prepare=prepare)


@pytest.mark.parametrize(
    "prepare", [{"spacing": 1e-3}, {"spacing": 1e-9}, {"axes": "kji", "size": 10**6}, {"axes": "kji", "crop": (9, 10**9, 9)}]
)
def test_more_voxels_than_there_is_room_for_are_never_made(prepare):
    with pytest.raises(BadImage, match=r"scan: `prepare` makes \d+x\d+x\d+ voxels of it \(.* GB\), more than the 536870912"):
        seewhy.grad_cam(model(prepare=prepare), volume(AFFINES["plain"]), layer="see")


def test_a_volume_that_was_read_beyond_the_bound_is_taken(monkeypatch):
    monkeypatch.setattr("seewhy.images.volume.MAX_VOXELS", 1000)
    assert seewhy.grad_cam(model(prepare={"axes": "kji"}), volume(AFFINES["plain"]), 0, layer="see")[0].full().shape == SHAPE
