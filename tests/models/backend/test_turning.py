"""Arrays turned to channels first and back."""

import numpy as np

from seewhy.models.backend.turning import plain, turned


def test_channels_are_moved_and_values_kept():
    x = np.arange(24).reshape(1, 2, 3, 4)
    first = turned(x, -1, 1)
    assert first.shape == (1, 4, 2, 3)
    assert first[0, 3, 1, 2] == x[0, 1, 2, 3]
    np.testing.assert_array_equal(turned(first, 1, -1), x)
    assert turned(x, 1, 1) is x


def test_half_precision_becomes_float32_and_the_rest_stays():
    assert plain(np.ones(2, np.float16)).dtype == np.float32
    assert plain(np.ones(2, np.float64)).dtype == np.float64
    assert plain(np.ones(2, np.int8)).dtype == np.int8
