"""CVAT's XML, by its documentation."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from seewhy.errors import NotApplicable
from seewhy.localize.labels.cvat import CvatWriter
from seewhy.truth.run_lengths import mask_of_rows
from support.labelled import blobs, labelled, labelled_object

IMAGES = [
    labelled("photos/<1>.jpg", (8, 6), labelled_object(score=0.7), labelled_object(at=(0, 0), category="a & b", score=0.2)),
    labelled("b.jpg", (9, 7), why="no value of the map is positive"),
]


def written(path, images=IMAGES, **how):
    writer = CvatWriter(path, **how)
    for image in images:
        writer.add(image)
    writer.close()
    return ElementTree.parse(path).getroot()


def test_boxes(tmp_path):
    root = written(tmp_path / "cvat.xml")
    assert (root.tag, root.findtext("version"), root.findtext("meta/task/size")) == ("annotations", "1.1", "2")
    assert [child.tag for child in root] == ["version", "meta", "image", "image"]  # readers take meta from before the images
    first, second = root.iterfind("image")
    assert first.attrib == {"id": "0", "name": "photos/<1>.jpg", "width": "8", "height": "6"}
    assert [*second] == []
    assert first[0].attrib == {
        "label": "tabby", "source": "auto", "occluded": "0", "z_order": "0",
        "xtl": "3.00", "ytl": "2.00", "xbr": "5.00", "ybr": "4.00",
    }  # fmt: skip
    assert (first[0][0].get("name"), first[0][0].text) == ("score", "0.7")
    labels = [*root.iterfind("meta/task/labels/label")]
    assert [(label.findtext("name"), label.findtext("type")) for label in labels] == [
        ("tabby", "rectangle"), ("a & b", "rectangle"),
    ]  # fmt: skip
    assert labels[0].findtext("attributes/attribute/name") == "score"
    assert json.loads(root.findtext("meta/seewhy") or "")["threshold"] == 0.15


def test_polygons(tmp_path):
    image = labelled("a.jpg", (40, 30), labelled_object(np.ones((3, 8), bool), (6, 4)))
    (polygon,) = written(tmp_path / "cvat.xml", [image], shapes="polygons").iterfind("image/polygon")
    assert polygon.get("points") == "4.00,6.00;12.00,6.00;12.00,9.00;4.00,9.00"


def test_masks(tmp_path):
    image = labelled("a.jpg", (50, 40), labelled_object(blobs(0), (3, 5)))
    (mask,) = written(tmp_path / "cvat.xml", [image], shapes="masks").iterfind("image/mask")
    assert [mask.get(side) for side in ("left", "top", "width", "height")] == ["5", "3", "40", "30"]
    assert (mask_of_rows([int(n) for n in (mask.get("rle") or "").split(",")], (30, 40)) == blobs(0)).all()


def test_what_was_done_is_left_where_an_image_is_refused(tmp_path):
    writer = CvatWriter(tmp_path / "cvat.xml")
    writer.add(IMAGES[0])
    with pytest.raises(NotApplicable, match="no photo"):
        writer.add(labelled("scan.nii", (9, 9, 9)))
    writer.close()
    assert len(ElementTree.parse(tmp_path / "cvat.xml").findall("image")) == 1


def test_no_image_no_file(tmp_path):
    CvatWriter(tmp_path / "cvat.xml").close()
    assert [*tmp_path.iterdir()] == []


def test_what_is_said_of_one_photo_is_not_said_of_all(tmp_path):
    writer = CvatWriter(tmp_path / "labels.xml")
    writer.add(labelled("a.jpg", (8, 6), labelled_object(), notes=["cat was left out for dog"]))
    writer.close()
    assert "left out" not in (tmp_path / "labels.xml").read_text()
