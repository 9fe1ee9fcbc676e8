"""Names of failures: only what is measured, and told from chance among all that was compared."""

import sys
from itertools import combinations

import numpy as np
import pytest

from seewhy.dataset.failures.naming import TRAITS, differences
from seewhy.errors import MissingExtra
from support.answered import answered, shown

pytest.importorskip("scipy")
RNG = np.random.default_rng(0)
LOOKS = ("brightness", "contrast", "sharpness")


def photos(brightness, **given):
    return [answered(i, 0, 0, looks={"brightness": float(value), **given}) for i, value in enumerate(brightness)]


def slow_p(here, there):
    """The exact Mann-Whitney test of both sides, over all ways to choose which values are the group's; no ties."""
    every = [*here, *there]

    def statistic(chosen):
        rest = [i for i in range(len(every)) if i not in chosen]
        return sum(every[i] > every[j] for i in chosen for j in rest)

    middle, own = len(here) * len(there) / 2, statistic(range(len(here)))
    ways = [statistic(chosen) for chosen in combinations(range(len(every)), len(here))]
    return sum(abs(one - middle) >= abs(own - middle) for one in ways) / len(ways)


def test_the_number_is_that_of_its_formula():
    here, there = np.array([0.1, 0.2, 0.35, 0.15]), np.array([0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    ((found,),) = differences([photos(here)], photos(there), [TRAITS[0]])
    assert found.p == pytest.approx(slow_p(here, there))
    assert found.among == pytest.approx(np.mean([a > b for a in here for b in there]))
    assert (found.word, found.photos) == ("dark", 4)
    assert (found.mean, found.right) == (pytest.approx(here.mean()), pytest.approx(there.mean()))


def test_what_does_not_differ_has_no_name():
    values = RNG.uniform(0.2, 0.8, 60)
    assert differences([photos(values[:20])], photos(values[20:])) == [[]]
    assert differences([photos([0.5] * 5)], photos([0.5] * 5)) == [[]]
    assert differences([photos([0.1, 0.1])], photos(values)) == [[]]  # too few
    assert differences([[]], photos(values)) == [[]]


def test_words_say_which_way():
    right = photos(RNG.uniform(0.4, 0.6, 30), sharpness=0.5, saturation=0.2)
    groups = [photos(RNG.uniform(0, 0.2, 8), sharpness=0.1, saturation=0.9), photos(RNG.uniform(0.8, 1, 8), sharpness=0.9)]
    first, second = differences(groups, right)
    assert {one.word for one in first} == {"dark", "blurred", "colourful"}
    assert {one.word for one in second} == {"bright", "full of fine detail"}
    assert all(one.told for one in (*first, *second))


def test_the_more_is_compared_the_stricter_it_is():
    right, group = photos(np.linspace(0.4, 0.9, 12)), photos(np.linspace(0.2, 0.62, 6))
    ((alone,),) = differences([group], right)
    assert alone.adjusted == alone.p
    same = photos(np.linspace(0.41, 0.89, 6))
    assert 0.005 < alone.p < 0.05
    assert differences([group, *[same] * 9], right)[0] == []  # ten comparisons


def test_evidence_and_pixels_have_names_too():
    def some(area, border, size):
        maps = [shown(evidence={"object_area": area, "border": border})]
        return [answered(i, 0, 0, maps=maps, size=(size + i, 900)) for i in range(8)]

    (found,) = differences([some(0.02, 0.6, 100)], some(0.4, 0.2, 500))
    assert {one.word for one in found} == {"small object", "looks at the border", "few pixels"}


def test_few_are_named_by_chance():
    named = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        both = [[answered(i, 0, 0, looks=dict(zip(LOOKS, rng.random(3), strict=True))) for i in range(n)] for n in (8, 8, 30)]
        named += any(differences(both[:2], both[2]))
    assert named <= 6  # of 40 in the mean 2


def test_what_is_too_small_to_be_seen_has_no_name():
    rng = np.random.default_rng(1)
    right, group = rng.normal(0.5, 0.1, 3000), rng.normal(0.52, 0.1, 3000)
    assert differences([photos(group)], photos(right)) == [[]]
    ((found,),) = differences([photos(group + 0.04)], photos(right))
    assert found.among > 0.64


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtra, match="dataset"):
        differences([photos([0.1, 0.2, 0.3])], photos([0.4, 0.5, 0.6]))
