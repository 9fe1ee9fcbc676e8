"""Adam, against the paper's algorithm."""

import numpy as np
import pytest

from seewhy.inside.maximizing.adam import Adam


def test_steps_are_those_of_the_paper_number_by_number():
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=6), rng.normal(size=(5, 6))
    p, ours = start[None], Adam(0.1)
    for g in gradients:
        p = ours.step(p, g[None])
    for k in range(6):
        theta, m, v = start[k], 0.0, 0.0
        for t, g in enumerate(gradients[:, k], 1):
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            theta += 0.1 * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8)
        assert p[0, k] == pytest.approx(theta, abs=1e-7)


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e12])
def test_the_size_of_gradients_makes_no_difference(scale):
    p, g = np.zeros((2, 3)), np.array([[1.0, -2.0, 0.5], [3e-9, 1e-9, 0.0]])
    one, other = Adam(0.5), Adam(0.5)
    for factor in (1.0, 0.3, -0.2):
        p = one.step(p, factor * g)
    q = np.zeros((2, 3))
    for factor in (1.0, 0.3, -0.2):
        q = other.step(q, scale * factor * g)
    np.testing.assert_allclose(p, q, rtol=1e-9)


def test_without_a_gradient_it_stays():
    p = np.ones((1, 2))
    assert Adam(0.1).step(p, np.zeros((1, 2))).tolist() == [[1.0, 1.0]]
