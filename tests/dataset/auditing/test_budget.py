"""What may be looked at, and which photos are drawn."""

from collections import Counter

import pytest

from seewhy.dataset.auditing.budget import AuditBudget, drawn_items
from seewhy.errors import BadParameter
from seewhy.photo_sets.items import Item


def items(*counts):
    return [Item(place, str(place), (group,)) for place, group in enumerate(g for g, n in enumerate(counts) for _ in range(n))]


def test_photos_are_drawn_evenly_and_stay_in_their_order():
    drawn = drawn_items(items(50, 3, 20), 23, 0)
    assert [item.number for item in drawn] == sorted(item.number for item in drawn)
    assert Counter(item.truth[0] for item in drawn) == {0: 10, 1: 3, 2: 10}
    assert drawn == drawn_items(items(50, 3, 20), 23, 0)
    assert drawn != drawn_items(items(50, 3, 20), 23, 1)
    assert drawn_items(items(2, 2), None, 0) == items(2, 2) == drawn_items(items(2, 2), 4, 0)


def test_a_fourth_is_kept_for_pasting():
    budget = AuditBudget.of(100)
    assert budget.photos == 75
    budget.spent = 70
    assert budget.left(96) == 30
    assert budget.left(20) == 20
    budget.spent = 120
    assert budget.left(96) == 0
    assert AuditBudget.of(None).photos is None
    assert AuditBudget.of(None).left(10**6) == 10**6


@pytest.mark.parametrize("budget", [0, 19, -3, True, "many", 2.5])
def test_what_is_no_budget_is_refused(budget):
    with pytest.raises(BadParameter, match="20 or more"):
        AuditBudget.of(budget)
