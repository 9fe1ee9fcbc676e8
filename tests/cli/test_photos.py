"""`seewhy explain` of many: one bad thing never ends the rest, and what fails for all is said once."""

import errno
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from seewhy import Heatmap, errors
from seewhy.cli.app import main
from seewhy.cli.folder import OutFolder
from seewhy.cli.options import ModelOptions
from support.files.birds import images, photo

pytest.importorskip("torch")
OUT = Path("out")


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments, command="explain", out="out"):
    where = ["--out", out] if command in ("explain", "attention") else []
    where += ["--no-sheet"] * (command == "explain")
    return CliRunner().invoke(main, [command, *map(str, arguments), *where, "--model", "demo/honest"])


def unreadable(monkeypatch, *names):
    """Folders of these names cannot be listed; the superuser may list all."""
    usual = Path.iterdir

    def iterdir(self):
        if self.name in names:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return usual(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)


def test_a_folder_without_pictures_is_no_others_fault():
    photo("photos/a.png"), photo("photos/z.png")
    Path("photos/empty").mkdir()
    Path("photos/notes").mkdir()
    Path("photos/notes/notes.txt").write_text("no picture")
    done = run("photos/a.png", "photos/empty", "photos/notes", "photos/z.png", "--json")
    assert done.exit_code == 1
    assert images(done) == ["photos/a.png", "photos/z.png"]
    assert "seewhy: The folder photos/empty holds no pictures" in done.stderr
    assert done.stderr.splitlines()[-1] == "seewhy: 2 of 4 photos failed: photos/empty, photos/notes"


def test_a_folder_that_cannot_be_read_is_no_others_fault(monkeypatch):
    photo("a.png"), photo("locked/b.png"), photo("deep/in/c.png"), photo("deep/in/locked/d.png")
    unreadable(monkeypatch, "locked")
    done = run("a.png", "locked", "deep", "--recursive", "--json")
    assert done.exit_code == 1
    assert images(done) == ["a.png", "deep/in/c.png"]
    assert "seewhy: The folder locked cannot be read: Permission denied." in done.stderr
    assert done.stderr.splitlines()[-1] == "seewhy: 2 of 4 photos failed: locked, deep/in/locked"


def test_where_nothing_is_left_to_explain_it_is_said_at_once(monkeypatch):
    monkeypatch.setattr(ModelOptions, "load", lambda *_, **__: pytest.fail("no model is needed"))
    for folder in ("empty", "other"):
        Path(folder).mkdir()
    done = run("empty", "other")
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 2)
    assert "empty holds no pictures" in done.stderr
    assert "other holds no pictures" in done.stderr
    assert not OUT.exists()


@pytest.fixture
def explained(monkeypatch):
    """What `seewhy.explain` does with a photo is what a test says of it; all others are explained."""
    import seewhy.api

    usual, wrong = seewhy.api.explain, {}

    def explain(model, given, *more, **other):
        if error := wrong.get(Path(given.name).name):
            raise error
        return usual(model, given, *more, **other)

    monkeypatch.setattr(seewhy.api, "explain", explain)
    return wrong


ERRORS = [
    errors.BadImage("broken"),
    errors.NotApplicable("no evidence at body"),
    errors.BadParameter("a window of 99 is larger than the image"),
    errors.MissingExtra("nibabel", "medical"),
    errors.BadNetwork("it failed"),
    TypeError("'NoneType' object is not subscriptable"),
    NotImplementedError(),
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    ZeroDivisionError("division by zero"),
    AssertionError(),
    OSError(errno.EIO, "Input/output error"),
    KeyError("shape"),
    StopIteration(),
    SystemExit(3),
]
MET = [(error, 1) for error in ERRORS] + [(error, place) for error in ERRORS[:1] + ERRORS[-1:] for place in (0, 3)]


@pytest.mark.parametrize(("error", "place"), MET, ids=[f"{type(error).__name__}-{place}" for error, place in MET])
def test_whatever_one_photo_meets_the_others_are_explained(explained, error, place):
    """Anything in the middle; and in the first or the last, what is wrong with the photo, and who wants to leave."""
    names = [photo(f"{letter}.png") for letter in "abcd"]
    explained[names[place]] = error
    done = run(*names, "--json")
    assert images(done) == [name for name in names if name != names[place]]
    assert done.exit_code == 1
    said, last = done.stderr.splitlines()
    assert said.startswith(f"seewhy: {names[place]}: ")
    assert said != f"seewhy: {names[place]}: "
    assert last == f"seewhy: 1 of 4 photos failed: {names[place]}"


def test_what_no_photo_has_an_answer_to_is_misuse_and_said_once(explained):
    names = [photo(f"{letter}.png") for letter in "abcde"]
    for name in names:
        explained[name] = errors.BadParameter(f"no such layer, seen at {name}")
    done = run(*names)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "seewhy: no such layer, seen at c.png\n"


def test_what_failed_first_is_told_when_another_photo_went_well(explained):
    names = [photo(f"{letter}.png") for letter in "abcd"]
    for name in names[:2]:
        explained[name] = errors.NotApplicable("no evidence")
    done = run(*names, "--json")
    assert images(done) == names[2:]
    assert done.stderr.splitlines() == [
        "seewhy: a.png: no evidence",
        "seewhy: b.png: no evidence",
        "seewhy: 2 of 4 photos failed: a.png, b.png",
    ]


def test_every_file_that_failed_is_listed():
    names = [f"{'long-' * 10}{place}.png" for place in range(40)]
    done = run(photo("a.png"), *names)
    assert done.exit_code == 1
    lines = done.stderr.splitlines()
    start = lines.index("seewhy: 40 of 41 photos failed:")
    assert lines[start + 1 :] == [f"  {name}" for name in names]


