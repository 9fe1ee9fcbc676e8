"""Which photo is which: by bytes, by paths, each once."""

import pytest

from seewhy.dataset.comparing.matching import PhotoMatches


def pairs(a, b):
    matches = PhotoMatches(a)
    return [(one.item, other.item) for one, other in matches.pairs(b)], matches


def test_a_set_that_was_moved_and_listed_in_another_order_is_the_same(kept_photo):
    a = [kept_photo(item, f"old/{item}.png") for item in range(3)]
    b = [kept_photo(9 - item, f"new/{item}.png", f"sha {item}") for item in (2, 0, 1)]
    found, matches = pairs(a, b)
    assert found == [(2, 7), (0, 9), (1, 8)]
    assert (matches.only_a, matches.only_b, matches.changed) == ([], [], [])


def test_what_one_run_has_alone_and_what_was_changed_is_told(kept_photo):
    a = [kept_photo(0), kept_photo(1), kept_photo(2)]
    b = [kept_photo(0), kept_photo(1, sha="other bytes"), kept_photo(5)]
    found, matches = pairs(a, b)
    assert found == [(0, 0)]
    assert (matches.only_a, matches.only_b, matches.changed) == (["2.png"], ["5.png"], ["1.png"])


def test_what_could_not_be_read_is_matched_by_its_path(kept_photo):
    a = [kept_photo(0, sha=None, error="BadImage"), kept_photo(1)]
    b = [kept_photo(0, sha=None, error="BadImage"), kept_photo(1, sha=None, error="BadImage")]
    assert pairs(a, b)[0] == [(0, 0), (1, 1)]
    assert pairs(b, a)[0] == [(0, 0), (1, 1)]


def test_copies_are_matched_by_their_paths_and_each_once(kept_photo):
    a = [kept_photo(item, sha="same") for item in range(3)]
    assert pairs(a, [kept_photo(item, sha="same") for item in (2, 1, 0)])[0] == [(2, 2), (1, 1), (0, 0)]
    found, matches = pairs(a, [kept_photo(item, f"moved/{item}", "same") for item in range(4)])
    assert found == [(0, 0), (1, 1), (2, 2)]
    assert matches.only_b == ["moved/3"]


@pytest.mark.parametrize("right", [True, False])
def test_the_map_of_the_true_class_is_that_of_the_answer_where_it_is_right(kept_photo, map_row, right):
    top, true = map_row([[1]]), map_row([[2]], 1, "true")
    photo = kept_photo(0, truth=0 if right else 1, maps=[top, true])
    assert photo.map("true", "grad-cam") is (top if right else true)
    assert photo.map("top", "grad-cam") is top
    assert photo.map("top", "rise") is None
