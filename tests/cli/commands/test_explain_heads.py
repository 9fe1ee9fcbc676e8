"""`seewhy explain` of segmenters and detectors: folders, and the names of files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli.app import main
from seewhy.cli.filenames import LONGEST, stem
from support import detectors as nets
from support import segmenters
from support.detectors import Blobs, scene

AS_IT_IS = "{'size': None, 'crop': None, 'mean': 0.0, 'std': 1.0}"


@pytest.fixture
def run(tmp_path):
    """The command on the folder photos/, by a network of another test."""
    (tmp_path / "photos").mkdir()

    def ask(network, *more, labels):
        where = str(Path(nets.__file__).parents[1])
        code = (
            f"import sys; sys.path.insert(0, {where!r})\nfrom {network.__module__} import {network.__name__}\nimport seewhy\n"
        )
        code += f"net = seewhy.wrap({network.__name__}(), labels={labels!r}, prepare={AS_IT_IS})\n"
        (tmp_path / "net.py").write_text(code)
        asked = [
            "explain",
            str(tmp_path / "photos"),
            "--no-sheet",
            "--model",
            f"{tmp_path / 'net.py'}:net",
            "--out",
            str(tmp_path / "out"),
        ]
        return CliRunner().invoke(main, [*asked, "--method", "gradient", *more])

    return ask


def photo(folder: Path, name: str, pixels: np.ndarray) -> None:
    Image.fromarray((np.moveaxis(pixels, 0, -1) * 255).astype(np.uint8)).save(folder / "photos" / name)


def coloured(*channels: int) -> np.ndarray:
    """(3, 16, 24), an upper half of one channel, a lower of another."""
    x = np.zeros((3, 16, 24))
    for i, channel in enumerate(channels):
        x[channel, i * 8 : i * 8 + 8] = 0.9
    return x


@pytest.mark.parametrize(
    ("network", "target", "without", "said"),
    [(segmenters.Segmenter, "region:cat", (2, 0), "predicts cat nowhere"), (Blobs, "box:cat:0", (2, 0), "there is none"),
     (Blobs, "box:cat:0,0,8,8", (2, 1), "none overlaps that place")],
)  # fmt: skip
def test_a_photo_without_what_is_asked_for_does_not_end_the_batch(run, tmp_path, network, target, without, said):
    for name, channels in (("a", (1, 0)), ("b", without), ("c", (1, 2))):
        photo(tmp_path, f"{name}.png", coloured(*channels))
    result = run(network, "--target", target, labels=["ground", "cat", "dog"])
    assert result.exit_code == 1, result.output
    written = sorted(path.name[0] for path in (tmp_path / "out").glob("*.png"))
    assert written == ["a", "c"]
    (line,) = [line for line in result.output.splitlines() if said in line]
    assert line.startswith(f"seewhy: {tmp_path / 'photos' / 'b.png'}: ")
    assert "1 of 3 photos failed" in result.output


def test_what_no_photo_could_answer_ends_it_at_once(run, tmp_path):
    photo(tmp_path, "a.png", coloured(0, 1))
    assert run(Blobs, "--target", "box:cow", labels=["ground", "cat", "dog"]).exit_code == 2
    assert run(Blobs, "--target", "box:cat:1,2", labels=["ground", "cat", "dog"]).exit_code == 2


def test_every_place_has_a_file_of_its_own(run, tmp_path):
    photo(tmp_path, "a.png", coloured(0, 1))
    targets = [part for place in ("3,4", "3,8") for part in ("--target", f"point:{place}")]
    result = run(segmenters.Segmenter, *targets, "--json", labels=["ground", "cat", "dog"])
    files = [Path(json.loads(line)["file"]).name for line in result.stdout.splitlines()]
    assert files == ["a.point-3-4-0-ground.input.gradient.png", "a.point-3-8-0-ground.input.gradient.png"]


def test_a_name_is_as_long_as_files_can_be_and_tells_targets_apart():
    model = seewhy.wrap(Blobs(), labels=nets.KINDS)
    (heatmap,) = seewhy.gradient(model, scene(), target="box:red:0")
    assert stem(heatmap.source).endswith("box-red-4-4-8-8.input.gradient")
    long = ["text:" + "großer Hund, " * 40 + end for end in ("rot", "blau")]
    names = [stem(replace(heatmap.source, target=text, label=None)) for text in long]
    assert names[0] != names[1]
    assert all(len(name.encode()) <= LONGEST for name in names)
