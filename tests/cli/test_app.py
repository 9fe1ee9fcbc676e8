"""The rest of the command line: what it lists, how fast it answers, what a shell sees."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli.app import main

SEEWHY = Path(sys.executable).with_name("seewhy")


def shell(*arguments, **environment) -> subprocess.CompletedProcess:
    command = [str(SEEWHY)] if SEEWHY.exists() else [sys.executable, "-c", "from seewhy.cli.app import main; main()"]
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        timeout=300,
        check=False,
    )


def test_help_is_there_at_once():
    def seconds() -> float:
        """Of the processor, which other work on the machine does not lengthen."""
        before = os.times()
        assert "explain" in shell("--help").stdout
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(seconds() for _ in range(5)) < 0.25


@pytest.mark.parametrize("arguments", [["--help"], ["explain", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys; from seewhy.cli.app import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit: pass\n"
        "print([m for m in ('numpy', 'torch', 'PIL', 'einops', 'jinja2', 'timm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_the_packages():
    assert shell("--version").stdout.split() == ["seewhy,", "version", seewhy.__version__]


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_shells_can_complete(kind):
    if kind == "bash" and shell("--version").returncode:
        pytest.skip("no entry point")
    assert "_SEEWHY_COMPLETE" in shell(_SEEWHY_COMPLETE=f"{kind}_source").stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [("seewhy explain --method grad", ["grad-cam", "grad-cam-pp", "grad-cam-elementwise", "gradient", "gradient-shap"]),
     ("seewhy explain -m ti", ["timm/"]),
     ("seewhy layers demo/h", ["demo/honest"]), ("seewhy me", ["methods", "metrics"]), ("seewhy explain --lab", ["--labels"])],
)  # fmt: skip
def test_names_are_completed(words, offered):
    done = shell(_SEEWHY_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(len(words.split()) - 1))
    assert sorted(line.partition(",")[2] for line in done.stdout.splitlines()) == sorted(offered)


def test_results_go_to_stdout_and_the_rest_to_stderr(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    out = tmp_path / "out"
    done = shell("explain", tmp_path / "a.png", tmp_path / "b.png", "-m", "demo/honest", "-o", out, "--json")
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert Path(json.loads(line)["file"]).exists()
    assert "b.png" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_traceback_is_shown_only_to_who_asks(tmp_path):
    asked = ["explain", tmp_path / "a.png", "--model", "demo/vgg"]
    assert "Traceback" not in shell(*asked).stderr
    assert "Traceback" in shell("--debug", *asked).stderr


def test_help_shows_every_option_and_command():
    text = CliRunner().invoke(main, ["explain", "--help"]).stdout
    for option in (
        "--model",
        "--weights",
        "--labels",
        "--option",
        "--method",
        "--target",
        "--layer",
        "--set",
        "--out",
        "--json",
        "--values",
    ):
        assert option in text
    commands = CliRunner().invoke(main, ["--help"]).stdout
    for name in ("explain", "layers", "methods", "metrics", "demo"):
        assert f"\n  {name} " in commands


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["expalin"], "seewhy: No such command 'expalin'. Did you mean 'explain'? `seewhy --help` says what there is."),
        (["explain", "a.jpg"], "seewhy: Missing option '--model' / '-m'. `seewhy explain --help` says what there is."),
        (["explain", "a.jpg", "--colour", "jet"], "No such option '--colour'"),
        (["explain", "a.jpg", "--model", "demo/honest", "--window", "a"], "write the low value, a comma and the high one"),
        (["explain", "a.jpg", "--model", "demo/honest", "--alpha", "3"], "Invalid value for '--alpha'"),
        (["explain", "--model", "demo/honest"], "Missing argument 'PHOTO...'"),
        (["layers"], "Missing argument 'SPEC'"),
    ],
)
def test_clicks_own_errors_are_one_line_too(words, said):
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("seewhy: ")
    assert done.stderr.endswith("--help` says what there is.\n")