@pytest.mark.parametrize("code", ["ENOSPC", "EROFS", "EACCES", "EDQUOT"])
def test_a_full_disk_is_said_once(monkeypatch, code):
    names, usual = [photo(f"{letter}.png") for letter in "abcde"], os.replace
    number = getattr(errno, code)

    def full(*_):
        raise OSError(number, os.strerror(number))

    def place(beside, path):
        return full() if Path(path).name.startswith("b.") else usual(beside, path)

    monkeypatch.setattr(os, "link", place)
    monkeypatch.setattr(os, "replace", place)
    done = run(*names)
    assert done.exit_code == 1
    assert len([*OUT.iterdir()]) == 1
    said, ended, last = done.stderr.splitlines()
    assert said.startswith("seewhy: out/b.")
    assert said.endswith(f"cannot be written (the map of b.png): {os.strerror(number)}. No part of it is left.")
    assert ended == "seewhy: ended there: 3 more photos were not looked at."
    assert last == "seewhy: 1 of 5 photos failed: b.png"


def test_of_a_photo_whose_maps_do_not_all_fit_those_that_do_are_said(full_disk):
    names = [photo(f"{letter}.png") for letter in "ab"]
    methods = [word for name in ("grad-cam", "hires-cam", "layer-cam", "gradient") for word in ("--method", name)]
    done = run(*names, *methods, "--json", out=full_disk)
    assert done.exit_code == 1
    told = [json.loads(line)["file"] for line in done.stdout.splitlines()]
    assert 0 < len(told) < 4
    assert sorted(told) == sorted(str(path) for path in full_disk.iterdir())
    assert all(Heatmap.source_of(path).image == "a.png" for path in told)
    assert "(the map of a.png): No space left on device. No part of it is left." in done.stderr
    assert done.stderr.splitlines()[-1] == "seewhy: 1 of 2 photos failed: a.png"


def test_a_map_too_large_for_its_disk_is_that_photos_fault(monkeypatch):
    names, usual = [photo(f"{letter}.png") for letter in "abc"], OutFolder.put

    def put(self, name, *more):
        if name.startswith("b."):
            error = errors.NotWritten("out/b.png cannot be written (the map of b.png): File too large.")
            error.errno = errno.EFBIG
            raise error
        return usual(self, name, *more)

    monkeypatch.setattr(OutFolder, "put", put)
    done = run(*names, "--json")
    assert images(done) == ["a.png", "c.png"]
    assert done.exit_code == 1


@pytest.mark.parametrize("command", ["explain", "attention"])
@pytest.mark.parametrize("out", ["file/out", "gone/out", "file"])
def test_a_folder_that_cannot_be_is_said_before_anything_is_loaded(monkeypatch, command, out):
    monkeypatch.setattr(ModelOptions, "load", lambda *_, **__: pytest.fail("said too late"))
    photo("a.png")
    Path("file").write_text("no folder")
    os.symlink("nowhere", "gone")
    done = run("a.png", command=command, out=out)
    assert done.exit_code in (1, 2)
    assert "is no folder" in done.stderr or "is a file" in done.stderr
    assert "Traceback" not in done.stderr
    assert Path("file").read_text() == "no folder"


def test_a_folder_that_may_not_be_written_is_said_before_anything_is_loaded(monkeypatch):
    monkeypatch.setattr(ModelOptions, "load", lambda *_, **__: pytest.fail("said too late"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    photo("a.png")
    done = run("a.png")
    assert done.exit_code == 1
    why = f"nothing may be written into {Path.cwd()}. Name another, as in --out maps, where you may write."
    assert done.stderr == f"seewhy: Nothing can be written into the folder out: {why}\n"


def test_what_killed_runs_left_is_swept(monkeypatch):
    OUT.mkdir()
    left = OUT / ".seewhy-0123456789abcdef.png"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    run(photo("a.png"))
    assert not left.exists()
    assert len([*OUT.iterdir()]) == 1


@pytest.mark.parametrize("command", ["attention", "units", "detections", "doctor"])
@pytest.mark.parametrize("wrong", ["nowhere.png", "broken.png", "empty.tif"])
def test_every_command_names_the_photo(command, wrong):
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    Path("empty.tif").write_bytes(b"")
    arguments = ["doctor", "demo/honest", wrong] if command == "doctor" else [command, wrong, "-m", "demo/honest"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code in (1, 2)
    (line,) = done.stderr.splitlines()
    assert line.startswith("seewhy: ")
    assert wrong in line


TAKES = {"attention": "attention", "units": "top_units", "detections": "detections", "doctor": "diagnosis.doctor:doctor"}


@pytest.mark.parametrize("command", TAKES)
@pytest.mark.parametrize(
    "error", [TypeError("odd"), NotImplementedError(), MemoryError(), KeyError("a"), errors.NotApplicable("no")]
)
def test_every_error_of_a_command_names_the_photo(monkeypatch, command, error):
    import seewhy.api
    import seewhy.diagnosis.doctor

    def fail(*_, **__):
        raise error

    module, _, name = TAKES[command].rpartition(":")
    monkeypatch.setattr(seewhy.diagnosis.doctor if module else seewhy.api, name, fail)
    photo("a.png")
    arguments = ["doctor", "demo/honest", "a.png"] if command == "doctor" else [command, "a.png", "-m", "demo/honest"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code in (1, 2)
    (line,) = done.stderr.splitlines()
    assert line.startswith("seewhy: a.png: ")
    assert len(line) > len("seewhy: a.png: ")
