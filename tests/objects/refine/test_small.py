"""The smaller grid, its shades, and how likely a cell is object."""

from itertools import product
from math import prod

import numpy as np
import pytest

from seewhy.objects.refine.small import SmallImage, averaged, shades, smaller


@pytest.mark.parametrize("shape", [(7,), (9, 4), (64, 64), (1, 30), (5, 12, 3), (2, 2, 40)])
@pytest.mark.parametrize("most", [1, 7, 64, 500, 10_000])
def test_a_smaller_grid_is_the_largest_of_equal_sides(shape, most):
    grids = [tuple(min(side, n) for side in shape) for n in range(1, max(shape) + 1)]
    fitting = [grid for grid in grids if prod(grid) <= most] or [tuple(1 for _ in shape)]
    assert smaller(shape, most) == max(fitting, key=prod)


def test_the_grids_that_are_used():
    assert smaller((3000, 4000), 64 * 64) == (64, 64)
    assert smaller((40, 500), 64 * 64) == (40, 102)
    assert smaller((128, 128, 4), 16**3) == (32, 32, 4)
    assert smaller((128, 128, 128), 16**3) == (16, 16, 16)


def test_cells_are_means_of_their_pixels():
    x = np.random.default_rng(0).integers(0, 256, (7, 9, 2), np.uint8)
    made = averaged(x, (3, 4))
    rows, columns = [(0, 2), (2, 4), (4, 7)], [(0, 2), (2, 4), (4, 6), (6, 9)]
    for (i, (a, b)), (j, (c, d)) in product(enumerate(rows), enumerate(columns)):
        np.testing.assert_allclose(made[i, j], x[a:b, c:d].reshape(-1, 2).astype(float).mean(0), rtol=1e-6)
    np.testing.assert_array_equal(averaged(x, (7, 9)), x)
    assert averaged(x, (7, 9)).dtype == np.float32


def test_shades_of_photos_are_their_bytes_and_of_others_their_percentiles():
    photo = np.array([[[0, 51, 255]]], np.uint8)
    np.testing.assert_allclose(shades(photo, photo.astype(np.float32))(photo), [[[0, 0.2, 1]]])
    volume = np.linspace(-1000, 1000, 201, dtype=np.float32)[:, None]
    volume[3], volume[7] = np.nan, np.inf
    levels = shades(volume, volume)
    known = volume[np.isfinite(volume)]
    low, high = np.percentile(known, 1), np.percentile(known, 99)
    np.testing.assert_allclose(levels(np.array([[low], [high], [(low + high) / 2], [np.nan], [9e9]]))[:, 0], [0, 1, 0.5, 0, 1])
    constant = np.full((5, 1), 7.0, np.float32)
    np.testing.assert_array_equal(shades(constant, constant)(constant), np.zeros((5, 1)))
    nothing = np.full((5, 1), np.nan, np.float32)
    np.testing.assert_array_equal(shades(nothing, nothing)(nothing), np.zeros((5, 1)))


def test_how_likely_a_cell_is_object():
    small = SmallImage.of(np.array([[-2, 0, 1, 2, 6]], np.float32), np.zeros((1, 5, 3), np.uint8), 100)
    np.testing.assert_allclose(small.likely(2.0), [[0, 0, 1 / 3, 1 / 2, 3 / 4]])
    np.testing.assert_array_equal(small.likely(0.0), [[0, 0, 1, 1, 1]])


def test_what_is_sure():
    small = SmallImage.of(np.array([[-2, 0, 0.9, 1.1, 2, 3.9, 4.1, 6]], np.float32), np.zeros((1, 8, 3), np.uint8), 100)
    inside, outside = small.sure(2.0, 0.5)  # above 2 + (6 - 2) / 2, below 2 / 2
    np.testing.assert_array_equal(inside, [[0, 0, 0, 0, 0, 0, 1, 1]])
    np.testing.assert_array_equal(outside, [[1, 1, 1, 0, 0, 0, 0, 0]])
