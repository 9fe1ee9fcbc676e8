"""`seewhy explain scan.nii.gz --model nets.py:net`: what is written, and what one broken scan costs; and clips."""

import json
import os
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy import Heatmap
from seewhy.cli import app as command
from seewhy.images.clip import Clip, read_clip
from seewhy.images.places import Grid
from seewhy.pictures.render import Look
from seewhy.prepare.clip_fit import ClipFit
from seewhy.prepare.fit import Fit
from seewhy.prepare.volume_fit import VolumeFit
from support.files.scans import AFFINES, LESION, dicom_series, mm, peak_mm, scan

NETS = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from support.files.scans import Sees

def net():
    return Sees()

def ready():
    return Sees(), {{"orientation": "LPS", "axes": "kji", "spacing": 1.0, "window": (0, 900)}}, ["lesion", "none"]
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)

    def explain(*arguments, net="net"):
        model = ["--model", f"nets.py:{net}", "--out", "out", "--layer", "see"]
        return CliRunner().invoke(command.main, ["explain", *map(str, arguments), "--no-sheet", *model])

    return explain


def written(folder=Path("out")) -> list[str]:
    return sorted(os.listdir(folder)) if folder.exists() else []


def saved(path: Path, name: str = "all of it") -> Path:
    nibabel.save(nibabel.Nifti1Image(scan(AFFINES[name]), AFFINES[name]), path)
    return path


@pytest.mark.parametrize("net", ["net", "ready"])
def test_a_scan_gives_a_map_on_its_own_grid_and_a_panel(run, tmp_path, net):
    result = run(saved(tmp_path / "scan.nii.gz"), net=net)
    assert result.exit_code == 0, result.output
    label = " lesion" if net == "ready" else ""
    name = f"scan.top-1{label.replace(' ', '-')}.see.grad-cam"
    assert written() == [f"{name}.nii.gz", f"{name}.png"]
    found = nibabel.load(tmp_path / "out" / f"{name}.nii.gz")
    assert np.array_equal(found.affine, nibabel.load(tmp_path / "scan.nii.gz").affine)
    assert np.linalg.norm(peak_mm(found.get_fdata(), found.affine) - mm(AFFINES["all of it"], LESION)) < 1.1
    assert Heatmap.source_of(tmp_path / "out" / f"{name}.png").image == str(tmp_path / "scan.nii.gz")
    assert f"-> out/{name}.png, {name}.nii.gz" in result.stdout


def test_the_map_of_a_scan_is_made_again_and_is_no_scan_itself(run, tmp_path):
    (tmp_path / "out").mkdir()
    scan_ = saved(tmp_path / "out" / "scan.nii.gz").read_bytes()
    for turn in range(3):
        result = run("out", "--values", net="ready")  # the scan lies where its maps are written
        assert result.exit_code == 0, result.output
        name = "scan.top-1-lesion.see.grad-cam"
        assert written() == ["scan.nii.gz", f"{name}.nii.gz", f"{name}.npz", f"{name}.png"]
        assert ("not explained, as seewhy made them: 2 files (out/scan.top-1" in result.stderr) == (turn > 0)
        assert ("made again, as the same run made them before: 3 files" in result.stderr) == (turn > 0)
    assert (tmp_path / "out" / "scan.nii.gz").read_bytes() == scan_
    run("out", "--values", "--prepare", "window=0,800", net="ready")  # another question
    assert len(written()) == 7
    assert {name.removeprefix(f"{name.split('-cam')[0]}-cam") for name in written()[1:]} == {
        *(f"{place}.{ending}" for place in ("", "-2") for ending in ("nii.gz", "npz", "png"))
    }


def test_a_series_a_window_views_and_numbers(run, tmp_path):
    dicom_series(tmp_path / "ct", scan(AFFINES["rotated"]), AFFINES["rotated"])
    result = run("ct", "--view", "axial", "--view", "curve", "--window", "-100,400", "--values", "--json")
    assert result.exit_code == 0, result.output
    kinds = [name.removeprefix("ct.top-1.see.grad-cam.") for name in written()]
    assert kinds == ["axial.png", "curve.png", "nii.gz", "npz"]
    told = json.loads(result.stdout)
    assert told["box"] == {key: [*value] for key, value in Grid.whole((22, 30, 17))._asdict().items()}
    assert len(told["files"]) == 3


