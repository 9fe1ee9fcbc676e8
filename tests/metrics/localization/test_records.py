"""Scores in words, as a table, as CSV and JSON: never a number alone."""

import csv
import json

from seewhy.metrics.localization.records import ControlScore, LocalizationScore, csv_of_scores, json_of_scores, table

CENTRE = ControlScore("centre", 0.25, (0.1, 0.4), (0.05, 0.6))
RANDOM = ControlScore("random", 0.125, (0.0, 0.3), (0.2, 0.7))
SCORE = LocalizationScore("GT-known", 0.5, (0.41, 0.63), 200, (RANDOM, CENTRE), "the true boxes of 100 other photos", (0.15,))
BARE = LocalizationScore("mass", 1 / 3, (0.3, 0.4), 1)


def test_a_score_says_its_interval_its_controls_and_what_chose_its_threshold():
    assert str(SCORE) == (
        "GT-known: 50.0 % (41.0 to 63.0), 200 photos; random 12.5 % (0.0 to 30.0); centre 25.0 % (10.0 to 40.0); "
        "supervision the true boxes of 100 other photos (0.15)"
    )
    assert str(BARE) == "mass: 33.3 % (30.0 to 40.0), 1 photo; supervision none: there is no threshold"


def test_a_score_knows_its_error():
    assert SCORE.error == 0.5
    assert BARE.error == 1 - 1 / 3


def test_a_table_has_a_row_for_each_score_and_leaves_out_empty_columns():
    lines = table([SCORE, BARE]).splitlines()
    assert lines[0].split("  ")[0] == "measure"
    assert [line.split()[0] for line in lines] == ["measure", "GT-known", "mass"]
    assert "50.0 %  41.0 to 63.0" in lines[1]
    assert "12.5 % (0.0 to 30.0)" in lines[1]
    assert "25.0 % (10.0 to 40.0)" in lines[1]
    assert "the true boxes of 100 other photos (0.15)" in lines[1]
    assert lines[1].index("12.5 %") == lines[0].index("random") == lines[2].index("-  ")
    named = table({"grad-cam": [SCORE], "cam": [BARE]}).splitlines()
    assert [line.split()[0] for line in named[1:]] == ["grad-cam", "cam"]


def test_csv_and_json_hold_all_digits_and_all_that_is_beside_the_number():
    (row,) = csv.DictReader(csv_of_scores([SCORE]).splitlines())
    assert (row["measure"], float(row["value"]), row["images"]) == ("GT-known", 0.5, "200")
    assert [float(row[name]) for name in ("low", "high", "centre", "centre_low", "centre_ahead_high", "thresholds")] == [
        0.41, 0.63, 0.25, 0.1, 0.6, 0.15,
    ]  # fmt: skip
    first, second = (json.loads(line) for line in json_of_scores({"a": [SCORE], "b": [BARE]}).splitlines())
    assert (first["of"], first["random_ahead_low"], first["supervision"]) == ("a", 0.2, "the true boxes of 100 other photos")
    assert (second["of"], second["value"]) == ("b", 1 / 3)
    rows = list(csv.DictReader(csv_of_scores({"a": [BARE], "b": [SCORE]}).splitlines()))
    assert [each["of"] for each in rows] == ["a", "b"]
    assert rows[0]["centre"] == ""
