"""`seewhy share` on the command line."""

import sys

import pytest
from click.testing import CliRunner

pytest.importorskip("pyarrow")

import seewhy
from seewhy.cli.app import main
from seewhy.demo import scenes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("share")
    (place / "photos").mkdir()
    for number, scene in enumerate(scenes(3, 11)):
        scene.image.save(place / "photos" / f"{number}.png")
    (place / "photos" / "broken.png").write_text("none")
    seewhy.explain_dataset(seewhy.load("demo/honest"), place / "photos", place / "run")
    return place / "run"


def run(*words):
    return CliRunner().invoke(main, ["share", *map(str, words)])


def test_a_run_is_written_in_the_form_of_each_tool(folder, tmp_path):
    done = run(folder, "--to", "datasets", "-o", tmp_path / "set")
    assert done.exit_code == 1, done.output  # a photo was left out
    assert done.stdout == f"-> {tmp_path / 'set'}\n"
    assert "left out: " in done.stderr
    assert len((tmp_path / "set" / "metadata.jsonl").read_text().splitlines()) == 3
    done = run(folder, "--to", "embedding-atlas", "-o", tmp_path / "x.parquet", "--most", "2")  # the broken one is the last
    assert done.exit_code == 0, done.output
    assert (tmp_path / "x.parquet").read_bytes()[:4] == b"PAR1"


def test_without_fiftyone_it_is_said_how_to_get_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    done = run(folder, "--to", "fiftyone", "-o", "x")
    assert done.exit_code == 2
    assert "pip install fiftyone" in done.stderr


def test_misuse_ends_with_two(folder, tmp_path):
    assert run(folder, "--to", "paper", "-o", "x").exit_code == 2
    done = run(tmp_path, "--to", "datasets", "-o", tmp_path / "x")
    assert done.exit_code == 2
    assert "There is no run" in done.stderr
