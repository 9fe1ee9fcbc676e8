"""`seewhy maximize` makes an image of an objective, and a preview while it works."""

import json
import os
import signal

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli import app as command


def pixels(file):
    with Image.open(file) as picture:
        return np.asarray(picture)


def run(*words):
    return CliRunner().invoke(command.main, ["maximize", "demo/honest", *map(str, words)])


def test_the_image_is_that_of_the_function_and_a_preview_is_written(tmp_path):
    out, preview = tmp_path / "unit.png", tmp_path / "now.png"
    aim = "unit:body.1:3:sum + 0.5*1"
    done = run(
        aim,
        "-o",
        out,
        "--steps",
        5,
        "--size",
        48,
        "-n",
        2,
        "--seed",
        4,
        "--tv",
        0.1,
        "--preview",
        preview,
        "--every",
        2,
        "--json",
    )
    assert done.exit_code == 0, done.output
    said, model = json.loads(done.stdout), seewhy.load("demo/honest")
    expected = seewhy.maximize(model, aim, steps=5, size=48, batch=2, seed=4, tv=0.1)
    assert said["file"] == str(out)
    np.testing.assert_allclose(said["values"], expected.values, rtol=1e-5)
    assert (said["objective"], said["steps"], said["settings"]["tv"]) == (aim, 5, 0.1)
    np.testing.assert_array_equal(pixels(out), np.asarray(expected.picture()))
    assert pixels(preview).shape == pixels(out).shape
    assert sorted(file.name for file in tmp_path.iterdir()) == ["now.png", "unit.png"]


def test_what_was_reached_is_one_line(tmp_path):
    done = run(
        "unit:head:1", "-o", tmp_path / "a.npz", "--steps", 2, "--size", "40,32", "--transform", "none", "--as", "pixels"
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("unit:head:1 of demo/honest: ")
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["images"].shape == (1, 3, 40, 32)


@pytest.mark.skipif(os.name == "nt", reason="no such signal")
def test_ctrl_c_keeps_the_image_so_far(tmp_path, monkeypatch):
    steps = []

    def interrupts(preview, every):
        return lambda step, images, values: (steps.append(step), os.kill(os.getpid(), signal.SIGINT) if step == 2 else None)

    monkeypatch.setattr("seewhy.cli.commands.maximize._writes", interrupts)
    done = run(0, "-o", tmp_path / "a.png", "--steps", 500, "--size", 32, "--preview", tmp_path / "p.png")
    assert done.exit_code == 130
    assert steps == [1, 2]
    assert "interrupted" in done.stderr
    assert pixels(tmp_path / "a.png").shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["unit:nowhere:1"], "No layer 'nowhere'"),
        (["unit:body.1:999"], "No channel 999"),
        (["region:tree"], "made for"),
        (["0", "--size", "big"], "size='big'"),
        (["0", "--photos", "."], "maco"),
    ],
    ids=["layer", "channel", "region", "size", "photos"],
)
def test_misuse_is_one_line(words, says, tmp_path):
    done = run(*words, "-o", tmp_path / "a.png", "--steps", 2)
    assert done.exit_code == 2, done.output
    assert says in done.stderr.splitlines()[-1]
    assert not [*tmp_path.iterdir()]


def test_photos_that_excite_the_same_stand_beside_it(tmp_path, noise):
    (tmp_path / "photos").mkdir()
    for seed in range(3):
        noise((40, 40), seed).save(tmp_path / "photos" / f"{seed}.png")
    (tmp_path / "photos" / "broken.png").write_bytes(b"no picture")
    aim, model = "unit:body.1:3:sum + 0.5*1", seewhy.load("demo/honest")
    out = tmp_path / "unit.png"
    words = (aim, "-o", out, "--steps", 5, "--size", 48, "--seed", 4, "--beside", tmp_path / "photos", "--count", 2)
    done = run(*words)
    assert done.exit_code == 1
    assert "broken.png" in done.stderr
    assert "1 of 4 photos could not be read" in done.stderr
    objective = seewhy.Unit("body.1", 3, "sum") + 0.5 * seewhy.Class(1)
    found = seewhy.top_photos(model, objective, tmp_path / "photos", 2)
    expected = seewhy.maximize(model, objective, steps=5, size=48, seed=4).beside(found)
    assert f"{expected}  -> {out}" in done.stdout
    np.testing.assert_array_equal(pixels(out), np.asarray(expected.picture()))


def test_photos_of_a_batch_as_a_whole_are_not_ranked(tmp_path):
    done = run("0 + diversity:body", "-o", tmp_path / "a.png", "--beside", ".", "-n", 2)
    assert done.exit_code == 2
    assert "diversity:body, in 0 + diversity:body, is neither" in done.stderr


def test_files_that_cannot_be_written_are_said_at_once(tmp_path):
    for words, says in ((["-o", tmp_path / "a.jpg"], ".png, .npz"), (["-o", tmp_path / "no" / "a.png"], "no folder")):
        done = run(0, *words, "--steps", 10**6)
        assert done.exit_code == 2, done.output
        assert says in done.stderr
