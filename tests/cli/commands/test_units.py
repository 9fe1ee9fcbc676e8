"""`seewhy units` ranks the units of a layer by what they contribute."""

import json

import numpy as np
from click.testing import CliRunner

import seewhy
from seewhy.cli import app as command


def test_units_are_ranked_by_what_they_contribute(noise, tmp_path):
    photo = str(tmp_path / "photo.png")
    noise((70, 64)).save(photo)
    words = ["units", photo, "--model", "demo/honest", "--layer", "body", "-n", "3"]
    done = CliRunner().invoke(command.main, [*words, "--json"])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    model = seewhy.load("demo/honest")
    (batch,) = model.batches(photo)
    evidence = model.trace(batch.x, [seewhy.Top()], ["body"]).evidence["body"]
    each = (evidence.a[0] * evidence.g[0, 0]).sum((1, 2)).numpy()
    best = np.argsort(-each)[:3]
    assert [row["unit"] for row in rows] == [f"unit:body:{k}" for k in best]
    np.testing.assert_allclose([row["contribution"] for row in rows], each[best], rtol=1e-4)
    assert CliRunner().invoke(command.main, words).stdout.splitlines()[1].startswith(f"unit:body:{best[0]} ")


def test_the_units_of_a_linear_layer_are_ranked_too(noise, tmp_path):
    photo = str(tmp_path / "photo.png")
    noise((70, 64)).save(photo)
    model = seewhy.load("demo/honest")
    flat = [name for name, layer in model.layers().items() if len(layer.shape) == 1][-1]
    done = CliRunner().invoke(command.main, ["units", photo, "--model", "demo/honest", "--layer", flat, "-n", "1", "--json"])
    assert done.exit_code == 0, done.output
    best = json.loads(done.stdout)
    answer = model.answer(next(model.batches(photo)).x)
    assert best["unit"] == f"unit:{flat}:{answer.scores.argmax()}"
    np.testing.assert_allclose(best["contribution"], answer.scores.max(), rtol=1e-5)


def test_of_one_target_only(noise, tmp_path):
    noise((70, 64)).save(tmp_path / "photo.png")
    done = CliRunner().invoke(
        command.main, ["units", str(tmp_path / "photo.png"), "--model", "demo/honest", "--target", "top:2"]
    )
    assert (done.exit_code, done.stdout) == (2, "")
    assert "'top:2' are several; units are ranked for one." in done.stderr


def test_a_function_has_no_units(noise, tmp_path):
    noise((16, 16)).save(tmp_path / "photo.png")
    (tmp_path / "function.py").write_text(
        "import seewhy\nmodel = seewhy.wrap(lambda x: x.mean((1, 2)), name='mean', takes='uint8')\n"
    )
    spec = f"{tmp_path / 'function.py'}:model"
    done = CliRunner().invoke(command.main, ["units", str(tmp_path / "photo.png"), "--model", spec])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "top_units reads the inside of a network; mean gives scores only. Try occlusion, rise or lime." in done.stderr
