"""Clips as a network is given them: which frames, and each as a photo."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.images.clip import Clip
from seewhy.prepare.clip_fit import ClipFit
from seewhy.prepare.fit import Fit

PLAIN = Fit(size=None, crop=None, mean=0.0, std=1.0)


def test_a_clip_is_prepared_frame_by_frame(noise):
    fit = Fit(size=20, crop=16)
    clip = Clip(tuple(noise((40, 30), seed=t) for t in range(7)))
    x = ClipFit(fit, 4)(clip)
    assert x.shape == (3, 4, 16, 16)
    assert x.dtype == np.float32
    for t, place in enumerate((0, 2, 4, 6)):
        np.testing.assert_array_equal(x[:, t], fit(clip.frames[place]))
    assert ClipFit(fit).box((40, 30)) == fit.box((40, 30))
    assert ClipFit(fit, None)(clip).shape == (3, 7, 16, 16)


@pytest.mark.parametrize(
    ("frames", "count", "places"),
    [
        (8, 8, [*range(8)]),
        (9, 3, [1, 4, 7]),
        (10, 1, [5]),
        (100, 4, [12, 37, 62, 87]),
        (2, 4, [0, 0, 1, 1]),
        (3, None, [0, 1, 2]),
    ],
)
def test_the_middle_frame_of_each_part_is_seen(frames, count, places):
    assert ClipFit(PLAIN, count).places(frames).tolist() == places


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "8"])
def test_a_count_that_cannot_be_is_misuse(count):
    with pytest.raises(BadParameter, match="count="):
        ClipFit(PLAIN, count)
