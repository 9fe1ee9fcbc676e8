"""Pascal VOC's XML, read by hand and by `--boxes`."""

import json
from xml.etree import ElementTree

import pytest
from PIL import Image

from seewhy.errors import NotApplicable
from seewhy.localize.labels.voc import VocWriter
from seewhy.truth.boxes import read_boxes
from support.labelled import labelled, labelled_object

NAME = "photos/<ü> & 猫\x07.jpg"


def written(folder, *images):
    writer = VocWriter(folder)
    for image in images:
        writer.add(image)
    writer.close()


def test_pixels_count_from_one_both_ends_included(tmp_path):
    grey = Image.new("L", (8, 6))
    written(tmp_path, labelled(NAME, (8, 6), labelled_object(category="a<b>", score=0.125), image=grey))
    (file,) = tmp_path.iterdir()
    root = ElementTree.parse(file).getroot()
    box = {side.tag: side.text for side in root.iterfind("object/bndbox/*")}
    assert box == {"xmin": "4", "ymin": "3", "xmax": "5", "ymax": "4"}  # columns 3 and 4, rows 2 and 3, from 0
    assert [root.findtext(f"size/{name}") for name in ("width", "height", "depth")] == ["8", "6", "1"]
    assert [root.findtext(f"object/{name}") for name in ("name", "score", "difficult")] == ["a<b>", "0.125", "0"]
    assert [root.findtext(name) for name in ("folder", "filename", "path")] == [
        "photos", "<ü> & 猫\ufffd.jpg", "photos/<ü> & 猫\ufffd.jpg",
    ]  # fmt: skip
    assert json.loads(root.findtext("source/annotation") or "")["threshold"] == 0.15


def test_read_again(tmp_path):
    both = labelled("a/cat.jpg", (8, 6), labelled_object(), labelled_object(at=(0, 0), category="dog"))
    written(tmp_path, both, labelled("b/cat.jpg", (9, 9), why="no value of the map is positive"))
    found = read_boxes(tmp_path)
    assert [(box.edges, box.label) for box in found["cat"].boxes] == [((3, 2, 5, 4), "tabby"), ((0, 0, 2, 2), "dog")]
    assert (found["cat"].size, found["b/cat"].size, found["b/cat"].boxes) == ((8, 6), (9, 9), ())


def test_a_volume_is_refused(tmp_path):
    with pytest.raises(NotApplicable, match="no photo"):
        written(tmp_path, labelled("scan.nii", (9, 9, 9)))
