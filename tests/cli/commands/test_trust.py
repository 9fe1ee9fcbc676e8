"""`seewhy trust` prints what came of each check, and a verdict."""

import json

import pytest
from click.testing import CliRunner

import seewhy
from seewhy import demo
from seewhy.cli import app as command
from seewhy.cli.commands.trust import CHECKS
from seewhy.metrics.verdict import checking


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("trust") / "photo.png"
    demo.scenes(1, 31, pair=True)[0].image.save(path)
    return str(path)


def run(*words):
    return CliRunner().invoke(command.main, ["trust", "demo/honest", *words])


def test_a_map_that_stands_its_checks(photo):
    done = run(photo, "--check", "head", "--check", "deletion")
    assert done.exit_code == 0, done.output
    first, head, *_rest = done.stdout.splitlines()
    assert "grad-cam for house (5)" in first
    assert head.startswith("green head      With the last layer's weights")
    assert done.stdout.splitlines()[-1] == "Trust this grad-cam map at body as far as it was checked: it stood head, deletion."


def test_a_map_that_fails_has_exit_code_1(photo):
    done = run(photo, "--method", "eigen-cam", "--check", "head", "--json")
    assert done.exit_code == 1, done.output
    facts = json.loads(done.stdout)
    assert (facts["status"], facts["checks"][0]["value"]) == ("red", pytest.approx(1))


def test_what_is_misused_has_exit_code_2(photo):
    for words, said in (
        (["--check", "deletions"], "'deletion'"),
        (["--target", "top:2"], "one map of each method is judged"),
        (["--method", "gradcam"], "Closest: grad-cam"),
        (["--set", "power=2"], "power"),
        (["--record", "map.png"], "written as .json"),
        (["--record", "nowhere/map.json"], "there is no folder 'nowhere'"),
        (["--record", "map.json", "-M", "cam", "-M", "grad-cam"], "2 methods are judged: give one"),
    ):
        done = run(photo, *words)
        assert (done.exit_code, done.stdout) == (2, "")
        assert said in done.stderr


def test_a_photo_that_is_not_there(tmp_path):
    done = run(str(tmp_path / "none.png"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.endswith("none.png is not there.\n")
    assert "The name of the image is empty" in run("").stderr


def test_the_checks_are_those_that_there_are():
    assert (*checking.CHECKS,) == CHECKS


def test_several_methods_are_judged_one_after_the_other_and_what_is_refused_is_said(photo):
    done = run(photo, "-M", "eigen-cam", "-M", "attention-rollout", "-M", "grad-cam", "--check", "head")
    assert done.exit_code == 1, done.output
    assert [line for line in done.stdout.splitlines() if " map at " in line] == [
        "Do not trust this eigen-cam map at body: it failed head.",
        "Trust this grad-cam map at body as far as it was checked: it stood head.",
    ]
    assert done.stderr.startswith("seewhy: attention-rollout")
    lines = run(photo, "-M", "eigen-cam", "-M", "attention-rollout", "-M", "grad-cam", "--check", "head", "--json").stdout
    assert [(facts["method"], facts["status"]) for facts in map(json.loads, lines.splitlines())] == [
        ("eigen-cam", "red"), ("grad-cam", "green"),
    ]  # fmt: skip


def test_the_record_holds_the_map_and_its_checks_and_is_verified(photo, tmp_path):
    path = tmp_path / "map.record.json"
    words = ("-M", "grad-cam", "--set", "signed=true", "--check", "head", "--check", "disagreement", "--seed", "3")
    done = run(photo, *words, "--record", str(path), "--json")
    assert done.exit_code == 0, done.output
    assert done.stderr == f"-> {path}\n"
    record = seewhy.EvidenceRecord.read(path)
    assert [check.facts for check in record.checks] == json.loads(done.stdout)["checks"]
    assert record.source.params["signed"] is True
    assert record.checks[0].settings["seed"] == 3
    assert seewhy.verify(path).verdict == "the same, bit for bit"
