"""`seewhy localize`, as a person types it: the labels that are written, what is said, what a broken photo costs."""

import csv
import io
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy import Heatmap
from seewhy.cli import localizing
from seewhy.cli.app import main
from seewhy.cli.options import ModelOptions
from seewhy.demo import scenes
from seewhy.truth.boxes import read_boxes
from support.files.birds import photo
from support.files.scans import AFFINES, scan

pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def honest():
    return seewhy.load("demo/honest")


def run(*arguments):
    return CliRunner().invoke(main, ["localize", *map(str, arguments), "--model", "demo/honest"])


def coco(file="labels.json"):
    """The boxes of each image, (x0, y0, x1, y1), the surest first."""
    labels = json.loads(Path(file).read_text())
    names, found = {image["id"]: image["file_name"] for image in labels["images"]}, {}
    for mark in labels["annotations"]:
        x, y, w, h = mark["bbox"]
        found.setdefault(names[mark["image_id"]], []).append((x, y, x + w, y + h))
    return {name: found.get(name, []) for name in names.values()}


def test_the_labels_are_the_boxes_of_the_library(honest):
    files = [photo(f"photos/{letter}.png", seed) for seed, letter in enumerate("abc")]
    done = run("photos")
    assert done.exit_code == 0, done.stderr
    maps = seewhy.grad_cam(honest, files)
    assert coco() == {file: [box.edges for box in heatmap.boxes()] for file, heatmap in zip(files, maps, strict=True)}
    first, *_ = done.stdout.splitlines()
    (box,), answer = maps[0].boxes(), maps[0].source.predicted
    said = f"{answer.label} ({answer.index}), {100 * answer.probability:.1f} %"
    assert first == f"photos/a.png: {said}: box {box.edges} {box.confidence:.2f}"
    assert done.stdout.splitlines()[-1].startswith("labels: labels.json: ")
    assert "3 boxes on 3 photos: " in done.stdout


def test_what_can_be_asked_in_the_library_can_be_asked_here(honest):
    file = photo("a.png")
    words = "--target top:2 --components all --preset cam --least 9 --connectivity 4 --method layer-cam --suppress 1"
    assert run(file, *words.split(), "--json").exit_code == 0
    how = {"components": "all", "preset": "cam", "least": 9, "connectivity": 4}
    maps = seewhy.layer_cam(honest, file, [seewhy.Top(1), seewhy.Top(2)])
    assert sorted(coco()[file]) == sorted(box.edges for heatmap in maps for box in heatmap.boxes(**how))
    made = json.loads(Path("labels.json").read_text())["info"]["seewhy"]
    assert {name: made[name] for name in how} == how
    assert (made["method"], made["model"]) == ("layer-cam", "demo/honest")


def test_csv_on_standard_output_is_csv_alone(honest):
    files = [photo("a.png"), photo("b.png", 1)]
    done = run(*files, "--format", "csv", "--out", "-")
    rows = [*csv.DictReader(io.StringIO(done.stdout))]
    maps = seewhy.grad_cam(honest, files)
    for row, file, heatmap in zip(rows, files, maps, strict=True):
        assert row["file"] == file
        assert tuple(int(row[name]) for name in ("x0", "y0", "x1", "y1")) == heatmap.boxes()[0].edges
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["a.png", "b.png", "seewhy"]
    assert os.listdir() == files or sorted(os.listdir()) == files
    Path("boxes.csv").write_text(done.stdout)
    assert read_boxes(Path("boxes.csv"))["a.png"].boxes[0].edges == maps[0].boxes()[0].edges


