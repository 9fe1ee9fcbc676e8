"""`seewhy explain` draws the pictures of methods that read the pixels, and explains single units."""

import json
import re

import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli import app as command


@pytest.fixture
def run(noise, tmp_path, monkeypatch):
    """`seewhy COMMAND photo.png --model demo/honest ...` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    noise((70, 64)).save(tmp_path / "photo.png")

    def cli(*words):
        first, *rest = words
        return CliRunner().invoke(command.main, [first, "photo.png", "--model", "demo/honest", *rest])

    return cli


def test_pictures_are_written_beside_one_another(run, tmp_path):
    done = run("explain", "-M", "guided-backprop", "-M", "grad-cam", "--picture", "colour", "--picture", "signed", "--no-sheet")
    assert done.exit_code == 0, done.output
    names = sorted(path.name.split(".", 2)[2] for path in (tmp_path / "seewhy-out").iterdir())
    assert [name for name in names if "guided" in name] == [
        "input.guided-backprop.colour.png",
        "input.guided-backprop.signed.png",
    ]
    assert sum("grad-cam.png" in name for name in names) == 1  # which has no such picture: its overlay


def test_the_caveat_is_said(run):
    for method in ("guided-backprop", "deconvnet", "guided-grad-cam"):
        done = run("explain", "-M", method)
        assert "edge detector" in done.stdout.splitlines()[-1]
        assert done.stdout.splitlines()[-1].startswith(method)
        (facts,) = map(json.loads, run("explain", "-M", method, "--json").stdout.splitlines())
        assert "edge detector" in facts["caveat"]
    listed = CliRunner().invoke(command.main, ["methods"]).stdout
    assert listed.count("edge detector") == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--picture", "gray"], r"No picture 'gray'. Closest: .*grey"),
        (["--picture", "grey"], "--picture grey shows attributions of single pixels, which grad-cam"),
        (["-M", "gradient", "--layer", "body"], "reads the image's own pixels"),
        (["-t", "unit:body"], "write unit:LAYER:CHANNEL"),
        (["-t", "unit:body:x"], "write unit:LAYER:CHANNEL"),
        (["-t", "unit:body:1:2"], r"a cell of body, whose grid is \(12, 12\)"),
        (["-t", "unit:nowhere:1"], "No layer 'nowhere'"),
        (["-t", "unit:body:4711"], "No channel 4711"),
        (["-M", "smooth(grad)"], "No method 'grad'"),
        (["-M", "smooth(grad-cam"], "smooth"),
        (["-M", "smooth-grad", "--set", "samples=0"], "samples is a whole number"),
    ],
)
def test_misuse_is_one_line(run, words, says):
    done = run("explain", *words)
    assert done.exit_code == 2, done.output
    assert re.search(says, done.stderr)
    assert "Traceback" not in done.output


def test_a_unit_is_a_target(run, tmp_path):
    done = run("explain", "-M", "deconvnet", "-t", "unit:body:3", "-t", "unit:body:3:sum", "-t", "unit:body:3:1,2")
    assert done.exit_code == 0, done.output
    first = done.stdout.splitlines()[1]
    assert "unit:body:3" in first
    assert "activation" in first
    (file,) = (tmp_path / "seewhy-out").glob("*body-3.input*.png")
    source = seewhy.Heatmap.source_of(file)
    model = seewhy.load("demo/honest")
    (batch,) = model.batches("photo.png")
    activation = model.activations(batch.x, ["body"])[0]["body"][0, 3]
    assert source.score == pytest.approx(float(activation.max()), rel=1e-5)
    assert source.probability is None
    assert source.predicted is None
    (whole,) = (tmp_path / "seewhy-out").glob("*body-3-sum.input*.png")
    assert seewhy.Heatmap.source_of(whole).score == pytest.approx(float(activation.sum()), rel=1e-5)


def test_scale_draws_more_pixels_than_the_photo_has(run, tmp_path):
    done = run("explain", "-M", "gradient", "--picture", "overlay", "--picture", "grey", "--scale", "2", "--no-legend")
    assert done.exit_code == 0, done.output
    sizes = {}
    for path in (tmp_path / "seewhy-out").glob("*.gradient.*png"):
        with Image.open(path) as picture:
            sizes[path.name.split("gradient.")[1]] = picture.size
    assert sizes["png"] == (140, 128)
    assert sizes["grey.png"][0] % 2 == 0


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf", "1000000"])
def test_a_scale_that_cannot_be_is_said(run, scale):
    done = run("explain", "--scale", scale)
    assert done.exit_code in (1, 2)
    assert "Traceback" not in done.output
    assert "scale" in done.output or "large" in done.output


def test_pictures_are_written_in_the_format_asked_for(run, tmp_path):
    pytest.importorskip("reportlab")
    for form in ("svg", "pdf"):
        for _again in range(2):
            done = run("explain", "-M", "gradient", "--picture", "overlay", "--picture", "grey", "--format", form, "-o", form)
            assert done.exit_code == 0, done.output
        names = sorted(path.name.split("gradient.")[1] for path in (tmp_path / form).glob("photo.*"))
        assert names == sorted([form, f"grey.{form}"]), "the second run wrote over what the first had written"
        for path in (tmp_path / form).glob("photo.*"):
            assert seewhy.Heatmap.source_of(path).method == "gradient"
    assert run("explain", "--format", "jpg").exit_code == 2
