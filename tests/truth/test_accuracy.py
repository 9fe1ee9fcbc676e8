"""Accuracy, its interval, and which classes were taken for which."""

import numpy as np
import pytest

from seewhy.truth.accuracy import Judgement, Portion, by_class, confusions, top

SAID = [Judgement((0,), 0), Judgement((0,), 1, 2), Judgement((1, 2), 2), Judgement((2,), 1, 4), Judgement((2,), 1, 3)]


def test_an_answer_is_right_if_it_is_among_the_classes():
    assert [one.right for one in SAID] == [True, False, True, False, False]


def test_accuracy_counts_the_first_answers_or_the_first_few():
    assert top(SAID) == Portion(2, 5)
    assert [top(SAID, ranks).part for ranks in (2, 3, 4)] == [3, 4, 5]
    assert top([]) is None
    assert top([Judgement((0,), 1)]) == Portion(0, 1)
    assert top([Judgement((0,), 1)], 5) is None  # nobody knows


@pytest.mark.parametrize(("part", "of"), [(0, 1), (1, 1), (3, 7), (169, 200), (0, 50)])
def test_wilsons_interval_is_where_the_score_test_does_not_reject(part, of):
    """By a second derivation: the p at which (part/of - p)^2 = z^2 p (1 - p) / of, solved as a quadratic."""
    z2 = 1.959963984540054**2
    share = part / of
    low, high = sorted(np.roots([1 + z2 / of, -(2 * share + z2 / of), share**2]).real)
    np.testing.assert_allclose(Portion(part, of).interval, (max(low, 0), min(high, 1)), atol=1e-7)


def test_a_portion_in_words():
    assert str(Portion(169, 200)) == "84.5 % (169 of 200; 95 % interval 78.8 % to 88.9 %)"


def test_of_each_class_and_what_it_was_taken_for():
    assert by_class(SAID) == {0: Portion(1, 2), 1: Portion(1, 1), 2: Portion(1, 3)}
    assert confusions(SAID) == [((2,), 1, 2), ((0,), 1, 1)]
