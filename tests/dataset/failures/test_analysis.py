"""The analysis of a run as a whole."""

import json
from dataclasses import replace

import numpy as np
import pytest

import seewhy
from seewhy.dataset.failures.analysis import analyse
from seewhy.dataset.failures.calibration import calibration
from seewhy.json_text import as_json
from seewhy.truth.accuracy import Portion
from support.answered import answered

pytest.importorskip("sklearn")


def some(count=24):
    return [answered(i, i % 2, 0, 0.6 + 0.01 * i) for i in range(count)]


def test_all_parts_are_of_the_same_photos():
    found = analyse(some(), total=30)
    assert (found.run.count, found.total, found.missing) == (24, 30, 6)
    assert found.right == Portion(12, 24)
    assert found.among_five == Portion(24, 24)
    assert found.calibration == calibration(0.6 + 0.01 * np.arange(24), np.arange(24) % 2 == 0)
    assert [cell.count for cell in found.cells] == [12]
    assert not found.hidden.done
    facts = json.loads(as_json(found.facts))
    low, high = Portion(12, 24).interval
    assert facts["right"] == {"part": 12, "of": 24, "share": 0.5, "low": low, "high": high}
    assert facts["confusions"][0]["photos"] == [23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1]
    assert facts["calibration"]["ece"] == pytest.approx(found.calibration.ece)
    assert (facts["hidden"], facts["off_object"], facts["places"]) == (None, None, [])


@pytest.mark.parametrize(
    "photos",
    [
        [], [answered(0, 0, 0)], [answered(0, 0, 1)], [answered(i, i % 4, i % 4) for i in range(30)],
        [answered(i, 0, 1) for i in range(30)], [answered(i, None, i % 4) for i in range(30)],
        [answered(0, 0, 0, error="BadImage: none", maps=[], predicted=None)],
    ],
    ids=["empty", "one right", "one wrong", "all right", "all wrong", "no truth", "failed"],
)  # fmt: skip
def test_odd_runs_have_an_analysis_too(photos):
    found = analyse(photos)
    known = [photo for photo in photos if photo.truth and photo.error is None]
    assert found.right == (Portion(sum(bool(photo.right) for photo in known), len(known)) if known else None)
    assert found.missing == 0
    json.loads(as_json(found.facts))


def test_a_run_of_a_regression_is_refused():
    amounts = [replace(photo, predicted=None, right=None) for photo in some(3)]
    with pytest.raises(seewhy.NotApplicable, match="took no photo for a class"):
        analyse(amounts)
    assert len(analyse([*amounts, answered(3, 0, 0)]).run.failed) == 3


def test_with_the_model_it_is_asked_again():
    class Model:
        labels = None

        def batches(self, images):
            raise AssertionError("the photos are not there, so nothing is asked")

    found = analyse(some(4), model=Model())
    assert found.hidden.done
    assert [photo.item for photo, _ in found.hidden.failed] == [3, 1]
