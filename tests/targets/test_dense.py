"""Dense scores are found in whatever a network gives, and the channel of a class among them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seewhy import BadParameter, NotApplicable
from seewhy.targets.dense import channel, dense

SCORES = np.random.default_rng(0).normal(size=(2, 3, 4, 5))


@pytest.mark.parametrize(
    "output",
    [SCORES, (SCORES, 0), [SCORES, SCORES], {"aux": 0, "out": SCORES}, {"logits": SCORES}, SimpleNamespace(logits=SCORES)],
)
def test_dense_scores_are_found(output):
    np.testing.assert_array_equal(dense(output, 2), SCORES)


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_a_map_and_a_list_of_maps_are_one_channel(make):
    maps = make(SCORES[:, 0].round().astype(int))
    for output in (maps, maps[:, None], [*maps], {"out": maps}, {"out": [*maps]}):
        assert isinstance(dense(output, 2), type(maps))
        np.testing.assert_array_equal(dense(output, 2), SCORES[:, :1].round())
    np.testing.assert_array_equal(dense([*maps[:1]], 2), SCORES[:1, :1].round())


@pytest.mark.parametrize("output", [SCORES[0, 0], SCORES[:, :, 0, 0], {"a": 1}, None, [SCORES[0, 0], SCORES[0, 0, :2]]])
def test_what_is_not_dense_is_refused(output):
    with pytest.raises(NotApplicable, match="lies in a dense output"):
        dense(output, 2)


def test_the_channel_of_a_class():
    assert channel(2, SCORES, None, "this") == 2
    assert channel(None, SCORES[:, :1], None, "this") == 0
    for of, said in (
        (None, r"this: the output has 3 channels; name the class such as Region\('cat'\)"),
        (3, "channels 0 to 2"),
    ):
        with pytest.raises(BadParameter, match=said):
            channel(of, SCORES, ["cat", "dog", "fox"], "this")
