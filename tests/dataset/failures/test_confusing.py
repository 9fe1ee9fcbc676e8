"""Cells of the confusion matrix."""

import pytest

from seewhy.dataset.failures.confusing import confusion_cells
from seewhy.dataset.failures.gathering import gathered
from seewhy.truth.accuracy import Portion
from support.answered import answered


def test_the_most_frequent_come_first_and_of_equals_the_most_costly():
    photos = [
        answered(0, 0, 1, 0.6), answered(1, 0, 1, 0.9), answered(2, 0, 0, 0.9), answered(3, 1, 0, 0.3), answered(4, 2, 3, 0.8),
        answered(5, 2, 2, 0.8),
    ]  # fmt: skip
    first, second, third = confusion_cells(gathered(photos))
    assert (first.truth, first.answer, first.count, first.of, first.back) == ("cat", "dog", 2, Portion(2, 3), 1)
    assert [photo.item for photo in first.photos] == [1, 0]  # the surest mistake first
    assert first.cost == pytest.approx(1.5)
    assert (second.truth, second.answer, second.back) == ("cow", "hen", 0)
    assert (third.truth, third.answer, third.of, third.back) == ("dog", "cat", Portion(1, 1), 2)
    assert [cell.truth for cell in confusion_cells(gathered(photos), most=1)] == ["cat"]


def test_where_all_is_right_there_are_none():
    assert confusion_cells(gathered([answered(0, 0, 0)])) == []
