"""A map over a smaller copy of its photo: the same numbers, and boxes in the same places."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from seewhy import Volume
from seewhy.images.places import Grid
from seewhy.maps.shrinking import shrunk


def test_the_photo_and_the_part_that_was_seen_shrink_together(made_heatmap):
    heatmap = made_heatmap([[1, 2], [3, 4]], size=(400, 200), box=(100, 0, 300, 200))
    small = shrunk(heatmap, 100)
    assert small.image.size == small.size == (100, 50)
    assert small.box == (25, 0, 75, 50)
    assert small.values is heatmap.values
    assert small.source is heatmap.source


def test_its_boxes_shrink_as_well(made_heatmap):
    pytest.importorskip("skimage")
    heatmap = made_heatmap([[0, 0, 0], [0, 9, 2], [0, 1, 0]], size=(400, 200), box=(100, 0, 300, 200))
    large, small = heatmap.boxes(0.5)[0], shrunk(heatmap, 100).boxes(0.5)[0]
    np.testing.assert_allclose(np.array(large.edges) / 4, small.edges, atol=1)


def test_small_photos_grow_by_whole_pixels(made_heatmap):
    photo = Image.fromarray(np.array([[0, 255]], np.uint8))
    small = shrunk(made_heatmap([[1]], photo=photo, size=(2, 1)), 8)
    assert np.asarray(small.image)[..., 0].tolist() == [[0] * 4 + [255] * 4] * 4


def test_a_photo_that_is_there_already_is_taken(made_heatmap):
    photo = Image.new("RGB", (100, 50))
    assert shrunk(made_heatmap([[1]], size=(400, 200)), 100, photo).image is photo


def test_a_prepared_array_shrinks_without_a_picture(made_heatmap):
    small = shrunk(made_heatmap([[1]], photo=None, box=(0, 0, 40, 20)), 10)
    assert small.image is None
    assert small.box == (0, 0, 10, 5)


def test_anything_else_stays(made_heatmap):
    flat = made_heatmap(np.ones((2, 2)), photo=Volume(np.zeros((2, 2, 2), np.float32), np.eye(4)))
    heatmap = replace(flat, values=np.ones((2, 2, 2), np.float32), box=Grid.whole((2, 2, 2)))
    assert shrunk(heatmap, 10) is heatmap


def test_more_pixels_than_a_photo_may_have_are_not_made(made_heatmap, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    heatmap = made_heatmap([[1]], size=(10, 10))
    assert shrunk(heatmap, 100) is heatmap
    assert shrunk(heatmap, 30).size == (30, 30)
