"""Random concepts: p by hand, and how often a concept of random examples is called significant."""

import numpy as np
import pytest

from seewhy.inside.concepts.tcav_chance import RandomConcepts, chance_concepts, drawn
from seewhy.inside.concepts.tcav_classifiers import separations, slopes


def chance(values):
    return RandomConcepts(np.linspace(0, 1, len(values)), np.array(values))


def test_p_counts_random_concepts_as_far_to_that_side():
    found = chance([-3, -1, 0, 1, 2, 2, 2, 2, 2])
    assert found.p(5) == 2 * 1 / 10
    assert found.p(-2) == 2 * 2 / 10
    assert found.p(1) == 1  # not more
    assert found.effect(2) == pytest.approx((2 - np.mean(found.alignment)) / np.std(found.alignment, ddof=1))
    assert chance([1, 1, 1]).effect(1) == 0
    assert found.usual_scores == pytest.approx((0.025, 0.975))


def test_a_run_draws_no_example_twice_and_the_seed_decides():
    pool = np.array([3, 7, 8, 11, 20, 21])
    runs = drawn(pool, 4, 50, 0)
    assert runs.shape == (50, 4)
    assert all(len({*run}) == 4 and {*run} <= {*pool} for run in runs)
    assert {*runs.ravel()} == {*pool}
    np.testing.assert_array_equal(runs, drawn(pool, 4, 50, 0))
    assert (runs != drawn(pool, 4, 50, 1)).any()


def test_a_random_concept_is_held_against_none_of_its_own(monkeypatch):
    asked = []

    def kept(gram, concept, others, ridge):
        asked.append((concept, others))
        return separations(gram, concept, others, ridge)

    monkeypatch.setattr("seewhy.inside.concepts.tcav_chance.separations", kept)
    a = np.random.default_rng(0).normal(size=(20, 5))
    pool = np.arange(4, 20)
    found = chance_concepts(a @ a.T, np.ones((2, 5)) @ a.T, np.ones(2) * 5**0.5, pool, 4, 3, 6, 0.1, 0)
    ((concept, others),) = asked
    assert found.alignment.shape == (6,)
    assert concept.shape == others.shape == (18, 4)
    for own, rest in zip(concept, others, strict=True):
        assert len({*own, *rest}) == 8
        assert {*own, *rest} <= {*pool}
    assert all((concept[3 * k : 3 * k + 3] == concept[3 * k]).all() for k in range(6))  # runs share the examples
    assert len({tuple(row) for row in others}) > 6  # and not what these are held against
    by_hand = slopes(separations(a @ a.T, concept, others, 0.1), np.ones((2, 5)) @ a.T, np.ones(2) * 5**0.5).alignment
    np.testing.assert_allclose(found.alignment, [by_hand[3 * k : 3 * k + 3].mean() for k in range(6)])


def false_alarm(seed, linear):
    """p of a concept whose examples are drawn as the random ones are."""
    rng = np.random.default_rng([seed, 7])
    a = rng.normal(size=(36, 12)) / np.sqrt(np.arange(1, 13))
    g = np.repeat(rng.normal(size=(1, 12)), 6, 0) if linear else rng.normal(size=(6, 12)) + rng.normal(size=12)
    a -= a.mean(0)
    gram, products, sizes = a @ a.T, g @ a.T, np.linalg.norm(g, axis=1)
    pool = np.arange(6, 36)
    runs = separations(gram, np.repeat(np.arange(6)[None], 3, 0), drawn(pool, 6, 3, seed), 0.1)
    found = slopes(runs, products, sizes).alignment.mean()
    return chance_concepts(gram, products, sizes, pool, 6, 3, 79, 0.1, seed).p(float(found))


@pytest.mark.parametrize("linear", [True, False])
def test_false_alarms_are_as_frequent_as_they_may_be(linear):
    """Of 100 random concepts, 5 are expected below 0.05; more than 13 come one time in two thousand."""
    p = np.array([false_alarm(seed, linear) for seed in range(100)])
    assert 1 <= (p <= 0.05).sum() <= 13
    assert 25 <= (p <= 0.5).sum() <= 68
