"""`seewhy top-photos`: files, lines, and what went wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli.app import main


@pytest.fixture
def folder(tmp_path: Path, noise: Callable[..., Image.Image]) -> Path:
    (tmp_path / "photos").mkdir()
    for seed in range(3):
        noise((40, 40), seed).save(tmp_path / "photos" / f"{seed}.png")
    return tmp_path / "photos"


def test_it_writes_what_the_function_gives(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["top-photos", "demo/honest", str(folder), "-t", "unit:body:3", "-t", "0", "-n", "2", "-o", str(out)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    found = seewhy.top_photos(seewhy.load("demo/honest"), ["unit:body:3", 0], folder, 2)
    assert json.loads((out / "top-photos.json").read_text("utf-8"))["rankings"] == json.loads(found.to_json())["rankings"]
    assert {path.name for path in out.iterdir()} == {"top-photos.json", "top-photos.png", "top-photos-whole.png"}
    assert str(found[0]) in done.stdout
    again = CliRunner().invoke(main, [*words, "--json"])
    assert json.loads(again.stdout)["seen"] == 3
    assert len([*out.iterdir()]) == 3  # written again over its own


def test_all_units_of_a_layer_and_a_broken_file(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    (tmp_path / "out").mkdir()
    Image.new("RGB", (3, 3)).save(tmp_path / "out" / "top-photos.png")  # another's
    words = ["top-photos", "demo/honest", str(folder), "-l", "body", "-n", "1", "-o", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    facts = json.loads(done.stdout)
    channels = seewhy.load("demo/honest").layers()["body"].shape[0]
    assert [each["target"] for each in facts["rankings"]] == [f"unit:body:{k}" for k in range(channels)]
    assert "broken.png" in done.stderr
    assert "1 of 4 photos could not be read" in done.stderr
    with Image.open(tmp_path / "out" / "top-photos.png") as kept:
        assert kept.size == (3, 3)
    assert (tmp_path / "out" / "top-photos-2.png").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "Give --target unit:LAYER:CHANNEL, --target CLASS, or --layer LAYER."),
        (["-l", "bodi"], "Closest: body"),
        (["-t", "unit:body:9999"], "body has 0 to"),
    ],
    ids=["nothing", "layer", "channel"],
)
def test_misuse_is_said_in_a_line(folder: Path, tmp_path: Path, more: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["top-photos", "demo/honest", str(folder), "-o", str(tmp_path / "out"), *more])
    assert done.exit_code == 2
    assert said in done.stderr.splitlines()[-1]
