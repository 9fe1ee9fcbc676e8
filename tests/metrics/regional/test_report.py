"""Where the evidence lies, as a table, JSON, CSV and a picture."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import NoSuchName
from seewhy.maps.made_here import made_here
from seewhy.metrics.regional.report import EvidenceReport
from seewhy.metrics.regional.search import EvidencePile, PileExample
from seewhy.metrics.regional.shares import RegionShare
from support.strict_json import strict


@pytest.fixture
def report(made_heatmap):
    heatmap = made_heatmap([[4.0, 0.0], [0.0, 1.0]])
    more = RegionShare("corner:ne:0.25", "=cat", "", "", 8, 0.5, 0.4, 0.6, 0.0625, 0.01, 0.001, 0.002)
    few = RegionShare("corner:ne:0.25", "dog", "cat (0)", "dog (1)", 1, 0.5, None, None, 0.0625, None)
    pile = EvidencePile("=cat", ((0.0, 0.0, 0.25, 0.25), (0.75, 0.0, 1.0, 0.25)), 8, 0.5, 0.4, 0.6, 0.125, 0.01, 0.001, 0.002,
                        (PileExample("a.png", 0.8, heatmap),))  # fmt: skip
    means = {"=cat": np.full((4, 4), 1 / 16), "dog": np.eye(4) / 4}
    return EvidenceReport(
        "net", "grad-cam", "top 1", 9, (more, few), (pile,), {"=cat": 8, "dog": 1}, means, ("=cat",), (), ("a note",)
    )


def test_json_says_all_of_it(report):
    said = strict(report.to_json())
    assert said["classes"] == {"=cat": 8, "dog": 1}
    assert [row["verdict"] for row in said["regions"]] == ["more", "few"]
    assert said["regions"][0]["times"] == 8
    (found,) = said["search"]
    assert found["boxes"] == [[0, 0, 0.25, 0.25], [0.75, 0, 1, 0.25]]
    assert found["examples"] == [{"image": "a.png", "share": 0.8, "boxes": [[0, 0, 10, 7.5], [30, 0, 40, 7.5]]}]
    assert said["notes"] == ["a note"]


def test_csv_has_a_row_for_each_share_and_each_find_and_no_formula(report):
    rows = [*csv.DictReader(io.StringIO(report.to_csv()))]
    assert [row["explained"] for row in rows] == ["'=cat", "dog", "'=cat"]
    assert [row["verdict"] for row in rows] == ["more", "few", "more"]
    assert rows[2]["within"] == "found: 0-25 % across, 0-25 % down, and its mirror image"
    assert float(rows[2]["times"]) == 4
    assert rows[1]["p"] == rows[1]["low"] == ""


def test_the_table_tells_the_first_rows_of_each_region(report):
    assert len([*report.table()]) == 3
    head, row = report.table(1)
    assert dict(zip(head, row, strict=True)) == {
        "region": "corner:ne:0.25", "class": "=cat", "photos": "8", "evidence": "50.0 %", "95 % interval": "40.0 % to 60.0 %",
        "area": "6.2 %", "times": "x 8", "others": "1.0 %", "adjusted p": "0.002", "": "MORE",
    }  # fmt: skip
    assert str(report).splitlines()[-1].startswith("found: =cat: 50.0 % (40.0 % to 60.0 %) of the evidence at 0-25 % across")


def test_without_a_search_nothing_is_said_of_one_and_an_empty_one_is_told(report):
    from dataclasses import replace

    assert replace(report, piles=None).found() == []
    (line,) = replace(report, piles=()).found()
    assert line.startswith("searched 1 class: no region")
    (line,) = replace(report, piles=(), searched=()).found()
    assert line.startswith("nothing was searched: no class has 5 photos")
    assert strict(replace(report, piles=None).to_json())["search"] is None


def test_the_picture_is_of_a_class_and_no_photo_to_be_explained(report, tmp_path):
    path = report.save_picture("=cat", tmp_path / "cat.png")
    assert made_here(path)
    with Image.open(path) as picture:
        assert picture.size == report.picture("=cat").size
    assert report.suspects == ("=cat",)
    with pytest.raises(NoSuchName, match="dog"):
        report.picture("dig")
