"""`seewhy tcav`: folders in, a table, a picture, facts, vectors and maps out."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import seewhy
from seewhy.cli.app import main
from seewhy.demo.scenes import scenes


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tcav")
    sets = {
        "stamped": scenes(10, seed=5, shortcut="mark", marked="all"),
        "anything": scenes(24, seed=6),
        "birds": scenes(3, seed=7, kinds=["bird"]),
    }
    for name, drawn in sets.items():
        (folder / name).mkdir()
        for k, scene in enumerate(drawn):
            scene.image.save(folder / name / f"{k:02}.png")
    return folder


def asked(world, *more):
    words = ["tcav", "demo/shortcut", "birds", "-t", "bird", "-l", "body.5", "--runs", "2", "--random-concepts", "99", *more]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world)
        return CliRunner().invoke(main, words)


def test_folders_of_a_concept_become_a_table_a_picture_and_maps(world):
    done = asked(world, "-c", "stamp=stamped", "--random", "anything", "-o", "out", "--maps", "2")
    assert done.exit_code == 0, done.output
    assert "demo/shortcut, logits of bird in 3 photos" in done.output
    assert any(line.startswith("stamp") and line.endswith("raises") for line in done.output.splitlines())
    assert "! stamp at body.5: 10 examples are few" in done.output
    folder = world / "out"
    assert len([*folder.glob("*concept*stamp*.png")]) == 2
    facts = json.loads((folder / "tcav.json").read_text())
    with np.load(folder / "tcav.npz") as arrays:
        assert arrays["stamp at body.5"].shape == (64,)
    assert (folder / "tcav.png").stat().st_size > 1000
    told = asked(world, "-c", "stamp=stamped", "--random", "anything", "-o", "other", "--json")
    assert json.loads(told.stdout.splitlines()[0]) == facts
    found = seewhy.tcav(
        seewhy.load("demo/shortcut"), {"stamp": world / "stamped"}, world / "birds", "bird", "body.5", world / "anything",
        runs=2, random_concepts=99,
    )  # fmt: skip
    assert facts["concepts"][0]["alignment"] == found.of("stamp").alignment


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-c", "stamped", "--random", "anything"], "write NAME=FOLDER"),
        (["-c", "a=stamped", "-c", "a=birds"], "two concepts have the same name"),
        (["-c", "a=stamped"], "has nothing to be held against"),
        (["-c", "a=none/there", "--random", "anything"], "none/there' is not there"),
    ],
)
def test_what_cannot_be_asked_is_one_line(world, words, said):
    done = asked(world, *words, "-o", "nothing")
    assert done.exit_code == 2
    assert said in done.output
    assert not (world / "nothing").exists()
