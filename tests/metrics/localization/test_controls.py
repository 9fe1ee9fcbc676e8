"""Maps that never saw the photo."""

import numpy as np
import pytest
import torch

import seewhy
from seewhy.metrics.localization.controls import DRAWN, control, control_over


def test_the_centre_is_a_gaussian_of_a_quarter_of_each_side():
    found = control("centre", (40, 20))
    assert found.shape == (20, 40)
    for (row, column), at in {(9, 19): (0.025, 0.0125), (0, 19): (0.475, 0.0125), (9, 0): (0.025, 0.4875)}.items():
        assert found[row, column] == pytest.approx(np.exp(-((at[0] / 0.25) ** 2 + (at[1] / 0.25) ** 2) / 2), rel=1e-6)


def test_it_is_the_map_of_the_method_of_that_name():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    model = seewhy.wrap(network, prepare={"size": None, "crop": None, "mean": 0.0, "std": 1.0})
    (heatmap,) = seewhy.centre(model, np.zeros((1, 3, 12, 9), np.float32), layer="0")
    np.testing.assert_allclose(heatmap.values, control("centre", (9, 12)), rtol=1e-6)


def test_random_maps_are_drawn_in_turn():
    first, second = control("random", (21, 14), 0), control("random", (21, 14), 1)
    assert first.shape == (14, 21)
    assert abs(first - second).max() > 0.1
    np.testing.assert_array_equal(control("random", (21, 14), DRAWN), first)
    assert first.min() >= 0
    assert first.max() < 1
    np.testing.assert_array_equal(control("random", (7, 7), 3), np.random.default_rng([3, 7]).random((7, 7), np.float32))


def test_volumes_and_signals_have_controls_too():
    signal, volume = control_over("centre", (20,)), control_over("centre", (6, 8, 10))
    photo = control("centre", (10, 8))
    down = volume[:, 4, 5] / photo[4, 5]
    np.testing.assert_allclose(volume, down[:, None, None] * photo, rtol=1e-5)
    assert signal[12] == pytest.approx(np.exp(-((0.125 / 0.25) ** 2) / 2), rel=1e-6)
    assert control_over("random", (30,)).shape == (30,)
    assert abs(control_over("random", (7, 7, 7), 1) - control_over("random", (7, 7, 7), 2)).max() > 0.1