def test_files_of_one_series_are_explained_once(run, tmp_path):
    affine = AFFINES["all of it"]
    (tmp_path / "ct").mkdir(), (tmp_path / "mr").mkdir()
    first = dicom_series(tmp_path / "ct", scan(affine), affine)
    second = dicom_series(tmp_path / "mr", scan(affine), affine)
    files = [os.path.relpath(file, tmp_path) for file in [*first[:3], second[0]]]
    other = str(saved(tmp_path / "scan.nii"))
    result = run(*files, "--json", other)
    assert result.exit_code == 0, result.output
    assert [json.loads(line)["image"] for line in result.stdout.splitlines()] == [
        files[0],
        files[3],
        str(tmp_path / "scan.nii"),
    ]
    assert f"explained once, as slices of one series: 2 further files ({files[1]}, {files[2]})" in result.stderr


def test_the_window_is_what_is_drawn(run, tmp_path):
    run(saved(tmp_path / "scan.nii"), "--view", "axial", "--window", "-2000,-1000", "--no-legend", "--alpha", "0")
    (png,) = (tmp_path / "out").glob("*.png")
    bright = np.asarray(Image.open(png).convert("L")).mean()
    run(saved(tmp_path / "scan.nii"), "--view", "axial", "--window", "2000,3000", "--no-legend", "--alpha", "0")
    assert bright > 2 * np.asarray(Image.open(png).convert("L")).mean()


def test_one_bad_scan_never_ends_the_batch(run, tmp_path):
    (tmp_path / "scans").mkdir()
    for name in "ac":
        saved(tmp_path / "scans" / f"{name}.nii.gz")
    (tmp_path / "scans" / "b.nii.gz").write_bytes((tmp_path / "scans" / "a.nii.gz").read_bytes()[:300])
    (tmp_path / "scans" / "d.png").write_bytes(b"no scan")
    result = run("scans", "nowhere.nii", net="ready")
    assert result.exit_code == 1
    assert [name.split(".")[0] for name in written()] == ["a", "a", "c", "c"]
    for said in ("b.nii.gz cannot be read as a volume", "d.png is no DICOM file", "nowhere.nii is not there"):
        assert said in result.stderr
    assert result.stderr.splitlines()[-1].startswith("seewhy: 3 of 5 images failed")
    assert "Traceback" not in result.output


def test_a_folder_stands_for_all_the_volumes_in_it(run, tmp_path):
    affine = AFFINES["all of it"]
    for name in ("one", "two"):
        dicom_series(tmp_path / "study" / name, scan(affine), affine)
    nibabel.save(nibabel.Nifti1Pair(scan(affine), affine), tmp_path / "study" / "pair.img")
    nibabel.save(nibabel.MGHImage(scan(affine).astype(np.float32), affine), tmp_path / "study" / "old.mgh")
    dicom_series(tmp_path / "mixed", scan(affine), affine)
    saved(tmp_path / "mixed" / "beside.nii.gz")
    (tmp_path / "mixed" / "preview.png").write_bytes(b"no scan")
    result = run("study", "mixed")
    assert result.exit_code == 0, result.output
    assert sorted(name.split(".")[0] for name in written()) == sorted(["one", "two", "pair", "old", "mixed", "beside"] * 2)
    for path in (tmp_path / "out").glob("*.nii.gz"):
        found = nibabel.load(path)
        np.testing.assert_allclose(peak_mm(found.get_fdata(), found.affine), mm(affine, LESION), atol=1e-3)


def test_a_series_beside_a_broken_one_and_files_that_are_none_cost_nothing_else(run, tmp_path):
    affine = AFFINES["all of it"]
    for file in dicom_series(tmp_path / "study", scan(affine), affine):
        file.rename(file.with_name(f"a{file.name}"))
    (broken, *others) = dicom_series(tmp_path / "study", scan(affine), affine)
    for file in others:
        file.unlink()
    broken.write_bytes(broken.read_bytes().replace(b"CT", b"\x1b]"))  # and its numbers are no longer where they were
    broken.write_bytes(broken.read_bytes()[:-300])
    Image.new("RGB", (9, 9)).save(tmp_path / "photo.jpg")
    result = run("study", "photo.jpg", saved(tmp_path / "scan.nii"), net="ready")
    assert result.exit_code == 1
    assert sorted({name.split(".")[0] for name in written()}) == ["scan", "study"]
    assert "photo.jpg is a picture (JPEG), no volume: give NIfTI or DICOM" in result.stderr
    assert "1 of 3 images failed: photo.jpg" in result.stderr
    assert "\x1b" not in result.output


