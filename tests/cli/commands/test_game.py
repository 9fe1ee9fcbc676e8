"""`seewhy game`: the numbers of the library as a table and as JSON, a picture, and what is wrong said."""

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy import metrics
from seewhy.cli.app import main
from seewhy.demo.scenes import scenes
from support.strict_json import strict


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """A folder with photos, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for index, each in enumerate(scenes(8, seed=1)):
        each.image.save(tmp_path / "photos" / f"{index:02}.png")
    return tmp_path


def run(*words):
    return CliRunner().invoke(main, ["game", "demo/honest", *map(str, words)])


def test_the_table_has_the_numbers_of_the_library(inside):
    done = run("photos", "-M", "grad-cam", "-M", "eigen-cam", "--grids", 2, "--confidence", 0.5, "--seed", 3)
    assert done.exit_code == 0, done.output
    photos = sorted((inside / "photos").iterdir())
    model = seewhy.load("demo/honest")
    found = metrics.grid_pointing_game(model, photos, ["grad-cam", "eigen-cam"], grids=2, confidence=0.5, seed=3)
    lines = done.stdout.splitlines()
    sure = f"{len(found.photos)} of 8 photos at 0.5 or more"
    assert lines[0] == f"demo/honest: grid pointing game, 2 grids of 2 x 2, seed 3; {sure}"
    for line, row in zip(lines[2:], found.table()[1:], strict=False):
        assert line.split() == " ".join(row).split()


def test_json_and_a_picture_of_a_game_of_cells_apart(inside):
    (inside / "photos" / "07.png").write_text("no photo")
    done = run("photos", "--game", "difull", "--grids", 1, "--confidence", 0.5, "--json", "-o", "grid.png", "-M", "hires-cam")
    assert done.exit_code == 1
    assert "photos/07.png" in done.stderr
    said = strict(done.stdout)
    assert (said["game"], said["given"], said["asked"], len(said["rows"])) == ("DiFull", 7, [0, 3], 1)
    assert said["rows"][0]["mean"] == pytest.approx(1)
    with Image.open(inside / "grid.png") as picture:
        assert np.asarray(picture.convert("RGB")).std() > 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("photos", "-o", "grid.jpg"), "written as .png"),
        (("photos", "--confidence", "2"), "not in the range"),
        (("photos", "--size", "8", "--confidence", "0"), "A grid takes photos of 64 classes"),
        (("photos", "-M", "grad-cm"), "grad-cam"),
    ],
)
def test_what_cannot_be_asked_is_said(inside, words, said):
    done = run(*words)
    assert done.exit_code == 2
    assert said in done.output
