"""`seewhy doctor`, as a person types it: what it prints, what it exits with, and that the command it ends on runs."""

import json
import shlex

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli.app import main
from seewhy.cli.commands.doctor import notable, rows
from seewhy.diagnosis.doctor import doctor
from seewhy.models.model import Layer

pytest.importorskip("timm")
pytest.importorskip("torchvision")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("the cat.png")
    return lambda *words: CliRunner().invoke(main, [*map(str, words)])


def listed(text: str) -> dict[str, list[str]]:
    """The lines of each part, under its heading."""
    parts = [part.splitlines() for part in text.strip().split("\n\n")]
    return {part[0].partition(",")[0]: part[1:] for part in parts}


def test_the_demo_network_with_a_photo(run):
    result = run("doctor", "demo/honest", "the cat.png")
    assert (result.exit_code, result.stderr) == (0, "")
    model = seewhy.load("demo/honest")
    report = doctor(model, "the cat.png")
    parts = listed(result.stdout)
    assert [*parts] == ["demo/honest", "Layers", "Hazards", "Methods", "Recommended"]
    seen = report.predicted
    assert parts["demo/honest"] == [f"the cat.png: {seen.label} ({seen.index}), {100 * seen.probability:.1f} %"]
    rows = [line.split() for line in parts["Layers"][1:-1]]
    assert [row[3] for row in rows] == ["48x48", "24x24", "12x12"]
    body = rows[-1]
    place = model.layers()["body"].cells
    assert body[:7] == ["body", "Sequential", "64", "12x12", "{:g}x{:g}".format(*place.stride),
                        "{:g}x{:g}".format(*place.field), "yes"]  # fmt: skip
    assert body[7:] == ["*", "default"]
    assert parts["Layers"][-1] == f"(3 of {len(report.layers)}; --all lists every one)"
    said = " ".join(parts["Methods"])
    assert all(verdict.method in said for verdict in report.methods)


def test_the_command_it_ends_on_runs(run):
    """Word for word, with the options of the model."""
    options = ["--option", "num_classes=3", "--prepare", "mean=(0.5, 0.4, 0.3)", "--device", "cpu"]
    result = run("doctor", "timm/test_resnet", "the cat.png", "--weights", "random", *options)
    assert result.exit_code == 0
    line = result.stdout.splitlines()[-1]
    assert line.startswith("Run next: seewhy explain 'the cat.png' --model timm/test_resnet --weights random")
    words = shlex.split(line.removeprefix("Run next: "))
    assert words[-4:] == ["--method", "grad-cam", "--layer", "layer4"]
    for word in options:
        assert word in words
    done = run(*words[1:], "--json")
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["method"], facts["layer"]) == ("grad-cam", "layer4")


def test_the_command_it_ends_on_has_what_was_said_of_the_wrapping(run, tmp_path):
    """Without it, the command would fail, or explain something else."""
    (tmp_path / "two_heads.py").write_text(
        "import torch\nfrom torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.see = nn.Conv2d(3, 4, 3)\n    def forward(self, x):\n        a = self.see(x).relu().mean((2, 3))\n"
        "        return {'a': a, 'b': a[:, :2]}\n"
    )
    said = ["--output", "b", "--task", "multi-label", "--grid", "7x9", "--geometry", "plain"]
    result = run("doctor", "two_heads.py:Net", "the cat.png", "--prepare", "size=32", "--prepare", "crop=32", *said)
    assert result.exit_code == 0, result.stderr
    words = shlex.split(result.stdout.splitlines()[-1].removeprefix("Run next: "))
    for option, value in zip(said[::2], said[1::2], strict=True):
        assert words[words.index(option) + 1] == value
    done = run(*words[1:], "--json")
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["probability"] == pytest.approx(1 / (1 + np.exp(-facts["score"]))), "of several labels, each by itself"


