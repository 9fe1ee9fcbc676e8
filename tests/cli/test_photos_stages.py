"""`seewhy explain` of many: a photo is decoded, and another one's maps are written, while the network works."""

import os
import signal
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from seewhy import Heatmap
from seewhy.cli import photos, pipeline
from seewhy.cli.app import main
from seewhy.prepare import batch
from support.files.birds import images, photo

pytest.importorskip("torch")
OUT = Path("out")


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return CliRunner().invoke(main, ["explain", *map(str, arguments), "--out", "out", "--no-sheet", "--model", "demo/honest"])


@pytest.fixture
def stages(monkeypatch):
    """What happens, in order: (stage, photo, is it the main thread); and what a test does as a stage of a photo begins."""
    met, acts = [], {}

    def watched(stage):
        usual = getattr(photos, stage)

        def watch(job, file, *more):
            met.append((stage, file, threading.current_thread() is threading.main_thread()))
            acts.get((stage, file), lambda: None)()
            done = usual(job, file, *more)
            met.append((stage + " done", file, threading.current_thread() is threading.main_thread()))
            return done

        monkeypatch.setattr(photos, stage, watch)

    for stage in ("explain_photo", "write_photo", "tell_photo"):
        watched(stage)
    return met, acts


def test_maps_are_written_while_the_next_photo_is_explained(stages):
    names, (met, acts) = [photo(f"{letter}.png") for letter in "abcd"], stages
    begun = threading.Event()
    acts["explain_photo", "c.png"] = begun.set
    acts["write_photo", "b.png"] = lambda: begun.wait(60) or pytest.fail("c is not explained while b is written")
    done = run(*names, "--json")
    assert done.exit_code == 0, done.stderr
    assert images(done) == names
    at_work = {(stage, name): main_thread for stage, name, main_thread in met if stage != "tell_photo"}
    assert all(at_work["explain_photo", name] for name in names)
    assert [at_work["write_photo", name] for name in names] == [True, False, False, False]  # the first decides whose errors are


def test_the_next_photo_is_decoded_while_one_is_explained(stages, monkeypatch):
    names, (_, acts) = [photo(f"{letter}.png") for letter in "abcd"], stages
    usual, decoded, begun = batch.open_file, {}, threading.Event()

    def open_file(path):
        decode = usual(path)

        def watch():
            decoded[path] = threading.current_thread() is threading.main_thread()
            if path == "c.png":
                begun.set()
            return decode()

        return watch

    monkeypatch.setattr(batch, "open_file", open_file)
    acts["explain_photo", "b.png"] = lambda: begun.wait(60) or pytest.fail("c is not decoded while b is explained")
    done = run(*names, "--json")
    assert images(done) == names
    assert decoded == dict.fromkeys(names[2:], False)


def test_large_photos_come_one_by_one(stages, monkeypatch):
    names, (met, _) = [photo(f"{letter}.png") for letter in "abc"], stages
    monkeypatch.setattr(pipeline, "SMALL", 0)
    monkeypatch.setattr(batch, "open_file", lambda _: pytest.fail("it is not opened before its turn"))
    assert images(run(*names, "--json")) == names
    parts = ("explain_photo", "explain_photo done", "write_photo", "write_photo done", "tell_photo", "tell_photo done")
    assert met == [(stage, name, True) for name in names for stage in parts]


def test_broken_photos_are_told_in_their_turn_and_warnings_are_shown_as_before(tmp_path):
    names = [photo(f"{letter}.png") for letter in "abcdefg"]
    content = Path("c.png").read_bytes()
    Path("c.png").write_bytes(content[: len(content) // 2])  # opened, but not decoded
    Path("d.png").write_bytes(b"no picture")
    Path("f.png").unlink()
    filters, show = [*warnings.filters], warnings.showwarning
    done = run(*names, "--json")
    assert images(done) == ["a.png", "b.png", "e.png", "g.png"]
    *said, last = done.stderr.splitlines()
    assert [line.split(" ")[1] for line in said] == ["c.png", "d.png", "f.png"]
    assert last == "seewhy: 3 of 7 photos failed: c.png, d.png, f.png"
    assert (warnings.filters, warnings.showwarning) == (filters, show)


def test_a_slow_disk_holds_the_network_up_and_mixes_nothing(stages):
    names, (met, acts) = [photo(f"{letter}.png", seed) for seed, letter in enumerate("abcdefgh")], stages
    for name in names:
        acts["write_photo", name] = lambda: time.sleep(0.2)
    done = run(*names, "--json")
    assert images(done) == names
    ahead, most = 0, 0
    for stage, _, _ in met:
        ahead += {"explain_photo done": 1, "write_photo done": -1}.get(stage, 0)
        most = max(most, ahead)
    assert 1 < most <= pipeline.WAITING + 1
    assert [name for stage, name, _ in met if stage == "tell_photo"] == names


def test_what_is_written_beside_the_network_is_what_is_written_after_it():
    names = [photo(f"{letter}.png", seed) for seed, letter in enumerate("abcd")]
    assert run(*names, "--json").exit_code == 0
    assert (
        CliRunner().invoke(main, ["--debug", "explain", *names, "--no-sheet", "-o", "one", "-m", "demo/honest"]).exit_code == 0
    )
    files = sorted(path.name for path in OUT.iterdir())
    assert len(files) == len(names)
    assert sorted(path.name for path in Path("one").iterdir()) == files
    for name in files:
        with Image.open(OUT / name) as beside, Image.open(Path("one") / name) as after:
            assert beside.tobytes() == after.tobytes()
        first, second = (Heatmap.source_of(folder / name) for folder in (OUT, Path("one")))
        assert replace(first, seconds=second.seconds) == second


def test_an_interruption_ends_with_the_photos_that_were_begun(stages):
    names, (_, acts) = [photo(f"{letter}.png") for letter in "abcde"], stages
    acts["explain_photo", "c.png"] = lambda: os.kill(os.getpid(), signal.SIGINT)
    done = run(*names, "--json")
    assert done.exit_code == 130
    assert images(done) == names[:3]
    assert len([*OUT.iterdir()]) == 3


def test_a_second_interruption_while_files_are_written_ends_at_once(stages):
    names, (met, acts) = [photo(f"{letter}.png") for letter in "abcde"], stages

    def press():
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    acts["explain_photo", "c.png"] = press
    done = run(*names, "--json")
    assert done.exit_code == 130
    assert "interrupted; what was written stays" in done.stderr
    assert ("explain_photo done", "c.png", True) not in met
    assert not any(".seewhy-" in path.name for path in OUT.iterdir())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("seewhy")]


def test_an_error_of_the_writing_thread_is_its_photos_in_its_turn(stages):
    names, (_, acts) = [photo(f"{letter}.png") for letter in "abcd"], stages

    def fail():
        raise ZeroDivisionError("division by zero")

    acts["write_photo", "c.png"] = fail
    done = run(*names, "--json")
    assert images(done) == ["a.png", "b.png", "d.png"]
    assert done.stderr.splitlines() == [
        "seewhy: c.png: ZeroDivisionError: division by zero (seewhy --debug ... shows where)",
        "seewhy: 1 of 4 photos failed: c.png",
    ]
