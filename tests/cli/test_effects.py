"""Options that change nothing are said, and only these."""

import re
from dataclasses import replace
from pathlib import Path

import nibabel
import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

from seewhy.cli.app import main
from seewhy.cli.effects import Explained, finding_without_effect
from seewhy.cli.finding_options import BoxRule
from support.files.birds import photo
from support.files.scans import AFFINES, scan

NETS = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from support.files.scans import Sees

def net():
    return Sees(), {{"orientation": "LPS", "axes": "kji"}}, ["lesion", "none"]
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo("bird.png")
    nibabel.save(nibabel.Nifti1Image(scan(AFFINES["plain"]), AFFINES["plain"]), "scan.nii")
    Path("nets.py").write_text(NETS)

    def explain(*words, image="bird.png", model="demo/honest"):
        done = CliRunner().invoke(main, ["explain", image, "--model", model, "--out", "out", *words])
        return done, re.findall(r"^seewhy: (--\S+) had no effect", done.stderr, re.M)

    return explain


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], []),
        (["--view", "axial"], ["--view"]),
        (["--window", "0,5", "--view", "panel"], ["--view", "--window"]),
        (["--grid", "7x7"], ["--grid"]),
        (["--budget", "100"], ["--budget"]),
        (["--tile", "500"], ["--tile"]),
        (["--tile", "64"], []),
        (["-M", "grad-cam", "-M", "gradient", "--layer", "body"], ["--layer"]),
        (["-M", "grad-cam", "--layer", "body", "--scale", "2"], []),
        (["-M", "occlusion", "--set", "window=48", "--budget", "500"], []),
    ],
)
def test_on_photos(run, words, said):
    done, remarks = run(*words)
    assert done.exit_code == 0, done.output
    assert remarks == said


def test_on_volumes(run):
    done, remarks = run("--view", "axial", "--window", "0,900", image="scan.nii", model="nets.py:net")
    assert done.exit_code == 0, done.output
    assert remarks == []


def test_of_several_methods_those_that_an_option_passes_by_are_named(run):
    done, remarks = run("-M", "grad-cam", "-M", "occlusion", "--set", "window=48", "--budget", "500")
    assert done.exit_code == 0, done.output
    assert remarks == ["--budget"]
    assert "--budget had no effect on grad-cam: it bounds methods that ask for many scores" in done.stderr


def test_caveats_are_told_of_what_was_explained_alone(run):
    done, _ = run()
    assert "grad-cam: averaging the gradient" in done.stdout
    failed, remarks = run("--view", "axial", image="missing.png")
    assert failed.exit_code == 1
    assert remarks == []
    assert "averaging the gradient" not in failed.output


def test_what_failed_is_called_what_it_is(run):
    Path("broken.nii").write_bytes(b"none")
    for names, said in (
        (["broken.nii"], "1 of 1 volumes failed: broken.nii"),
        (["broken.nii", "missing.png"], "2 of 2 images failed: broken.nii, missing.png"),
        (["missing.png", "bird.png"], "1 of 2 photos failed: missing.png"),
    ):
        done = CliRunner().invoke(main, ["explain", *names, "--model", "demo/honest", "--out", "out"])
        assert f"seewhy: {said}" in done.stderr.splitlines(), done.stderr


@pytest.mark.parametrize(
    ("out", "said"), [("", "it is empty; . is the folder you are in"), ("bird.png", "'bird.png' is a file; name a folder")]
)
def test_where_nothing_can_be_written_is_said_in_a_line(run, out, said):
    done, _ = run("--out", out)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_options_on_boxes_that_change_none():
    explained, rule = Explained(), BoxRule(None, "max", None, "largest", 8, 0.1, None, 0.5)
    assert len([*finding_without_effect({"least", "suppress"}, rule, explained)]) == 1  # nothing was explained, so none is left
    explained.methods.add("grad-cam")
    said = [*finding_without_effect({"least", "suppress"}, rule, explained)]
    assert [words.split()[0] for words in said] == ["--least", "--suppress"]
    explained.several = True
    assert [*finding_without_effect({"least", "suppress"}, replace(rule, components="all"), explained)] == []
    assert [*finding_without_effect(set(), rule, explained)] == []
