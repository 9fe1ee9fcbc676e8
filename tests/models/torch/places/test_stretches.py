"""The stretch of an axis in which an entry changes most."""

import numpy as np
import pytest

from seewhy.models.torch.places.stretches import stretches


def test_the_stretch_of_an_entry():
    profile = np.zeros((10, 4))
    profile[2:4, 0] = 1
    profile[:, 1] = 1
    profile[[0, 9], 2] = 1
    found = stretches(profile)
    np.testing.assert_allclose(found.excess[:2], [0.8, 0])
    assert found.centre[0] == pytest.approx(0.3)
    assert (found.start[0], found.stop[0]) == (0.2, 0.4)
    assert found.local.tolist() == [True, False, False, False]
    np.testing.assert_allclose(found.beside, [-0.125, 1, 1, 1])


def test_entries_that_belong_to_a_place():
    """Those that change in one stretch, however far they see; neither those of two places nor those that change like all."""
    stripe = np.arange(16)
    far = np.exp(-((stripe - 5) ** 2) / 18)
    two = np.exp(-((stripe - 3) ** 2) / 4) + 0.8 * np.exp(-((stripe - 12) ** 2) / 4)
    rough = np.random.default_rng(0).uniform(0.7, 1.3, 16)
    others = [np.exp(-((stripe - at) ** 2) / 4) for at in range(16)]
    found = stretches(np.stack([far, two, rough, np.zeros(16), *others], 1))
    assert found.local.tolist() == [True, False, False, False] + [True] * 16
    np.testing.assert_allclose(found.centre[4:] * 16, stripe + 0.5, atol=1)
    assert found.excess[3] == 0


def test_what_one_stripe_changes_everywhere_is_no_place():
    """Some stripes change all entries more than others do: what lies beneath them is no place of each."""
    profile = np.ones((16, 10))
    profile[3:5] = 20
    found = stretches(profile)
    assert (found.excess > 0.5).all()
    assert not found.local.any()
