"""Pre-annotations of Label Studio, by its documentation."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from seewhy.errors import NotApplicable
from seewhy.localize.labels.label_studio import LabelStudioWriter
from seewhy.truth.run_lengths import mask_of_label_studio
from support.labelled import blobs, labelled, labelled_object, whole

IMAGES = [
    labelled("photos/ü 1.jpg", (8, 5), labelled_object(score=0.7), labelled_object(at=(0, 0), category="a & b", score=0.2)),
    labelled("b.jpg", (8, 6), why="no value of the map is positive"),
]


def written(path, images=IMAGES, **how):
    writer = LabelStudioWriter(path, **how)
    for image in images:
        writer.add(image)
    writer.close()
    return json.loads(path.read_text("ascii"))


def test_tasks_with_predictions(tmp_path):
    first, second = written(tmp_path / "labels.json")
    assert first["data"] == {"image": "/data/local-files/?d=photos/%C3%BC%201.jpg"}
    (prediction,) = first["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("net grad-cam", 0.7)
    assert prediction["result"][0] == {
        "id": "seewhy1", "from_name": "label", "to_name": "image", "type": "rectanglelabels", "original_width": 8,
        "original_height": 5, "image_rotation": 0, "score": 0.7,
        "value": {"x": 37.5, "y": 40, "width": 25, "height": 40, "rotation": 0, "rectanglelabels": ["tabby"]},
    }  # fmt: skip
    assert first["meta"]["threshold"] == 0.15
    assert second["predictions"] == []
    assert second["meta"]["why"] == "no value of the map is positive"


def test_ids_are_each_of_one_region(tmp_path):
    tasks = written(tmp_path / "labels.json", [IMAGES[0], IMAGES[0]])
    ids = [region["id"] for task in tasks for region in task["predictions"][0]["result"]]
    assert len({*ids}) == 4


@pytest.mark.parametrize(
    ("shapes", "tag"), [("boxes", "RectangleLabels"), ("polygons", "PolygonLabels"), ("brush", "BrushLabels")]
)
def test_the_config_has_the_names_that_regions_refer_to(tmp_path, shapes, tag):
    tasks = written(tmp_path / "labels.json", shapes=shapes)
    view = ElementTree.parse(tmp_path / "labels.config.xml").getroot()
    image, labels = [*view]
    assert (image.tag, image.attrib, labels.tag) == ("Image", {"name": "image", "value": "$image"}, tag)
    region = tasks[0]["predictions"][0]["result"][0]
    assert (labels.get("name"), labels.get("toName")) == (region["from_name"], region["to_name"])
    assert [label.get("value") for label in labels] == ["tabby", "a & b"]
    assert region["type"] == tag.lower()
    assert region["value"][tag.lower()] == ["tabby"]


def test_masks(tmp_path):
    image = labelled("a.jpg", (40, 30), labelled_object(blobs(0), (0, 0)))
    (task,) = written(tmp_path / "brush.json", [image], shapes="brush")
    (region,) = task["predictions"][0]["result"]
    assert region["value"]["format"] == "rle"
    assert (mask_of_label_studio(region["value"]["rle"], (30, 40)) == whole(image)).all()
    square = labelled("a.jpg", (40, 30), labelled_object(np.ones((3, 8), bool), (6, 4)))
    (task,) = written(tmp_path / "polygons.json", [square], shapes="polygons")
    points = task["predictions"][0]["result"][0]["value"]["points"]
    assert points == [[10, 20], [30, 20], [30, 30], [10, 30]]


def test_a_prefix_of_your_own(tmp_path):
    (task,) = written(tmp_path / "labels.json", [labelled("a.jpg", (8, 6))], prefix="https://example.org/")
    assert task["data"]["image"] == "https://example.org/a.jpg"


def test_no_image_no_file(tmp_path):
    LabelStudioWriter(tmp_path / "labels.json").close()
    assert [*tmp_path.iterdir()] == []


def test_a_volume_is_refused(tmp_path):
    with pytest.raises(NotApplicable, match="no photo"):
        LabelStudioWriter(tmp_path / "labels.json").add(labelled("scan.nii", (9, 9, 9)))
