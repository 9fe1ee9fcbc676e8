"""`seewhy segment`: a folder of photos becomes a model, and a model labels the pixels of photos."""

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("torch")

from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli.app import main
from seewhy.cli.commands import segment
from seewhy.localize.sec import predicting
from seewhy.localize.sec.scenes import write_scenes
from seewhy.localize.sec.scoring import TOLD
from seewhy.localize.sec.trainer import Training
from support.snippets import commands, snippets


def run(*words):
    return CliRunner().invoke(main, ["segment", *map(str, words)])


@pytest.fixture(scope="module", autouse=True)
def coarse():
    """The CRF at test on few cells, for that the commands run is asked here, and not how well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predicting, "FINE", 12)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("photos")
    write_scenes(made, 10, seed=7)  # each kind is in one of them at least
    return made


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "run"
    words = ("train", folder, "--model", "demo/honest", "--out", out, "--epochs", 1, "--batch", 2, "--held-out", 0.2)
    return out, run(*words), run(*words, "--masks", folder / "masks", "--json")


def test_train_makes_a_model_and_says_how_it_goes(model):
    out, first, _ = model
    assert first.exit_code == 0, first.output
    assert "pass 1 of 1: seeds" in first.output
    assert f"all passes made: {out} is a model now." in first.output
    assert seewhy.load(out).labels[0] == "background"


def test_a_second_run_has_nothing_left_to_do_and_scores(model):
    _, _, second = model
    assert second.exit_code == 0, second.output
    rows = [json.loads(line) for line in second.output.splitlines()]
    assert [each["name"] for each in rows] == ["raw maps", "seeds", "refined seeds", "trained network", TOLD, "network alone"]


def test_the_demo_draws_trains_and_prints_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(segment, "SCORED", 2)
    done = run("train", "demo", "--out", tmp_path, "--scenes", 10, "--epochs", 1)
    assert done.exit_code == 0, done.output
    assert "labels of pixels" in done.output
    assert "trained network" in done.output
    assert len([*(tmp_path / "scenes" / "learned").glob("scene_*.png")]) == 10
    kept = json.loads((tmp_path / "scores.json").read_text())
    assert kept["photos"] == 2
    assert f"{kept['rows'][3]['iou']:.3f}" in done.output


def test_predict_writes_masks_and_pictures(model, folder, tmp_path):
    out, _, _ = model
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    done = run("predict", folder / "scene_0000.png", broken, "--model", out, "--out", tmp_path / "masks", "--json")
    assert done.exit_code == 1
    assert "1 of 2 photos failed" in done.output
    said = json.loads(next(line for line in done.output.splitlines() if line.startswith("{")))
    with Image.open(said["mask"]) as mask:
        values = np.asarray(mask)
    assert values.shape == (96, 96)
    assert sum(said["shares"].values()) == pytest.approx(1)
    assert (tmp_path / "masks" / "scene_0000_segmented.png").is_file()
    plain = run("predict", folder / "scene_0000.png", "--model", out, "--out", tmp_path / "other", "--no-crf")
    assert plain.exit_code == 0, plain.output
    assert "background" in plain.output


def test_help_tells_the_settings_that_are_taken():
    told = " ".join(run("train", "--help").output.split())
    usual = Training()
    for name in ("epochs", "batch", "rate", "held-out", "patience", "foreground", "background", "seed"):
        _, _, text = told.partition(f"--{name} ")
        assert text.split("[default: ")[1].split("]")[0] == str(getattr(usual, name.replace("-", "_"))), name


def test_what_was_stopped_in_its_first_pass_is_no_model(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("seewhy.localize.sec.trainer.stop_asked", lambda: True)
    done = run("train", folder, "--model", "demo/honest", "--out", tmp_path / "run", "--epochs", 1, "--batch", 2)
    assert done.exit_code == 130, done.output
    assert "stopped after 0 passes" in done.output
    assert "is a model" not in done.output


def test_of_few_photos_none_is_held_out_which_is_said(folder, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    rows = (folder / "labels.csv").read_text().splitlines()[:4]
    (few / "labels.csv").write_text("\n".join(rows))
    for row in rows[1:]:
        shutil.copy(folder / row.split(",")[0], few)
    done = run("train", few, "--model", "demo/honest", "--out", tmp_path / "run", "--epochs", 1)
    assert "in all, with no photo held out, " in done.output
    assert "on photos held out" not in done.output


def test_a_refused_training_leaves_no_folder(tmp_path):
    for data in (tmp_path / "none", tmp_path):
        assert run("train", data, "--model", "demo/honest", "--out", tmp_path / "run").exit_code == 2
        assert not (tmp_path / "run").exists()


def test_misuse_is_said_in_one_line(folder, tmp_path):
    for words, said in (
        (("train", folder, "--out", tmp_path), "Missing option '--model'"),
        (("train", folder, "--model", "demo/honest", "--out", tmp_path, "--scenes", 30), "--scenes is of the demo"),
        (("train", tmp_path / "none", "--model", "demo/honest", "--out", tmp_path), "is no folder"),
        (("train", tmp_path, "--model", "demo/honest", "--out", tmp_path / "x"), "has no labels.csv"),
        (("train", folder, "--model", "demo/honest", "--out", tmp_path, "--foreground", 0.1), "seeds of both"),
        (("predict", folder, "--model", "demo/honest", "--out", tmp_path), "no segmenter"),
    ):
        done = run(*words)
        assert done.exit_code == 2, (words, done.output)
        assert said in done.output


def test_the_commands_of_the_page_run(folder, tmp_path, monkeypatch):
    """Those of docs/segment.md, with few scenes and one pass."""
    monkeypatch.setattr(segment, "SCORED", 2)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, tmp_path / "photos")
    shutil.copytree(folder / "masks", tmp_path / "masks")
    shutil.copy(folder / "scene_0001.png", tmp_path / "photo.png")
    for snippet in snippets("docs/segment.md"):
        if snippet.language == "python":
            exec(snippet.code, {"seewhy": seewhy})
            continue
        for words in commands(snippet.code):
            few = ["--epochs", "1", "--batch", "2"] if words[1] == "train" else []
            scenes = ["--scenes", "10"] if words[1:3] == ["train", "demo"] else []
            done = CliRunner().invoke(main, [*words, *few, *scenes])
            assert done.exit_code == 0, f"seewhy {' '.join(words)}\n{done.output}"
