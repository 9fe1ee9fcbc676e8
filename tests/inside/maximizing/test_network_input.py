"""From images in [0, 1] to what a network takes: against the preparation of the model itself."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import BadParameter, NotApplicable
from seewhy.inside.maximizing.network_input import network_input
from seewhy.prepare.batch import preparer
from seewhy.prepare.unscaled import Unscaled

MEAN, STD = np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.3, 0.25])
LEVELS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)


def model_of(prepare):
    return SimpleNamespace(name="mine", prepare=preparer(prepare))


def callable_of(mean, std, grey=False):
    def prepare(photo):
        x = np.asarray(photo.convert("L"))[None] if grey else np.asarray(photo).transpose(2, 0, 1)
        return ((x / 255 - np.reshape(mean, (-1, 1, 1))) / np.reshape(std, (-1, 1, 1))).astype(np.float32)

    return prepare


@pytest.mark.parametrize(
    "prepare",
    [
        {"size": None, "crop": None, "mean": tuple(MEAN), "std": tuple(STD)},
        {"size": None, "crop": None, "mean": tuple(MEAN), "std": tuple(STD), "bgr": True},
        {"size": None, "crop": None, "mean": (0.5,), "std": (0.5,)},
        callable_of(MEAN, STD),
        callable_of(0.4, 0.2, grey=True),
    ],
    ids=["numbers", "blue first", "grey", "callable", "grey callable"],
)
def test_an_image_becomes_what_the_preparation_makes_of_the_photo(prepare):
    model = model_of(prepare)
    place = network_input(model, size=(6, 5))
    image = LEVELS.transpose(2, 0, 1)[None] / 255
    x, back = place.of(image)
    expected = model.prepare(Image.fromarray(LEVELS))
    np.testing.assert_allclose(x[0], expected, atol=0.02 if len(expected) == 1 else 1e-5)  # greys are rounded
    g = np.random.default_rng(1).normal(size=x.shape)
    moved = image + 0.1
    assert ((place.of(moved)[0] - x) * g).sum() == pytest.approx((back(g) * 0.1).sum())
    if len(expected) == 3:
        np.testing.assert_allclose(place.image(x), image, atol=1e-6)


def test_sides_are_those_of_the_preparation_where_none_are_said():
    assert network_input(model_of({"size": 40, "crop": 32})).space == (32, 32)
    assert network_input(model_of({"size": (30, 20), "crop": None})).space == (30, 20)
    assert network_input(model_of({"size": None, "crop": None})).space == (224, 224)
    assert network_input(model_of({"size": 40, "crop": 32}), 50).space == (50, 50)


def test_a_range_serves_models_that_take_numbers():
    place = network_input(model_of(None), (2, 7), (-1, [3, 1]))
    x, _ = place.of(np.stack([np.zeros((2, 7)), np.ones((2, 7))]))
    assert (place.channels, place.space, place.photos) == (2, (7,), False)
    np.testing.assert_array_equal(x[:, :, 0], [[-1, -1], [3, 1]])


def stretched(photo):
    x = callable_of(0.0, 1.0)(photo)
    return x / max(float(x.max()), 1e-3)


@pytest.mark.parametrize(
    ("prepare", "size", "values", "error", "why"),
    [
        (None, None, None, NotApplicable, r"values=\(-1, 1\)"),
        ({"orientation": "RAS"}, None, None, NotApplicable, "VolumeFit"),
        (stretched, None, None, NotApplicable, "stretch"),
        ({"size": 8}, "big", None, BadParameter, "size"),
        ({"size": 8}, (0, 4), None, BadParameter, "size"),
        ({"size": 8}, 10**5, None, BadParameter, "size"),
        (None, 8, (0, 1), BadParameter, "whole shape"),
        (None, (3, 8, 8), (1, 0), BadParameter, "lowest and the highest"),
        (None, (3, 8, 8), 1, BadParameter, "lowest and the highest"),
        (None, (3, 8, 8), ([0, 1], 2), BadParameter, "lowest and the highest"),
    ],
    ids=["numbers", "volumes", "stretching", "word", "no side", "huge", "no channels", "upside down", "one", "two of three"],
)
def test_what_is_not_known_is_asked_for(prepare, size, values, error, why):
    with pytest.raises(error, match=why):
        network_input(model_of(prepare), size, values)


def test_a_scale_that_nobody_said_is_asked_for():
    with pytest.raises(BadParameter, match="--prepare mean"):
        network_input(SimpleNamespace(name="mine", prepare=Unscaled()))
