"""`seewhy features`: a table, maps, and one JSON object."""

import json

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

import seewhy
from seewhy.cli.app import main
from seewhy.demo.scenes import scene


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scene(3).image.save("cat.png")
    eye = torch.eye(64)
    save_file({"W_enc": eye, "b_enc": torch.zeros(64), "W_dec": eye.clone(), "b_dec": torch.zeros(64)}, "sae.safetensors")
    return tmp_path


def test_features_of_a_photo_are_told_and_drawn(world):
    words = [
        "features",
        "demo/honest",
        "cat.png",
        "-a",
        "sae.safetensors",
        "--kind",
        "topk",
        "--k",
        "5",
        "-l",
        "body",
        "-n",
        "3",
    ]
    done = CliRunner().invoke(main, [*words, "-o", "out"])
    assert done.exit_code == 0, done.output
    assert "(topk) at body" in done.output
    assert len([*(world / "out").glob("*feature*.png")]) == 3
    told = CliRunner().invoke(main, [*words, "-o", "other", "--json"])
    facts = json.loads(told.stdout)
    coder = seewhy.load_autoencoder("sae.safetensors", "topk", 5)
    (found,) = seewhy.features(seewhy.load("demo/honest"), "cat.png", coder, "body", count=3)
    assert [each["feature"] for each in facts["strongest"]] == [use.feature for use in found.strongest]
    assert facts["l0"] == found.l0 <= 5
    assert len(facts["files"]) == 3


def test_what_the_file_does_not_say_is_one_line(world):
    done = CliRunner().invoke(main, ["features", "demo/honest", "cat.png", "-a", "sae.safetensors"])
    assert done.exit_code == 2
    assert "Give --kind relu, topk (with --k) or jumprelu." in done.output
    done = CliRunner().invoke(main, ["features", "demo/honest", "cat.png", "-a", "sae.safetensors", "--kind", "topk"])
    assert done.exit_code == 2
    assert "how many features a place has. Give --k." in done.output
