"""What reaches the terminal and who reads the JSON: nothing that obeys a stranger, and nothing that is no JSON."""

import io
import json
import os
import sys
import warnings
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from seewhy.cli.app import main
from seewhy.cli.printing import fault, say
from seewhy.errors import BadImage, OutOfMemory
from support.strict_json import strict

HOSTILE = ["\x1b[2J\x1b]0;owned\x07cat", "dog\r\nseewhy: all is well", "\u202egnp.exe", "\x9b31m" + "x" * 10**6]
MODEL = ["-m", "demo/honest"]


@pytest.fixture
def labels(tmp_path):
    from seewhy import load

    names = [HOSTILE[i % 4] + str(i) for i in range(len(load("demo/honest").labels or ()))]
    (tmp_path / "names.json").write_text(json.dumps(names))
    return str(tmp_path / "names.json")


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / os.fsdecode("caf\xe9 \x1b[31m\u202e\n.png".encode("latin-1", "ignore"))
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8)).save(path)
    return str(path)


def run(*arguments: str, code: int = 0) -> tuple[list[str], list[str]]:
    done = CliRunner().invoke(main, [*arguments])
    assert done.exit_code == code, done.output
    for line in done.output.split("\n"):
        assert line.isprintable(), ascii(line)
        assert len(line) < 2500 or "--json" in arguments
    return done.stdout.splitlines(), done.stderr.splitlines()