def test_one_bad_photo_never_ends_it():
    files = [photo("a.png"), "missing.png", photo("broken.png"), "text.png", photo("b.png", 1)]
    content = Path("broken.png").read_bytes()
    Path("broken.png").write_bytes(content[: len(content) // 2])
    Path("text.png").write_text("no picture")
    done = run(*files)
    assert done.exit_code == 1
    assert [*coco()] == ["a.png", "b.png"]
    assert done.stderr.splitlines()[-1] == "seewhy: 3 of 5 photos failed: missing.png, broken.png, text.png"


def test_a_photo_without_a_box_is_in_the_labels_and_says_why(red_network):
    """A green photo gives the network that sees red nothing to see: its map is empty."""
    Path("nets.py").write_text(
        "import seewhy\nfrom conftest import sees_red\n"
        "net = seewhy.wrap(sees_red(), prepare={'size': 64, 'crop': 64, 'mean': 0.0, 'std': 1.0}, "
        "labels=['red', 'not red', 'neither'])\n"
    )
    Image.new("RGB", (64, 64), (0, 160, 0)).save("green.png")
    words = ["localize", "green.png", "--model", "nets.py:net", "--target", "red", "--format"]
    done = CliRunner().invoke(main, [*words, "coco"])
    assert done.exit_code == 0, done.stderr
    assert coco() == {"green.png": []}
    first, *rest = done.stdout.splitlines()
    assert first.startswith("green.png: ")
    assert ": no box: no value of the map is positive" in first
    assert "0 boxes on 1 photo" in rest
    assert "  without a box: 1 (green.png): no value of the map is positive" in rest
    (row,) = csv.DictReader(io.StringIO(CliRunner().invoke(main, [*words, "csv", "-o", "-"]).stdout))
    assert (row["file"], row["x0"], row["why"]) == ("green.png", "", "no value of the map is positive")


def test_known_labels_say_which_class_is_looked_for(honest):
    """The class that a photo is known to show is localized, not the answer, right or wrong."""
    photo("bird/a.png"), photo("boat/b.png", 1)  # both show birds
    done = run("bird", "boat", "--truth", "folders", "--json")
    assert done.exit_code == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["objects"][0]["label"] for line in lines] == ["bird", "boat"]
    assert [line["right"] for line in lines] == [True, False]
    (heatmap,) = seewhy.grad_cam(honest, "boat/b.png", "boat")
    assert coco()["boat/b.png"] == [heatmap.boxes()[0].edges]
    assert "seewhy: accuracy: 50.0 % (1 of 2" in done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--format cocoa", "No format of labels 'cocoa'. Closest: coco"),
        ("--threshold 15", "--threshold"),
        ("--method grad-camm", "No method 'grad-camm'"),
        ("--out - --json", "--out - prints the labels, and --json"),
        ("--target truth", "give --truth"),
        ("--refine gided", "No refinement 'gided'"),
    ],
)
def test_what_cannot_be_is_refused_before_a_photo_is_explained(monkeypatch, words, why):
    monkeypatch.setattr(localizing, "explain_photo", lambda *_: pytest.fail("too late"))
    done = run(photo("a.png"), *words.split())
    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert why in line
    assert os.listdir() == ["a.png"]


def test_labels_that_are_there_stay(monkeypatch):
    file = photo("a.png")
    Path("labels.json").write_text("corrected by a person")
    with monkeypatch.context() as patched:
        patched.setattr(ModelOptions, "load", lambda *_, **__: pytest.fail("no model is needed"))
        done = run(file)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == ("seewhy: labels.json is there and stays as it is: name another with --out, or give --overwrite.\n")
    assert Path("labels.json").read_text() == "corrected by a person"
    assert run(file, "--overwrite").exit_code == 0
    assert [*coco()] == [file]


def test_options_without_an_effect_are_said():
    done = run(photo("a.png"), "--least", "0.1", "--suppress", "0.3", "--tile", "500")
    said = done.stderr.splitlines()
    assert any(line.startswith("seewhy: --least had no effect") for line in said)
    assert any(line.startswith("seewhy: --suppress had no effect") for line in said)
    assert any(line.startswith("seewhy: --tile had no effect") for line in said)
    assert run(photo("a.png"), "--overwrite", "--target", "top:2", "--suppress", "0.3").stderr == ""


def test_an_interruption_keeps_the_labels_of_what_was_done(monkeypatch):
    files, usual = [photo(f"{letter}.png") for letter in "abcde"], localizing.explain_photo

    def explain(question, file, given):
        if file == "c.png":
            os.kill(os.getpid(), signal.SIGINT)
        return usual(question, file, given)

    monkeypatch.setattr(localizing, "explain_photo", explain)
    done = run(*files)
    assert done.exit_code == 130
    assert [*coco()] == files[:3]
    assert "interrupted; what was written stays" in done.stderr


def test_a_second_interruption_keeps_what_was_written(monkeypatch):
    files, usual = [photo(f"{letter}.png") for letter in "abcde"], localizing.explain_photo

    def explain(question, file, given):
        for _ in range(2 * (file == "d.png")):
            os.kill(os.getpid(), signal.SIGINT)
        return usual(question, file, given)

    monkeypatch.setattr(localizing, "explain_photo", explain)
    done = run(*files)
    assert done.exit_code == 130
    assert [*coco()] == files[: len(coco())]
    assert len(coco()) >= 1
    assert not any(".seewhy-" in name for name in os.listdir())


def test_where_nobody_reads_on_the_run_ends(monkeypatch):
    import click

    files, usual, told = [photo(f"{letter}.png") for letter in "abcdef"], click.echo, []

    def echo(message=None, file=None, **more):
        told.append(message)
        if len(told) == 2:
            raise BrokenPipeError
        usual(message, file, **more)

    monkeypatch.setattr(click, "echo", echo)
    done = run(*files, "--json")
    assert done.exit_code == 141
    assert [*coco()][:2] == files[:2]
    assert len(coco()) < len(files)


