"""`seewhy explain` into a folder that holds files already: the same map is made again, all others stay."""

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy import Heatmap
from seewhy.cli.app import main
from seewhy.cli.folder import OutFolder
from seewhy.cli.writing import writer
from seewhy.demo import scenes

pytest.importorskip("torch")
OUT = Path("out")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def explain(*arguments, model="demo/honest", code=0):
        done = CliRunner().invoke(main, ["explain", *map(str, arguments), "--no-sheet", "--out", "out", "--model", model])
        assert done.exit_code == code, done.output
        return done

    return explain


@pytest.fixture
def photo(tmp_path):
    def make(name, seed=0):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        scenes(1, seed, kinds=["bird"])[0].image.save(path)
        return name

    return make


def files(folder=OUT) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def kept(before: dict[str, bytes]) -> bool:
    """Is all as it was, whatever came beside it?"""
    after = files()
    return all(after[name] == content for name, content in before.items())


def new(before: dict[str, bytes]) -> list[str]:
    return sorted({*files()} - {*before})


def sources(names=None) -> list[tuple[str, str]]:
    found = [Heatmap.source_of(path) for path in sorted(OUT.glob("*.png")) if names is None or path.name in names]
    return [(Path(source.image).as_posix(), source.model) for source in found]


def test_the_same_again_is_the_same_files(run, photo):
    photos = [photo("a.png"), photo("b/a.png", 1)]
    first = run(*photos, "--values")
    names = [*files()]
    assert len(names) == 4
    assert first.stderr == ""
    again = run(*photos, "--values", "--json")
    assert [*files()] == names
    first_name = min((name for name in names if name.endswith(".png")), key=len)
    assert again.stderr == f"seewhy: made again, as the same run made them before: 4 files, such as out/{first_name}\n"
    reversed_ = run(*photos[::-1], "--values", "--json")
    assert sorted(files()) == sorted(names)
    told = [[json.loads(line) for line in done.stdout.splitlines()] for done in (again, reversed_)]
    one, other = ({line["image"]: line["file"] for line in lines} for lines in told)
    assert one == other  # each photo keeps its file


def test_another_look_at_the_same_map_takes_its_place(run, photo):
    run(photo("a.png"))
    (name,) = files()
    before = files()
    done = run("a.png", "--alpha", "0.9", "--colours", "viridis", "--picture", "overlay", "--values")
    assert new(before) == [name.replace(".png", ".npz")]
    assert not kept(before)
    assert f"made again, as the same run made them before: 1 file, such as out/{name}" in done.stderr


def test_another_model_leaves_the_maps_of_the_first(run, photo):
    run(photo("a.png"), "--target", "bird", "--values")
    before = files()
    done = run("a.png", "--target", "bird", "--values", model="demo/shortcut")
    assert kept(before)
    ours = [name for name in new(before) if name.endswith(".png")]
    assert [name.endswith(".of-demo-shortcut.png") for name in ours] == [True]
    assert [name.replace(".png", ".npz") for name in ours] == [name for name in new(before) if name.endswith(".npz")]
    assert sources(ours) == [("a.png", "demo/shortcut")]
    assert "named otherwise, as the name was taken: 1 file, such as out/" in done.stderr
    both = files()
    for model in ("demo/honest", "demo/shortcut"):  # and each finds its own again
        run("a.png", "--target", "bird", "--values", model=model)
        assert [*files()] == [*both]


OTHER = {
    "weights": ["--weights", "random"],
    "prepare": ["--prepare", "size=60"],
    "geometry": ["--geometry", "plain"],
    "scores": ["--scores", "probability"],
    "task": ["--task", "multi-label"],
}


@pytest.mark.parametrize("what", OTHER)
def test_another_question_leaves_the_maps_of_the_first(run, photo, what):
    run(photo("a.png"), "--target", "bird")
    before = files()
    done = run("a.png", "--target", "bird", *OTHER[what])
    assert kept(before)
    assert len(new(before)) == 1
    assert "named otherwise" in done.stderr
    after = files()
    run("a.png", "--target", "bird", *OTHER[what], code=0)
    assert [*files()] == [*after]


def test_parameters_that_a_name_cannot_hold_are_told_apart(run, photo):
    photo("a.png")
    names = []
    for sigma in (1, 2):
        before = files() if OUT.exists() else {}
        run("a.png", "--method", "smooth(grad-cam)", "--set", "samples=2", "--set", f"sigma={sigma / 10**9}")
        assert kept(before)
        names += new(before)
    assert len(names) == 2


def test_another_photo_of_the_name_leaves_the_map_of_the_first(run, photo, tmp_path):
    run(photo("a/cat.png", 0))
    before = files()
    run(photo("b/cat.png", 1))
    assert kept(before)
    assert len(new(before)) == 1
    assert sorted(sources()) == [("a/cat.png", "demo/honest"), ("b/cat.png", "demo/honest")]


@pytest.mark.parametrize("method", ["eigen-cam", "grad-cam"])
def test_a_photo_that_was_changed_is_another_photo(run, photo, method):
    run(photo("a.png", 0), "--method", method)
    before = files()
    photo("a.png", 1)
    run("a.png", "--method", method)
    assert kept(before)
    assert len(new(before)) == 1


