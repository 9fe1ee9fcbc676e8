"""`seewhy report` says what a model gets wrong, from a stored run."""

import json
import shutil
from typing import Any

import click
import pytest
from click.testing import CliRunner

import seewhy
from seewhy import demo
from seewhy.cli import app as command
from seewhy.cli.commands.report import model_of_run
from seewhy.dataset.info import RunInfo, write_info
from support.snippets import commands, snippets

pytest.importorskip("pyarrow")
pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A run of the demo's network over six scenes, each second of which has another kind's label."""
    from seewhy.dataset.restoring import map_columns
    from seewhy.dataset.store import part_path, rows_table, write_part

    folder, model, rows = tmp_path_factory.mktemp("report"), seewhy.load("demo/honest"), []
    kinds = model.labels
    for item, scene in enumerate(demo.scenes(6, 31)):
        path = str(folder / f"{item}.png")
        scene.image.save(path)
        (heatmap,) = seewhy.grad_cam(model, path, target="top", signed=True)
        said = heatmap.source.predicted
        truth = said.index if item % 2 else (said.index + 1) % len(kinds)
        known = {
            "item": item, "path": path, "truth": [truth], "truth_labels": [kinds[truth]], "predicted": said.index,
            "predicted_label": said.label, "predicted_probability": said.probability, "right": truth == said.index,
            "width": scene.image.width, "height": scene.image.height,
        }  # fmt: skip
        rows.append({**known, **map_columns(heatmap), "target": "top"})
    info = RunInfo(
        model.name,
        None,
        model.weights_sha256(),
        tuple(kinds),
        ({"name": "grad-cam", "params": {}},),
        ("top",),
        "scenes",
        8,
        "0",
        64,
    )
    write_info(folder / "run", info)
    write_part(part_path(folder / "run", 0), rows_table(rows))
    return folder / "run"


def run(*words):
    return CliRunner().invoke(command.main, ["report", *map(str, words)])


def test_the_page_and_the_words(stored, tmp_path):
    done = run(stored, "-o", tmp_path / "r.html")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("50.0 % (3 of 6; 95 % interval 18.8 % to 81.2 %) of the answers are right.")
    assert "2 of 8 photos are still missing" in done.stdout
    assert done.stdout.splitlines()[-1] == f"-> {tmp_path / 'r.html'}"
    assert "50.0 % (3 of 6; " in (tmp_path / "r.html").read_text("utf-8")


def test_photos_that_were_moved_are_found_where_it_is_said_that_they_lie(stored, tmp_path):
    for photo in [*stored.parent.glob("*.png")]:
        shutil.copy(photo, tmp_path)
        photo.rename(photo.with_suffix(".away"))
    try:
        gone = run(stored, "-o", tmp_path / "gone.html")
        moved = run(stored, "-o", tmp_path / "moved.html", "--root", tmp_path)
    finally:
        for photo in stored.parent.glob("*.away"):
            photo.rename(photo.with_suffix(".png"))
    assert (gone.exit_code, moved.exit_code) == (0, 0), moved.output
    said = "photos on this page the file is gone"
    assert said in (tmp_path / "gone.html").read_text("utf-8")
    assert said not in (tmp_path / "moved.html").read_text("utf-8")
    refused = run(stored, "--json", "--root", tmp_path / "nowhere")
    assert refused.exit_code == 2
    assert "is no folder" in refused.stderr


def test_the_model_is_asked_again_and_json_is_one_object(stored):
    done = run(stored, "--check", "--json")
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    said = json.loads(line)
    assert (said["photos"], said["total"], said["right"]["part"]) == (6, 8, 3)
    assert len(said["hidden"]) == 3  # the wrong answers
    for one in said["hidden"]:
        assert one["changed"] == (one["without"]["index"] != one["before"]["index"])
        assert 0 < one["area"] <= 0.201  # of 128 x 128 places a whole number


@pytest.mark.parametrize(("words", "said"), [
    (["{run}"], "Say where the page goes"), (["{run}", "-o", "r.pdf"], "written as .html"),
    (["nowhere", "-o", "r.html"], "no run"),
])  # fmt: skip
def test_misuse_is_one_line(stored, words, said):
    done = run(*(word.format(run=stored) for word in words))
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr


def test_a_page_without_a_folder_is_refused(stored, tmp_path):
    done = run(stored, "-o", tmp_path / "no" / "r.html")
    assert done.exit_code == 2
    assert "no folder" in done.stderr


def test_other_weights_and_a_run_without_maps_are_refused(stored, tmp_path):
    from dataclasses import replace

    opened = seewhy.open_run(stored)
    write_info(tmp_path, opened.info)
    with pytest.raises(seewhy.SeewhyError, match="no map yet"):
        model_of_run(seewhy.open_run(tmp_path), False)
    with pytest.raises(seewhy.SeewhyError, match="weights of demo/honest are other ones"):
        model_of_run(replace(opened, info=replace(opened.info, weights_sha256="0" * 64)), False)


def test_the_code_of_the_page_runs(stored, tmp_path, monkeypatch):
    """docs/report.md."""
    (tmp_path / "runs").mkdir()
    shutil.copytree(stored, tmp_path / "runs" / "x")
    monkeypatch.chdir(tmp_path)
    first, second = snippets("docs/report.md")
    for words in commands(first.code):
        done = CliRunner().invoke(command.main, words)
        assert done.exit_code == 0, done.output
    space: dict[str, Any] = {}
    exec(compile(second.code, "docs/report.md", "exec"), space)
    assert space["found"].right.of == 6


def test_the_help_says_what_it_is_for():
    done = run("--help")
    assert done.exit_code == 0
    assert "gets wrong" in click.unstyle(done.output)