def test_the_help_starts_quickly_and_names_the_formats():
    from seewhy.localize.labels.formats import FORMATS

    done = CliRunner().invoke(main, ["localize", "--help"])
    assert done.exit_code == 0
    said = "".join(done.stdout.split())  # lines may break within a name
    for name, form in FORMATS.items():
        assert f"{name}({''.join(form.holds.split())})" in said, name


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of pycocotools
def test_the_mask_is_the_one_of_the_library(honest):
    file = photo("a.png")
    assert run(file, "--format", "coco-rle", "--out", "rle.json").exit_code == 0
    (mark,) = json.loads(Path("rle.json").read_text())["annotations"]
    decode = pytest.importorskip("pycocotools.mask").decode
    mask = decode({"size": mark["segmentation"]["size"], "counts": mark["segmentation"]["counts"].encode()})
    (heatmap,) = seewhy.grad_cam(honest, file)
    np.testing.assert_array_equal(mask.astype(bool), heatmap.mask(components="largest"))


def test_true_boxes_are_scored_and_drawn_beside(honest):
    files = [photo(f"photos/{letter}.png", seed) for seed, letter in enumerate("abc")]
    (box,) = seewhy.grad_cam(honest, files[0], "bird")[0].boxes()
    rows = [f"a.png,{','.join(map(str, box.edges))},bird", "b.png,0,0,10,10,bird", "missing.png,0,0,9,9,bird"]
    Path("boxes.csv").write_text("\n".join(["file,x0,y0,x1,y1,label", *rows]))
    Path("labels.csv").write_text("file,label\n" + "".join(f"{name}.png,bird\n" for name in "abc"))
    done = run("photos", "--truth", "labels.csv", "--boxes", "boxes.csv", "--pictures", "drawn")
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1] == "    IoU 1.00 with the box of bird"
    (known,) = [line for line in lines if line.startswith("GT-known: ")]
    assert known.startswith("GT-known: 50.0 %")
    assert "; random " in known
    assert "; centre " in known
    assert "not scored, as no true object is known or fits: 1 of 3 photos" in lines
    assert "missing.png" in done.stderr  # which the file of boxes names, and nobody gave
    drawn = sorted(Path("drawn").iterdir())
    assert lines[0].endswith(f"-> {drawn[0]}")
    assert [Heatmap.source_of(path).image for path in drawn] == files


def test_pictures_that_lie_among_the_photos_are_not_localized_the_next_time():
    photo("photos/a.png")
    words = ("photos", "--recursive", "--pictures", "photos/drawn", "--overwrite")
    for _ in range(2):
        assert run(*words).exit_code == 0
        assert [*coco()] == ["photos/a.png"]
    assert len([*Path("photos/drawn").iterdir()]) == 1


def test_a_scan_gets_a_label_map_on_its_own_grid():
    """And boxes in voxels and millimetres, as a table has them."""
    nibabel = pytest.importorskip("nibabel")
    affine = AFFINES["rotated"]
    nibabel.save(nibabel.Nifti1Image(scan(affine), affine), "scan.nii.gz")
    Path("nets.py").write_text(
        "from support.files.scans import Sees\n"
        "FIT = {'orientation': 'LPS', 'axes': 'kji', 'spacing': 2.0, 'window': (0, 900)}\n"
        "def net():\n    return Sees(), FIT, ['lesion', 'none']\n"
    )
    words = ["localize", "scan.nii.gz", "--model", "nets.py:net", "--target", "lesion"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.stderr
    (made,) = Path("labels").glob("*.nii.gz")
    written = nibabel.load(made)
    np.testing.assert_allclose(written.affine, affine, atol=1e-4)
    rows = csv.DictReader(io.StringIO(CliRunner().invoke(main, [*words, "--format", "csv", "-o", "-"]).stdout))
    (row,) = rows
    low, high = ([int(row[f"{axis}{end}"]) for axis in "ijk"] for end in (0, 1))
    marked = np.argwhere(np.asarray(written.dataobj) > 0)
    assert (marked.min(0).tolist(), (marked.max(0) + 1).tolist()) == (low, high)
    assert " mm 0." in done.stdout or " mm 1." in done.stdout


def test_a_scene_gets_a_label_map_in_its_place():
    rasterio = pytest.importorskip("rasterio")
    pixels = np.asarray(scenes(1, 0, kinds=["bird"])[0].image)
    where = {"crs": "EPSG:32632", "transform": rasterio.Affine(0.5, 0, 10, 0, -0.5, 20)}
    shape = {"height": pixels.shape[0], "width": pixels.shape[1], "count": 3, "dtype": "uint8"}
    with rasterio.open("scene.tif", "w", "GTiff", **shape, **where) as file:
        file.write(np.moveaxis(pixels, -1, 0))
    done = run("scene.tif", "--format", "geotiff", "-o", "labels")
    assert done.exit_code == 0, done.stderr
    (made,) = Path("labels").glob("*.tif")
    with rasterio.open(made) as file:
        assert (file.crs.to_epsg(), file.transform, file.read(1).shape) == (32632, where["transform"], pixels.shape[:2])
        assert file.read(1).any()


def test_a_format_that_takes_no_such_image_says_so():
    photo("a.png")
    done = run("a.png", "--format", "nifti")
    assert done.exit_code in (1, 2)
    assert "a.png" in done.stderr
    assert "Traceback" not in done.stderr
