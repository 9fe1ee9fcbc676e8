"""YOLO's text files, read again by hand."""

import numpy as np
import pytest

from seewhy.errors import NotApplicable
from seewhy.localize.labels.yolo import YoloWriter
from support.labelled import labelled, labelled_object


def written(folder, *images, **how):
    writer = YoloWriter(folder, **how)
    for image in images:
        writer.add(image)
    writer.close()
    return {file.stem: file.read_text().splitlines() for file in (folder / "labels").rglob("*.txt")}


def yaml(folder):
    return pytest.importorskip("yaml").safe_load((folder / "data.yaml").read_text("utf-8"))


ODD = 'a: "b" \\ # 猫 🐈\x07\n'
IMAGES = [
    labelled("a.jpg", (8, 6), labelled_object(category="dog"), labelled_object(np.ones((6, 8), bool), (0, 0), ODD)),
    labelled("b.jpg", (8, 6)),
    labelled("c.jpg", (8, 6), labelled_object(category="dog")),
]


def test_boxes_as_shares_of_the_photo(tmp_path):
    lines = written(tmp_path, *IMAGES)
    assert lines["a"] == ["0 0.50000000 0.50000000 0.25000000 0.33333333", "1 0.50000000 0.50000000 1.00000000 1.00000000"]
    assert lines["b"] == []
    assert lines["c"][0].startswith("0 ")


def test_the_names_of_classes(tmp_path):
    written(tmp_path, *IMAGES)
    assert (tmp_path / "classes.txt").read_text("utf-8").splitlines() == ["dog", 'a: "b" \\ # 猫 🐈\x07']
    assert yaml(tmp_path) == {"train": "images", "val": "images", "names": {0: "dog", 1: ODD}}
    assert '"threshold": 0.15' in (tmp_path / "data.yaml").read_text().splitlines()[0]


def test_the_classes_of_a_model_where_they_are_few(tmp_path):
    dog = labelled_object(category="dog", index=2)
    assert written(tmp_path / "few", labelled("a.jpg", (8, 6), dog), labels=["cat", "tram", "dog"])["a"][0].startswith("2 ")
    assert yaml(tmp_path / "few")["names"] == {0: "cat", 1: "tram", 2: "dog"}
    assert written(tmp_path / "many", labelled("a.jpg", (8, 6), dog), labels=[*"abc"] * 100)["a"][0].startswith("0 ")
    assert yaml(tmp_path / "many")["names"] == {0: "dog"}


def test_outlines(tmp_path):
    (line,) = written(tmp_path, labelled("a.jpg", (8, 6), labelled_object(np.ones((2, 4), bool), (3, 1))), segments=True)["a"]
    numbers = np.array(line.split()[1:], float).reshape(-1, 2) * (8, 6)
    assert {(round(x), round(y)) for x, y in numbers} == {(1, 3), (5, 3), (5, 5), (1, 5)}
    ring = np.ones((12, 12), bool)
    ring[4:8, 4:8] = False
    (line,) = written(tmp_path / "ring", labelled("a.jpg", (12, 12), labelled_object(ring, (0, 0))), segments=True)["a"]
    assert len(line.split()) == 1 + 2 * 10  # one line for an object with a hole


def test_without_an_image_nothing_is_written(tmp_path):
    YoloWriter(tmp_path).close()
    assert [*tmp_path.iterdir()] == []
    written(tmp_path, labelled("b.jpg"))
    assert yaml(tmp_path)["names"] == {}


def test_a_volume_is_refused(tmp_path):
    with pytest.raises(NotApplicable, match="no photo"):
        YoloWriter(tmp_path).add(labelled("scan.nii", (9, 9, 9)))


def test_photos_of_an_earlier_run_keep_their_classes(tmp_path):
    written(tmp_path, *(labelled(f"{name}.jpg", (8, 6), labelled_object(category=name)) for name in ("dog", "cat")))
    lines = written(tmp_path, labelled("new.jpg", (8, 6), labelled_object(category="cow"), labelled_object(category="cat")))
    names = (tmp_path / "classes.txt").read_text().splitlines()
    said = {name: [names[int(line.split()[0])] for line in own] for name, own in lines.items()}
    assert said == {"dog": ["dog"], "cat": ["cat"], "new": ["cow", "cat"]}
    assert yaml(tmp_path)["names"] == dict(enumerate(names))


def test_what_is_said_of_one_photo_is_not_said_of_all(tmp_path):
    written(tmp_path, labelled("a.jpg", (8, 6), labelled_object(), notes=["cat was left out for dog"]))
    assert "left out" not in (tmp_path / "data.yaml").read_text()
