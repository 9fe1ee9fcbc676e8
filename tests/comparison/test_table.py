"""A drift for spreadsheets."""

import csv
import io

import numpy as np

from seewhy.comparison.records import Drift, PhotoDrift
from seewhy.comparison.table import csv_of


def test_a_row_a_photo_with_all_digits(made_heatmap):
    heatmap = made_heatmap(np.eye(3), layer="=cmd()")
    photos = [
        PhotoDrift(name, 0, heatmap, heatmap, None, None, None, None, 1 / 3, 0.1, None, notes=("one", "two"))
        for name in ("cat, the.jpg", "=1+1.png", "two\nlines \x1b[31m.png", "caf\udce9.png")
    ]
    rows = [*csv.DictReader(io.StringIO(csv_of(Drift(tuple(photos), "a", "b", "m", "", "t"))))]
    assert [row["image"] for row in rows] == ["cat, the.jpg", "'=1+1.png", "two lines \\x1b[31m.png", "caf\ufffd.png"]
    first = rows[0]
    assert float(first["spearman"]) == 1 / 3
    assert (first["centre_shift"], first["predicted_a"], first["same_top1"]) == ("", "", "")
    assert (first["class"], first["layer_a"], first["notes"]) == ("tabby, tabby cat", "'=cmd()", "one; two")


def test_of_no_photo_a_head_alone():
    assert csv_of(Drift((), "a", "b", "m", "", "t")) == "image\n"
