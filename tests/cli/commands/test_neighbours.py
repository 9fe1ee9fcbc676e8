"""`seewhy neighbours`: of a photo of the set, and of another one, for which the network is loaded again."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import seewhy
from seewhy.cli.app import main
from seewhy.demo import scenes


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("near")
    for place, scene in enumerate(scenes(6, 3, kinds=("bird", "car"))):
        (folder / "photos" / scene.name).mkdir(parents=True, exist_ok=True)
        scene.image.save(folder / "photos" / scene.name / f"{place}.png", compress_level=1)
    return seewhy.embed(seewhy.load("demo/honest"), folder / "photos").save(folder / "f.npz")


def said(*words: Any) -> Any:
    return CliRunner().invoke(main, ["neighbours", *map(str, words)])


def test_by_number_and_by_the_end_of_the_path(features: Path) -> None:
    embedding = seewhy.Embedding.load(features)
    expected = [one._asdict() for one in embedding.neighbours(2, 3)]
    for photo in ("2", Path(embedding.photos.paths[2]).name):
        done = said(features, photo, "-n", 3, "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["neighbours"] == expected
    assert expected[0]["path"] in said(features, 2, "-n", 3).output


def test_of_another_photo_the_network_is_asked(features: Path, tmp_path: Path) -> None:
    scene = next(one for one in scenes(4, 70, kinds=("bird", "car")))
    scene.image.save(tmp_path / "new.png")
    done = said(features, tmp_path / "new.png", "-n", 2, "-o", tmp_path / "near.png", "--json")
    assert done.exit_code == 0, done.output
    assert {one["truth"] for one in json.loads(done.stdout)["neighbours"]} == {scene.name}
    assert (tmp_path / "near.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("words", "told"),
    [(("nowhere.png",), "nor a file"), (("77",), "has the number 77"), (("0", "-o", "x.jpg"), "written as .png"),
     (("0", "--weighted-by", "grad-cam"), "is of a run")],
    ids=["no photo", "number", "suffix", "method"],
)  # fmt: skip
def test_misuse_is_said_in_a_line(features: Path, words: tuple[str, ...], told: str) -> None:
    done = said(features, *words)
    assert done.exit_code == 2
    assert told in done.output
