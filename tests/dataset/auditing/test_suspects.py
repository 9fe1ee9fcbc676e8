"""What is told from chance becomes a suspicion, and what came of pasting it its verdict."""

from dataclasses import replace

import numpy as np
import pytest

from seewhy.dataset.auditing.alike import AlikePlace
from seewhy.dataset.auditing.dependence import FactDependence
from seewhy.dataset.auditing.marks import SharedMark
from seewhy.dataset.auditing.planting import PlantedPart
from seewhy.dataset.auditing.suspects import FAMILIES, RIM_BOXES, Checks, Suspicion, suspicions, told
from seewhy.metrics.regional.frames import GRID
from seewhy.metrics.regional.report import EvidenceReport
from seewhy.metrics.regional.search import EvidencePile
from seewhy.metrics.regional.shares import RegionShare
from seewhy.truth.accuracy import Portion

CORNER = (0.75, 0.0, 1.0, 0.25)


def report(rows=(), piles=()):
    return EvidenceReport("net", "grad-cam", "top 1", 20, tuple(rows), tuple(piles), {"a": 10, "b": 10}, {})


def row(**changed):
    usual = RegionShare("corner:ne:0.25", "a", "", "", 10, 0.5, 0.4, 0.6, 0.0625, 0.05, 0.001, 0.01)
    return replace(usual, **changed)


def pile(adjusted):
    return EvidencePile("a", (CORNER,), 10, 0.5, 0.4, 0.6, 0.0625, 0.05, adjusted / 2, adjusted)


def fact(name="width", told=0.95, p=0.01):
    return FactDependence("a", name, 10, 640.0, 500.0, told, p)


def alike(p=0.01):
    cells = np.zeros((GRID, GRID), bool)
    cells[:2, -2:] = True
    return AlikePlace("a", CORNER, 10, 0.6, 0.0, p, cells)


def test_what_is_told_from_chance_among_its_kind_is_worth_a_trial():
    found = suspicions(Checks(report([row()], [pile(0.005)]), (fact(),), ()), [])
    assert [(each.kind, each.where) for each in found] == [
        ("place", "75-100 % across, 0-25 % down"),
        ("region", "corner:ne:0.25"),
        ("file", "width in pixels"),
    ]
    assert [each.p for each in found] == pytest.approx([0.005 * FAMILIES, 0.01 * FAMILIES, 0.01 * FAMILIES])
    assert found[0].boxes == found[1].boxes == (CORNER,)
    assert found[1].why.startswith(
        "50 % (40 % to 60 %) of the evidence lies in corner:ne:0.25, which is 6 % of the area; 5 % in"
    )


@pytest.mark.parametrize(
    "checks",
    [
        Checks(report([row(adjusted=0.06)]), (), ()),
        Checks(report([row(share=0.03, adjusted=0.001)]), (), ()),  # less than the area
        Checks(report([row(others=0.3)]), (), ()),  # not twice what others have
        Checks(report([row(truth="a", predicted="a")]), (), ()),  # a cell of the confusion matrix
        Checks(report([row(adjusted=None)]), (), ()),  # too few photos
        Checks(report(), (fact(p=0.06),), ()),
        Checks(report(), (fact(told=0.7),), ()),  # told from chance, and of no use
    ],
    ids=["region", "less", "others", "cell", "few", "fact", "useless"],
)
def test_what_does_not_is_not(checks):
    assert suspicions(checks, []) == []


def test_all_classes_together_are_suspected_of_a_mark_that_all_bear():
    whole = row(explained="all classes", others=None, photos=20)
    (found,) = suspicions(Checks(report([whole]), (), ()), [])
    assert (found.explained, found.others) == ("all classes", None)


def test_alike_pixels_are_suspected_where_evidence_lies(audit_photo):
    cells = np.full((GRID, GRID), 0.6 / 64)
    cells[:2, -2:] += 0.1
    own = [audit_photo("a", place, cells) for place in range(5)]
    rest = [audit_photo("b", 5 + place) for place in range(5)]
    (found,) = suspicions(Checks(report(), (), (alike(),)), own + rest)
    assert (found.kind, found.boxes) == ("alike", (CORNER,))
    assert found.share == pytest.approx(0.4 + 0.6 * 4 / 64)
    assert found.others == found.area == pytest.approx(4 / 64)
    plain = [audit_photo("a", place) for place in range(5)]
    assert suspicions(Checks(report(), (), (alike(),)), plain + rest) == []  # no more evidence than area


def test_of_a_rim_the_fact_that_does_best_is_told_alone():
    facts = (fact("rim_texture", 0.99), fact("width"), fact("rim_brightness", 0.9), fact("height", 0.05))
    found = suspicions(Checks(report(), facts, ()), [])
    assert [(each.kind, each.where) for each in found] == [
        ("background", "how much detail the rim has"), ("file", "width in pixels"), ("file", "height in pixels"),
    ]  # fmt: skip
    assert found[0].boxes == RIM_BOXES
    assert found[1].boxes == ()


def part(count, rise=1.0, adjusted=0.01, random=0):
    return PlantedPart("a", 20, Portion(count, 20), Portion(random, 20), None, rise, 0.5, 1.5, 0.001, adjusted)


SAME, DIFFERENT = SharedMark(0.9, 0.3), SharedMark(0.5, 0.4)


@pytest.mark.parametrize(
    ("kind", "boxes", "mark", "planted", "verdict"),
    [
        ("place", (CORNER,), SAME, part(18), "shortcut"),
        ("place", (CORNER,), DIFFERENT, part(18), "follows"),
        ("place", ((0.25, 0.25, 0.75, 0.75),), SAME, part(18), "follows"),  # in the middle, where objects lie
        ("place", (CORNER,), SAME, part(2), "suspect"),
        ("place", (CORNER,), SAME, part(18, random=17), "suspect"),  # another photo's part does as much
        ("place", (CORNER,), SAME, None, "suspect"),
        ("alike", (CORNER,), None, part(18), "shortcut"),
        ("background", RIM_BOXES, None, part(18), "shortcut"),
        ("background", RIM_BOXES, None, part(1), "data"),
        ("file", (), None, None, "data"),
    ],
)
def test_the_verdict_is_that_of_what_was_pasted(kind, boxes, mark, planted, verdict):
    found = Suspicion("a", kind, "there", "why", 0.01, boxes, mark=mark, planted=planted)
    assert found.verdict == verdict
    assert found.facts["verdict"] == verdict
    assert str(found).startswith("why")
    assert ("not pasted" in str(found)) is (planted is None and kind != "file")


@pytest.mark.parametrize(
    ("planted", "verdict"),
    [(part(18), "follows"), (part(2), "rises"), (part(18, adjusted=0.2), "stays"), (part(0, -1), "stays")],
)
def test_the_words_of_a_planted_part(planted, verdict):
    assert planted.verdict == verdict


def test_what_is_told_of_all_checks_or_followed_by_the_answer_is_told():
    sure, unsure = (Suspicion("a", "place", "there", "why", p, (CORNER,)) for p in (0.05, 0.08))
    assert told(sure)
    assert not told(unsure)
    assert told(replace(unsure, mark=SAME, planted=part(18)))
    assert not told(replace(unsure, mark=SAME, planted=part(2)))
