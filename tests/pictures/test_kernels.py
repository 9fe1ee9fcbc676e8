"""Kernels as pictures: each tap a block of its colour, on a symmetric scale of its own."""

import numpy as np
import pytest

from seewhy.pictures.kernels import kernel_tile, spread, strongest
from seewhy.pictures.render import Look

DRAW = np.random.default_rng(0)


def test_colours_are_weights_around_the_middle_grey():
    kernel = DRAW.standard_normal((3, 2, 2))
    pixels = np.asarray(kernel_tile(kernel, 40, True)).astype(float)
    most = abs(kernel).max()
    for y in range(2):
        for x in range(2):
            expected = 127.5 + 127.5 * kernel[:, y, x] / most
            assert abs(pixels[y * 20 + 10, x * 20 + 10] - expected).max() <= 0.51


def test_one_channel_is_red_above_zero_and_blue_below():
    kernel = np.array([[[2.0, -2.0], [0.0, 1.0]]])
    pixels = np.asarray(kernel_tile(kernel, 40, False))
    expected = Look("blue-red", -2, 2, 1).paint(kernel[0])
    assert np.array_equal(pixels[10::20, 10::20], expected)


def test_of_many_channels_the_four_largest_stand_beside_each_other():
    kernel = DRAW.standard_normal((9, 3, 3)) * np.array([1, 9, 1, 9, 1, 9, 1, 9, 1])[:, None, None]
    assert strongest(kernel) == [1, 3, 5, 7]
    assert strongest(np.ones((6, 2, 2))) == [0, 1, 2, 3]
    pixels, look = np.asarray(kernel_tile(kernel, 63, False)), Look("blue-red", -abs(kernel).max(), abs(kernel).max(), 1)
    for place, c in enumerate((1, 3, 5, 7)):
        corner = pixels[(place // 2) * 33 :, (place % 2) * 33 :][5:30:10, 5:30:10]
        assert np.array_equal(corner, look.paint(kernel[c]))


def test_slices_of_a_volume_lie_in_their_order():
    kernel = np.arange(4.0)[None, :, None, None] * np.ones((1, 4, 2, 2))
    pixels = np.asarray(kernel_tile(kernel, 43, False))
    look = Look("blue-red", -3, 3, 1)
    assert np.array_equal(pixels[10::23, 10::23].reshape(4, 3), look.paint(np.arange(4.0)[None])[0])
    assert spread(20) == sorted(spread(20))
    assert (len(spread(20)), spread(20)[0], spread(20)[-1], spread(3)) == (9, 0, 19, [0, 1, 2])


@pytest.mark.parametrize("channels", [1, 3])
def test_a_signal_is_a_line_around_the_middle(channels):
    kernel = np.zeros((channels, 8))
    kernel[0] = [1, 1, 1, 1, -1, -1, -1, -1]
    dark = np.asarray(kernel_tile(kernel, 64, True).convert("L")) < 120
    assert dark[:16, :28].any()
    assert not dark[:16, 36:].any()
    assert dark[48:, 36:].any()
    assert not dark[48:, :28].any()


def test_zeros_are_grey_or_white():
    assert (abs(np.asarray(kernel_tile(np.zeros((3, 2, 2)), 40, True)).astype(int) - 127.5) < 1).all()
    assert (np.asarray(kernel_tile(np.zeros((1, 2, 2)), 40, False)) >= 245).all()
