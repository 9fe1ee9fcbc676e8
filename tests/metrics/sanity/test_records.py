"""The rows as JSON, CSV, a table and a picture."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy import metrics


@pytest.fixture(scope="module")
def found():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5)
    model = seewhy.wrap(nn.Sequential(*layers).eval(), prepare={"size": 24, "crop": 24}, name="small")
    rng = np.random.default_rng(0)
    photos = [Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8)) for _ in range(5)]
    return metrics.randomised(model, photos, ["grad-cam", "gradient"], stages=3, seed=1)


def test_rows_are_found_by_method_and_place(found):
    assert len(found) == 6
    assert [row.method for row in found[:3]] == ["grad-cam"] * 3
    assert found.of("gradient") == found[3:] == (*found,)[3:]
    with pytest.raises(seewhy.NoSuchName, match="There are: grad-cam, gradient"):
        found.of("rise")
    assert repr(found) == "<Randomised cascade of small: grad-cam, gradient over 5 photos, 3 stages>"


def test_json_and_csv_have_every_number(found):
    told = json.loads(found.to_json())
    assert (told["model"], told["mode"], told["seed"], told["draws"]) == ("small", "cascade", 1, 1)
    rows = [*csv.DictReader(found.to_csv().splitlines())]
    for row, of_json, of_csv in zip(found, told["rows"], rows, strict=True):
        assert of_json["modules"] == of_csv["modules"].split() == [*row.modules]
        assert of_json["spearman"]["values"] == [*row.similarity.spearman.values]
        assert float(of_csv["absolute_mean"]) == of_json["absolute"]["mean"] == row.similarity.absolute.mean
        assert float(of_csv["spearman_low"]) == row.similarity.spearman.interval[0]
    assert told["controls"][1]["method"] == "gradient"
    assert len(told["controls"][1]["spearman"]["values"]) == 5


def test_the_table_has_the_stages_of_each_method_and_noise(found):
    head, *rows = found.table()
    assert [row[:2] for row in rows[:4]] == [
        ("grad-cam", "5"), ("grad-cam", "2"), ("grad-cam", "0"), ("grad-cam", "noise in place of the map"),
    ]  # fmt: skip
    assert rows[0][2] == str(found[0].similarity.spearman)
    assert len({len(row) for row in (head, *rows)}) == 1
    assert len(rows) == 8


def test_the_strip_shows_the_maps_of_one_photo_over_their_numbers(found, written, tmp_path):
    picture = found.strip(photo=2)
    said = [text for text, *_ in written]
    assert [text for text in said if text in ("as trained", "5", "2", "0")] == ["as trained", "5", "2", "0"]
    shown = [text for text in said if text.startswith("Spearman ")]
    expected = [f"Spearman {row.similarity.spearman.values[2]:.2f}" for row in found]
    assert shown == expected
    assert picture.width > 5 * 150
    path = found.save(tmp_path / "strip.png", photo=2)
    with Image.open(path) as saved:
        assert np.array_equal(np.asarray(saved.convert("RGB")), np.asarray(picture))


def test_photos_that_cannot_be_drawn_and_other_endings_are_said(found, tmp_path):
    with pytest.raises(seewhy.BadParameter, match="photos 0 to 3"):
        found.strip(photo=4)
    with pytest.raises(seewhy.BadParameter, match=r"saved as .png, not as '.jpg'"):
        found.save(tmp_path / "strip.jpg")
