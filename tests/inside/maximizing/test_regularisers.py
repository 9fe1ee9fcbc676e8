"""What is held against images: the costs written out cell by cell, their gradients by finite differences."""

from itertools import product

import numpy as np
import pytest

from seewhy.inside.maximizing.regularisers import REGULARISERS, SMOOTH, blurred, roughness, squares, total_variation

SPACES = {"signal": (7,), "photo": (5, 6), "volume": (3, 4, 5)}


def images_of(kind):
    return np.random.default_rng(0).uniform(size=(2, 2, *SPACES[kind]))


@pytest.mark.parametrize("name", REGULARISERS)
@pytest.mark.parametrize("kind", SPACES)
def test_gradients_are_those_of_finite_differences(kind, name):
    cost, x = REGULARISERS[name], images_of(kind)
    gradient = cost(x)[1]
    rng = np.random.default_rng(1)
    for at in [tuple(rng.integers(side) for side in x.shape) for _ in range(12)]:
        there, here = x.copy(), x.copy()
        there[at] += 1e-6
        here[at] -= 1e-6
        assert gradient[at] == pytest.approx((cost(there)[0] - cost(here)[0]).sum() / 2e-6, rel=1e-5, abs=1e-10)


def test_total_variation_is_the_mean_length_of_steps():
    x = images_of("photo")
    for image, cost in zip(x, total_variation(x)[0], strict=True):
        lengths = []
        for c, i, j in product(range(2), range(5), range(6)):
            down = image[c, i + 1, j] - image[c, i, j] if i < 4 else 0
            across = image[c, i, j + 1] - image[c, i, j] if j < 5 else 0
            lengths.append(np.sqrt(down**2 + across**2 + SMOOTH**2) - SMOOTH)
        assert cost == pytest.approx(np.mean(lengths))
    assert total_variation(np.full((1, 1, 4, 4), 0.3))[0] == pytest.approx([0], abs=1e-12)


def test_squares_are_distances_from_grey():
    x = images_of("signal")
    np.testing.assert_allclose(squares(x)[0], [np.mean([(v - 0.5) ** 2 for v in one.ravel()]) for one in x])


def test_the_blur_is_a_weighted_mean_of_neighbours_and_of_nothing_where_it_is_even():
    x = images_of("photo")
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    expected = sum(
        (2 - abs(i)) * (2 - abs(j)) / 16 * wide[:, :, 1 + i : 6 + i, 1 + j : 7 + j] for i in (-1, 0, 1) for j in (-1, 0, 1)
    )
    np.testing.assert_allclose(blurred(x), expected)
    np.testing.assert_allclose(roughness(x)[0], ((x - expected) ** 2).mean((1, 2, 3)))
    assert roughness(np.full((1, 1, 5), 0.8))[0] == pytest.approx([0], abs=1e-15)
