"""`seewhy explain`, as a person types it: what is written, what is said and where, and what a broken photo costs."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy import Heatmap, Top
from seewhy.cli import app as command
from seewhy.cli.options import KeyValue
from seewhy.images import photo as image

pytest.importorskip("timm")


@pytest.fixture
def run(mini, tmp_path, monkeypatch):
    """`seewhy explain PHOTOS... --model timm/test_resnet --weights mini --out OUT ...`."""
    monkeypatch.chdir(tmp_path)

    def explain(*arguments, out="out"):
        model = ["--model", "timm/test_resnet", "--weights", str(mini), "--out", out, "--no-sheet"]
        return CliRunner().invoke(command.main, ["explain", *map(str, arguments), *model])

    return explain


@pytest.fixture
def photo(tmp_path, noise):
    def make(name: str, size=(90, 70)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise(size, seed=len(name)).save(path)
        return path

    return make


@pytest.fixture(scope="module")
def model(mini):
    return seewhy.load("timm/test_resnet", mini)


def written(folder) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_an_overlay_is_written_and_said(run, photo, model, tmp_path):
    cat = photo("cat.png")
    result = run(cat)
    assert result.exit_code == 0
    assert result.stderr == ""
    (heatmap,) = seewhy.grad_cam(model, cat)
    said, top = result.stdout, heatmap.source.predicted
    assert said.splitlines()[0] == f"{cat}: {top.label} ({top.index}), {100 * top.probability:.1f} %"
    for part in ("grad-cam", f"top 1: {top.label}", f"{heatmap.source.score:.2f}", f"at {heatmap.source.layer}"):
        assert part in said.splitlines()[1]
    (file,) = (tmp_path / "out").iterdir()
    assert said.splitlines()[1].endswith(f"-> out/{file.name}")
    assert Heatmap.source_of(file).score == pytest.approx(heatmap.source.score)
    with Image.open(file) as png:
        assert png.convert("RGB").tobytes() == heatmap.overlay(legend=True).tobytes()


def test_what_can_be_asked_in_the_library_can_be_asked_here(run, photo, model):
    cat = photo("cat.png")
    result = run(
        cat,
        "--method",
        "grad-cam",
        "--method",
        "layer-cam",
        "--target",
        "top:2",
        "--target",
        "tabby",
        "--target",
        "7",
        "--target",
        "tabby-vs-tiger cat+5",
        "--layer",
        "layer2",
        "--layer",
        "layer3",
        "--set",
        "signed=true",
        "--json",
    )
    asked = [Top(1), Top(2), "tabby", 7, seewhy.Contrast("tabby", ["tiger cat", 5])]
    methods = [seewhy.METHODS[name].using(signed=True) for name in ("grad-cam", "layer-cam")]
    maps = seewhy.explain(model, cat, methods, asked, ["layer2", "layer3"])
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == len(maps) == 20
    for line, heatmap in zip(lines, maps, strict=True):
        source = heatmap.source
        assert (line["method"], line["target"], line["layer"], line["index"]) == (
            source.method,
            source.target,
            source.layer,
            source.index,
        )
        assert line["score"] == pytest.approx(source.score)
        assert line["params"]["signed"] is True
        assert line["box"] == pytest.approx(list(heatmap.box))
        with Image.open(line["file"]) as png:
            assert png.size[0] == max(220, heatmap.size[0])


def test_the_numbers_are_written_when_asked_for(run, photo, model, tmp_path):
    assert run(photo("cat.png"), "--values").exit_code == 0
    (png,), (npz,) = ([*(tmp_path / "out").glob(kind)] for kind in ("*.png", "*.npz"))
    assert png.stem == npz.stem
    with np.load(npz) as kept:
        np.testing.assert_allclose(kept["values"], seewhy.grad_cam(model, tmp_path / "cat.png")[0].values, rtol=1e-4, atol=1e-7)


def test_warnings_are_said_with_their_map(run, tmp_path):
    frames = [Image.new("RGB", (40, 30), c) for c in ("red", "lime")]
    frames[0].save(tmp_path / "moves.gif", save_all=True, append_images=frames[1:])
    result = run("moves.gif", "--method", "centre")
    warnings = [line.strip() for line in result.stdout.splitlines() if line.strip().startswith("!")]
    assert any("2 frames" in line for line in warnings)
    assert any("a control" in line for line in warnings)


def test_a_method_that_runs_a_part_still_says_what_was_predicted(run, photo, model):
    result = run(photo("cat.png"), "--method", "eigen-cam")
    top = seewhy.grad_cam(model, photo("cat.png"))[0].source.predicted
    assert f"cat.png: {top.label} ({top.index}), {100 * top.probability:.1f} %" in result.stdout


def test_a_folder_stands_for_its_pictures(run, photo, tmp_path):
    for name in ("album/b.png", "album/a.jpg", "album/c.TIF"):
        photo(name)
    (tmp_path / "album/notes.txt").write_text("no picture")
    lines = run("album", "--json").stdout.splitlines()
    assert [json.loads(line)["image"] for line in lines] == ["album/a.jpg", "album/b.png", "album/c.TIF"]
    (tmp_path / "empty").mkdir()
    result = run("empty")
    assert result.exit_code == 2
    assert "empty holds no pictures" in result.stderr


def test_photos_of_one_name_do_not_overwrite_one_another(run, photo, tmp_path):
    photos = [photo("a/cat.png"), photo("bb/cat.png", (60, 80)), photo("c/CAT.png"), photo("a/cat.jpg")]
    lines = [json.loads(line) for line in run(*photos, "--json").stdout.splitlines()]
    files = [line["file"] for line in lines]
    assert len({file.lower() for file in files}) == len(written(tmp_path / "out")) == 4
    for line, given in zip(lines, photos, strict=True):
        assert Heatmap.source_of(line["file"]).image == str(given)


def test_targets_and_methods_do_not_overwrite_one_another(run, photo, tmp_path):
    result = run(
        photo("a.png"),
        "--target",
        "1",
        "--target",
        "1",
        "--target",
        "goldfish",
        "--method",
        "grad-cam",
        "--method",
        "layer-cam",
    )
    assert result.exit_code == 0
    assert len(written(tmp_path / "out")) == 6


def test_one_bad_photo_does_not_stop_the_others(run, photo, tmp_path):
    good = [photo("a.png"), photo("c.png")]
    (tmp_path / "b.jpg").write_text("no picture")
    result = run(good[0], "b.jpg", "nowhere.png", good[1])
    assert result.exit_code == 1
    assert len(written(tmp_path / "out")) == 2
    assert "b.jpg" not in result.stdout
    assert "b.jpg is not an image" in result.stderr
    assert "nowhere.png is not there" in result.stderr
    assert result.stderr.splitlines()[-1] == "seewhy: 2 of 4 photos failed: b.jpg, nowhere.png"
    assert "Traceback" not in result.output


def test_an_interruption_keeps_what_was_written(run, photo, tmp_path, monkeypatch):
    photos, read = [photo(f"{name}.png") for name in "abc"], image.read

    def interrupted(file):
        if str(file).endswith("b.png"):
            raise KeyboardInterrupt
        return read(file)

    monkeypatch.setattr(image, "read", interrupted)
    result = run(*photos)
    assert result.exit_code == 130
    assert len(written(tmp_path / "out")) == 1
    assert str(photos[0]) in result.stdout
    assert result.stderr == "seewhy: interrupted; what was written stays.\n"


MISUSE = {
    "method": (["--method", "gradcam"], ["gradcam", "grad-cam"]),
    "layer": (["--layer", "layer5"], ["layer5", "layer4"]),
    "label": (["--target", "tabbycat"], ["tabbycat", "tabby"]),
    "index": (["--target", "1000"], ["1000", "0 to 999"]),
    "empty target": (["--target", ""], ["class"]),
    "dashes": (["--target", "--5"], ["--5"]),
    "top": (["--target", "top:zero"], ["top:zero", "top:3"]),
    "top 0": (["--target", "top:0"], ["top:0", "top:3"]),
    "contrast": (["--target", "tabby-vs-dgo"], ["dgo"]),
    "set": (["--set", "window=3"], ["window", "signed"]),
    "set word": (["--set", "signed"], ["signed", "name=value"]),
    "set maybe": (["--set", "signed=maybe"], ["signed", "maybe"]),
    "option": (["--option", "colour=red"], ["colour"]),
    "option word": (["--option", "colour"], ["colour", "name=value"]),
    "prepare": (["--prepare", "sice=3"], ["sice", "size"]),
    "prepare word": (["--prepare", "size=big"], ["size", "big"]),
    "colours": (["--colours", "jett"], ["jett", "jet"]),
    "alpha": (["--alpha", "2"], ["alpha", "2"]),
    "scores": (["--scores", "odds"], ["odds", "probability"]),
    "device": (["--device", "toaster"], ["toaster"]),
    "labels": (["--labels", "nowhere.txt"], ["nowhere.txt"]),
}


@pytest.mark.parametrize("name", MISUSE)
def test_misuse_is_one_line_and_exit_code_two(run, photo, name):
    arguments, said = MISUSE[name]
    result = run(photo("cat.png"), *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    last = result.stderr.rstrip("\n").splitlines()[-1]
    assert all(word in last for word in said)
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1  # also click's own


@pytest.mark.parametrize(("spec", "said"), [("timm/test_resnett", "test_resnet"), ("mxnet/vgg", "torchvision/NAME")])
def test_an_unknown_model_is_misuse(photo, spec, said):
    result = CliRunner().invoke(command.main, ["explain", str(photo("cat.png")), "--model", spec])
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert said in result.stderr


@pytest.mark.parametrize("arguments", [["explain"], ["explain", "cat.png"], ["explain", "--nope"], ["expalin"], ["layers"]])
def test_what_click_refuses_is_misuse_too(arguments):
    result = CliRunner().invoke(command.main, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("seewhy: ")
    assert len(result.stderr.splitlines()) == 1


def test_broken_weights_are_a_failure_not_misuse(photo, tmp_path):
    (tmp_path / "w.pth").write_text("no weights")
    arguments = ["explain", str(photo("cat.png")), "--model", "timm/test_resnet", "--weights", str(tmp_path / "w.pth")]
    result = CliRunner().invoke(command.main, arguments)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "w.pth" in result.stderr
    debugged = CliRunner().invoke(command.main, ["--debug", *arguments])
    assert debugged.exit_code == 1
    assert isinstance(debugged.exception, seewhy.BadWeights)


WORDS = {"true": True, "True": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@pytest.mark.parametrize("word", WORDS)
def test_words_for_yes_and_no(run, photo, word):
    (line,) = run(photo("cat.png"), "--json", "--set", f"signed={word}").stdout.splitlines()
    assert bool(json.loads(line)["params"]["signed"]) is WORDS[word]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("true", True),
        ("None", None),
        ("(1, 2)", (1, 2)),
        ("same", "same"),
        ("a=b", "a=b"),
        ("'7'", "7"),
        ("", ""),
    ],
)
def test_values_are_python_literals_or_text(text, value):
    found = KeyValue().convert(f"k={text}", None, None)
    assert found == ("k", value)
    assert type(found[1]) is type(value)


def test_preprocessing_can_be_said_here(run, photo, model):
    result = run(
        photo("cat.png", (400, 300)), "--json", "--prepare", "size=100", "--prepare", "crop=50", "--prepare", "std=(1,1,1)"
    )
    assert json.loads(result.stdout)["box"] == pytest.approx([126, 75, 276, 225], abs=2)


def test_labels_of_ones_own(run, photo, tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(f"kind {i}" for i in range(1000)))
    result = run(photo("cat.png"), "--labels", "names.txt", "--target", "kind 7", "--json")
    assert (json.loads(result.stdout)["label"], json.loads(result.stdout)["index"]) == ("kind 7", 7)


def test_a_method_that_refuses_is_said_once_and_the_others_are_written(run, photo, tmp_path):
    photos = [photo(f"{name}.png") for name in "abc"]
    result = run(*photos, "--method", "attention-rollout", "--method", "grad-cam", "--method", "cam")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("seewhy: attention-rollout: ")
    assert "has no attention that can be seen" in line
    assert len(written(tmp_path / "out")) == 6
    assert run(*photos, "--method", "attention-rollout", out="none").exit_code == 2


def test_a_target_that_is_refused_is_said_and_the_others_are_written(run, photo, tmp_path):
    result = run(photo("a.png"), "--target", "1", "--target", "unit:nowhere:3")
    assert result.exit_code == 1
    assert result.stderr.startswith("seewhy: unit:nowhere:3: No layer")
    assert len(written(tmp_path / "out")) == 1


NETS = """
import torch
from torch import nn

torch.manual_seed(0)
segmenter = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1)).eval()
classifier = nn.Sequential(segmenter, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
"""


@pytest.mark.parametrize("order", [("segmenter", "classifier"), ("classifier", "segmenter")])
def test_a_network_of_several_that_refuses_costs_no_other(photo, tmp_path, order):
    (tmp_path / "nets.py").write_text(NETS)
    models = [part for name in order for part in ("--model", f"{tmp_path}/nets.py:{name}")]
    given = ["explain", str(photo("a.png", (20, 16))), "--target", "point:3,4", "--out", str(tmp_path / "out"), "--no-sheet"]
    given += ["--prepare", "mean=0.5", "--prepare", "std=0.5"]
    result = CliRunner().invoke(command.main, [*given, *models])
    assert result.exit_code == 1
    assert "lies in a dense output" in result.stderr
    assert len(written(tmp_path / "out")) == 1
    alone = CliRunner().invoke(command.main, [*given, "--model", f"{tmp_path}/nets.py:classifier"])
    assert alone.exit_code == 2
