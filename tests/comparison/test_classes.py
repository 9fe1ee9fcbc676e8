"""Which class of one model is which of another."""

import pytest

from seewhy.comparison.classes import match_classes
from seewhy.errors import BadParameter

NAMES = ("a", "b")


def matched(a, b):
    return match_classes(NAMES, (a, b), (len(a), len(b)))


def test_equal_labels_are_equal_numbers():
    found = matched(["cat", "dog"], ["cat", "dog"])
    assert found.to_b.tolist() == [0, 1]
    assert found.same
    assert found.note == ""


def test_labels_in_another_order_and_a_background_in_front():
    found = matched(["Cat", "dog "], ["background", "dog", "cat"])
    assert found.to_b.tolist() == [2, 1]
    assert not found.same


def test_synonyms_join_what_whole_labels_do_not():
    found = matched(["tabby, tabby cat", "hen", "cock"], ["cock, rooster", "tabby", "hen"])
    assert found.to_b.tolist() == [1, 2, 0]


def test_a_synonym_of_two_classes_joins_none():
    found = matched(["crane, bird", "crane, machine", "hen"], ["crane", "hen"])
    assert found.to_b.tolist() == [-1, -1, 1]
    assert found.note == "b lacks 2 of the 3 classes of a"


def test_two_classes_are_never_the_same_class_of_the_other():
    assert sorted(matched(["tabby", "tabby cat"], ["tabby, tabby cat", "x"]).to_b.tolist()) == [-1, 0]


def test_labels_that_stand_twice_go_in_order():
    assert matched(["crane", "crane"], ["crane", "hen", "crane"]).to_b.tolist() == [0, 2]


def test_without_labels_numbers_are_matched():
    found = match_classes(NAMES, (None, None), (3, 3))
    assert (found.to_b.tolist(), found.note) == ([0, 1, 2], "")
    found = match_classes(NAMES, (["x", "y"], None), (2, 2))
    assert (found.to_b.tolist(), found.note) == ([0, 1], "b has no labels: classes are matched by their numbers")
    found = match_classes(NAMES, (["x", "y"], ["x", "y", "z"]), (2, 2))
    assert found.note == "b has 3 labels for 2 scores: classes are matched by their numbers"


def test_other_counts_without_labels_are_refused_with_advice():
    with pytest.raises(BadParameter, match=r"a gives 1,000 scores and b 1,001, .* --labels-a FILE, --labels-b FILE"):
        match_classes(NAMES, (["x"] * 1000, None), (1000, 1001))


def test_labels_that_share_nothing_are_refused():
    with pytest.raises(BadParameter, match=r"a and b share no label.*: cat against dog"):
        match_classes(NAMES, (["cat"], ["dog"]), (1, 1))
