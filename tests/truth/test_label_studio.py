"""Label Studio's JSON, as it comes back from a person."""

import json

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.truth.boxes import read_boxes
from seewhy.truth.label_studio import boxes_of_label_studio, is_label_studio, photo_of
from seewhy.truth.run_lengths import label_studio_bytes

RECTANGLE = {"x": 10.0, "y": 50.0, "width": 20.0, "height": 25.0, "rotation": 0, "rectanglelabels": ["cat"]}
MASK = np.zeros((20, 40), bool)
MASK[3:5, 7:9] = True


def region(kind="rectanglelabels", size=(40, 20), **value):
    sides = {"original_width": size[0], "original_height": size[1]} if size else {}
    return {"type": kind, "from_name": "label", "to_name": "image", **sides, "value": value or RECTANGLE}


def task(*regions, image="a.jpg", **more):
    return {"data": {"image": image}, "annotations": [{"result": [*regions]}], **more}


def read(*tasks):
    return boxes_of_label_studio(tasks, "labels.json")


def test_percents_become_pixels():
    photo = read(task(region()))["a.jpg"]
    assert photo.size == (40, 20)
    assert [(box.edges, box.label) for box in photo.boxes] == [((4, 10, 12, 15), "cat")]


def test_without_a_size_they_stay_shares():
    photo = read(task(region(size=None)))["a.jpg"]
    assert photo.shares
    assert np.allclose(photo.boxes[0].edges, (0.1, 0.5, 0.3, 0.75))
    assert photo.on((40, 20))[0].edges == pytest.approx((4, 10, 12, 15))


def test_other_regions():
    points = {"points": [[0, 0], [50, 0], [50, 100], [0, 100]], "polygonlabels": ["dog"]}
    brush = {"format": "rle", "rle": [*label_studio_bytes(MASK)], "brushlabels": ["tram"]}
    empty = {"format": "rle", "rle": [*label_studio_bytes(MASK & False)], "brushlabels": ["tram"]}
    turned = {**RECTANGLE, "rotation": 90}
    regions = [
        region("polygonlabels", **points),
        region("brushlabels", **brush),
        region("brushlabels", **empty),
        region(**turned),
    ]
    choice = {"type": "choices", "value": {"choices": ["day"]}}
    photo = read(task(*regions, choice))["a.jpg"]
    assert [box.label for box in photo.boxes] == ["dog", "tram", "cat"]
    assert np.allclose([box.edges for box in photo.boxes], [(0, 0, 20, 20), (7, 3, 9, 5), (-1, 10, 4, 18)])
    masks = [box.shape((40, 20)) for box in photo.boxes]
    assert (masks[0] == (np.arange(40) < 20)).all()
    assert (masks[1] == MASK).all()


def test_what_a_person_said_last_counts_before_what_was_predicted():
    other = region(**{**RECTANGLE, "rectanglelabels": ["dog"]})
    predicted = [{"result": [region()]}]
    assert [box.label for box in read({"data": {"image": "a"}, "predictions": predicted})["a"].boxes] == ["cat"]
    annotations = [{"result": [region()]}, {"result": [other]}, {"result": [], "was_cancelled": True}]
    both = {"data": {"image": "a"}, "predictions": predicted, "annotations": annotations}
    assert [box.label for box in read(both)["a"].boxes] == ["dog"]
    assert read({**both, "annotations": [{"result": []}]})["a"].boxes == ()  # a person took all away
    assert read({"data": {"image": "a"}})["a"].boxes == ()


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("photos/a b.jpg", "photos/a b.jpg"),
        ("/data/local-files/?d=photos/%C3%BC%201.jpg", "photos/ü 1.jpg"),
        ("/data/upload/3/0a1b2c3d-a.jpg", "a.jpg"),
        ("https://example.org/in/a%20b.jpg?token=x", "/in/a b.jpg"),
        ("s3://bucket/in/a.jpg", "/in/a.jpg"),
    ],
)
def test_names_of_photos(image, name):
    assert photo_of({"data": {"image": image}}) == name
    assert photo_of({"data": {"number": 3, "picture": image}}) == name


def test_it_is_known_by_its_tasks():
    assert is_label_studio([task()])
    for other in ([], [3], {"data": {}}, [{"file": "a.jpg", "boxes": []}]):
        assert not is_label_studio(other)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (task(region(), region(size=(20, 40))), "of several sizes"),
        (task(region(x=3)), "'y' is missing"),
        (task(region("brushlabels", rle=[1, 2], brushlabels=["x"])), "ends early"),
        (task(region("brushlabels", size=(10**6, 10**6), rle=[], brushlabels=["x"])), "larger than photos may be"),
        ({"data": {"image": "a"}, "annotations": 3}, "no JSON of boxes"),
    ],
)
def test_what_is_refused(tmp_path, broken, words):
    (tmp_path / "labels.json").write_text(json.dumps([broken]))
    with pytest.raises(BadParameter, match=words):
        read_boxes(tmp_path / "labels.json")
