"""Suspected labels: what cleanlab is given, and that it is left out where it is not there."""

import sys

import pytest

from seewhy.dataset.failures.suspects import MISSING, class_probabilities, suspected_labels
from seewhy.maps.source import Predicted
from support.answered import answered

BOTH = [Predicted(1, "dog", 0.95), Predicted(0, "cat", 0.05)]
PHOTOS = [answered(i, i % 2, i % 2, 0.95, **({"top": BOTH} if i % 2 else {})) for i in range(40)]
PHOTOS += [answered(i, 0, 1, 0.98) for i in (97, 98, 99)]


def test_what_is_left_is_spread_over_the_others():
    photo = answered(0, 0, 1, 0.7)  # 0.3 of the true one
    assert class_probabilities([photo], [0, 1]).tolist() == [pytest.approx([0.3, 0.7])]
    half = answered(0, 0, 1, 0.6, true_probability=0.1, top=answered(0, 0, 1, 0.6).top[:1])
    assert class_probabilities([half], [0, 1, 2, 3]).tolist() == [pytest.approx([0.1, 0.6, 0.15, 0.15])]


def test_without_the_library_it_is_left_out_and_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    found = suspected_labels(PHOTOS)
    assert (found.photos, found.why) == ((), MISSING)


def test_of_classes_with_few_photos_nothing_is_said():
    assert "fewer than two classes" in suspected_labels(PHOTOS[:8]).why


def test_sure_mistakes_are_suspected():
    pytest.importorskip("cleanlab")
    found = suspected_labels(PHOTOS)
    assert {photo.item for photo in found.photos} == {97, 98, 99}
    assert (found.asked, found.why) == (43, "")
