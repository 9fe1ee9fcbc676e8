"""What passes tell of whether images may share one, from numbers given by hand."""

import numpy as np
import pytest

from seewhy.models.together import MIXES, UNSTEADY, Together

X = np.arange(4.0).reshape(4, 1, 1) * np.ones((4, 2, 3))
SLACK = 1e-6


def plain(x):
    return np.stack([x.sum((1, 2)), x.max((1, 2))], 1)


def shifted(x):
    """Each row holds a part of the one before it: the first does not show it."""
    rows = plain(x)
    rows[1:] += rows[:-1]
    return rows


MIXING = {
    "mean": lambda x: plain(x - x.mean(0)),
    "shift": shifted,
    "shift the other way": lambda x: shifted(x[::-1])[::-1],
    "of more than two": lambda x: plain(x) - (len(x) > 2) * plain(x).mean(0),
    "the strongest alone": lambda x: plain(x) * (plain(x)[:, :1] == plain(x)[:, :1].max()),
    "at odd numbers": lambda x: plain(x) + len(x) % 2 * (len(x) > 1) * x.mean(),
}


@pytest.mark.parametrize("mixing", MIXING)
@pytest.mark.parametrize("count", [2, 3, 4])
def test_what_mixes_is_found_where_each_is_asked(mixing, count):
    ask, together = MIXING[mixing], Together()
    x = X[:count]
    differs = not np.allclose(ask(x), np.concatenate([ask(each[None]) for each in x]))
    assert together.apart(x, ask, each=True) == differs
    assert together.notes == (MIXES,) * differs
    assert together.apart(x[:1], ask) == differs  # it is remembered


@pytest.mark.parametrize("mixing", MIXING)
@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_one_in_the_middle_has_others_on_both_sides(mixing, count):
    ask, together, asked = MIXING[mixing], Together(), []
    x = X[:count] ** 2 + 1  # of which none is the mean
    differs = not np.allclose(ask(x), np.concatenate([ask(each[None]) for each in x]))
    assert together.apart(x, lambda x: asked.append(len(x)) or ask(x)) == differs
    if not differs:
        assert asked == [count, 1] + [1] * (count == 2)
        assert not together.apart(x, pytest.fail)
        assert not together.apart(x[:-1], pytest.fail)  # it was found right for more


def test_an_image_that_ran_alone_tells_it_where_it_comes_by_again():
    asked = []
    for ask, mixes in ((plain, False), (MIXING["mean"], True)):
        together = Together()
        together.note(None, X[2:3], ask(X[2:3]), SLACK)
        together.note(None, X, ask(X), SLACK)
        counted = lambda x, ask=ask: asked.append(len(x)) or ask(x)  # noqa: E731
        assert together.apart(X, counted) == mixes
    assert asked == [1, 4, 1]  # to be sure, where it mixes: alone, together, and once more alone


def test_rounding_is_no_mixing_and_what_never_says_the_same_is_none_either():
    together, draws = Together(), np.random.default_rng(0)
    together.slack = SLACK
    assert not together.apart(X, lambda x: plain(x) * (1 + 1e-8 * len(x)))
    other = Together()
    assert not other.apart(X, lambda x: plain(x) + draws.normal(size=(len(x), 2)))
    assert other.notes == (UNSTEADY,)


def test_numbers_of_another_kind_are_not_compared():
    together = Together()
    together.note("logits", X[:1], plain(X[:1]), SLACK)
    together.note("units", X, plain(X) + 9, SLACK)
    assert together.doubts is None
    assert together.open(X)
