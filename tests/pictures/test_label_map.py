"""Label maps in colour."""

import numpy as np
import pytest
from PIL import Image

from seewhy.pictures.label_map import class_colours, labelled_picture


def test_each_class_has_a_colour_of_its_own_in_every_picture():
    colours = class_colours(range(1, 60))
    assert len(np.unique(colours, axis=0)) == 59
    assert (class_colours([9, 3]) == colours[[8, 2]]).all()
    assert class_colours([]).shape == (0, 3)


LABELS = np.array([[0, 0, 1, 1], [0, 2, 2, 255], [0, 0, 255, 255]], np.uint8)


def test_pixels_are_mixed_with_their_class():
    photo = Image.new("RGB", (4, 3), (100, 100, 100))
    pixels = np.asarray(labelled_picture(LABELS, ["a", "b"], photo, alpha=0.5, legend=False))
    one, two = class_colours([1, 2]).astype(float)
    assert (pixels[LABELS == 0] == 100).all()
    assert (abs(pixels[LABELS == 1] - (100 + one) / 2) <= 0.51).all()
    assert (abs(pixels[LABELS == 2] - (100 + two) / 2) <= 0.51).all()


def test_what_is_left_out_lies_under_lines():
    pixels = np.asarray(labelled_picture(np.full((24, 24), 255, np.uint8), [], None, alpha=1, legend=False))
    lined = (pixels == 245).all(-1)
    assert (lined | (pixels == 0).all(-1)).all()
    assert lined.mean() == pytest.approx(1 / 6, abs=0.01)


def test_the_picture_has_the_photos_size_and_a_legend_below():
    photo = Image.new("RGB", (40, 30), (9, 9, 9))
    plain = labelled_picture(LABELS, ["a", "b"], photo, legend=False)
    assert plain.size == (40, 30)
    assert (np.asarray(plain)[:10, 20:] != 9).any(-1).all()
    assert (np.asarray(plain)[:10, :20] == 9).all()
    lettered = labelled_picture(LABELS, ["a", "b" * 300], photo)
    assert lettered.width == 160
    assert lettered.height > 30
    below = np.asarray(lettered)[30:].reshape(-1, 3)
    for colour in class_colours([1, 2]):
        assert (below == colour).all(-1).any()
    assert labelled_picture(np.zeros((9, 9), np.uint8), []).height > 9
