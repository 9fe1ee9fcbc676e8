"""What seeds say of themselves, and the file that they are saved in."""

import json

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadParameter, NoSuchName, NotApplicable, NotWritten
from seewhy.localize.seed_map import Seeds
from seewhy.maps.made_here import made_here

LABELS = np.array([[0, 0, 1, 255], [2, 2, 1, 255]], np.uint8)
SEEDS = Seeds(LABELS, ("cat", "dog", "cow"), {})


def test_shares_are_of_all_pixels():
    assert SEEDS.shares == {"background": 0.25, "cat": 0.25, "dog": 0.25, "ignored": 0.25}


def test_masks_are_by_name():
    assert SEEDS.mask("dog").tolist() == [[False] * 4, [True, True, False, False]]
    assert SEEDS.mask("ignored").sum() == 2
    assert SEEDS.mask("background").sum() == 2
    assert not SEEDS.mask("cow").any()
    with pytest.raises(NoSuchName, match="dog"):
        SEEDS.mask("dig")


def test_a_saved_file_holds_the_numbers_under_pascals_colours(tmp_path):
    path = SEEDS.save(tmp_path / "seeds.png")
    with Image.open(path) as picture:
        assert picture.mode == "P"
        assert (np.asarray(picture) == LABELS).all()
        colours = np.asarray(picture.convert("RGB"))
    assert colours[0, 0].tolist() == [0, 0, 0]
    assert colours[0, 2].tolist() == [128, 0, 0]
    assert colours[1, 0].tolist() == [0, 128, 0]
    assert colours[0, 3].tolist() == [224, 224, 192]
    assert made_here(path)
    with Image.open(path) as picture:
        picture.load()
        said = json.loads(picture.text["seewhy-labels"])
    assert said == {"classes": ["cat", "dog", "cow"], "made": {}, "notes": []}
    with pytest.raises(BadParameter, match="png"):
        SEEDS.save(tmp_path / "seeds.jpg")
    with pytest.raises(NotWritten):
        SEEDS.save(tmp_path / "nowhere" / "seeds.png")


def test_a_picture_lies_over_the_photo():
    scene = seewhy.demo.scene(0, 3)
    found = seewhy.seeds(seewhy.grad_cam(seewhy.load("demo/honest"), scene.image, target=[scene.label]), 0.3)
    pixels = np.asarray(found.picture(legend=False)).astype(int)
    changed = (pixels != np.asarray(scene.image)).any(-1)
    assert (changed == found.mask(scene.name)).mean() > 0.999
    with pytest.raises(NotApplicable, match="slice"):
        Seeds(np.zeros((2, 2, 2), np.uint8), (), {}).picture()
