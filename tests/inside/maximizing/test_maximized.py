"""What a maximisation leaves: pictures pixel by pixel, files that hold what they were made of."""

import json

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import BadParameter, NotApplicable, NotWritten
from seewhy.inside.maximizing.maximized import GAP, NAME, Maximized
from seewhy.maps.source import ModelFacts

LEVELS = np.random.default_rng(0).integers(0, 256, (3, 3, 4, 5))


def made(images=LEVELS / 255, **more):
    n, space = len(images), images.shape[2:]
    moved = np.linspace(0, 1, np.prod(space)).reshape(space)[None].repeat(n, 0).astype(np.float32)
    values = np.arange(n, dtype=float)
    return Maximized(
        "unit:conv:3", images.astype(np.float32), values, values - 1, np.zeros((7, n)), moved,
        ModelFacts("mine", "weights", {"torch": "2"}), {"seed": 0, "steps": 7}, 1.5, **more,
    )  # fmt: skip


def test_one_image_is_its_pixels():
    picture = made(LEVELS[:1] / 255).picture()
    np.testing.assert_array_equal(np.asarray(picture), LEVELS[0].transpose(1, 2, 0))
    grey = made(LEVELS[:1, :1] / 255).picture()
    assert grey.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(grey)[..., 1], LEVELS[0, 0])


def test_a_batch_stands_in_rows():
    sheet = np.asarray(made().picture())
    assert sheet.shape == (2 * 4 + GAP, 2 * 5 + GAP, 3)
    np.testing.assert_array_equal(sheet[4 + GAP :, :5], LEVELS[2].transpose(1, 2, 0))
    assert (sheet[4 + GAP :, 5 + GAP :] == 255).all()


def test_places_that_hardly_mattered_can_be_looked_through():
    alpha = np.asarray(made(LEVELS[:1] / 255).picture(transparent=True))[..., 3]
    assert alpha[0, 0] == 0
    assert (alpha.ravel()[16:] == 255).all()  # the fifth above the quantile
    assert (np.diff(alpha.ravel().astype(int)) >= 0).all()


def test_files_hold_what_the_images_were_made_of(tmp_path):
    result = made(notes=("odd",))
    result.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as png:
        facts = json.loads(png.text[NAME])
        np.testing.assert_array_equal(np.asarray(png), np.asarray(result.picture()))
    assert facts == json.loads(json.dumps(result.facts))
    assert (facts["objective"], facts["values"], facts["steps"], facts["notes"]) == ("unit:conv:3", [0, 1, 2], 7, ["odd"])
    result.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        np.testing.assert_array_equal(arrays["images"], result.images)
        assert json.loads(str(arrays["facts"])) == facts
        assert arrays["trajectory"].shape == (7, 3)


def test_what_is_no_picture_is_kept_as_numbers(tmp_path):
    volume = made(np.zeros((1, 1, 2, 3, 4)))
    with pytest.raises(NotApplicable, match=r"\.npz"):
        volume.save(tmp_path / "a.png")
    volume.save(tmp_path / "a.npz")
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]
    with pytest.raises(BadParameter, match=r"a\.jpg"):
        volume.save(tmp_path / "a.jpg")
    with pytest.raises(NotWritten):
        made().save(tmp_path / "none" / "a.png")


def test_it_says_what_was_reached():
    assert str(made(LEVELS[:2] / 255)) == "unit:conv:3 of mine: 0 (from -1), 1 (from 0) after 7 steps"
