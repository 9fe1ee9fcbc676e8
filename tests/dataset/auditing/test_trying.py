"""Suspicions tried one after the other, each place once, while the budget lasts."""

from dataclasses import replace

import numpy as np
import pytest

from seewhy.dataset.auditing.budget import AuditBudget
from seewhy.dataset.auditing.suspects import RIM_BOXES, Suspicion
from seewhy.dataset.auditing.trying import PartTrials

CORNER = (0.0, 0.0, 0.25, 0.25)
PLACE = Suspicion("red", "place", "there", "why", 0.01, (CORNER,))


@pytest.fixture
def photos(audit_photo, saved):
    """Green photos, those of "red" with a red square in the corner and all evidence there; the others are `neither`."""
    found = []
    for place in range(20):
        red = place < 10
        pixels = np.zeros((64, 64, 3), np.uint8)
        pixels[..., 1] = 100 + place
        if red:
            pixels[4:12, 4:12] = (255, 0, 0)
        cells = np.zeros((8, 8))
        cells[0, 0] = 1
        photo = audit_photo("red" if red else "neither", place, cells, pixels, saved(f"{place}.png", pixels), 0 if red else 2)
        found.append(photo)
    return found


@pytest.fixture
def model(red_model):
    """The network that sees red, for which what shows no red at all is neither."""

    class Shifted:
        labels, batches = red_model.labels, red_model.batches

        def answer(self, x):
            found = red_model.answer(x)
            return found._replace(scores=np.asarray(found.scores) + np.array((0, 0, 1e-4)))

    return Shifted()


def test_the_part_is_cut_from_photos_of_the_class_and_pasted_onto_others(model, photos):
    budget = AuditBudget.of(None)
    trials = PartTrials(model, photos, budget, 0)
    region = replace(PLACE, kind="region", where="corner:nw:0.25")
    rim = replace(PLACE, kind="background", where="rim", boxes=RIM_BOXES)
    place, same, other = trials.of([PLACE, region, rim])
    assert place.mark.same
    assert (place.planted.photos, place.planted.follows.part, place.planted.random.part) == (10, 10, 0)
    assert place.planted.verdict == "follows"
    assert same == region  # the same place was tried already
    assert other.mark is None
    assert other.planted.elsewhere is None
    assert budget.spent == 2 * 10 * 4
    assert place.planted.adjusted == pytest.approx(2 * place.planted.p)  # Holm over both
    assert trials.notes == []


def test_a_small_budget_pastes_onto_fewer_and_a_spent_one_onto_none(model, photos):
    budget = AuditBudget(30)
    trials = PartTrials(model, photos, budget, 0)
    first, second = trials.of([PLACE, replace(PLACE, where="again")])
    assert first.planted.photos == 7
    assert budget.spent == 28
    assert second.planted is None
    assert trials.notes == ["red, again: not pasted, for the budget is spent"]


def test_where_there_are_too_few_other_photos_that_is_said(model, photos):
    trials = PartTrials(model, photos[:14], AuditBudget.of(None), 0)
    (found,) = trials.of([PLACE])
    assert found.planted is None
    assert "too few photos of other classes" in trials.notes[0]


def test_what_has_no_place_is_not_pasted(model, photos):
    file = Suspicion("red", "file", "width in pixels", "why", 0.01)
    assert PartTrials(model, photos, AuditBudget.of(None), 0).of([file]) == [file]