def test_the_bound_of_voxels_can_be_raised_for_one_command(run, tmp_path, monkeypatch):
    monkeypatch.setattr("seewhy.images.volume.MAX_VOXELS", 1000)
    path = saved(tmp_path / "scan.nii.gz")
    refused = run(path)
    assert refused.exit_code == 1
    count = scan(AFFINES["plain"]).size
    assert f"scan.nii.gz is too large: 22x30x17, {count} voxels" in refused.stderr
    assert f"on the command line --max-voxels {count}." in refused.stderr
    assert run(path, "--max-voxels", count).exit_code == 0  # its advice, followed
    assert run(path).exit_code == 1  # and forgotten
    assert run(path, "--max-voxels", 0).exit_code == 2


def test_preprocessing_can_be_said(run, tmp_path):
    given = ["--prepare", "size=16", "--prepare", "window=-100,900"]
    result = run(saved(tmp_path / "scan.nii"), *given, "--json", net="ready")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["box"]["size"] == [16, 16, 16]
    assert run("scan.nii", "--prepare", "sise=16", net="ready").exit_code == 2
    wrong = run("scan.nii", "--window", "400")
    assert wrong.exit_code == 2
    assert "-100,400" in wrong.stderr


def clip(tmp_path, frames=8, hot=5):
    """A dark clip of (40, 30) in which one frame has a bright square around (28, 9)."""
    pictures = [Image.new("RGB", (40, 30), (t, 0, 0)) for t in range(frames)]  # Pillow joins equal frames
    pictures[hot].paste((255, 255, 255), (25, 6, 31, 12))
    pictures[0].save(tmp_path / "a.png", save_all=True, append_images=pictures[1:], duration=50)
    return tmp_path / "a.png"


class Brightness(torch.nn.Module):
    """(n, 3, t, h, w): how bright it is; layer `see` emits the brightness of every place."""

    def __init__(self):
        super().__init__()
        self.see = torch.nn.Conv3d(3, 1, 1, bias=False)
        torch.nn.init.ones_(self.see.weight)

    def forward(self, x):
        y = self.see(x).mean((2, 3, 4))
        return torch.cat([y, -y], 1)


@pytest.mark.parametrize("count", [None, 8, 4])
def test_a_clip_is_explained_in_time_and_space(tmp_path, count):
    fit = ClipFit(Fit((15, 20), None, 0.0, 1.0), count)
    path = clip(tmp_path, hot=5)
    for prepare in (fit, {"size": (15, 20), "crop": None, "mean": 0.0, "std": 1.0, "count": count}):
        (heatmap,) = seewhy.grad_cam(seewhy.wrap(Brightness(), prepare=prepare), path, target=0, layer="see")
        assert isinstance(heatmap.image, Clip)
        assert heatmap.values.shape == (count or 8, 15, 20)
        full = heatmap.full()
        assert full.shape == heatmap.size == (8, 30, 40)
        full = np.where(full > full.max() / 3, full, 0)
        t, y, x = (full.sum(axes) @ np.arange(side) / full.sum() for axes, side in (((1, 2), 8), ((0, 2), 30), ((0, 1), 40)))
        assert t == pytest.approx(5, abs=0.6)
        assert (y, x) == pytest.approx((8.5, 27.5), abs=0.6)
    assert heatmap.overlay(legend=True, count=3).height > heatmap.overlay(count=3).height
    heatmap.save(tmp_path / "map.png")
    assert Heatmap.source_of(tmp_path / "map.png") == heatmap.source


