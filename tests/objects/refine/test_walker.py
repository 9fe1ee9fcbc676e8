"""The random walker, against the Laplace equation solved in full."""

from itertools import product

import numpy as np

from seewhy.objects.refine.walker import random_walker


def by_laplace(colours, inside, outside, beta):
    """The probability that a walk from each cell ends inside: (h, w).

    Cells i, j side by side have the weight exp(-beta |c_i - c_j|² / (10 sqrt(channels) std)), as in scikit-image.
    """
    height, width, channels = colours.shape
    cells = list(product(range(height), range(width)))
    laplacian = np.zeros((len(cells), len(cells)))
    for (i, a), (j, b) in product(enumerate(cells), enumerate(cells)):
        if abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1:
            apart = ((colours[a] - colours[b]) ** 2).sum()
            weight = np.exp(-beta * apart / (10 * np.sqrt(channels) * colours.std())) + 1e-10
            laplacian[i, j] -= weight
            laplacian[i, i] += weight
    known = (inside | outside).ravel()
    probability = inside.ravel().astype(float)
    free = laplacian[np.ix_(~known, ~known)]
    probability[~known] = np.linalg.solve(free, -laplacian[np.ix_(~known, known)] @ probability[known])
    return probability.reshape(height, width)


def test_as_the_laplace_equation_in_full():
    rng = np.random.default_rng(0)
    values, pixels = rng.random((9, 11)).astype(np.float32) ** 2, rng.integers(0, 256, (9, 11, 3), np.uint8)
    cut = 0.3
    inside, outside = values > cut + 0.6 * (values.max() - cut), values < 0.4 * cut
    probability = by_laplace(pixels / 255, inside, outside, 90.0)
    sure = abs(probability - 0.5) > 0.02  # it stops iterating at an error of a thousandth
    assert sure.mean() > 0.8
    mask = random_walker(values, cut, pixels, sure=0.6, beta=90.0)
    np.testing.assert_array_equal(mask[sure], (probability > 0.5)[sure])
    assert mask[inside].all()
    assert not mask[outside].any()


def test_a_walk_stops_at_the_colour_edge():
    pixels = np.zeros((12, 20, 3), np.uint8)
    pixels[:, 13:] = 200
    values = np.tile(np.linspace(1, 0, 20, dtype=np.float32), (12, 1))
    mask = random_walker(values, 0.5, pixels, sure=0.5, beta=130)
    np.testing.assert_array_equal(mask, pixels[..., 0] == 0)


def test_without_both_kinds_of_seeds_the_mask_stays():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)
    values = np.linspace(0.9, 1, 36, dtype=np.float32).reshape(6, 6)  # nowhere sure background
    np.testing.assert_array_equal(random_walker(values, 0.92, pixels), values > 0.92)


def test_where_all_is_sure_nothing_walks():
    values = np.array([[0, 0, 1, 1]], np.float32)
    mask = random_walker(values, 0.5, np.zeros((1, 4, 3), np.uint8))
    np.testing.assert_array_equal(mask, [[False, False, True, True]])


def test_of_one_grey_the_mask_stays_and_of_one_colour_a_walk_goes_evenly():
    values = np.tile(np.linspace(1, 0, 20, dtype=np.float32), (12, 1))
    for grey in (0, 9, 255):
        found = random_walker(values, 0.5, np.full((12, 20, 3), grey, np.uint8), sure=0.5)
        np.testing.assert_array_equal(found, values > 0.5)
    coloured = random_walker(values, 0.5, np.full((12, 20, 3), (9, 50, 200), np.uint8), sure=0.5)
    ends = np.flatnonzero(values[0] > 0.75)[-1], np.flatnonzero(values[0] < 0.25)[0]
    np.testing.assert_array_equal(coloured, np.arange(20) * np.ones((12, 1)) < np.mean(ends))
