"""`seewhy audit` on the command line."""

import json

import pytest
from click.testing import CliRunner

from seewhy.cli.app import main
from seewhy.demo.scenes import scenes
from support.strict_json import strict


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit") / "photos"
    for place, scene in enumerate(scenes(18, 30_001, kinds=("bird", "car", "fish"), shortcut="mark")):
        (folder / scene.name).mkdir(parents=True, exist_ok=True)
        scene.image.save(folder / scene.name / f"{place}.png")
    return folder


def run(*words):
    return CliRunner().invoke(main, ["audit", *map(str, words)])


def test_the_stamp_is_told_written_and_drawn(photos, tmp_path):
    out = tmp_path / "out"
    done = run("demo/shortcut", photos, "-o", out)
    assert done.exit_code == 0, done.output
    first, whole, bird, *_ = done.stdout.splitlines()
    assert first.startswith("demo/shortcut, grad-cam: 18 of 18 photos, by what they show; ")
    assert whole == "Of 3 classes on 18 photos: rests on a shortcut: bird."
    assert bird.startswith("bird (6 photos): rests on a shortcut. ")
    assert sorted(path.name for path in out.iterdir()) == ["audit.csv", "audit.json", "bird.audit.grad-cam.png"]
    assert strict((out / "audit.json").read_text())["classes"][0]["verdict"] == "shortcut"


def test_json_and_csv_are_those_of_the_files_and_a_broken_photo_is_named(photos, tmp_path):
    out, broken = tmp_path / "out", photos / "car" / "broken.png"
    broken.write_text("none")
    try:
        done = run("demo/honest", photos, "--json", "-o", out)
        assert done.exit_code == 1
        assert f"{broken} is not an image" in done.stderr
        assert "1 of 19 photos have no map." in done.stderr
    finally:
        broken.unlink()
    (line,) = done.stdout.splitlines()
    assert json.loads(line) == json.loads((out / "audit.json").read_text())
    done = run("demo/honest", photos, "--csv", "--truth", "none", "-o", out)
    assert done.exit_code == 0
    assert done.stdout == (out / "audit.csv").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--json", "--csv"], "give one of them"),
        (["--budget", "5"], "20 or more"),
        (["--method", "no-cam"], "no-cam"),
        (["--truth", "nothing.csv"], "nothing.csv"),
    ],
)
def test_misuse_ends_with_two(photos, tmp_path, words, said):
    done = run("demo/honest", photos, *words, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert said in done.stderr


def test_data_that_is_not_there_is_said(tmp_path):
    done = run("demo/honest", tmp_path / "none", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "is not there" in done.stderr