def test_a_2d_network_sees_a_clip_frame_by_frame(red_model, tmp_path):
    clipped = read_clip(clip(tmp_path, frames=8, hot=5))
    model = seewhy.wrap(red_model.network, prepare={"size": None, "crop": None})
    maps = seewhy.grad_cam(model, clipped, target=0)
    alone = seewhy.grad_cam(model, list(clipped.frames), target=0)
    assert [m.source.image for m in maps] == [f"{clipped.name}, frame {t}" for t in range(8)]
    for one, other in zip(maps, alone, strict=True):
        np.testing.assert_allclose(one.full(), other.full(), rtol=1e-5, atol=1e-6)
    assert len(seewhy.grad_cam(model, [clipped, clipped.frames[0]], target=seewhy.PerImage([0] * 9))) == 9
    assert len(seewhy.grad_cam(model, clipped, target=0, tile=20)) == 8


def test_a_strip_has_one_scale_and_one_question(red_model):
    clipped = Clip(tuple(Image.new("RGB", (40, 30), (10 + 30 * t, 0, 0)) for t in range(8)))
    model = seewhy.wrap(red_model.network, prepare={"size": None, "crop": None})
    maps = seewhy.Heatmaps(
        tuple(
            replace(m, values=np.full((3, 4), t, np.float32), cells=None)
            for t, m in enumerate(seewhy.grad_cam(model, clipped, 0))
        )
    )
    strip = np.asarray(maps.strip(count=8, alpha=1)).reshape(-1, 3).astype(int)
    for t in (4, 6, 7):  # the colour of t sevenths of the scale, not of each map's own
        colour = Look("inferno", 0, 7, 1).paint(np.array([[float(t)]]))[0, 0].astype(int)
        assert (abs(strip - colour).max(1) <= 2).sum() > 2000, t
    assert maps.strip(legend=True).height > maps.strip().height
    for wrong in (maps[:0], seewhy.explain(model, clipped, ["grad-cam", "gradient"], 0)):
        with pytest.raises(seewhy.BadParameter, match="one question"):
            wrong.strip()


def test_a_clip_is_no_volume(tmp_path):
    clipped = read_clip(clip(tmp_path))
    with pytest.raises(seewhy.BadImage, match="Clip is no volume"):
        seewhy.grad_cam(seewhy.wrap(Brightness(), prepare=VolumeFit()), clipped)


@pytest.mark.parametrize("net", ["net", "ready"])
def test_the_evidence_of_a_scan_in_the_mask_of_its_lesion_also_stored_along_other_axes(run, tmp_path, net):
    affine = AFFINES["all of it"]
    marks = nibabel.Nifti1Image((scan(affine) > 500).astype(np.uint8), affine)
    (tmp_path / "masks").mkdir()
    nibabel.save(nibabel.as_closest_canonical(marks), tmp_path / "masks" / "scan_mask.nii.gz")
    result = run(saved(tmp_path / "scan.nii.gz"), "--masks", "masks", "--json", net=net)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    (path,) = Path("out").glob("*.nii.gz")
    values, mask = nibabel.load(path).get_fdata(), scan(affine) > 500
    (evidence,) = told["evidence"]
    assert evidence["in"] == "the mask"
    assert evidence["share"] == pytest.approx(values[mask].clip(0).sum() / values.clip(0).sum(), rel=1e-3)
    assert evidence["area"] == pytest.approx(mask.mean(), rel=0.05)
    assert evidence["hit"] is True


def test_a_mask_on_another_grid_is_said_and_the_scan_explained(run, tmp_path):
    affine = AFFINES["all of it"]
    nibabel.save(nibabel.Nifti1Image(np.ones((5, 5, 5), np.uint8), affine), tmp_path / "mask.nii.gz")
    result = run(saved(tmp_path / "scan.nii.gz"), "--masks", "mask.nii.gz")
    assert result.exit_code == 0, result.output
    assert "    ! the mask: The mask mask.nii.gz lies on another grid than" in result.stdout
    assert "without an object marked: 1 image (" in result.stdout


def test_a_mask_that_marks_nothing_is_said_to(run, tmp_path):
    affine = AFFINES["all of it"]
    nibabel.save(nibabel.Nifti1Image(np.zeros(scan(affine).shape, np.uint8), affine), tmp_path / "mask.nii.gz")
    result = run(saved(tmp_path / "scan.nii.gz"), "--masks", "mask.nii.gz")
    assert result.exit_code == 0, result.output
    assert "    ! its mask marks nothing\n" in result.stdout
    assert "\nits mask marks nothing: 1 image (" in result.stdout
    assert "without an object" not in result.stdout
