"""`seewhy filters` writes a sheet of a layer's filters."""

import json

import numpy as np
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli import app as command
from seewhy.inside import fields


def test_the_sheet_and_its_facts(tmp_path):
    words = ["filters", "demo/honest", "body.3.0", "-n", "2", "--samples", "1", "--seed", "3", "--json"]
    done = CliRunner().invoke(command.main, [*words, "-o", str(tmp_path / "a.png")])
    assert done.exit_code == 0, done.output
    expected = seewhy.filters(seewhy.load("demo/honest"), "body.3.0", count=2, samples=1, seed=3)
    said = json.loads(done.stdout)
    assert said["fields"] == {"at": [6, 6], "images": 1, "over": "noise", "seed": 3}
    assert [row["unit"] for row in said["filters"]] == [0, 1]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), np.asarray(expected.picture()))


def test_ctrl_c_leaves_the_images_that_are_done(tmp_path, monkeypatch):
    monkeypatch.setattr(fields, "stop_asked", lambda: True)
    words = ["filters", "demo/honest", "body.3.0", "-n", "2", "--samples", "9", "-o", str(tmp_path / "a.png")]
    done = CliRunner().invoke(command.main, words)
    assert done.exit_code == 130, done.output
    assert "mean over 1 images" in done.stdout
    assert "! interrupted" in done.stdout
    assert done.stderr.startswith("seewhy: interrupted")
    assert (tmp_path / "a.png").is_file()


def test_misuse_is_one_line(tmp_path):
    for words, says in (
        ([], "Say where the sheet goes"),
        (["-o", str(tmp_path / "a.jpg")], "written as .png"),
        (["nowhere", "-o", str(tmp_path / "a.png")], "No layer 'nowhere'"),
        (["-o", str(tmp_path / "a.png"), "-u", "99"], "no filter 99"),
    ):
        done = CliRunner().invoke(command.main, ["filters", "demo/honest", *words])
        assert done.exit_code == 2, done.output
        assert says in done.stderr.splitlines()[-1]
    assert not [*tmp_path.iterdir()]
