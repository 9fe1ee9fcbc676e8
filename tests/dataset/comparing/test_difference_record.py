"""The record of a difference: JSON, CSV, sentences."""

import csv
import io

import pytest

from seewhy.dataset.comparing.comparing_runs import compare_runs
from seewhy.dataset.comparing.difference_record import MeanChange
from support.strict_json import strict


@pytest.fixture(scope="module")
def found(two_runs):
    return compare_runs(*two_runs)


def test_json_says_all(found):
    said = strict(found.to_json())
    assert said["matched"] == 24 == len(said["photos"])
    assert said["says"] == str(found).splitlines()
    assert said["answers"]["fixed"] == found.answers.fixed
    assert sum(said["counts"].values()) == 24
    assert said["classes"][0]["class"] == "bird"
    assert said["photos"][0]["energy_shift"] == found.photos[0].looks.energy_shift


def test_csv_has_a_row_for_each_photo(found):
    rows = [*csv.DictReader(io.StringIO(found.to_csv()))]
    assert [row["path"] for row in rows] == [photo.path for photo in found.photos]
    assert float(rows[0]["energy_shift"]) == found.photos[0].looks.energy_shift
    assert {row["truth"] for row in rows} == {"bird", "car", "fish"}


def test_a_mean_has_its_interval():
    change = MeanChange.of([0.0, 0.5, 1.0, 0.5, 0.5, 0.5])
    assert change.mean == pytest.approx(0.5)
    assert change.low < 0.5 < change.high
    assert str(change).startswith("50.0 % (")
    assert str(MeanChange.of([0.25])) == "25.0 %"
    assert MeanChange.of([]) is None


def test_its_repr_is_short(found):
    assert repr(found).startswith("<RunDifference over 24 photos: ")
