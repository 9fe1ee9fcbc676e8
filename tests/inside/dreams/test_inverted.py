"""An inversion as pictures and as a file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import BadParameter
from seewhy.inside.dreams.inverted import NAME, Inverted, InvertedLayer
from seewhy.maps.made_here import made_here
from seewhy.maps.source import ModelFacts


def one(layer: str, colour: tuple[int, int, int], start: float) -> InvertedLayer:
    image = np.broadcast_to(np.array(colour).reshape(3, 1, 1) / 255, (3, 8, 8)).copy()
    curve = np.stack([start / np.arange(1, 21), np.full(20, 1e-4), np.full(20, 1e-3)], 1)
    return InvertedLayer(layer, image, curve, start / 20)


@pytest.fixture
def made() -> Inverted:
    layers = one("conv1", (200, 30, 40), 1.0), one("conv2", (20, 30, 240), 0.5)
    model = ModelFacts("net", None, {"torch": "2"}, weights_sha256="ab")
    return Inverted(Image.new("RGB", (8, 8), (0, 160, 0)), "photo.jpg", layers, model, {"seed": 0}, 1.0)


def test_the_strip_has_the_photo_and_each_layer_with_its_distance(made: Inverted, written: list[Any]) -> None:
    pixels = np.asarray(made.picture(side=100), int)
    for colour in ((0, 160, 0), (200, 30, 40), (20, 30, 240)):
        assert (abs(pixels - colour).sum(-1) == 0).sum() == 100 * 100
    said = [text for text, *_ in written]
    assert {"photo, as it is seen", "conv1", "conv2"} <= {*said}
    assert any("5.0 %" in text.replace("\u00a0", " ") for text in said)


def test_the_losses_fall_in_the_chart(made: Inverted, written: list[Any]) -> None:
    pixels = np.asarray(made.curves(), int)
    orange = np.argwhere(abs(pixels - (230, 159, 0)).sum(-1) < 30)
    inside = orange[orange[:, 0] < 380]
    left, right = inside[inside[:, 1] < 150], inside[inside[:, 1] > 600]
    assert left[:, 0].min() < right[:, 0].min()
    assert {"conv1", "conv2", "step"} <= {text for text, *_ in written}


def test_it_is_saved_with_its_facts(made: Inverted, tmp_path: Path) -> None:
    path = made.save(tmp_path / "strip.png")
    assert made_here(path)
    with Image.open(path) as saved:
        facts: Any = json.loads(saved.text[NAME])  # type: ignore[attr-defined]
    assert [each["layer"] for each in facts["layers"]] == ["conv1", "conv2"]
    assert facts["layers"][0]["loss"] == pytest.approx([1 / n + 0.0011 for n in range(1, 21)])
    with pytest.raises(BadParameter, match=r"saved as \.png, not as 'strip\.jpg'"):
        made.save(tmp_path / "strip.jpg")


def test_it_says_what_it_is(made: Inverted) -> None:
    assert str(made) == "photo.jpg from what net has of it, squared distance: conv1 5.0 %, conv2 2.5 %"
    assert len(made) == 2
    assert made[1].layer == "conv2"
