"""`seewhy diff` on the command line."""

import csv
import io

import pytest
from click.testing import CliRunner

pytest.importorskip("pyarrow")

import seewhy
from seewhy.cli.app import main
from seewhy.demo import scenes
from support.strict_json import strict


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diff")
    for place, scene in enumerate(scenes(6, 7, kinds=("bird", "car"), shortcut="mark")):
        (folder / "photos" / scene.name).mkdir(parents=True, exist_ok=True)
        scene.image.save(folder / "photos" / scene.name / f"{place}.png")
    for name in ("shortcut", "honest"):
        seewhy.explain_dataset(seewhy.load(f"demo/{name}"), folder / "photos", folder / name)
    return folder / "shortcut", folder / "honest"


def run(*words):
    return CliRunner().invoke(main, ["diff", *map(str, words)])


def test_what_changed_is_told_and_drawn(runs, tmp_path):
    page = tmp_path / "page.html"
    done = run(*runs, "-o", page, "-n", "2")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("A: demo/shortcut, weights ")
    assert "of 6 photos have another answer" in done.stdout
    assert "(2 of 6 photos; --csv prints all)" in done.stdout
    assert done.stdout.splitlines()[-1] == f"-> {page}"
    assert page.read_text("utf-8").startswith("<!doctype html>")


def test_json_and_csv(runs):
    assert strict(run(*runs, "--json").stdout)["matched"] == 6
    assert len([*csv.DictReader(io.StringIO(run(*runs, "--csv").stdout))]) == 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--json", "--csv"], "give one of them"),
        (["-o", "page.pdf"], "written as .html"),
        (["-M", "rise"], "not one of both runs"),
    ],
)
def test_misuse_ends_with_two(runs, words, said):
    done = run(*runs, *words)
    assert done.exit_code == 2
    assert said in done.stderr


def test_where_there_is_no_run_that_is_said(runs, tmp_path):
    done = run(runs[0], tmp_path)
    assert done.exit_code == 2
    assert "There is no run" in done.stderr
