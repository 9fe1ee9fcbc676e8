"""The table of formats."""

import json

import pytest

from seewhy.errors import BadParameter, NoSuchName
from seewhy.localize.labels.formats import FORMATS, format_named, open_writer
from support.labelled import labelled, labelled_object


def test_an_unknown_format_names_those_there_are():
    with pytest.raises(NoSuchName, match=r"No format of labels 'coko'\. Closest: coco.*There are: csv, coco"):
        open_writer("coko", "labels.json")


def test_names_are_read_however_they_are_spelled():
    assert format_named("COCO_RLE") is FORMATS["coco-rle"]


def test_each_says_what_it_holds_and_what_opens_it():
    for form in FORMATS.values():
        assert form.holds
        assert "{" not in form.opening("in {braces}").replace("in {braces}", "")
    assert FORMATS["csv"].opening("a.csv") == "any spreadsheet, and seewhy explain --boxes a.csv"
    assert [name for name, form in FORMATS.items() if form.folder] == [
        "voc", "yolo", "yolo-segments", "png", "nifti", "geotiff",
    ]  # fmt: skip
    assert [name for name, form in FORMATS.items() if "volume" in form.takes] == ["csv", "nifti"]


@pytest.mark.parametrize("name", ["voc", "png"])
def test_a_folder_of_files_takes_no_function(name):
    with pytest.raises(BadParameter, match="name a folder"):
        open_writer(name, print)


def test_a_writer_takes_a_file_or_a_function(tmp_path):
    pieces = []
    for output in (str(tmp_path / "a.json"), tmp_path / "b.json", pieces.append):
        writer = open_writer("coco", output)
        writer.add(labelled("a.jpg", (8, 6), labelled_object()))
        writer.close()
    texts = [(tmp_path / "a.json").read_text(), (tmp_path / "b.json").read_text(), "".join(pieces)]
    assert len({*texts}) == 1
    assert json.loads(texts[0])["images"][0]["file_name"] == "a.jpg"
