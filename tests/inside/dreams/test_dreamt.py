"""A dream as a file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import BadParameter
from seewhy.images.photo import read
from seewhy.inside.dreams.dreamt import NAME, Dream
from seewhy.maps.made_here import made_here
from seewhy.maps.source import ModelFacts


@pytest.fixture
def made() -> Dream:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    photo = read(Image.new("RGB", (40, 30), "grey"), "photo.jpg")
    model = ModelFacts("net", None, {"torch": "2"}, weights_sha256="ab")
    return Dream("layer:conv", Image.fromarray(pixels), photo, np.array([1.0, 2.5]), model, {"seed": 3}, 0.25)


def test_it_is_saved_with_its_facts(made: Dream, tmp_path: Path) -> None:
    path = made.save(tmp_path / "dream.png")
    assert made_here(path)
    with Image.open(path) as saved:
        facts: Any = json.loads(saved.text[NAME])  # type: ignore[attr-defined]
        np.testing.assert_array_equal(np.asarray(saved), np.asarray(made.image))
    assert facts == json.loads(json.dumps(made.facts))
    assert (facts["objective"], facts["values"]) == ("layer:conv", [1, 2.5])
    assert (facts["settings"], facts["size"]) == ({"seed": 3}, [40, 30])
    with Image.open(made.save(tmp_path / "dream.jpg")) as saved:
        assert saved.size == (40, 30)
    with pytest.raises(BadParameter, match=r"saved as \.png or \.jpg, not as 'dream\.gif'"):
        made.save(tmp_path / "dream.gif")


def test_it_says_what_it_is(made: Dream) -> None:
    assert str(made) == "net dreams of layer:conv in photo.jpg: 1 to 2.5"
    assert made.picture() is made.image
    beside = made.picture(beside=True)
    assert beside.width > 80
    assert beside.height > 30
