"""`seewhy run`."""

import json
import signal

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli.app import main
from seewhy.dataset import chunks

pytest.importorskip("pyarrow")


@pytest.fixture
def photos(tmp_path):
    """Ten photos in folders named by two classes of the demo's network; the last is broken."""
    for name in ("bird", "fish"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(5):
            pixels = np.random.default_rng(i).integers(0, 256, (20, 24, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{i}.png")
    (tmp_path / "set" / "fish" / "4.png").write_bytes(b"broken")
    return tmp_path / "set"


def run(*words):
    return CliRunner().invoke(main, ["run", "demo/honest", *map(str, words)])


def test_a_set_is_explained_and_what_came_of_it_is_said(photos, tmp_path):
    out = tmp_path / "runs" / "a"
    done = run(photos, "-o", out)
    assert done.exit_code == 1  # a photo is broken
    stored = seewhy.open_run(out)
    right = sum(photo.right is True for photo in stored.photos())
    maps = sum(len(photo.maps) for photo in stored.photos())
    assert f"10 of 10 photos, {100 * right / 9:.1f} % of 9 right, {maps} maps -> {out}" in done.output
    assert "the labels are the names of the folders: bird, fish (2)" in done.output
    assert f"seewhy: {photos / 'fish' / '4.png'} is not an image that Pillow can read" in done.output
    assert stored.info.method_names == ("grad-cam",)
    again = run(photos, "-o", out, "--json")
    facts = json.loads(again.stdout)
    assert (facts["photos"], facts["done"], facts["right"], facts["of_known_truth"], facts["rows"]) == (
        10,
        10,
        right,
        9,
        maps + 1,
    )
    assert facts["failed"][0]["item"] == 9
    (photos / "fish" / "4.png").write_bytes((photos / "fish" / "3.png").read_bytes())
    assert run(photos, "-o", out).exit_code == 1  # what failed is not tried again by itself
    mended = run(photos, "-o", out, "--retry", "--json")
    assert mended.exit_code == 0, mended.output
    facts = json.loads(mended.stdout)
    assert (facts["done"], facts["of_known_truth"], facts["failed"]) == (10, 10, [])


def test_methods_and_their_settings_targets_and_layers_are_asked_for(photos, tmp_path):
    (photos / "fish" / "4.png").unlink()
    asked = ["-M", "layer-cam", "-M", "grad-cam", "--set", "signed=true", "--target", "true", "--workers", "2"]
    done = run(photos, "-o", tmp_path / "run", *asked)
    assert done.exit_code == 0, done.output
    info = seewhy.open_run(tmp_path / "run").info
    assert (info.method_names, info.targets) == (("layer-cam", "grad-cam"), ("true",))
    assert [method["params"]["signed"] for method in info.methods] == [True, True]


def test_a_run_of_other_settings_is_misuse(photos, tmp_path):
    run(photos, "-o", tmp_path / "run")
    refused = run(photos, "-o", tmp_path / "run", "--target", "top")
    assert refused.exit_code == 2
    assert "has a run that differs in the targets ('top, true', now 'top')" in refused.output
    assert len(refused.output.strip().splitlines()) == 2  # a remark, and the error


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["nowhere"], "'nowhere' is not there"),
        (["{}", "--target", "281"], "a run explains 'top'"),
        (["{}", "-M", "x"], "No method 'x'"),
    ],
    ids=["data", "target", "method"],
)
def test_what_cannot_be_asked_is_misuse(photos, tmp_path, words, why):
    done = run(*(word.format(photos) for word in words), "-o", tmp_path / "run")
    assert (done.exit_code, why in done.output) == (2, True), done.output


def test_interrupted_it_keeps_what_is_done_and_says_how_to_go_on(photos, tmp_path, monkeypatch):
    real = chunks.explain_batch

    def ends(*arguments):
        signal.raise_signal(signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr(chunks, "explain_batch", ends)
    monkeypatch.setattr(chunks, "WAITING", 0)
    done = run(photos, "-o", tmp_path / "run", "--truth", "none")
    assert done.exit_code == 130, done.output
    assert "ending with the photos that are done" in done.output
    assert "seewhy: stopped; the same command goes on with the rest." in done.output
    assert 0 < len(seewhy.open_run(tmp_path / "run")) < 10


def test_maps_are_counted_and_not_rows(photos, tmp_path):
    """Of a photo whose true class is not known there is a row without a map."""
    table = tmp_path / "labels.csv"
    table.write_text("bird/0.png,bird\n")
    done = run(photos, "-o", tmp_path / "run", "--truth", table, "--target", "true", "--batch-size", "1")
    assert ", 1 map -> " in done.output, done.output
    assert seewhy.open_run(tmp_path / "run").table(["item"]).num_rows == 10


def test_a_network_that_gives_no_answers_is_told(photos, tmp_path):
    done = run(photos, "-o", tmp_path / "run", "--task", "regression")
    assert "of none a class that it is taken for" in done.output, done.output
    assert json.loads(run(photos, "-o", tmp_path / "run", "--task", "regression", "--json").stdout)["of_known_truth"] == 0


def test_where_it_runs_and_where_paths_begin_is_said(photos, tmp_path, monkeypatch):
    asked = []

    def explain(*arguments, **named):
        asked.append(named)
        raise seewhy.BadParameter("enough")

    monkeypatch.setattr("seewhy.api.explain_dataset", explain)
    (tmp_path / "labels.csv").write_text("file,label\n0.png,bird\n")
    for words in (["--ray"], ["--ray", "host:6379"], []):
        done = run(tmp_path / "labels.csv", "--root", photos / "bird", *words, "-o", tmp_path / "run", "--workers", "3")
        assert (done.exit_code, "enough" in done.output) == (2, True), done.output
    assert [(named["ray"], named["workers"]) for named in asked] == [("local", 3), ("host:6379", 3), (None, 3)]
