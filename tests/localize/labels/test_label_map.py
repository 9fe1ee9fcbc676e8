"""Numbers in label maps, their colours, and what says what they mean."""

import json

import numpy as np
import pytest

from seewhy.errors import BadParameter, NotApplicable
from seewhy.localize.labels.label_map import LabelMaps, class_table, colours
from support.labelled import labelled, labelled_object, whole


def test_the_colours_of_voc():
    shown = colours()
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 4: (0, 0, 128), 8: (64, 0, 0), 15: (192, 128, 128)}
    assert {number: tuple(shown[number].tolist()) for number in known} == known
    assert shown[255].tolist() == [224, 224, 192]
    assert shown[20].tolist() == [0, 64, 128]


def test_the_surest_is_seen_where_objects_overlap(tmp_path):
    image = labelled("a.jpg", (8, 6), labelled_object(), labelled_object(np.ones((3, 3), bool), (2, 3), "dog"))
    values = LabelMaps(tmp_path, ".png", True, None, 254).values(image, (6, 8))
    expected = np.where(whole(image, 0), 1, np.where(whole(image, 1), 2, 0))
    assert (values == expected).all()
    assert values.dtype == np.uint8


def test_more_classes_than_numbers(tmp_path):
    maps = LabelMaps(tmp_path, ".png", True, None, 2)
    maps.values(labelled("a.jpg", (8, 6), labelled_object(), labelled_object(category="dog")), (6, 8))
    with pytest.raises(NotApplicable, match=r"b\.jpg shows class 3 .* holds 2"):
        maps.values(labelled("b.jpg", (8, 6), labelled_object(category="tram")), (6, 8))


def test_two_bytes_where_one_is_too_few(tmp_path):
    maps = LabelMaps(tmp_path, ".nii.gz", True, [f"class {k}" for k in range(1000)], 65_534)
    values = maps.values(labelled("a", (8, 6), labelled_object(category="class 999", index=999)), (6, 8))
    assert values.dtype == np.uint16
    assert values.max() == 1000


def test_the_table_of_classes(tmp_path):
    assert class_table(["a,\nb", "dog"], False).decode().splitlines() == [
        "number,label,red,green,blue", "0,background,0,0,0", '1,"a, b",128,0,0', "2,dog,0,128,0",
    ]  # fmt: skip
    assert class_table([], True).decode().splitlines()[-1] == "255,not to be counted,224,224,192"
    maps = LabelMaps(tmp_path, ".png", True, None, 254)
    for category in ("dog", "cat"):
        image = labelled(f"{category}.jpg", (8, 6), labelled_object(category=category))
        maps.values(image, (6, 8))
        maps.put(image, b"")
        assert category in (tmp_path / "classes.csv").read_text()  # at once, for the run may be killed


def test_what_is_said_of_an_image(tmp_path):
    maps = LabelMaps(tmp_path, ".png", True, ["cat", "tabby"], 254)
    said = json.loads(maps.said(labelled("a.jpg", (8, 6), labelled_object(index=1, score=0.25))))
    assert said["objects"] == [{"number": 2, "label": "tabby", "score": 0.25}]
    assert said["threshold"] == 0.15
    assert json.loads(maps.said(labelled("a.jpg", why="flat")))["why"] == "flat"


def test_maps_of_an_earlier_run_keep_their_numbers(tmp_path):
    def number(category):
        maps = LabelMaps(tmp_path, ".png", True, None, 254, ignored=True)
        image = labelled(f"{category}.jpg", (8, 6), labelled_object(category=category))
        values = maps.values(image, (6, 8))
        maps.put(image, b"")
        return values.max()

    assert [number(category) for category in ("a, b", "cat", "a, b", "cow")] == [1, 2, 1, 3]
    assert [row.split(",")[0] for row in (tmp_path / "classes.csv").read_text().splitlines()[1:]] == ["0", "1", "2", "3", "255"]


def test_a_table_of_other_things_is_not_taken_for_classes(tmp_path):
    (tmp_path / "classes.csv").write_text("class,teacher\n4b,Smith\n")
    with pytest.raises(BadParameter, match=r"classes\.csv is no table of classes"):
        LabelMaps(tmp_path, ".png", True, None, 254)
