"""`seewhy ... | head -1`, streams that are closed, full disks: what a shell sees."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seewhy import Heatmap
from seewhy.demo import scenes

pytest.importorskip("torch")
SEEWHY = [sys.executable, "-m", "seewhy"]
QUICK = {"help": ["--help"], "json": ["methods", "--json"]}
BATCH = ["explain", *(f"{letter}.png" for letter in "abcdef"), "--model", "demo/honest", "--out", "out"]


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def photos():
    for letter, scene in zip("abcdef", scenes(6, 0, kinds=["bird"]), strict=True):
        scene.image.save(f"{letter}.png")


def to(stream: int, arguments: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run([*SEEWHY, *arguments], stdout=stream, stderr=subprocess.PIPE, text=True, timeout=180, check=False)


@pytest.mark.parametrize("name", QUICK)
def test_where_nobody_reads_it_ends_in_silence(name):
    reader, pipe = os.pipe()
    os.close(reader)
    try:
        done = to(pipe, QUICK[name])
    finally:
        os.close(pipe)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("name", QUICK)
def test_a_full_disk_is_said_in_one_line(name):
    with open("/dev/full", "w") as full:
        done = to(full.fileno(), QUICK[name])
    assert (done.returncode, done.stderr) == (1, "seewhy: what is said cannot be written: No space left on device\n")


def test_a_batch_ends_with_its_reader(photos):
    command = subprocess.Popen([*SEEWHY, *BATCH], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert command.stdout is not None
    assert command.stderr is not None
    first = command.stdout.readline()
    command.stdout.close()
    said = command.stderr.read()
    command.stderr.close()
    assert command.wait(timeout=180) == 141
    assert said == ""
    assert "a.png" in first
    names = os.listdir("out")
    assert 1 <= len(names) <= 3  # of six
    assert all(Heatmap.source_of(Path("out", name)).model == "demo/honest" for name in names)


def test_a_batch_whose_lines_cannot_be_written_ends_with_one_line(photos):
    with open("/dev/full", "w") as full:
        done = to(full.fileno(), BATCH)
    assert (done.returncode, done.stderr) == (1, "seewhy: what is said cannot be written: No space left on device\n")
    assert len(os.listdir("out")) == 1


def test_streams_that_are_closed_do_not_become_files(photos):
    """The next file that is opened would take their place, and get what libraries write to them."""
    line = '"$@" <&- >&- 2>&-'
    done = subprocess.run(["bash", "-c", line, "-", *SEEWHY, *BATCH, "nowhere.png", "--values"], check=False, timeout=180)
    assert done.returncode == 1  # nowhere.png
    names = {*os.listdir("out")}
    assert names >= {"index.html", "sheet.png"}
    names -= {"index.html", "sheet.png"}
    assert len(names) == 12
    assert all(Heatmap.source_of(Path("out", name)).model == "demo/honest" for name in names)
