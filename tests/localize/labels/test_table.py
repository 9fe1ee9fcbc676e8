"""Boxes in CSV, read again as spreadsheets and `--boxes` read them."""

import csv

import numpy as np
import pytest

from seewhy.errors import NotApplicable
from seewhy.localize.labels.table import TableWriter
from seewhy.truth.boxes import read_boxes
from support.labelled import labelled, labelled_object

NAME = 'photos/"ü, 猫"\n.jpg'


def written(path, *images):
    writer = TableWriter(path)
    for image in images:
        writer.add(image)
    writer.close()
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_for_each_box(tmp_path):
    both = labelled("a.jpg", (8, 6), labelled_object(score=0.7), labelled_object(at=(0, 0), category='a, "b"', score=0.25))
    rows = written(tmp_path / "a.csv", both, labelled(NAME, why="no value of the map is positive"))
    assert [rows[0][name] for name in ("file", "x0", "y0", "x1", "y1", "label")] == ["a.jpg", "3", "2", "5", "4", "tabby"]
    assert [rows[0][name] for name in ("score", "probability", "box_score", "area", "evidence")] == [
        "0.7",
        "0.625",
        "0.8",
        "3",
        "0.6",
    ]
    facts = ("image_width", "image_height", "model", "weights", "method", "layer", "threshold", "refine", "why")
    assert [rows[0][name] for name in facts] == ["8", "6", "net", "w.pth", "grad-cam", "layer4", "0.15", "", ""]
    assert rows[1]["label"] == 'a, "b"'
    assert [rows[2][name] for name in ("file", "x0", "score", "image_width", "why")] == [
        NAME, "", "", "8", "no value of the map is positive",
    ]  # fmt: skip


def test_read_again(tmp_path):
    both = labelled("a.jpg", (8, 6), labelled_object(), labelled_object(at=(0, 0), category='a, "b"'))
    written(tmp_path / "a.csv", both, labelled("b.jpg"))
    found = read_boxes(tmp_path / "a.csv")
    assert [(box.edges, box.label) for box in found["a.jpg"].boxes] == [((3, 2, 5, 4), "tabby"), ((0, 0, 2, 2), 'a, "b"')]
    assert found["b.jpg"].boxes == ()


def test_a_volume(tmp_path):
    cube = labelled_object(np.ones((1, 2, 3), bool), (4, 5, 6))
    (row,) = written(tmp_path / "v.csv", labelled("scan.nii.gz", (9, 9, 9), cube))
    assert [row[name] for name in ("i0", "j0", "k0", "i1", "j1", "k1", "image_size")] == ["4", "5", "6", "5", "7", "9", "9x9x9"]


def test_one_kind_in_one_file(tmp_path):
    writer = TableWriter(tmp_path / "a.csv")
    writer.add(labelled())
    with pytest.raises(NotApplicable, match="one kind in one file"):
        writer.add(labelled("scan.nii", (9, 9, 9)))
    writer.close()
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 2
