"""`seewhy dream`: the file, the line, misuse."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli.app import main

QUICK = ["--octaves", "2", "--steps", "2"]


@pytest.fixture
def photo(tmp_path: Path, noise: Callable[..., Image.Image]) -> str:
    noise((70, 48)).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


def test_it_writes_what_the_function_gives(photo: str, tmp_path: Path) -> None:
    words = ["dream", "demo/honest", photo, "-l", "body", *QUICK, "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(main, [*words, "--beside", "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    found = seewhy.dream(seewhy.load("demo/honest"), photo, "body", octaves=2, steps=2)
    with Image.open(facts["files"][0]) as written:
        np.testing.assert_array_equal(np.asarray(written), np.asarray(found.image))
    assert [Path(file).name for file in facts["files"]] == ["photo.dream.layer-body.png", "photo.dream.layer-body-beside.png"]
    assert facts["values"] == found.values.tolist()


def test_what_is_to_be_known_of_the_photo_is_said(tmp_path: Path, noise: Callable[..., Image.Image]) -> None:
    photo = tmp_path / "moving.gif"
    noise((40, 36)).save(photo, save_all=True, append_images=[Image.new("RGB", (40, 36))])
    words = ["dream", "demo/honest", str(photo), "-l", "body", *QUICK, "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "  ! animated (2 frames): the first frame is explained"
    assert '"notes": ["animated' in CliRunner().invoke(main, [*words, "--json"]).stdout


@pytest.mark.parametrize(
    ("more", "said"),
    [(["-l", "body", "-t", "0"], "give one, or a sum"), (["-l", "bodi"], "Closest: body"), (["--scale", "1"], "scale=1")],
    ids=["both", "layer", "scale"],
)
def test_misuse_is_said_in_a_line(photo: str, tmp_path: Path, more: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["dream", "demo/honest", photo, *QUICK, "-o", str(tmp_path / "out"), *more])
    assert done.exit_code == 2
    assert said in done.stderr.splitlines()[-1]
