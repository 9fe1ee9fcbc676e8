"""Noisy linear imputation: by hand, as a dense system of equations, and what it keeps."""

import sys
from itertools import product

import numpy as np
import pytest

from seewhy.errors import BadParameter, MissingExtra
from seewhy.metrics.faithfulness.imputation import imputed


def dense(x, mask):
    """The equations of the paper, one for each hidden pixel of a photo, 1/6 at sides and 1/12 at corners, solved densely."""
    height, width = mask.shape
    hidden = [(i, j) for i in range(height) for j in range(width) if mask[i, j]]
    system, right = np.zeros((len(hidden), len(hidden))), np.zeros(len(hidden))
    for row, (i, j) in enumerate(hidden):
        near = {(i + a, j + b): 1 / 6 if 0 in (a, b) else 1 / 12 for a, b in product((-1, 0, 1), repeat=2) if (a, b) != (0, 0)}
        near = {place: weight for place, weight in near.items() if 0 <= place[0] < height and 0 <= place[1] < width}
        total = sum(near.values())
        system[row, row] = 1
        for place, weight in near.items():
            if mask[place]:
                system[row, hidden.index(place)] -= weight / total
            else:
                right[row] += weight / total * x[place]
    filled = x.copy()
    for place, value in zip(hidden, np.linalg.solve(system, right), strict=True):
        filled[place] = value
    return filled


def test_by_hand():
    x = np.arange(9.0).reshape(1, 3, 3)
    middle = np.zeros((3, 3), bool)
    middle[1, 1] = True
    assert imputed(x, middle)[0, 1, 1] == pytest.approx((1 + 3 + 5 + 7) / 6 + (0 + 2 + 6 + 8) / 12)
    corner = np.zeros((3, 3), bool)
    corner[0, 0] = True
    assert imputed(x, corner)[0, 0, 0] == pytest.approx((1 / 6 * 1 + 1 / 6 * 3 + 1 / 12 * 4) / (1 / 6 + 1 / 6 + 1 / 12))
    signal = np.array([[0.0, 7.0, 7.0, 3.0]])
    np.testing.assert_allclose(imputed(signal, np.array([False, True, True, False])), [[0, 1, 2, 3]])


def test_it_solves_the_equations_of_the_paper():
    rng = np.random.default_rng(0)
    for share in (0.3, 0.8, 0.97):
        x, mask = rng.standard_normal((2, 6, 7)), rng.random((6, 7)) < share
        for channel, found in zip(x, imputed(x, mask), strict=True):
            np.testing.assert_allclose(found, dense(channel, mask), rtol=1e-9, atol=1e-12)


def test_known_places_stay_and_imputed_ones_lie_between_them():
    rng = np.random.default_rng(1)
    for space in ((9,), (12, 11), (5, 6, 4)):
        x, mask = rng.random((3, *space)).astype(np.float32), rng.random(space) < 0.7
        found = imputed(x, mask)
        np.testing.assert_array_equal(found[:, ~mask], x[:, ~mask])
        for channel, of in zip(found, x, strict=True):
            assert of[~mask].min() - 1e-6 <= channel.min() <= channel.max() <= of[~mask].max() + 1e-6
        assert found.dtype == x.dtype
    np.testing.assert_allclose(imputed(np.full((1, 4, 4), 0.3), np.eye(4, dtype=bool)), 0.3)


def test_noise_is_added_to_what_is_imputed_alone():
    x, mask = np.zeros((2, 60, 60)), np.random.default_rng(2).random((60, 60)) < 0.5
    found = imputed(x, mask, 0.2, np.random.default_rng(3))
    assert not found[:, ~mask].any()
    assert found[:, mask].std() == pytest.approx(0.2, rel=0.05)
    np.testing.assert_array_equal(found, imputed(x, mask, 0.2, np.random.default_rng(3)))


def test_nothing_hidden_and_everything_hidden():
    x = np.ones((1, 3, 3))
    np.testing.assert_array_equal(imputed(x, np.zeros((3, 3), bool)), x)
    with pytest.raises(BadParameter, match="leave some known"):
        imputed(x, np.ones((3, 3), bool))


def test_without_scipy_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtra, match=r"SciPy.*localize"):
        imputed(np.ones((1, 3, 3)), np.eye(3, dtype=bool))
