"""Photos go through all stages in their order, whichever of them are read and written in other threads."""

import threading
import time
from pathlib import Path

import click
import pytest
from PIL import Image

import seewhy
from seewhy.cli import pipeline
from seewhy.cli.failures import Failures
from seewhy.cli.pipeline import Stages, at_once, run_through


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Files of that many small photos, and of one kind each where it is said."""
    monkeypatch.chdir(tmp_path)

    def make(*names):
        for place, name in enumerate(names):
            Image.new("RGB", (8 + place, 6), "red").save(name)
        return list(names)

    return make


@pytest.fixture
def take(red_model):
    """Takes files through stages that keep what they are given, and tells what happened, in order."""

    def through(files, explain=lambda file, photo: photo, write=lambda file, found: file, tile=None, stop=None):
        failures, met = Failures(len(files)), []

        def watched(stage, work):
            def watch(file, *more):
                met.append((stage, file, threading.current_thread() is threading.main_thread()))
                done = work(file, *more)
                met.append((f"{stage} done", file, threading.current_thread() is threading.main_thread()))
                return done

            return watch

        def tell(file, outcome):
            with failures.of(file):
                met.append(("told", file, outcome.result()))
                failures.well()

        stages = Stages(red_model, tile, watched("explain", explain), lambda photo: photo.pixels, watched("write", write), tell)
        with click.Context(click.Command("seewhy")):
            run_through(stages, files, failures, stop or threading.Event())
        return met, failures

    return through


def told(met):
    return [file for stage, file, _ in met if stage == "told"]


def test_each_photo_is_read_explained_written_and_told_in_order(photos, take):
    files, seen = photos("a.png", "b.png", "c.png", "d.png"), {}
    met, failures = take(files, explain=lambda file, photo: seen.setdefault(file, photo))
    assert told(met) == files
    assert {file: photo.pixels.size for file, photo in seen.items()} == {file: (8 + at, 6) for at, file in enumerate(files)}
    at_work = {(stage, file): main for stage, file, main in met if stage in ("explain", "write")}
    assert [at_work["explain", file] for file in files] == [True] * 4
    assert [at_work["write", file] for file in files] == [True, False, False, False]  # the first decides whose errors are
    assert failures.done == 4


def test_what_is_written_in_the_main_thread_comes_after_what_the_other_still_writes(photos, take):
    """Into one file, order counts: a TIFF is written where it was read, in the main thread."""
    files = photos("a.png", "b.png", "c.tif", "d.png")
    order = []

    def write(file, found):
        if file == "b.png":
            time.sleep(0.2)
        order.append((file, threading.current_thread() is threading.main_thread()))

    take(files, write=write)
    assert order == [("a.png", True), ("b.png", False), ("c.tif", True), ("d.png", False)]


def test_a_photo_that_fails_at_any_stage_is_told_in_its_turn(photos, take):
    files = photos("a.png", "b.png", "c.png", "d.png")
    Path("b.png").write_bytes(b"no picture")

    def write(file, found):
        if file == "c.png":
            raise ZeroDivisionError("by zero")

    met, failures = take(files, write=write)
    assert told(met) == ["a.png", "d.png"]
    assert failures.files == ["b.png", "c.png"]


def test_a_run_that_is_stopped_tells_what_was_begun(photos, take):
    files, stop = photos("a.png", "b.png", "c.png", "d.png"), threading.Event()
    met, _ = take(files, explain=lambda file, photo: (stop.set() if file == "b.png" else None, photo)[1], stop=stop)
    assert told(met) == ["a.png", "b.png"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("seewhy")]


def test_a_photo_that_is_too_large_for_many_is_written_before_the_next_is_read(photos, take, monkeypatch):
    monkeypatch.setattr(pipeline, "SMALL", 0)
    files = photos("a.png", "b.png", "c.png")
    met, _ = take(files)
    stages = ("explain", "explain done", "write", "write done", "told")
    assert [(stage, file) for stage, file, _ in met] == [(stage, file) for file in files for stage in stages]


def test_a_scene_for_tiles_is_opened_by_who_explains_it(photos, take):
    (file,) = photos("a.tif")
    met = []
    take([file], explain=lambda file, photo: (met.append(photo.pixels), photo)[1], tile=32)
    assert met == ["a.tif"]  # its name alone


def test_errors_of_work_done_at_once_are_raised_by_who_asks_for_its_result():
    assert at_once(divmod, 7, 2).result() == (3, 1)
    failed = at_once(divmod, 1, 0)
    with pytest.raises(ZeroDivisionError):
        failed.result()
    assert isinstance(at_once(seewhy.read, "nowhere.png").exception(), seewhy.BadImage)
