"""The image seen through the map: by hand, with probabilities and with scores, and beside it the size of the mask."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.metrics.faithfulness.drops import average_drop, average_gain, average_increase, mask_of, mask_size
from seewhy.metrics.subject import subjects
from support.measuring import WEIGHTS, linear_model

ONES = np.ones((1, 1, 4, 4), np.float32)
ROWS = np.arange(4.0)[::-1, None].repeat(4, 1)  # 3, 2, 1, 0


def test_a_mask_by_hand():
    np.testing.assert_allclose(mask_of(ROWS), ROWS / 3)
    np.testing.assert_allclose(mask_of(ROWS - 5), ROWS / 3)
    np.testing.assert_allclose(mask_of(ROWS, 0.5), np.where(ROWS >= 2, ROWS / 3, 0))
    assert mask_of(np.full((4, 4), 0.2)) is None
    with pytest.raises(BadParameter, match="up to 1"):
        mask_of(ROWS, 0)


def test_a_score_by_hand():
    """The score counts the first row, 4; through the map upside down nothing of it is seen, through its half two."""
    model = linear_model()
    half = np.where(np.arange(4)[:, None] == 0, 0.5, 0.0).repeat(4, 1)
    half[3, 3] = 1  # the mask is stretched to 1
    maps = [ROWS, ROWS[::-1], half]
    found = [average_drop(model, ONES, [each], target=0)[0] for each in maps]
    assert found == [0, 1, 0.5]
    assert [average_increase(model, ONES, [each], target=0)[0] for each in maps] == [0, 0, 0]
    assert np.isnan(average_gain(model, ONES, maps[:1], target=0)[0])  # a score has no certainty to gain
    assert [mask_size(model, ONES, [each], target=0)[0] for each in maps] == [0.5, 0.5, pytest.approx(3 / 16)]


def test_probabilities_by_hand():
    """Of two classes, one of the first row and one of the last: seen are 4 and 0 of them, where both are 4 in the image."""
    model = linear_model(np.stack([WEIGHTS, WEIGHTS[::-1]]), scores="logits")
    how = {"target": 0}
    rise = np.exp(4) / (np.exp(4) + 1)
    assert average_gain(model, ONES, [ROWS], **how)[0] == pytest.approx((rise - 0.5) / 0.5)
    assert average_increase(model, ONES, [ROWS], **how)[0] == 1
    assert average_drop(model, ONES, [ROWS], **how)[0] == 0
    assert average_drop(model, ONES, [ROWS[::-1]], **how)[0] == pytest.approx((0.5 - (1 - rise)) / 0.5)
    assert average_gain(model, ONES, [ROWS[::-1]], **how)[0] == average_increase(model, ONES, [ROWS[::-1]], **how)[0] == 0


def test_what_is_not_seen_is_the_fill():
    found = average_drop(linear_model(), ONES, [ROWS[::-1]], target=0, fill=0.25)[0]
    assert found == pytest.approx((4 - 1) / 4)


def test_a_map_that_is_the_same_everywhere_has_no_drop():
    for each in (average_drop, average_increase, average_gain, mask_size):
        assert np.isnan(each(linear_model(), ONES, [np.ones((4, 4))], target=0)[0])
    assert np.isnan(average_drop(linear_model(-WEIGHTS), ONES, [ROWS], target=0)[0])  # the score is below zero


def test_all_of_them_cost_one_pass():
    calls = []
    model = linear_model(np.stack([WEIGHTS, WEIGHTS[::-1]]), scores="logits", calls=calls)
    for subject, _ in subjects(model, ONES, [ROWS], target=0):
        calls.clear()
        for each in (average_drop, average_increase, average_gain, mask_size):
            each.of(subject, ROWS)
        assert sum(calls) == 1
