"""Groups of failures: what they cost, what they are called, which right ones lie next to them."""

from dataclasses import replace

import numpy as np
import pytest

from seewhy.dataset.failures.gathering import cost, gathered
from seewhy.dataset.failures.groups import failure_groups, lacking, seen, unsure_groups
from seewhy.maps.source import Predicted
from support.answered import answered

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def run():
    """Two kinds of failures, of which that in the dark is surer; and right ones of both kinds."""
    rng = np.random.default_rng(2)

    def of(kind, start, count, truth, answer, sure, light):
        centre = np.eye(12)[kind] * 4
        return [
            answered(
                i, truth, answer, sure, {"brightness": float(light + rng.uniform(0, 0.1))}, seen=centre + rng.normal(0, 0.3, 12)
            )
            for i in range(start, start + count)
        ]

    return gathered([
        *of(0, 0, 9, 0, 1, 0.3, 0.6), *of(1, 20, 8, 2, 3, 0.9, 0.1),
        *of(0, 40, 10, 0, 0, 0.9, 0.6), *of(1, 60, 10, 2, 2, 0.9, 0.6), answered(80, 0, 3, 0.99),
    ])  # fmt: skip


@pytest.fixture(scope="module")
def found(run):
    return failure_groups(run)


def test_the_most_costly_group_comes_first(found):
    assert found.why == ""
    first, second = found.groups
    assert {photo.item for photo in first.photos} == {*range(20, 28)}
    assert {photo.item for photo in second.photos} == {*range(9)}
    assert (first.number, second.number) == (1, 2)
    assert first.cost == pytest.approx(cost(first.photos)) == pytest.approx(8 * 0.9)
    assert first.confusions == (("cow", "hen", 8),)
    assert [photo.item for photo in found.outside] == [80]  # of which it is not known what was seen


def test_a_group_is_named_where_it_differs_and_not_elsewhere(found):
    first, second = found.groups
    assert first.name == "dark"
    assert second.name == ""


def test_the_nearest_right_ones_are_of_its_kind(run, found):
    first, second = found.groups
    assert {photo.item for photo in first.nearest} <= {*range(60, 70)}
    assert {photo.item for photo in second.nearest} <= {*range(40, 50)}
    made = {p.item: seen(p) / np.linalg.norm(seen(p)) for p in (*run.wrong, *run.right) if seen(p) is not None}
    usual = sum(made.values()) / len(made)
    centre = sum(made[p.item] - usual for p in first.photos)
    angles = {}
    for p in run.right:
        apart = made[p.item] - usual
        angles[p.item] = float(apart @ centre / np.linalg.norm(apart))
    assert [p.item for p in first.nearest] == sorted(angles, key=lambda item: -angles[item])[:4]


def test_without_truth_the_least_sure_are_grouped(run):
    """The same photos, of which the failures are the least sure quarter."""
    rng, unsure = np.random.default_rng(3), []
    for p in (*run.wrong, *run.right):
        if seen(p) is not None:
            said = Predicted(p.predicted.index, "cat", 0.3 if p in run.wrong else 0.9)
            unsure.append(replace(p, truth=(), truth_labels=(), right=None, predicted=said))
    light = [{"brightness": float(rng.uniform(0.6, 0.7))} for _ in run.right]
    sure = [answered(p.item + 100, None, 0, 0.95, own, seen=seen(p)) for p, own in zip(run.right, light, strict=True)]
    found = unsure_groups(gathered([*unsure, *sure, *(replace(p, item=p.item + 200) for p in sure[:11])]))
    assert {photo.item for group in found.groups for photo in group.photos} == {*range(9), *range(20, 28)}
    assert found.groups[0].cost == pytest.approx(lacking(found.groups[0].photos)) == pytest.approx(9 * 0.7)
    assert found.groups[1].name == "dark"
    assert "too few" in unsure_groups(gathered(unsure[:3])).why


@pytest.mark.parametrize(
    ("photos", "why"),
    [
        ([answered(0, 0, 0)], "nothing was answered wrong"),
        ([answered(i, 0, 1) for i in range(13)], "of which the run has features of 0"),
        ([answered(i, 0, 1, seen=[i, 1]) for i in range(5)], "5 wrong answers are too few"),
        ([answered(i, 0, 1, seen=[2, 1]) for i in range(15)], "no better than chance"),
    ],
    ids=["right", "features", "few", "equal"],
)
def test_why_there_are_none_is_said(photos, why):
    found = failure_groups(gathered(photos))
    assert why in found.why
    assert found.groups == ()
