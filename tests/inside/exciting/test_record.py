"""What top_photos() found as pictures and as JSON."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadParameter
from seewhy.inside.exciting.record import TopPhotos
from seewhy.maps.made_here import made_here
from seewhy.targets.target import Class, Unit


@pytest.fixture
def found(red_model: Any, red_dot: Callable[..., Any]) -> TopPhotos:
    dots = [red_dot((128, 128), 40, 90, 16), red_dot((128, 128), 90, 30, 14)]
    return seewhy.top_photos(red_model, [Unit("cells", 0), Class(1)], dots, 2)


def _reds(picture: Image.Image) -> int:
    pixels = np.asarray(picture, int)
    return int(((pixels[..., 0] > 200) & (pixels[..., 1] < 60) & (pixels[..., 2] < 60)).sum())


def test_the_sheet_has_each_part_large_and_its_value(found: TopPhotos, written: list[Any]) -> None:
    sheet = found.picture(side=100)
    assert _reds(sheet) > 2 * 100 * 100 * 0.9  # both parts of the unit's row are red through and through
    said = [text for text, *_ in written]
    for ranking in found:
        for photo in ranking.photos:
            assert f"{photo.value:.4g}" in said
    assert "unit 0 of cells" in said
    assert "not red (1)" in said


def test_whole_photos_have_the_part_outlined(found: TopPhotos) -> None:
    whole = np.asarray(found.picture(whole=True, side=128), int)
    orange = (abs(whole - (230, 159, 0)).sum(-1) < 40).sum()
    assert orange > 100
    assert _reds(Image.fromarray(whole.astype(np.uint8))) < 4 * 32 * 32  # small in their photos


def test_the_facts_as_json(found: TopPhotos) -> None:
    facts = json.loads(found.to_json())
    assert facts["model"]["name"] == "red"
    assert facts["model"]["weights_sha256"]
    assert [each["target"] for each in facts["rankings"]] == ["unit:cells:0", "1"]
    first = facts["rankings"][0]["photos"][0]
    assert first["value"] == found[0].photos[0].value
    assert first["cell"] == [*found[0].photos[0].cell]  # type: ignore[misc]
    assert first["box"] == [*found[0].photos[0].box]  # type: ignore[misc]
    assert (facts["seen"], facts["listed"], facts["interrupted"], facts["failed"]) == (2, 2, False, [])


def test_it_is_saved_as_a_picture_or_as_facts(found: TopPhotos, tmp_path: Path) -> None:
    assert made_here(found.save(tmp_path / "sheet.png"))
    with Image.open(tmp_path / "sheet.png") as saved:
        np.testing.assert_array_equal(np.asarray(saved), np.asarray(found.picture()))
    assert found.save(tmp_path / "facts.json").read_text("utf-8") == found.to_json() + "\n"
    with pytest.raises(BadParameter, match=r"sheet.txt: top photos are saved as \.png, the picture, or as \.json"):
        found.save(tmp_path / "sheet.txt")
    with pytest.raises(BadParameter, match="side is a whole number from 24"):
        found.picture(side=3)
