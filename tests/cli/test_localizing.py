"""The stages of `seewhy localize`: boxes are found and written beside the network, and told in their order."""

import json
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from seewhy.cli import localizing
from seewhy.cli.app import main
from seewhy.errors import BadParameter
from support.files.birds import images, photo

pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments, out="labels.json"):
    return CliRunner().invoke(main, ["localize", *arguments, "--model", "demo/honest", "--out", out])


def names_in(file="labels.json"):
    return [image["file_name"] for image in json.loads(Path(file).read_text())["images"]]


def test_boxes_are_found_and_written_in_the_writing_thread_in_the_order_of_the_photos(monkeypatch):
    files, usual, threads = [photo(f"{letter}.png", seed) for seed, letter in enumerate("abcde")], localizing.write_objects, []

    def watched(job, file, found):
        threads.append((found.name, threading.current_thread().name.startswith("seewhy writes")))
        return usual(job, file, found)

    monkeypatch.setattr(localizing, "write_objects", watched)
    done = run(*files, "--json")
    assert (done.exit_code, images(done), names_in()) == (0, files, files)
    assert threads == [(file, file != "a.png") for file in files]  # the first decides whose errors are


def test_one_photo_whose_labels_fail_is_its_own_fault(monkeypatch):
    files, usual = [photo(f"{letter}.png") for letter in "abcd"], localizing.write_objects

    def failing(job, file, found):
        if found.name == "c.png":
            raise ZeroDivisionError("by zero")
        return usual(job, file, found)

    monkeypatch.setattr(localizing, "write_objects", failing)
    done = run(*files)
    assert done.exit_code == 1
    assert names_in() == ["a.png", "b.png", "d.png"]
    assert done.stderr.splitlines()[-1] == "seewhy: 1 of 4 photos failed: c.png"


def test_what_was_found_before_a_photo_failed_is_written_and_the_failure_said(monkeypatch):
    import seewhy.api

    files, usual = [photo(f"{letter}.png") for letter in "abc"], seewhy.api.explain

    def explain(model, given, *more):
        maps = usual(model, given, *more)
        if Path(given.name).name == "b.png":
            error = BadParameter("no more of it")
            error.partial = maps[:1]
            raise error
        return maps

    monkeypatch.setattr(seewhy.api, "explain", explain)
    done = run(*files, "--target", "top:2")
    assert (done.exit_code, names_in()) == (1, files)
    assert "seewhy: b.png: no more of it" in done.stderr.splitlines()
