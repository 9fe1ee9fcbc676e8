"""Files that are written by processes that meet, are killed, or run out of room."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seewhy.atomic import BESIDE, replacing
from seewhy.errors import NotWritten

OLD, NEW = b"the older good file", b"the new one" * 1000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "map.png"


def put(path: Path, content: bytes = NEW, **how) -> None:
    with replacing(path, **how) as beside:
        beside.write_bytes(content)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def child(code: str, *arguments: object) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


RACE = """
import sys
from pathlib import Path
from seewhy.errors import NotWritten
from seewhy.atomic import replacing
won = []
for i in range(300):
    try:
        with replacing(Path(sys.argv[1]) / f"{i}.txt", over=False) as beside:
            beside.write_text(sys.argv[2])
        won.append(i)
    except NotWritten:
        pass
print(*won)
"""


def test_of_two_processes_one_gets_the_name(tmp_path):
    both = {word: child(RACE, tmp_path, word) for word in ("one", "other")}
    won = {word: {*process.communicate(timeout=300)[0].split()} for word, process in both.items()}
    assert not won["one"] & won["other"]
    assert won["one"] | won["other"] == {*map(str, range(300))}
    for word, names in won.items():
        assert {(tmp_path / f"{i}.txt").read_text() for i in names} <= {word}


LIMITED = """
import resource, signal, sys
from seewhy.errors import NotWritten
from seewhy.atomic import replacing
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    with replacing(sys.argv[1]) as beside:
        beside.write_bytes(bytes(100_000))
except NotWritten as error:
    print(error.errno, error)
"""


@pytest.mark.parametrize("old", [OLD, None])
def test_a_limit_of_the_files_size_leaves_what_was_there(path, old):
    if old:
        path.write_bytes(old)
    said, _ = child(LIMITED, path).communicate(timeout=300)
    assert said.startswith(f"{errno.EFBIG} {path} cannot be written: File too large.")
    assert names(path.parent) == (["map.png"] if old else [])
    assert not old or path.read_bytes() == old


def test_a_full_disk_leaves_what_was_there(full_disk):
    path = full_disk / "map.png"
    put(path, OLD)
    with pytest.raises(NotWritten, match=r"No space left on device\. What was there is as it was") as said:
        put(path, bytes(10**6))
    assert (said.value.errno, path.read_bytes(), names(full_disk)) == (errno.ENOSPC, OLD, ["map.png"])


ENDLESS = """
import sys
from seewhy.atomic import replacing
print("ready", flush=True)
for i in range(10**9):
    with replacing(sys.argv[1]) as beside, beside.open("wb") as file:
        for _ in range(200):
            file.write(bytes([i % 256]) * 10_000)
"""


def test_a_run_that_is_killed_leaves_a_whole_file(path):
    put(path, b"o" * 2_000_000)
    torn = 0
    for turn in range(12):
        process = child(ENDLESS, path)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.003 * turn)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        process.stdout.close()
        content = path.read_bytes()
        assert len(content) == 2_000_000
        assert content == content[:1] * len(content)
        torn += len(names(path.parent)) - 1
    assert torn  # some were killed in the middle
    assert all(BESIDE.match(name) for name in names(path.parent) if name != "map.png")
