"""What chance gives: signs, and several tests at once."""

from itertools import product

import numpy as np
import pytest

from seewhy.metrics.regional.chance import enough_photos, sign_flips


def by_hand(differences):
    """All signs, one after the other."""
    sums = [abs(sum(sign * value for sign, value in zip(signs, differences, strict=True)))
            for signs in product((1, -1), repeat=len(differences))]  # fmt: skip
    return sum(each >= abs(sum(differences)) - 1e-12 for each in sums) / len(sums)


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_few_photos_are_tried_with_all_signs(count):
    differences = np.random.default_rng(count).normal(0.3, 1, count)
    assert sign_flips(differences) == pytest.approx(by_hand(differences))


def test_photos_that_all_lie_on_one_side_have_the_least_p_there_is():
    assert sign_flips(np.full(8, 0.1)) == 2 / 2**8
    assert sign_flips(-np.linspace(0.1, 0.2, 8)) == 2 / 2**8
    assert sign_flips(np.zeros(8)) == 1


def test_many_photos_are_tried_with_drawn_signs_that_agree_with_all():
    differences = np.random.default_rng(3).normal(0.25, 1, 14)
    exact = by_hand(differences)
    assert 0.02 < exact < 0.98
    assert sign_flips(differences, draws=20_000) == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))
    assert sign_flips(differences, seed=1) == sign_flips(differences, seed=1)
    assert sign_flips(np.ones(40), draws=999) == 1 / 1000


def test_where_the_evidence_lies_by_chance_p_is_rarely_small():
    rng = np.random.default_rng(0)
    p = np.array([sign_flips(rng.normal(0, 1, 10)) for _ in range(400)])
    assert abs((p <= 0.05).mean() - 0.05) < 3.3 * np.sqrt(0.05 * 0.95 / 400)


def test_groups_that_could_never_be_told_from_chance_take_nothing_from_the_others():
    """Of 6 photos p is 1/32 at least: enough for one test, not for two; of 8 photos it is 1/128, enough for six."""
    assert enough_photos([6]).tolist() == [True]
    assert enough_photos([5]).tolist() == [False]
    assert enough_photos([6, 6]).tolist() == [False, False]
    assert enough_photos([8, 3, 8, 1, 1]).tolist() == [True, False, True, False, False]
    assert enough_photos([8] * 6).all()
    assert not enough_photos([8] * 7).any()
    assert enough_photos([]).shape == (0,)
