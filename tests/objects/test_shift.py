"""How much of the evidence lies elsewhere, by hand."""

import numpy as np
import pytest

from seewhy.objects.shift import energy_shift


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_a_scale_changes_nothing(scale):
    a, b = np.random.default_rng(0).normal(size=(2, 6, 6))
    assert energy_shift(a * scale, b) == pytest.approx(energy_shift(a, b))


def test_energy_shift_by_hand():
    """Shares 1/2 1/2 0 against 1/4 1/4 1/2: half of it went to the third place."""
    assert energy_shift(np.array([1.0, 1, 0]), np.array([2.0, 2, 4])) == pytest.approx(0.5)
    assert energy_shift(np.array([1.0, 0]), np.array([0.0, 3])) == 1
    assert energy_shift(np.array([1.0, 2]), np.array([2.0, 4])) == 0
    assert energy_shift(np.array([1.0, -5, 1]), np.array([1.0, -1, 1])) == 0  # negative evidence is no energy


def test_energy_shift_is_a_distance():
    rng = np.random.default_rng(1)
    a, b, c = rng.normal(size=(3, 5, 5))
    assert energy_shift(a, b) == energy_shift(b, a) > 0
    assert energy_shift(a, c) <= energy_shift(a, b) + energy_shift(b, c)


def test_energy_shift_of_maps_without_positive_evidence():
    none, some = np.array([0.0, -1]), np.array([0.0, 1])
    assert energy_shift(none, none) == energy_shift(np.zeros(2), none) == 0
    assert energy_shift(none, some) == energy_shift(some, none) == 1
