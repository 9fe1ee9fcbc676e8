"""From a photo, through any preprocessing, to a map on the photo: for methods of every kind, and saved."""

import numpy as np
import pytest
from PIL import Image, ImageOps

import seewhy
from support.planting import SIZE, doubted, lies_there, planted

METHODS = ("cam", "grad-cam", "hires-cam", "eigen-cam", "gradient", "input-x-gradient", "integrated-gradients", "score-cam",
           "occlusion", "lime")  # fmt: skip
SETTINGS = {"occlusion": {"window": 8, "stride": 4}, "lime": {"samples": 200, "segments": "grid:10x15"}}
Way = Image.Transpose
TURNS = {
    "as it is": lambda photo: photo,
    "mirrored": ImageOps.mirror,
    "a half": lambda photo: photo.transpose(Way.ROTATE_180),
    "a quarter": lambda photo: photo.transpose(Way.ROTATE_90),
    "transposed and cropped": lambda photo: photo.crop((2, 3, 118, 79)).transpose(Way.TRANSPOSE),
    "by chance": lambda photo: photo.transpose(Way(np.random.randint(7))),
}


def array(photo: Image.Image) -> np.ndarray:
    return np.asarray(photo, np.float32).transpose(2, 0, 1) / 255


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", METHODS)
def test_the_map_of_every_kind_of_method_lies_where_the_square_is(red_network, name, turn):
    model = seewhy.wrap(red_network, prepare=lambda photo: array(TURNS[turn](photo)))
    method = seewhy.METHODS[name].using(**SETTINGS.get(name, {}))
    for seed in range(3):
        photo, place = planted(seed)
        (heatmap,) = method(model, photo, target=0, **({"layer": "cells"} if method.layered else {}))
        assert lies_there(heatmap, place)
        assert not doubted(heatmap)
        assert heatmap.overlay().size == SIZE
        assert heatmap.channels is None or heatmap.channels.shape[1:] == heatmap.values.shape


def test_a_turned_map_and_its_regions_are_drawn_and_saved_as_they_lie(red_network, tmp_path):
    model = seewhy.wrap(red_network, prepare=lambda photo: array(photo.transpose(Way.ROTATE_270)))
    photo, (x, y) = planted(1)
    (heatmap,) = seewhy.lime(model, photo, target=0, **SETTINGS["lime"])
    top = np.asarray(heatmap.top_regions(1, hide_rest=True))
    assert top.shape[:2] == SIZE[::-1]
    assert tuple(top[SIZE[1] - 1 - y, x]) == (255, 0, 0)  # regions are shown as the network saw them, here upside down
    kept = np.load(heatmap.save(tmp_path / "map.npz"))
    np.testing.assert_array_equal(kept["values"], heatmap.values)
    np.testing.assert_allclose(kept["box"], (0, 80, 120, 0), atol=0.1)
    (pixels,) = seewhy.gradient(model, photo, target=0)
    assert pixels.picture("grey").size == SIZE


def test_a_place_on_a_turned_photo_is_asked_for_and_one_on_an_unknown_part_is_refused(red_network):
    """The mask of the square is given on the photo; without it nothing is red."""
    network = red_network[:1]
    photo, (x, y) = planted(2)
    mask = np.zeros(SIZE[::-1], bool)
    mask[y - 3 : y + 3, x - 3 : x + 3] = True
    turned = seewhy.wrap(network, prepare=lambda photo: array(photo.transpose(Way.ROTATE_90)))
    for target in (seewhy.Region(0, mask), seewhy.Point(y, x, 0)):
        (heatmap,) = seewhy.input_x_gradient(turned, photo, target=target)
        assert heatmap.source.score == pytest.approx(1, abs=0.05)
        assert lies_there(heatmap, (x, y))
        slanted = seewhy.wrap(network, prepare=lambda photo: array(photo.rotate(15)))
        with pytest.raises(seewhy.NotApplicable, match="no place on it can be found"):
            seewhy.input_x_gradient(slanted, photo, target=target)
