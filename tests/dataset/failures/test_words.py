"""What was found, in sentences."""

from dataclasses import replace

import numpy as np
import pytest

from seewhy.dataset.failures.analysis import analyse
from seewhy.dataset.failures.calibration import calibration
from seewhy.dataset.failures.hiding import HiddenChecks, HiddenEvidence
from seewhy.dataset.failures.naming import TraitDifference
from seewhy.dataset.failures.words import apart, chance, difference, hiding, how_calibrated, quantity, says
from seewhy.maps.source import Predicted
from support.answered import answered, shown

pytest.importorskip("sklearn")


def test_the_main_points_of_a_run():
    photos = [answered(i, 0, 0, 0.9, maps=[shown(evidence={"on_object": i / 30, "object_area": 0.5})]) for i in range(30)]
    photos += [answered(30 + i, 1, 0, 0.9, {"brightness": 0.1}) for i in range(10)]
    text = "\n".join(says(analyse(photos, total=50)))
    assert "75.0 % (30 of 40; " in text
    assert "It is too sure of itself: it gives its answers 90 % on average, and is right in 75 %." in text
    assert "are too few to look for groups" in text
    assert "50.0 % (15 of 30; " in text
    assert "10 of 50 photos are still missing" in text


def test_copies_are_said():
    text = "\n".join(says(analyse([answered(0, 0, 0, sha256="a"), answered(1, 0, 0, sha256="a")])))
    assert "1 photo have" not in text
    assert "1 photo has the very file of another one, so intervals and p are surer than they may be." in text
    text = "\n".join(says(analyse([answered(i, min(i, 1), 0, sha256="a") for i in range(3)])))
    assert "2 photos have the very file of another one, so intervals and p are surer than they may be; of them 2 have" in text


def test_without_truth_only_what_is_known_is_said():
    assert [*says(analyse([answered(i, None, 0, 0.6 + i / 5) for i in range(2)]))] == [
        "No truth is known of the photos: their answers are given with a probability of 70 % on average."
    ]
    assert [*says(analyse([answered(0, None, 0, 0.7)]))] == [
        "No truth is known of the photo: its answer is given with a probability of 70 %."
    ]
    some = "\n".join(says(analyse([answered(0, None, 0, 0.7), answered(1, 0, 0, 0.9)])))
    assert "Of 1 photo no truth is known: its answer is given with a probability of 70 %." in some
    assert [*says(analyse([]))] == ["The run has no photos yet."]


def test_verdicts_on_calibration():
    chances = np.linspace(0.5, 0.99, 100)
    sure, shy = calibration(chances, np.arange(100) % 2 == 0), calibration(chances / 2, np.ones(100, bool))
    fair = calibration(np.full(100, 0.5), np.arange(100) % 2 == 0)
    for found, words in ((sure, "too sure of itself"), (shy, "not as sure as it could be"), (fair, "well calibrated")):
        assert found is not None
        assert f"It is {words}" in how_calibrated(found)


def test_what_came_of_hiding_is_said_of_wrong_and_of_right_ones():
    found = analyse([answered(0, 1, 0, 0.9), answered(1, 0, 0, 0.9), answered(2, 1, 0, 0.9)])
    cat, dog = Predicted(0, "cat", 0.9), Predicted(1, "dog", 0.9)
    checks = [(0, dog, cat, True), (1, dog, dog, False), (2, cat, cat, False)]
    hidden = HiddenChecks(True, tuple(HiddenEvidence(i, "evidence", 0.2, cat, *rest) for i, *rest in checks))
    wrong, right = hiding(replace(found, hidden=hidden))
    assert wrong == (
        "With their evidence hidden (up to 20 % of the photo), 1 of 2 wrong answers change, 1 of them to a true class; with as "
        "much hidden at a random place, 0 (p 1)."
    )
    assert right.endswith("1 of 1 suspicious right answers change; with as much hidden at a random place, 1 (p 1).")


def test_quantities_have_their_units():
    assert [chance(0.0123), chance(0.001), chance(1e-9)] == ["p 0.012", "p 0.001", "p below 0.001"]
    assert [apart(each) for each in (-0.1, 0.3, 0.6, 0.9)] == ["hardly apart", "weakly apart", "well apart", "far apart"]
    assert [quantity(0.123, "share"), quantity(71.6, ""), quantity(300, "pixels")] == ["12 %", "72", "300 pixels"]
    said = difference(TraitDifference("brightness", "dark", "share", 0.1, 0.5, 0.02, 9, 0.001, 0.0123))
    assert said == "dark (brightness 10 % on average, 50 % of those answered right; adjusted p 0.012)"
