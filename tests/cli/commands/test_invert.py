"""`seewhy invert`: the files, the lines, misuse."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli.app import main


@pytest.fixture
def photo(tmp_path: Path, noise: Callable[..., Image.Image]) -> str:
    noise((70, 64)).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


def test_it_writes_what_the_function_gives(photo: str, tmp_path: Path) -> None:
    words = ["invert", "demo/honest", photo, "-l", "body", "-l", "scores", "--steps", "3", "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(main, [*words, "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    found = seewhy.invert(seewhy.load("demo/honest"), photo, ["body", "scores"], steps=3)
    assert [each["distance"] for each in facts["layers"]] == [each.distance for each in found.layers]
    assert [Path(file).name for file in facts["files"]] == [
        "photo.inverted.body.scores.png", "photo.inverted.body.scores-loss.png",
    ]  # fmt: skip
    assert all(Path(file).exists() for file in facts["files"])


def test_what_is_to_be_known_of_the_photo_is_said(tmp_path: Path, noise: Callable[..., Image.Image]) -> None:
    photo = tmp_path / "moving.gif"
    noise((40, 36)).save(photo, save_all=True, append_images=[Image.new("RGB", (40, 36))])
    words = ["invert", "demo/honest", str(photo), "-l", "body", "--steps", "2", "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "  ! animated (2 frames): the first frame is explained"
    assert '"notes": ["animated' in CliRunner().invoke(main, [*words, "--json"]).stdout


@pytest.mark.parametrize(
    ("more", "said"), [(["-l", "bodi"], "Closest: body"), (["--smooth", "-1"], "smooth=-1")], ids=["layer", "smooth"]
)
def test_misuse_is_said_in_a_line(photo: str, tmp_path: Path, more: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["invert", "demo/honest", photo, "--steps", "1", "-o", str(tmp_path / "out"), *more])
    assert done.exit_code == 2
    assert said in done.stderr.splitlines()[-1]