def test_the_same_photo_under_the_same_path_from_another_folder_gives_the_same_files(run, photo, tmp_path, monkeypatch):
    photo("x/a.png", 0)
    photo("y/a.png", 0)
    (tmp_path / "out").mkdir()
    for folder in "xy":
        os.symlink(tmp_path / "out", tmp_path / folder / "out")
    monkeypatch.chdir(tmp_path / "x")
    run("a.png")
    before = files()
    monkeypatch.chdir(tmp_path / "y")
    run("a.png")
    assert files() == before


def test_the_same_photo_in_another_file_is_told_apart(run, photo):
    run(photo("x/a.png", 0))
    before = files()
    run(photo("y/a.png", 0))
    assert kept(before)
    assert [image for image, _ in sources(new(before))] == ["y/a.png"]
    run("./x/a.png")  # the first file by another name
    assert len(files()) == 2


def test_what_python_saved_of_the_same_map_is_made_again_too(run, photo):
    run(photo("a.png"))
    (name,) = files()
    (heatmap,) = seewhy.grad_cam(seewhy.load("demo/honest"), "a.png")
    heatmap.save(OUT / name, alpha=0.9)
    done = run("a.png")
    assert [*files()] == [name]
    assert "made again" in done.stderr


def occupied(run, photo, make) -> tuple[str, str]:
    """Run once for the name, put something else there, and run again: what was written then, and what was said."""
    run(photo("a.png"))
    (name,) = files()
    (OUT / name).unlink()
    make(OUT / name)
    return name, run("a.png", "--values").stderr


STRANGERS = {
    "photo": lambda path: Image.new("RGB", (3, 3)).save(path),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("my notes"),
    "folder": lambda path: path.mkdir(),
    "pipe": lambda path: os.mkfifo(path),
    "numbers": lambda path: np.savez(path.with_suffix(".npz"), x=1),
    "library": lambda path: None,
}


@pytest.mark.parametrize("what", STRANGERS)
def test_what_is_not_this_runs_is_never_written_over(run, photo, what, made_heatmap):
    make = STRANGERS[what] if what != "library" else lambda path: made_heatmap([[0, 1]]).save(path)
    name, said = occupied(run, photo, make)
    there = OUT / (name if what != "numbers" else name.replace(".png", ".npz"))
    with_numbers = {name.replace(".png", "-2.png"), name.replace(".png", "-2.npz")}
    if what == "library":  # of another model
        with_numbers = {name.replace(".png", f".of-demo-honest.{kind}") for kind in ("png", "npz")}
    assert {path.name for path in OUT.iterdir()} == {there.name, *with_numbers}
    assert f"{there} stays as it was" in said
    assert there.is_dir() or there.is_fifo() or what == "library" or there.stat().st_size < 2000


def test_a_link_is_replaced_and_what_it_leads_to_stays(run, photo, tmp_path):
    (tmp_path / "precious.txt").write_text("precious")
    for target in ("../precious.txt", "nowhere"):
        name, _ = occupied(run, photo, lambda path, target=target: path.symlink_to(target))
        assert sorted(path.name for path in OUT.iterdir()) == [name.replace(".png", ".npz"), name]
        assert not (OUT / name).is_symlink()
        assert Heatmap.source_of(OUT / name).model == "demo/honest"
        assert (tmp_path / "precious.txt").read_text() == "precious"
        assert not (tmp_path / "nowhere").exists()
        for path in OUT.iterdir():
            path.unlink()


def test_numbers_of_a_picture_that_is_gone_stay_the_same(run, photo):
    run(photo("a.png"), "--values")
    picture, numbers = sorted(OUT.iterdir(), key=lambda path: path.suffix, reverse=True)
    before = numbers.read_bytes()
    picture.unlink()
    run("a.png", "--values")
    assert numbers.read_bytes() == before
    assert len([*OUT.iterdir()]) == 2


def test_of_runs_at_one_time_none_writes_over_the_other(tmp_path, made_heatmap):
    maps = [made_heatmap([[0, i]], model=f"m/{i}") for i in range(8)]
    barrier, found, lock = threading.Barrier(8), {}, threading.Lock()

    def write(i):
        folder = OutFolder(tmp_path)
        barrier.wait()
        for turn in range(10):
            heatmap = maps[i]
            paths = folder.put(f"cat{turn}", heatmap.source, {".png": writer(heatmap), ".npz": writer(heatmap)})
            with lock:
                found[i, turn] = paths

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 80
    assert len({path for paths in found.values() for path in paths.values()}) == len(os.listdir(tmp_path)) == 160
    for (i, _), paths in found.items():
        for path in paths.values():
            assert Heatmap.source_of(path).model == f"m/{i}"
        assert paths[".png"].stem == paths[".npz"].stem


def test_of_runs_at_one_time_those_of_the_same_map_make_one(tmp_path, made_heatmap):
    heatmap, barrier, found = made_heatmap([[0, 1]]), threading.Barrier(4), []

    def write():
        folder = OutFolder(tmp_path)
        barrier.wait()
        both = {".png": writer(heatmap), ".npz": writer(heatmap)}
        found.extend(folder.put(f"cat{turn}", heatmap.source, both)[".png"] for turn in range(20))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(os.listdir(tmp_path)) == sorted(f"cat{turn}.{kind}" for turn in range(20) for kind in ("png", "npz"))
    assert len(found) == 80
