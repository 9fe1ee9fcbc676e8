"""Superpixels from the command line: the files, what is said, and every refusal in one line."""

import json
import re
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli import app as command
from seewhy.errors import install

pytest.importorskip("skimage")


@pytest.fixture
def run(noise, tmp_path, monkeypatch):
    """`seewhy explain photo.png --model demo/honest ...` in an empty folder, of a wide photo."""
    monkeypatch.chdir(tmp_path)
    noise((130, 100)).save(tmp_path / "photo.png")

    def cli(*words):
        return CliRunner().invoke(command.main, ["explain", "photo.png", "--model", "demo/honest", "--no-sheet", *words])

    return cli


LIME = ("-M", "lime", "--set", "samples=100", "--picture", "regions", "--picture", "boundaries", "--budget", "60")


def files(tmp_path):
    return sorted(path.name for path in (tmp_path / "seewhy-out").iterdir())


@pytest.fixture
def same(tmp_path):
    """What the library finds when asked the same."""
    return lambda: seewhy.lime(seewhy.load("demo/honest"), tmp_path / "photo.png", samples=100, budget=60)[0]


def test_pictures_of_regions_are_written_and_said(run, tmp_path, same):
    done = run(*LIME)
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    boundaries, regions = files(tmp_path)
    assert regions.endswith(".lime.samples-100-budget-60.regions.png")
    assert boundaries.endswith(".lime.samples-100-budget-60.boundaries.png")
    heatmap, out = same(), tmp_path / "seewhy-out"
    for name, drawn in ((regions, heatmap.top_regions()), (boundaries, heatmap.boundaries())):
        with Image.open(out / name) as png:
            assert png.convert("RGB").tobytes() == drawn.tobytes()
        assert seewhy.Heatmap.source_of(out / name).measured == pytest.approx(dict(heatmap.source.measured))
    lines = done.stdout.splitlines()
    assert lines[1].endswith(f"-> seewhy-out/{regions}, {boundaries}")
    for name in ("segments", "intercept", "local prediction", "forwards"):
        assert f"{name} {heatmap.source.measured[name.replace(' ', '_')]:.4g}" in lines[2]
    assert lines[-1] == f"lime: {seewhy.METHODS['lime'].caveat}"


def test_a_budget_that_ends_early_is_said(run):
    assert "    ! stopped by the budget of 60 forwards after 60 of 100 forwards: the map is an estimate from these" in (
        run(*LIME).stdout.splitlines()
    )
    assert "stopped by the budget" not in run(*LIME[:-2]).stdout


def test_json_names_all_files_and_numbers(run, same):
    (line,) = run(*LIME, "--json").stdout.splitlines()
    facts, heatmap = json.loads(line), same()
    assert [file.rsplit(".", 2)[1] for file in facts["files"]] == ["regions", "boundaries"]
    assert facts["file"] == facts["files"][0]
    assert facts["measured"] == pytest.approx(dict(heatmap.source.measured))
    assert facts["params"]["samples"] == 100
    assert facts["params"]["budget"] == "60"
    assert any("budget of 60" in warning for warning in facts["warnings"])
    assert facts["caveat"] == seewhy.METHODS["lime"].caveat


def test_methods_write_what_each_has(run, tmp_path):
    done = run(*LIME, "-M", "grad-cam", "-M", "sobol", "--set", "segments=grid:2", "--picture", "overlay")
    assert done.exit_code == 0, done.output
    kinds = {}
    for name in files(tmp_path):
        method = re.search(r"\.(lime|grad-cam|sobol)\.", name)[1]
        kinds.setdefault(method, set()).add(name.removesuffix(".png").rsplit(".", 1)[-1])
    assert {method: {"regions", "boundaries"} <= found for method, found in kinds.items()} == {
        "lime": True, "grad-cam": False, "sobol": True,
    }  # fmt: skip
    assert {method: len(found) for method, found in kinds.items()} == {"lime": 3, "grad-cam": 1, "sobol": 3}


def test_a_method_without_regions_beside_one_with_writes_its_overlay(run, tmp_path):
    assert run("-M", "lime", "-M", "grad-cam", "--set", "samples=20", "--picture", "regions").exit_code == 0
    assert [name.endswith(".grad-cam.png") for name in files(tmp_path)].count(True) == 1
    assert len(files(tmp_path)) == 2


def test_numbers_are_written_with_the_regions(run, tmp_path, same):
    assert run(*LIME, "--values").exit_code == 0
    (npz,) = (tmp_path / "seewhy-out").glob("*.npz")
    with np.load(npz) as kept:
        np.testing.assert_allclose(kept["region_weights"], same().regions.weights, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--picture", "regions"], "--picture regions shows superpixels, which grad-cam does not judge; lime"),
        (["-M", "gradient", "--picture", "boundaries"], "which gradient does not judge; lime and kernel-shap do"),
        (["-M", "lime", "--picture", "region"], "No picture 'region'. Closest: regions"),
        (["-M", "lime", "--picture", "superpixels"], "No picture 'superpixels'. .*regions, boundaries"),
        (["-M", "lime", "--picture", "grey"], "which lime does not give"),
        (["-M", "lime", "--set", "segments=slick"], "No segmentation 'slick'. Closest: slic"),
        (["-M", "lime", "--set", "segments=grid:1"], "one segment"),
        (["-M", "lime", "--set", "segments=None"], "integer labels"),
        (["-M", "lime", "--set", "samples=few"], "samples is a whole number"),
        (["-M", "lime", "--set", "window=3"], "lime has no parameter 'window'"),
        (["-M", "sobol", "--budget", "100"], "sobol: budget=100 is too little: it needs 132 forwards"),
        (["-M", "lime", "--budget", "a while"], "Give a number of forward passes"),
        (["-M", "grad-cam", "--set", "budget=10"], "grad-cam has no parameter 'budget'"),
    ],
)
def test_misuse_is_one_line_of_advice(run, tmp_path, words, said):
    done = run(*words)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert re.search(said, line)
    assert not [*tmp_path.glob("seewhy-out/*")]


@pytest.mark.parametrize("words", [("-M", "lime"), ("-M", "kernel-shap", "--set", "segments=felzenszwalb")])
def test_without_scikit_image_the_extra_is_named(run, monkeypatch, words):
    for name in [name for name in sys.modules if name.partition(".")[0] == "skimage"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    done = run(*words)
    assert done.exit_code == 1, done.output
    said = f"seewhy: scikit-image is not installed. Install it with: {install('superpixels')}"
    assert said in done.stderr.splitlines()
    assert "Traceback" not in done.output
    whole = run("-M", "lime", "--set", "segments=grid:4", "--set", "samples=30")
    assert whole.exit_code == 0, "a grid needs none"
