"""`seewhy trust` prints what came of each check, and a verdict."""

import json

import pytest
from click.testing import CliRunner

from seewhy import demo
from seewhy.cli import app as command


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
    for words, said in ((["--check", "deletions"], "deletion"), (["--target", "top:2"], "one map is judged")):
        done = run(photo, *words)
        assert (done.exit_code, done.stdout) == (2, "")
        assert said in done.stderr
