"""Labels go where a person says, over nothing that is there."""

import errno
import json
import os
from pathlib import Path

import pytest

from seewhy.cli.label_file import LabelFile, usual_format
from seewhy.errors import BadParameter, NoSuchName, NotWritten
from seewhy.localize.labels.formats import FORMATS
from seewhy.localize.labels.labelled import labelled_image


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def labelled(made_heatmap):
    def make(name="cat.jpg"):
        heatmap = made_heatmap([[0, 0], [0, 1]], image=name)
        return labelled_image([heatmap], [heatmap.boxes()])

    return make


def filled(file, *images):
    file.open(["tench", "goldfish"])
    for image in images:
        file.add(image)
    file.close()
    return file


def test_the_file_is_where_it_is_said(labelled):
    Path("there").mkdir()
    places = {None: "labels.json", "a.json": "a.json", "there": "there/labels.json", "new/": "new/labels.json"}
    for out, place in places.items():
        file = filled(LabelFile("coco", out), labelled())
        assert str(file.path) == file.where == place
        (mark,) = json.loads(Path(place).read_text())["annotations"]
        assert mark["score"] == pytest.approx(0.75)
        (words,) = file.words()
        assert words.startswith(f"labels: {place}: {FORMATS['coco'].holds}")
    assert str(LabelFile("csv", None).path) == "labels.csv"


def test_what_is_there_stays_unless_a_person_says_so(labelled):
    Path("labels.json").write_text("corrected by a person")
    with pytest.raises(NotWritten, match=r"labels\.json is there and stays as it is: name another with --out, or give --over"):
        LabelFile("coco", None)
    assert Path("labels.json").read_text() == "corrected by a person"
    filled(LabelFile("coco", None, over=True), labelled())
    assert json.loads(Path("labels.json").read_text())["annotations"]


def test_what_came_there_meanwhile_stays_too(labelled):
    file = LabelFile("coco", None)
    file.open(None)
    file.add(labelled())
    Path("labels.json").write_text("of another run")
    file.close()
    assert "labels.json" in str(file.failed)
    assert Path("labels.json").read_text() == "of another run"
    assert [*file.words()] == []


def test_standard_output_gets_the_text_piece_by_piece(labelled, capsys):
    file = LabelFile("csv", "-")
    file.open(None)
    file.add(labelled("a.jpg"))
    assert capsys.readouterr().out == ""
    file.print()
    head, row = capsys.readouterr().out.splitlines()
    assert (head[:5], row[:6]) == ("file,", "a.jpg,")
    file.add(labelled("b.jpg"))
    file.close()
    (row,) = capsys.readouterr().out.splitlines()
    assert row.startswith("b.jpg,")
    assert ([*file.words()], file.where, os.listdir()) == ([], "-", [])


def test_formats_and_places_that_cannot_be_are_refused_before_anything_runs():
    with pytest.raises(NoSuchName, match="coco"):
        LabelFile("cocoo", None)
    Path("file").write_text("no folder")
    with pytest.raises(NotWritten, match="is no folder"):
        LabelFile("coco", "file/labels.json")
    for name in (name for name, form in FORMATS.items() if form.folder):
        with pytest.raises(BadParameter, match="cannot go to standard output"):
            LabelFile(name, "-")


def test_a_folder_with_files_in_it_stays_as_it_is(labelled):
    for name in (name for name, form in FORMATS.items() if form.folder):
        assert str(LabelFile(name, None).path) == "labels"
        Path(name).mkdir()
        assert LabelFile(name, name).path == Path(name)  # it is empty
        (Path(name) / "old.txt").write_text("corrected by a person")
        with pytest.raises(NotWritten, match="with files in it"):
            LabelFile(name, name)
        assert LabelFile(name, name, over=True).path == Path(name)


def test_where_nothing_was_found_out_nothing_is_written():
    file = filled(LabelFile("coco", "labels.json"))
    (words,) = file.words()
    assert words == "no labels were written, for not one image got through: nothing is changed at labels.json"
    assert not Path("labels.json").exists()


def test_a_full_disk_is_said_for_all_that_follow(labelled):
    file = LabelFile("coco", None)
    file.open(None)
    file.add(labelled())
    error = NotWritten("no space left")
    error.errno = errno.ENOSPC
    usual, file._writer = file._writer, type("Full", (), {"add": lambda *_: (_ for _ in ()).throw(error)})()
    for _ in range(2):
        with pytest.raises(NotWritten, match="no space left"):
            file.add(labelled("b.jpg"))
        file._writer = usual  # also where there would be space again: the labels would miss a photo in the middle
    file.close()
    assert file.images == len(json.loads(Path("labels.json").read_text())["images"]) == 1


def test_volumes_have_label_maps_and_photos_coco():
    assert {kind: usual_format(kind) for kind in ("photos", "images", "volumes")} == {
        "photos": "coco", "images": "coco", "volumes": "nifti",
    }  # fmt: skip


def test_a_folder_is_not_called_like_a_file():
    with pytest.raises(BadParameter, match=r"yolo is a folder with a file for each image: name a folder, not 'x.json'"):
        LabelFile("yolo", "x.json")
    assert LabelFile("yolo", "labels.v2").path == Path("labels.v2")