COMMANDS = {
    "explain": lambda photo, out: ["explain", photo, *MODEL, "-o", out, "-t", "top:2"],
    "doctor": lambda photo, out: ["doctor", "demo/honest", photo],
    "units": lambda photo, out: ["units", photo, *MODEL],
    "layers": lambda photo, out: ["layers", "demo/honest"],
    "drift": lambda photo, out: ["drift", "demo/honest", "demo/shortcut", photo, "-o", out],
    "sanity": lambda photo, out: ["sanity", "demo/honest", photo, "--mode", "head"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_lines_and_json_of_hostile_names_are_safe(command, photo, labels, tmp_path):
    text, data = ([*COMMANDS[command](photo, str(tmp_path / out)), "--labels", labels] for out in ("text", "data"))
    lines, _ = run(*text)
    assert lines
    said, told = run(*data, "--json")
    assert said
    assert told == []
    facts = [strict(line) for line in said]
    if command == "explain":
        name = Path(photo).name.replace("\udce9", "\ufffd")
        assert facts[0]["image"].endswith(name)
        assert unquote_to_bytes(facts[0]["not_utf8"]["image"]) == os.fsencode(photo)
        assert all(Path(file).is_file() for one in facts for file in one["files"])
        assert facts[0]["label"].endswith(str(facts[0]["index"]))


def test_methods_and_errors_are_safe(photo, labels, tmp_path):
    run("methods")
    assert [strict(line)["name"] for line in run("methods", "--json")[0]]
    bad = photo[:-4] + "\x1b[0mbad.png"
    Path(bad).write_text("none")
    for arguments, code in (
        (["explain", bad, photo, *MODEL, "-o", str(tmp_path / "out"), "--json"], 1),
        (["explain", photo + "\x1b]2;x\x07", *MODEL, "-o", str(tmp_path / "out")], 1),
        (["explain", photo, "-m", "demo/\x1b[2Jx\n\u202e"], 2),
        (["explain", photo, *MODEL, "-t", HOSTILE[3], "-o", str(tmp_path / "out")], 2),
        (["explain", photo, *MODEL, "-t", HOSTILE[0], "-o", str(tmp_path / "out")], 2),
        (["explain", photo, *MODEL, "--labels", labels, "-t", "no\x1bsuch", "-o", str(tmp_path / "out")], 2),
        (["explain", photo, *MODEL, "-l", HOSTILE[0], "-o", str(tmp_path / "out")], 2),
        (["explain", photo, *MODEL, "--labels", photo], 2),
        (["explain", photo, *MODEL, "--weights", HOSTILE[0]], None),
        (["explain", photo, *MODEL, "--prepare", "\x1b=1"], 2),
        (["explain", photo, *MODEL, "--device", "\x1b[2J"], None),
        (["layers", "nets\x1b[2J.py:\u202ex"], None),
        (["doctor", "demo/honest", bad], None),
        (["units", bad, *MODEL], None),
        (["detections", photo, *MODEL], None),
        (["attention", photo, *MODEL, "--query", "\x1b"], None),
        (["no\x1b[2Jsuch"], 2),
        (["explain", "--no\x9b31m"], 2),
        (["--no\x9b31m"], 2),
    ):
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == code or (code is None and done.exit_code in (1, 2)), (arguments, done.output)
        assert done.stderr.strip()
        for line in done.output.split("\n"):
            assert line.isprintable(), (arguments, ascii(line))
            assert len(line) < (5000 if line.startswith("{") and "--json" in arguments else 2500)
        for line in done.stdout.splitlines() if "--json" in arguments else ():
            strict(line)


def test_saved_pictures_and_their_texts_are_of_safe_words(photo, labels, tmp_path):
    from seewhy import Heatmap

    run("explain", photo, *MODEL, "-o", str(tmp_path / "out"), "--labels", labels, "--values", "--no-sheet")
    (png,) = (tmp_path / "out").glob("*.png")
    (npz,) = (tmp_path / "out").glob("*.npz")
    source = Heatmap.source_of(png)
    assert source == Heatmap.source_of(npz)
    assert source.image == photo
    assert str(source).isprintable()
    with Image.open(png) as picture:
        strict(picture.info["seewhy"])
    assert all(path.name.isprintable() and len(os.fsencode(path.name)) < 256 for path in (png, npz))


def test_an_error_always_says_something():
    for short in (
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        OSError(12, "Cannot allocate memory"),
    ):
        assert fault(short).startswith("Out of memory. Close what else needs memory, give smaller images")
    assert fault(OutOfMemory("of some step")) == "of some step"
    assert fault(KeyError()).startswith("KeyError: it gives no reason")
    assert fault(OSError()).startswith("OSError: it gives no reason")
    assert fault(ValueError(" \n")).startswith("ValueError: it gives no reason")
    assert fault(BadImage("a.png is not there.")) == "a.png is not there."


def test_what_a_terminal_cannot_show_is_written_out(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    say("ねこ \x1b[2J cat", bold=True)
    stream.flush()
    assert stream.buffer.getvalue() == b"\\u306d\\u3053 \\x1b[2J cat\n"  # type: ignore[attr-defined]


def test_warnings_of_libraries_are_lines(monkeypatch):
    from seewhy.cli.commands import listing

    monkeypatch.setattr(listing, "table", lambda *_: warnings.warn("odd\x1b[2J\nfile", UserWarning, stacklevel=1))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        usual = warnings.showwarning
        done = CliRunner().invoke(main, ["layers", "demo/honest"])
        assert warnings.showwarning is usual
    assert done.stderr == "seewhy: note: odd\\x1b[2J file\n"


def test_a_traceback_that_was_asked_for_is_safe(tmp_path, photo):
    import subprocess

    code = "from seewhy.cli.app import main; main()"
    asked = ["--debug", "explain", photo, *MODEL, "-t", "\x1b[2Jcat\u202e"]
    done = subprocess.run([sys.executable, "-c", code, *asked], capture_output=True, timeout=300, check=False, cwd=tmp_path)
    text = done.stderr.decode()
    assert done.returncode == 1
    assert "Traceback" in text
    assert r"\x1b[2Jcat\u202e" in text
    assert all(line.isprintable() for line in text.split("\n"))


CODE = """
import logging, torch
print("loading")
logging.getLogger("nets").warning("odd \\x1b[2J\\nnet %s", "\\u202e")
class Loud(torch.nn.Sequential):
    def forward(self, x):
        print("seeing", tuple(x.shape))
        return super().forward(x)
net = Loud(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 3))
"""


def test_what_a_persons_own_code_prints_and_logs_is_apart_from_the_json(tmp_path, photo):
    import subprocess

    (tmp_path / "nets.py").write_text(CODE)
    code = "from seewhy.cli.app import main; main()"
    asked = ["explain", photo, "-m", "nets.py:net", "--trust", "--prepare", "size=32", "--prepare", "crop=32", "--json"]
    done = subprocess.run([sys.executable, "-c", code, *asked], capture_output=True, timeout=300, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.decode().splitlines()
    assert strict(line)["method"] == "grad-cam"
    assert done.stderr.decode().splitlines()[:2] == ["loading", r"odd \x1b[2J net \u202e"]
    assert b"seeing (" in done.stderr


@pytest.mark.parametrize("asked", ["doctor nets.py:net", "units a.png -m nets.py:net", "layers nets.py:net"])
def test_what_a_network_prints_as_it_runs_is_apart_from_the_json(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(CODE)
    Image.new("RGB", (40, 40), (9, 99, 9)).save("a.png")
    done = CliRunner().invoke(main, [*asked.split(), "--trust", "--prepare", "size=32", "--prepare", "crop=32", "--json"])
    assert done.exit_code == 0, done.output
    assert all(strict(line) for line in done.stdout.splitlines())
    assert "seeing (" in done.stderr
