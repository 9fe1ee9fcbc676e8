"""The record of a comparison, from numbers written by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from seewhy.metrics.verdict.outcome import ComparedPhoto, MethodComparison, examples_of

DELETION = {"good": [0.5, 0.6, 0.4, 0.7, 0.5, 0.6, 0.5, 0.45], "bad": [0.0, 0.1, 0.0, 0.2, 0.0, 0.1, 0.05, 0.0],
            "random-map": [0.0, 0.0, 0.1, 0.0, 0.05, 0.0, 0.0, 0.1]}  # fmt: skip


@pytest.fixture(scope="module")
def found():
    photos = tuple(
        ComparedPhoto(f"{place}.png", place, "cat", {(method, "deletion"): values[place] for method, values in DELETION.items()}
                      | {("good", "head"): place / 10, ("good", "seconds"): 0.1})
        for place in range(8)
    )  # fmt: skip
    return MethodComparison("net", "layer4", {"random-map": "nothing", "bad": "1", "good": "1"}, photos, 9, 0, 1.5)


def test_the_numbers_by_criterion_and_method(found):
    assert found.methods[-1] == "random-map"
    assert found.values["deletion"]["bad"].tolist() == DELETION["bad"]
    assert np.isnan(found.values["head"]["bad"]).all()
    assert [*found.rankings] == ["deletion", "head", "seconds"]


def test_the_table(found):
    head, *rows = found.table()
    assert head == ("method", "verdict", "deletion", "head", "seconds")
    assert [row[:2] for row in rows] == [("good", "trust"), ("bad", "avoid"), ("random-map", "control")]
    assert rows[0][2].startswith("0.53 (0.4")
    assert rows[0][2].endswith("*")
    assert rows[1][3] == "-"


def test_the_words(found):
    assert str(found).splitlines()[0] == "For net at layer4, by 8 photos: trust good."
    assert "Avoid bad: hiding what it marks takes no more than can be told" in str(found)


def test_the_best_and_the_worst_photo_of_who_leads(found):
    assert examples_of(found) == {"samples": [0, 1], "deletion": [3, 2], "head": [0, 7]}


def test_how_far_each_is_ahead_of_the_controls_is_in_the_json(found):
    centred = [photo._replace(values={**photo.values, ("centre", "deletion"): 0.52}) for photo in found.photos]
    both = replace(found, photos=tuple(centred), costs={**found.costs, "centre": "nothing"})
    good = next(row for row in json.loads(both.to_json())["criteria"]["deletion"]["methods"] if row["method"] == "good")
    assert good["to_centre"]["mean"] == pytest.approx(np.mean(DELETION["good"]) - 0.52)
    assert good["to_random"]["mean"] == pytest.approx(np.mean(DELETION["good"]) - np.mean(DELETION["random-map"]))
    assert not both.rankings["deletion"][0].to_centre.settled
    why = {each["method"]: each["why"] for each in json.loads(both.to_json())["verdicts"]}["good"][0]
    assert "no more than can be told from what hiding the middle of the photo takes" in why
