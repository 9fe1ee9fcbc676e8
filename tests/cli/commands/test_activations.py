"""`seewhy activations` writes a sheet for each layer."""

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli import app as command
from seewhy.cli.commands.activations import _paths


def test_a_sheet_for_each_layer_and_the_numbers_as_json(noise, tmp_path):
    photo, out = str(tmp_path / "photo.png"), tmp_path / "a.png"
    noise((70, 64)).save(photo)
    words = ["activations", "demo/honest", photo, "-l", "body.1", "-l", "head", "-n", "2", "-o", str(out), "--json"]
    done = CliRunner().invoke(command.main, words)
    assert done.exit_code == 0, done.output
    found = seewhy.activations(seewhy.load("demo/honest"), photo, ["body.1", "head"], 2)
    for line, each, name in zip(done.stdout.splitlines(), found, ("a.body-1.png", "a.head.png"), strict=True):
        said = json.loads(line)
        assert said["file"] == str(tmp_path / name)
        assert [row["channel"] for row in said["shown"]] == [row.channel for row in each.channels]
        np.testing.assert_allclose([row["peak"] for row in said["shown"]], [row.peak for row in each.channels], rtol=1e-5)
        assert np.array_equal(np.asarray(Image.open(tmp_path / name)), np.asarray(each.picture()))


def test_layers_that_are_spelled_alike_have_files_of_their_own():
    paths = _paths(Path("x/a.png"), ["a.b", "a-b", "a.b.2", "a b", "c"])
    assert [path.name for path in paths] == ["a.a-b.png", "a.a-b-2.png", "a.a-b-2-2.png", "a.a-b-3.png", "a.c.png"]
    assert {path.parent for path in paths} == {Path("x")}


def test_misuse_is_one_line(noise, tmp_path):
    photo = str(tmp_path / "photo.png")
    noise((70, 64)).save(photo)
    for words, says in (
        ([], "Say where the sheet goes"),
        (["-o", str(tmp_path / "a.jpg")], "written as .png"),
        (["-o", str(tmp_path / "a.png"), "-l", "nowhere"], "No layer 'nowhere'"),
        (["-o", str(tmp_path / "a.png"), "-c", "99", "-l", "body.1"], "no channel 99"),
    ):
        done = CliRunner().invoke(command.main, ["activations", "demo/honest", photo, *words])
        assert done.exit_code == 2, done.output
        assert says in done.stderr.splitlines()[-1]
    assert not [*tmp_path.glob("a*")]
