"""The record of an audit: JSON, CSV and pictures."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.dataset.auditing.asking import audit
from seewhy.errors import NoSuchName
from seewhy.maps.made_here import made_here
from support.strict_json import strict

KINDS = ("bird", "car", "fish", "tree")


@pytest.fixture(scope="module")
def found(scene_folder):
    return audit(seewhy.load("demo/shortcut"), scene_folder(32, 92_000, KINDS, "mark"))


def test_json_says_all(found):
    said = strict(found.to_json())
    assert (said["verdict"], said["by"], said["photos"]) == ("shortcut", "truth", 32)
    bird = said["classes"][0]
    assert (bird["class"], bird["verdict"]) == ("bird", "shortcut")
    (place, *_) = bird["suspicions"]
    assert place["planted"]["follows"]["count"] == found.suspicions[0].planted.follows.part
    assert place["mark"]["same"] is True
    assert len(said["facts_of_photos"]) == len(found.dependences)
    assert said["says"] == [*found.says] == str(found).splitlines()


def test_csv_has_a_row_for_each_suspicion_and_each_class_without_any(found):
    rows = [*csv.DictReader(io.StringIO(found.to_csv()))]
    assert [row["class"] for row in rows if row["verdict"] == "clear"] == ["car", "fish", "tree"]
    first = rows[0]
    assert (first["class"], first["kind"], first["same"]) == ("bird", "place", "True")
    assert float(first["share"]) == found.suspicions[0].share
    assert int(first["follows"]) == found.suspicions[0].planted.follows.part


def test_the_picture_shows_the_place_and_the_pasted_part(found, tmp_path):
    path = found.save_picture("bird", tmp_path / "bird.png")
    assert made_here(path)
    pixels = np.asarray(Image.open(path).convert("RGB"))
    pasted = np.asarray(found.suspicions[0].planted.shown[1][0].resize((300, 300), Image.Resampling.NEAREST))
    height = pixels.shape[0]
    matches = [top for top in range(height // 3, height - 300) if (pixels[top : top + 300, 320:620] == pasted).all()]
    assert len(matches) == 1
    with pytest.raises(NoSuchName, match="bird"):
        found.picture("birb")


def test_its_repr_is_short(found):
    assert repr(found) == "<Audit of demo/shortcut over 32 photos: shortcut>"
