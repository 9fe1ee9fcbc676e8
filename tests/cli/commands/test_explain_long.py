"""Long work as a person sees it: Ctrl-C, budgets, the bar.  What is done stays."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import seewhy
from seewhy import METHODS, Heatmap
from seewhy.cli import app as command
from seewhy.cli.options import ModelOptions
from seewhy.progress import stop_asked, stoppable
from support.counting import keeping_apart

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals and a pseudo-terminal")
X = np.random.default_rng(0).random((1, 3, 16, 16))


@pytest.fixture
def photos(tmp_path, noise, monkeypatch):
    """a.png, b.png, c.png in the current folder."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate("abc"):
        noise((90, 70), seed).save(f"{name}.png")
    return ["a.png", "b.png", "c.png"]


def started(*arguments) -> subprocess.Popen:
    """`python -m seewhy explain ...` of work that would take minutes."""
    asked = ["--model", "demo/honest", "--method", "rise", "--set", "masks=100000", "--out", "out", "--no-sheet"]
    return subprocess.Popen(
        [sys.executable, "-m", "seewhy", "explain", *arguments, *asked],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_an_interruption_writes_what_is_done(photos):
    """The first photo ends by its budget; then, in the second, Ctrl-C; the third is not begun."""
    with started(*photos, "--budget", "1 s", "--json") as work:
        first = json.loads(work.stdout.readline())
        time.sleep(0.3)
        work.send_signal(signal.SIGINT)
        out, err = work.communicate(timeout=300)
    assert work.returncode == 130, err
    second = json.loads(out.splitlines()[0])
    assert len(out.splitlines()) == 1
    assert (first["image"], second["image"]) == ("a.png", "b.png")
    assert any("stopped by the budget of 1 s" in w for w in first["warnings"])
    assert any(w.startswith("interrupted after ") for w in second["warnings"])
    assert 0 < second["measured"]["forwards"] < 100000
    assert {p.name for p in Path("out").iterdir()} == {Path(one["file"]).name for one in (first, second)}
    assert Heatmap.source_of(second["file"]).image == "b.png"
    assert err == (
        "seewhy: ending with what is done; Ctrl-C again ends at once.\nseewhy: interrupted; what was written stays.\n"
    )


def test_a_second_interruption_ends_at_once(photos, monkeypatch):
    """The model presses Ctrl-C twice, at its third call."""
    model, calls = seewhy.load("demo/honest"), [0]

    def press(_module, _args):
        calls[0] += 1
        if calls[0] == 3:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    model.network.register_forward_pre_hook(press)
    monkeypatch.setattr(ModelOptions, "load", lambda *_, **__: model)
    result = run(*photos, "--method", "rise", "--set", "masks=100000")
    assert result.exit_code == 130
    assert calls == [3]
    assert not [*Path("out").iterdir()]
    assert "interrupted; what was written stays" in result.stderr


def run(*arguments):
    return CliRunner().invoke(command.main, ["explain", *arguments, "--model", "demo/honest", "--out", "out", "--no-sheet"])


def test_the_budget_is_asked_for_here(photos):
    result = run("a.png", "--method", "occlusion", "--method", "rise", "--method", "grad-cam", "--budget", "12")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("stopped by the budget of 12 forwards after 12 of") == 2
    assert len([*Path("out").iterdir()]) == 3
    result = run("a.png", "--method", "rise", "--budget", "soon")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "'10 s'" in result.stderr.replace('"', "'")
    result = run("a.png", "--budget", "12")
    assert result.exit_code == 0, result.output
    assert [line for line in result.stderr.splitlines() if line.startswith("seewhy: --budget had no effect on grad-cam: ")]


def test_a_failure_in_the_middle_writes_what_is_done(photos, monkeypatch):
    model, calls = seewhy.load("demo/honest", batch_size=16), [0]

    def fail(_module, _args):
        calls[0] += 1
        if calls[0] == 5:  # the untouched image, 16, the first of them alone, 16
            raise ValueError("boom")

    model.network.register_forward_pre_hook(fail)
    monkeypatch.setattr(ModelOptions, "load", lambda *_, **__: model)
    result = run("a.png", "b.png", "--method", "rise", "--set", "masks=50")
    assert result.exit_code == 1
    assert len([*Path("out").iterdir()]) == 2
    assert "failed after 32 of 50 forwards" in result.stdout
    assert "rise, variants 32 to 47 of 50: " in result.stderr
    assert result.stderr.splitlines()[-1] == "seewhy: 1 of 2 photos failed: a.png"


def test_a_method_of_one_s_own_runs_here(photos):
    try:

        @seewhy.from_scores("no forwards", forwards=lambda _settings, _conditions: 0)
        def corner(probe, *, side=2):
            """One in the corner.

            Caveat: sees nothing else.
            """
            values = np.zeros((len(probe.y), *probe.space))
            values[:, :side, :side] = 1
            return seewhy.Estimate(values)

        result = run("a.png", "--method", "corner", "--set", "side=3", "--values")
        assert result.exit_code == 0, result.output
        assert "corner: sees nothing else." in result.stdout
        with np.load(next(Path("out").glob("*.npz"))) as kept:
            assert kept["values"].sum() == 9
        listed = CliRunner().invoke(command.main, ["methods"]).stdout
        assert "corner" in listed
    finally:
        METHODS.pop("corner")


def test_ctrl_c_asks_first_and_then_ends():
    usual, said = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), stoppable(lambda: said.append("ending")):  # noqa: PT012
        assert not stop_asked()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop_asked()
        assert said == ["ending"]
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is usual
    assert not stop_asked()


def test_ctrl_c_in_the_middle_of_work_gives_its_map():
    calls = []

    def function(x):
        calls.append(len(x))
        if len(calls) == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return x.mean((2, 3))

    with stoppable():
        (m,) = seewhy.rise(keeping_apart(seewhy.wrap(function, takes="float", batch_size=10)), X, masks=500)
    assert calls == [1, 10, 10, 10]
    assert m.source.measured["forwards"] == 30
    (again,) = seewhy.rise(seewhy.wrap(function, takes="float", batch_size=10), X, masks=500, budget=30)
    assert (m.values == again.values).all()


WORK = """
import sys, time
import numpy as np, seewhy, seewhy.progress as progress
progress.PATIENCE = 0.05
slow = lambda x: (time.sleep(0.01 * len(x)), x.mean((2, 3)))[1]
model = seewhy.wrap(slow, takes="float", batch_size=4)
seewhy.rise(model, np.ones((1, 3, 8, 8)), masks=160, fill="zero")
"""


def on_a_terminal(code: str) -> str:
    """What a program says to a terminal on stderr."""
    import pty  # where there are none, this test is skipped

    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", code], stderr=theirs, stdout=subprocess.DEVNULL) as work:
        os.close(theirs)
        said = b""
        while part := _read(ours):
            said += part
        work.wait()
    os.close(ours)
    return said.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # it was closed
        return b""


def test_long_work_has_a_bar_with_the_time_left():
    said = on_a_terminal(WORK)
    assert "rise" in said
    assert "00:00:0" in said
    assert "100%" in said
    piped = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, check=True)
    assert piped.stderr == piped.stdout == ""


def test_short_work_has_none():
    assert on_a_terminal(WORK.replace("0.05", "60")) == ""
