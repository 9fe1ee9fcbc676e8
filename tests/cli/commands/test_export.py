"""`seewhy export` writes a model that explains itself."""

import json

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner

import seewhy
from seewhy.cli import app as command
from support.ask import close
from support.real import DATA, needs_data, rows


def run(*words):
    return CliRunner().invoke(command.main, ["export", *map(str, words)])


def test_a_file_is_written_and_what_was_checked_is_said(tmp_path):
    done = run("demo/honest", "-o", tmp_path / "honest.pt2")
    assert done.exit_code == 0, done.output
    first, second, third = done.stdout.splitlines()
    assert first.startswith(f"{tmp_path / 'honest.pt2'}: a program of torch.export, ")
    assert second == ("images (n, 3, 96, 96) -> scores (n, 10), maps (n, 12, 12): recipro-cam for the top class at body")
    assert third.startswith("checked on 3 drawn images, alone and together: scores differ from the library's by ")


def test_photos_a_method_with_settings_and_a_class_are_taken_and_all_is_told_as_json(noise, tmp_path):
    noise((90, 70)).save(tmp_path / "photo.png")
    label = seewhy.load("demo/honest").labels[2]
    out = tmp_path / "honest.pt2"
    done = run(
        "demo/honest", tmp_path / "photo.png", "-M", "grad-cam", "--set", "signed=true", "-t", label, "-o", out, "--json"
    )
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert (facts["path"], facts["method"], facts["layer"], facts["target"]) == (str(out), "grad-cam", "body", label)
    assert (facts["size"], facts["drawn"], facts["checked"]["images"]) == (out.stat().st_size, False, 1)
    assert 0 <= facts["checked"]["maps"] < 1e-4 * facts["checked"]["largest_map"]


WRONG = {
    "an ending": (["demo/honest", "-o", "file.tflite"], "a graph is written as .onnx or .pt2"),
    "a method": (["demo/honest", "-o", "file.onnx", "-M", "lime"], "lime has no form as a graph. Methods that have one: cam,"),
    "several targets": (["demo/honest", "-o", "file.onnx", "-t", "top:2"], "are several; a graph explains one."),
    "no file": (["demo/honest"], "Missing option '--out'"),
    "a layer": (["demo/honest", "-o", "file.onnx", "-l", "boddy"], "No layer 'boddy'. Closest: body"),
}


@pytest.mark.parametrize("what", WRONG)
def test_misuse_is_told_and_nothing_is_written(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words, said = WRONG[what]
    done = run(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert [*tmp_path.iterdir()] == []


@needs_data
def test_a_real_network_on_real_photos(tmp_path):
    """MobileNetV2 knows what these photos show; the file says the same, and where, without the library."""
    folder = DATA / "ccby-nips2017"
    photos = [str(folder / row["file"]) for row in rows("ccby-nips2017")[:2]]
    weights = DATA / "mobilenet_v2_torchvision_imagenet.safetensors"
    out = tmp_path / "mobilenet.onnx"
    done = run("torchvision/mobilenet_v2", *photos, "--weights", weights, "-M", "grad-cam", "-o", out)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{out}: ONNX opset ")
    model = seewhy.load("torchvision/mobilenet_v2", weights)
    (batch,) = model.batches(photos)
    scores, maps = onnxruntime.InferenceSession(out).run(None, {"images": np.asarray(batch.x, np.float32)})
    expected = seewhy.grad_cam(model, photos)
    assert [row.argmax() for row in scores] == [each.source.index for each in expected]
    close(maps, np.stack([each.values for each in expected]), rel=1e-4)
