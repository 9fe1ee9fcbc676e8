"""The two norms: by a plain loop, and their gradients by finite differences."""

from collections.abc import Callable

import numpy as np
import pytest

from seewhy.inside.dreams.priors import ALPHA, BETA, TYPICAL, TYPICAL_STEP, Cost, alpha_norm, total_variation

IMAGE = np.random.default_rng(0).random((1, 3, 4, 5))


def test_by_a_plain_loop() -> None:
    x = IMAGE[0] - 0.5
    bounded, smooth = [], []
    for i in range(4):
        for j in range(5):
            bounded.append(float(np.sqrt((x[:, i, j] ** 2).sum()) / TYPICAL) ** ALPHA)
            down = x[:, i + 1, j] - x[:, i, j] if i < 3 else np.zeros(3)
            across = x[:, i, j + 1] - x[:, i, j] if j < 4 else np.zeros(3)
            smooth.append(float(np.sqrt((down**2).sum() + (across**2).sum()) / TYPICAL_STEP) ** BETA)
    assert alpha_norm(IMAGE).value == pytest.approx(np.mean(bounded), rel=1e-12)
    assert total_variation(IMAGE).value == pytest.approx(np.mean(smooth), rel=1e-12)


@pytest.mark.parametrize("cost", [alpha_norm, total_variation])
def test_gradients_by_finite_differences(cost: Callable[[np.ndarray], Cost]) -> None:
    g = cost(IMAGE).g
    for place in np.ndindex(IMAGE.shape):
        step = np.zeros_like(IMAGE)
        step[place] = 1e-6
        assert g[place] == pytest.approx((cost(IMAGE + step).value - cost(IMAGE - step).value) / 2e-6, rel=1e-5, abs=1e-7)


def test_grey_costs_nothing() -> None:
    grey = np.full((1, 3, 4, 4), 0.5)
    for cost in (alpha_norm(grey), total_variation(grey)):
        assert cost.value == 0
        assert not cost.g.any()
