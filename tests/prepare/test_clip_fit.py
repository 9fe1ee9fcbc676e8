"""Clips as a network is given them: which frames, and each as a photo."""

import numpy as np
import pytest
from PIL import ImageOps

from seewhy.errors import BadParameter
from seewhy.images.clip import Clip
from seewhy.images.places import Extent
from seewhy.prepare.callable_fit import DRAWS
from seewhy.prepare.clip_fit import APART, ClipFit
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


def array(photo):
    return np.asarray(photo, np.float32).transpose(2, 0, 1) / 255


def test_frames_are_prepared_by_any_callable_and_their_part_is_that_of_the_clip(noise):
    clip = Clip(tuple(noise((40, 30), seed=t) for t in range(6)))
    ready = ClipFit(lambda photo: array(ImageOps.mirror(photo)), 3).ready(clip)
    np.testing.assert_array_equal(ready.x[:, 1], array(ImageOps.mirror(clip.frames[3])))
    assert ready.box == pytest.approx((40, 0, 0, 30), abs=0.5)
    assert ready.notes == ()
    assert ClipFit(PLAIN, 3).ready(clip).box == Extent(0, 0, 40, 30)


def test_frames_of_which_other_parts_are_seen_have_no_part_in_common(noise):
    def drawn(photo):
        return array(ImageOps.mirror(photo) if np.random.rand() < 0.5 else photo)

    np.random.seed(0)  # draws 1, 1, 1, 1, 0, 1
    ready = ClipFit(drawn, 6).ready(Clip(tuple(noise((40, 30), seed=t) for t in range(6))))
    assert ready.box is None
    assert ready.notes == (DRAWS, APART)
