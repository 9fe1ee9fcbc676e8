"""What `seewhy explain` takes folders and names for."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from seewhy import Heatmap
from seewhy.cli.app import main
from seewhy.cli.inputs import find_inputs
from seewhy.demo import scenes
from support.files.birds import images, photo

pytest.importorskip("torch")
OUT = Path("out")


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments, out="out"):
    return CliRunner().invoke(main, ["explain", *map(str, arguments), "--out", out, "--model", "demo/honest"])


def test_an_empty_name_is_said_to_be_empty():
    photo("a.png")
    looked = find_inputs(("", "a.png", " "), False, OUT)
    assert looked.files == ["a.png"]
    assert [str(error) for error in looked.failed.values()] == ["The name of the image is empty. Give the path of a file."] * 2
    alone = run("")
    assert alone.exit_code == 1
    assert alone.stderr == "seewhy: The name of the image is empty. Give the path of a file.\n"
    beside = run("a.png", "", "--json")
    assert images(beside) == ["a.png"]
    assert "seewhy: 1 of 2 photos failed: ''\n" in beside.stderr


def test_folders_inside_are_counted_or_looked_into():
    for name in ("d/a.png", "d/x/b.png", "d/x/y/c.png", "d/z/d.png", "d/.hidden/e.png"):
        photo(name)
    plain = run("d", "--json")
    assert images(plain) == ["d/a.png"]
    assert plain.stderr == "seewhy: not looked into without --recursive: 2 folders (d/x, d/z)\n"
    deep = run("d", "-r", "--json", out="other")
    assert images(deep) == ["d/a.png", "d/x/b.png", "d/x/y/c.png", "d/z/d.png"]
    assert deep.stderr == ""
    only = run("d/x/..", "--json", out="third")
    assert images(only) == ["d/x/../a.png"]
    done = run("d/x/y/..", "d/.hidden", "--json", out="fourth")
    assert images(done) == ["d/x/y/../b.png", "d/.hidden/e.png"]  # a hidden folder that is named is meant


def test_a_folder_of_folders_alone_says_how_to_go_on():
    photo("d/x/a.png"), photo("d/y/b.png")
    done = run("d")
    assert done.exit_code == 2
    assert "The folder d holds no pictures" in done.stderr
    assert "but 2 folders: --recursive looks into them." in done.stderr


def test_links_that_lead_round_in_circles_are_followed_once():
    photo("d/a.png"), photo("d/x/b.png")
    os.symlink("..", "d/x/up")
    os.symlink(".", "d/self")
    os.symlink("x", "d/y")
    os.symlink("nowhere", "d/gone")
    os.symlink("loop", "d/loop")
    assert find_inputs(("d",), True, OUT).files == ["d/a.png", "d/x/b.png"]


def test_deep_folders_do_not_end_it():
    deep = Path("d", *["x"] * 300)
    os.makedirs(deep)
    photo("d/a.png")
    Image.new("RGB", (9, 9)).save(deep / "b.png")
    assert find_inputs(("d",), True, OUT).files == ["d/a.png", str(deep / "b.png")]


def test_what_other_systems_keep_beside_files_is_no_photo():
    for name in ("d/a.png", "d/..png", "d/.b.PNG"):
        photo(name)
    Path("d/._a.png").write_bytes(b"\0\5\x16\7")
    Path("d/.seewhy-0123456789abcdef.png").write_bytes(b"\x89PNG half")
    looked = find_inputs(("d",), False, OUT)
    assert sorted(looked.files) == ["d/..png", "d/.b.PNG", "d/a.png"]
    assert looked.remarks == []


def test_a_photo_that_is_named_twice_is_explained_once():
    photo("d/a.png"), photo("d/b.png")
    done = run("d/b.png", "d", "./d/a.png", "--json")
    assert images(done) == ["d/b.png", "d/a.png"]
    assert done.stderr == "seewhy: explained once, although named more often: 2 files\n"


@pytest.mark.parametrize("out", ["photos/out", "photos", ".", "elsewhere"])
def test_what_seewhy_made_is_not_explained_the_next_time(out):
    photo("photos/a.png"), photo("photos/b.png")
    for turn in range(3):
        done = run("photos", *(["photos/out"] if out == "photos/out" and turn else []), "-r", "--json", out=out)
        assert images(done) == ["photos/a.png", "photos/b.png"]
        assert done.exit_code == 0
        found_there = "seewhy: not explained, as seewhy made them: 3 files (photos/a." in done.stderr
        assert found_there == (turn > 0 and out == "photos")
    maps = list(Path().rglob("*.grad-cam.png"))
    assert len(maps) == 2
    assert len(list(Path().rglob("sheet.png"))) == 1


def test_a_map_that_is_named_is_explained_and_it_is_said():
    photo("a.png")
    (line,) = map(json.loads, run("a.png", "--json").stdout.splitlines())
    done = run(line["file"], "--json", out="other")
    assert images(done) == [line["file"]]
    assert done.stderr == f"seewhy: explained as you name them, although seewhy made them: 1 file ({line['file']})\n"


def test_a_folder_of_maps_alone_is_nothing_to_explain():
    photo("a.png")
    run("a.png")
    done = run("out", out="other")
    assert done.exit_code == 2
    (map_,) = OUT.glob("a.*.png")
    assert f"There is nothing to explain: not explained, as seewhy made them: 2 files ({map_}, out/sheet.png)" in done.stderr
    beside = run("a.png", "out", "--json", out="other")  # as `seewhy explain *` has it
    assert (beside.exit_code, images(beside)) == (0, ["a.png"])


ODD = [
    b"caf\xe9.png",
    b"a\nb.png",
    b"\x1b[31mred.png",
    b"-rf.png",
    b"--out.png",
    b"..png",
    b".png",
    "🐈.png".encode(),
    "\u202egnp.jpeg".encode(),
    b"x" * 251 + b".png",
    "я".encode() * 125 + b".png",
    b"con.png",
    b"a b  c.png",
    b"%s %d {0}.png",
]


@pytest.mark.parametrize("by", ["name", "folder"])
def test_photos_of_any_name_are_explained(by):
    Path("d").mkdir()
    scenes(1, 0, kinds=["bird"])[0].image.save("good.png")
    content = Path("good.png").read_bytes()
    for name in ODD:
        Path("d", os.fsdecode(name)).write_bytes(content)
    given = ["d"] if by == "folder" else [Path("d", os.fsdecode(name)) for name in ODD]
    done = run(*given, "--values", "--no-sheet")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    names = os.listdir("out")
    assert len(names) == 2 * len(ODD)
    assert all(name[0] not in ".-" and len(os.fsencode(name)) < 220 for name in names)
    for name in names:
        assert Heatmap.source_of(OUT / name).image.startswith("d/")
    assert {os.fsencode(Heatmap.source_of(path).image) for path in OUT.glob("*.png")} == {b"d/" + name for name in ODD}
    assert len(run(*given, "--json").stdout.splitlines()) == len(ODD)
    assert sorted(os.listdir("out")) == sorted([*names, "index.html", "sheet.png"])


def test_a_name_that_begins_with_a_dash_and_standard_input():
    photo("-x.png"), photo("a.png")
    done = CliRunner().invoke(main, ["explain", "-m", "demo/honest", "-o", "out", "--json", "--", "-x.png", "-"])
    assert images(done) == ["-x.png"]
    assert "seewhy: -: a photo is read from a file, not from standard input; a file of that name is ./-" in done.stderr
    Path("-").write_bytes(Path("a.png").read_bytes())
    done = CliRunner().invoke(main, ["explain", "-m", "demo/honest", "-o", "out", "--json", "--", "-"])
    assert images(done) == ["-"]


def test_the_folder_that_is_written_into_may_be_empty_and_may_hold_photos():
    photo("b.png")
    OUT.mkdir()
    assert images(run("b.png", "out", "./out/", "--json")) == ["b.png"]  # as `seewhy explain *` has it
    empty = Path("empty")
    empty.mkdir()
    done = run("empty", out="empty")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "nothing to explain: the folder that is written into is empty." in done.stderr
    photo("out/a.png")
    done = run("out", "--json")
    assert images(done) == ["out/a.png"]
    (map_,) = OUT.glob("b.*.png")
    assert f"not explained, as seewhy made them: 2 files ({map_}, out/sheet.png)" in done.stderr


def test_pictures_of_other_kinds_are_not_left_out_in_silence():
    photo("d/a.png")
    for name in ("b.HEIC", "c.svg", "notes.txt", "numbers.npz", "all.zip", "d.jxl"):
        Path("d", name).write_bytes(b"x")
    done = run("d", "--json")
    assert (done.exit_code, images(done)) == (0, ["d/a.png"])
    said = "left out, as of kinds not read as they are: 3 files (d/b.HEIC, d/c.svg, d/d.jxl); name one to hear what helps"
    assert done.stderr == f"seewhy: {said}\n"
    alone = run("d/b.HEIC")
    assert alone.exit_code == 1
    assert "d/b.HEIC" in alone.stderr


def test_a_folder_may_be_called_as_a_picture():
    photo("scan.nii.gz/a.png"), photo("d/b.png/c.png")
    assert images(run("scan.nii.gz", "--json")) == ["scan.nii.gz/a.png"]
    assert find_inputs(("d",), True, OUT).files == ["d/b.png/c.png"]