def test_the_command_it_ends_on_has_the_bounds_and_values_as_they_were_said(run, tmp_path):
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\ndef net(name, size):\n    assert (name, size) == ('5', 5)\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    )
    Image.open("the cat.png").save("-cat.png")
    said = ["--option", "name='5'", "--option", "size=5", "--max-pixels", "7000", "--max-voxels", "900", "--trust"]
    said += ["--prepare", "size=32", "--prepare", "crop=32"]
    result = run("doctor", "net.py:net", *said, "--", "-cat.png")
    assert result.exit_code == 0, result.stderr
    words = shlex.split(result.stdout.splitlines()[-1].removeprefix("Run next: "))
    assert words[2] == "./-cat.png"
    assert set(said) <= set(words)
    explained = run(*words[1:], "--json")
    assert explained.exit_code == 0, explained.output


def test_json_is_the_report_and_its_command_a_shells(run):
    result = run("doctor", "demo/flat", "the cat.png", "--json")
    facts, report = json.loads(result.stdout), doctor(seewhy.load("demo/flat"), "the cat.png")
    expected = json.loads(report.as_json())
    assert facts.pop("command").startswith("seewhy explain 'the cat.png' --model demo/flat --method grad-cam")
    assert expected.pop("command").startswith("seewhy.grad_cam(model, image")
    assert facts == expected


def test_without_a_photo_it_looks_at_noise(run):
    result = run("doctor", "torchvision/resnet18", "--weights", "random")
    assert result.exit_code == 0
    parts = listed(result.stdout)
    assert parts["torchvision/resnet18"] == []
    assert [line.split()[0] for line in parts["Layers"][1:-1]] == ["relu", "layer1", "layer2", "layer3", "layer4"]
    assert any("random-weights" in line for line in parts["Hazards"])
    assert "PHOTO.jpg" in parts["Recommended"][-1]


def test_of_a_transformer_the_blocks_are_listed(run):
    result = run("doctor", "timm/test_vit", "--weights", "random")
    assert result.exit_code == 0
    rows = {line.split()[0]: line for line in listed(result.stdout)["Layers"][1:-1]}
    model = seewhy.load("timm/test_vit", "random")
    blocks = [name for name in model.layers() if name.count(".") == 1 and name.startswith("blocks.")]
    default = next(name for name, layer in model.layers().items() if layer.default)
    assert {*blocks, default, "norm"} <= {*rows}
    assert " no " in rows["norm"]
    assert "* default" in rows[default]
    assert "all" in rows[default].split()
    assert not any("k_norm" in name for name in rows)


def test_a_layer_that_never_sees_the_image_is_no_layer_to_read():
    layers = {"conv": Layer("Conv2d", (8, 4, 4), 1, True), "pos": Layer("Pos", (8, 4, 4), 1, True, sees=())}
    layers["fc"] = Layer("Linear", (5,), 1, True)
    assert [*notable(layers, (8, 8))] == ["conv"]
    grids = [row[3] for row in rows(layers, (8, 8))]
    assert grids == ["4x4", "-", "-"]
    assert ["does not see the image" in row[-1] for row in rows(layers, (8, 8))] == [False, True, False]


def test_all_lists_every_layer(run):
    result = run("doctor", "demo/honest", "--all")
    names = [line.split()[0] for line in listed(result.stdout)["Layers"][1:]]
    assert names == [*seewhy.load("demo/honest").layers()]


def test_where_nothing_can_be_explained_the_exit_code_is_one(run, tmp_path):
    state = seewhy.load("timm/test_resnet", "random").network.state_dict()
    next(iter(state.values())).mul_(torch.nan)
    torch.save(state, tmp_path / "nan.pth")
    result = run("doctor", "timm/test_resnet", "--weights", "nan.pth")
    assert result.exit_code == 1
    assert "error" in result.stdout
    assert "NaN" in result.stdout
    assert "Run next" not in result.stdout


def test_misuse_is_one_line(run):
    result = run("doctor", "demo/nobody")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    missing = run("doctor", "demo/honest", "nowhere.png")
    assert missing.exit_code == 1
    assert "nowhere.png" in missing.stderr
