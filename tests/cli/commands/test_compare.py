"""`seewhy compare` tells which methods to trust by many photos."""

import json

import click
import pytest
from click.testing import CliRunner

from seewhy import demo
from seewhy.cli import app as command
from seewhy.cli.commands.compare import Duration


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("compare")
    for i, scene in enumerate(demo.scenes(2, 31, pair=True)):
        scene.image.save(path / f"{i}.png")
    return path


def run(*words):
    return CliRunner().invoke(command.main, ["compare", "demo/honest", *map(str, words)])


def test_the_table_and_the_words(folder):
    done = run(folder, "--methods", "grad-cam,eigen-cam")
    assert done.exit_code == 0, done.output
    first, head, *rows = done.stdout.splitlines()
    assert first.startswith("demo/honest at body: 2 of 2 photos, ")
    assert head.split()[:4] == ["method", "verdict", "deletion", "insertion"]
    assert [row.split()[:2] for row in rows[:4]] == [
        ["grad-cam", "unknown"], ["eigen-cam", "avoid"], ["centre", "control"], ["random-map", "control"],
    ]  # fmt: skip
    assert "For demo/honest at body, by 2 photos: nothing can be said yet." in done.stdout


def test_as_json_with_a_bad_photo(folder, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    done = run(folder / "0.png", broken, "-M", "grad-cam", "--json")
    assert done.exit_code == 1, done.output
    facts = json.loads(done.stdout)
    assert (facts["photos"], facts["failed"][0]["image"]) == (1, str(broken))
    assert "1 of 2 photos failed" in done.stderr


def test_as_csv_within_a_budget(folder):
    done = run(folder, "-M", "grad-cam", "--budget", "0.001 s", "--csv")
    assert done.exit_code == 0, done.output
    head, *rows = done.stdout.splitlines()
    assert head == "photo,explained,method,criterion,value"
    assert len({row.split(",")[0] for row in rows}) == 1


def test_what_is_misused_has_exit_code_2(folder):
    for words, said in (
        (["--budget", "soon"], "write 90 s, 10 min or 1.5 h"),
        (["--target", "top:2"], "one is explained"),
        (["--json", "--csv"], "give one of them"),
        (["--methods", "grad-cam,grad-cam"], "twice"),
    ):
        done = run(folder, *words)
        assert (done.exit_code, done.stdout) == (2, "")
        assert said in done.stderr


@pytest.mark.parametrize(("text", "seconds"), [("10 min", 600), ("90s", 90), ("1.5 h", 5400), ("30", 30), ("2 Minutes", 120)])
def test_times(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0 s", "-1 min", "ten min", "3 days"])
def test_what_is_no_time(text):
    with pytest.raises(click.BadParameter):
        Duration().convert(text, None, None)


def test_labels_are_what_photos_show_where_they_name_them_and_else_names_of_classes(folder, tmp_path):
    """A table of the photos says which class is explained, under either name; a list of names names the classes."""
    classes = ["bird", "boat", "car", "cup", "fish", "house", "key", "mushroom", "star", "tree"]
    table, names = tmp_path / "labels.csv", tmp_path / "names.txt"
    table.write_text("file,label\n0.png,7\nother.png,1\n")
    names.write_text("\n".join(f"kind {each}" for each in classes))
    chosen = [folder / "0.png", "-M", "grad-cam", "--grids", "0", "--csv"]
    said = {how: _explained(run(*chosen, *how)) for how in ((), ("--truth", table), ("--labels", table), ("--labels", names))}
    assert said["--labels", table] == said["--truth", table] != said[()]
    assert said["--labels", names].startswith("kind ")
    both = _explained(run(*chosen, "--labels", names, "--truth", table))
    assert both == f"kind {classes[7]}"
    folders = run(folder / "0.png", "-M", "grad-cam", "--labels", "folders")
    assert folders.exit_code == 2
    assert "the folders' names" in folders.stderr


def _explained(done):
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()[1].split(",")[1]


def test_boxes_add_where_the_object_lies(folder, tmp_path):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("file,x0,y0,x1,y1\n0.png,0,0,64,64\n")
    done = run(folder / "0.png", "-M", "grad-cam", "--boxes", boxes, "--csv")
    rows = [row.split(",")[2:4] for row in done.stdout.splitlines()]
    assert ["grad-cam", "pointing"] in rows
    assert ["grad-cam", "energy"] in rows


def test_the_page(folder, tmp_path):
    page = tmp_path / "page.html"
    done = run(folder / "0.png", "-M", "grad-cam", "-o", page)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == f"-> {page}"
    assert "grad-cam on 0.png" in page.read_text("utf-8")
    assert run(folder, "-o", "page.png").exit_code == 2


def test_all_that_can_be_planted(tmp_path):
    for i, scene in enumerate(demo.scenes(12, 31, pair=True)):
        scene.image.save(tmp_path / f"{i}.png")
    page = tmp_path / "page.html"
    done = run(tmp_path, "-M", "grad-cam", "--grids", "0", "--planted", "all", "--json", "-o", page)
    assert done.exit_code == 0, done.output
    truth = json.loads(done.stdout)["planted"]
    assert [(what, of["what"]) for what, of in truth.items()] == [(each, each) for each in ("marks", "backgrounds", "patches")]
    assert all(of["right_without"] == 0.5 for of in truth.values())
    assert all(f"planted {what}" in page.read_text("utf-8") for what in truth)


def test_too_few_photos_to_plant_in_are_said(folder):
    done = run(folder / "0.png", "-M", "grad-cam", "--planted")
    assert done.exit_code == 1
    assert "grad-cam" in done.stdout
    assert "12 are needed" in done.stderr
