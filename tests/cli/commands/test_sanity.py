"""`seewhy sanity`: a table of stages, JSON, a picture; bad photos and bad questions are said."""

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy import metrics
from seewhy.cli.app import main
from seewhy.demo.scenes import scene
from seewhy.maps.made_here import made_here
from support.strict_json import strict


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """A folder with two photos, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for index in range(2):
        scene(index, seed=20_000).image.save(tmp_path / "photos" / f"{index}.png")
    return tmp_path


def run(*words):
    return CliRunner().invoke(main, ["sanity", *map(str, words)])


def test_the_table_has_the_numbers_of_the_library(inside):
    done = run("demo/honest", "photos", "-M", "grad-cam", "-M", "gradient", "--mode", "head", "--seed", 3)
    assert done.exit_code == 0, done.output
    model, photos = seewhy.load("demo/honest"), sorted((inside / "photos").iterdir())
    found = metrics.randomised(model, photos, ["grad-cam", "gradient"], mode="head", seed=3)
    lines = done.stdout.splitlines()
    assert lines[0] == "demo/honest: weights drawn anew, head, seed 3; 2 photos"
    for line, row in zip(lines[2:], found.table()[1:], strict=True):
        assert line.split() == " ".join(row).split()


def test_json_is_one_object_and_the_picture_is_known_as_our_own(inside):
    done = run("demo/honest", "photos", "--stages", 2, "--json", "-o", "strip.png", "--draws", 2)
    assert done.exit_code == 0, done.output
    said = strict(done.stdout)
    assert said["rows"][0]["stage"] == "head"
    assert (said["draws"], len(said["rows"]), len(said["images"])) == (2, 2, 2)
    assert "-> strip.png" in done.stderr
    assert made_here(inside / "strip.png")
    with Image.open(inside / "strip.png") as picture:
        assert np.asarray(picture.convert("RGB")).std() > 10


def test_a_photo_that_cannot_be_read_is_told_and_ends_nothing(inside):
    (inside / "photos" / "1.png").write_text("no photo")
    done = run("demo/honest", "photos", "--mode", "head")
    assert done.exit_code == 1
    assert "; 1 photo" in done.stdout
    assert "photos/1.png" in done.stderr


def test_a_method_that_is_refused_is_told_and_the_others_are_checked(inside):
    done = run("demo/flat", "photos/0.png", "--mode", "head", "-M", "cam", "-M", "gradient")
    assert done.exit_code == 1
    assert "flattened" in done.stderr  # why there is no CAM
    assert "gradient" in done.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["-t", "top:2"], "are several"),
        (["-o", "strip.jpg"], "the picture is written as .png"),
        (["--mode", "sideways"], "sideways"),
        (["-M", "grad-camm"], "grad-cam"),
    ],
    ids=["targets", "ending", "mode", "method"],
)
def test_what_cannot_be_asked_is_misuse(inside, words, why):
    done = run("demo/honest", "photos", *words)
    assert done.exit_code == 2
    assert why in done.stderr
