"""What a check says of its outcome, and that it can be run again by its name."""

import json
import math
import re

import numpy as np
import pytest

from seewhy.errors import BadParameter, NoSuchName
from seewhy.metrics.checks import Check as CheckOfMetrics
from seewhy.remaking import checks
from seewhy.remaking.checks import Check, run_again, runs_again


@pytest.fixture(autouse=True)
def none_known(monkeypatch):
    monkeypatch.setattr(checks, "RUNS_AGAIN", {})


def full(**other) -> Check:
    facts = {
        "name": "deletion", "status": "red", "says": "Hiding what the map marks lowers the score no faster than chance.",
        "value": 0.41, "low": 0.35, "high": 0.47, "control": 0.4, "better": "lower", "forwards": 40,
        "settings": {"seed": 3, "steps": (1, 2)},
    }  # fmt: skip
    return Check(**{**facts, **other})


def test_it_is_one_type_wherever_it_is_imported_from():
    assert CheckOfMetrics is Check


def test_a_line_says_status_number_interval_chance_and_the_sentence():
    assert str(full()) == (
        "deletion: red (0.41, 0.35 to 0.47; chance 0.4). Hiding what the map marks lowers the score no faster than chance."
    )
    assert str(full(low=None, control=None)) == (
        "deletion: red (0.41). Hiding what the map marks lowers the score no faster than chance."
    )
    assert str(Check("stability", "grey", "No class\x1b[2J.")) == r"stability: grey. No class\x1b[2J."


def test_facts_go_through_json_and_come_back_equal():
    whole = full(value=1.0, low=0.0, settings={"steps": [1, 2], "fill": "blur"})
    text = json.dumps(whole.facts)
    assert json.loads(text) == {
        "name": "deletion", "status": "red", "says": whole.says, "value": 1, "low": 0, "high": 0.47, "control": 0.4,
        "better": "lower", "forwards": 40, "settings": {"steps": [1, 2], "fill": "blur"},
    }  # fmt: skip
    back = Check.of(json.loads(text.replace("1.0", "1").replace("0.0", "0")))
    assert back == whole
    assert isinstance(back.value, float)
    assert Check.of(Check("a", "green", "b").facts) == Check("a", "green", "b")


def test_numbers_of_numpy_are_plain_ones():
    check = full(value=np.float32(0.5), forwards=np.int64(7), settings={"seed": np.int64(3)})
    assert [type(each) for each in (check.value, check.forwards, check.settings["seed"])] == [float, int, int]
    assert (check.value, check.forwards, check.settings) == (0.5, 7, {"seed": 3})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"status": "yellow"}, "has the status 'yellow'; there are: 'green', 'amber', 'red', 'grey', 'none'."),
        ({"better": "more"}, "has the better 'more'; there are: 'higher', 'lower', ''."),
        ({"says": " "}, "says nothing"),
        ({"name": ""}, "has no name"),
        ({"value": math.nan}, "has value=nan: give a number, or None"),
        ({"control": "0.4"}, "has control='0.4': give a number"),
        ({"low": 0.5, "high": 0.4}, "has an interval from 0.5 to 0.4"),
        ({"forwards": -1}, "took -1 forwards"),
        ({"settings": [1]}, "has settings of list"),
    ],
)
def test_what_is_no_outcome_is_refused(wrong, words):
    with pytest.raises(BadParameter, match=re.escape(words)):
        full(**wrong)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["deletion"], "a check is a list"),
        ({"name": "deletion"}, "lacking or of no use: better, control,"),
        ({**full().facts, "code": "import os"}, "lacking or of no use: code"),
        ({**full().facts, "status": ["red"]}, "has the status"),
    ],
)
def test_facts_of_strangers_are_read_strictly(wrong, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        Check.of(wrong)


def twice(model, image, heatmap, settings) -> Check:
    return Check("twice", "green", "It is twice.", value=2.0 * model + settings["more"], settings=settings)


def test_a_check_is_run_again_by_its_name():
    runs_again("twice", twice)
    runs_again("twice", twice)  # as where a module is imported anew
    assert run_again("twice", 4, None, None, {"more": 1}).value == 9
    with pytest.raises(BadParameter, match="A check 'twice' is there already"):
        runs_again("twice", print)


def test_a_check_may_be_imported_when_it_is_first_run():
    runs_again("half", "fractions:Fraction")
    with pytest.raises(TypeError, match="Fraction"):  # which was called with four arguments
        run_again("half", 1, 2, 3, {})


def test_a_name_that_nobody_registered_is_an_error_with_those_that_are():
    runs_again("twice", twice)
    with pytest.raises(NoSuchName, match=r"No check that can be run again is called 'thrice'\..*There are: twice\."):
        run_again("thrice", 1, None, None, {})
    checks.RUNS_AGAIN.clear()
    with pytest.raises(NoSuchName, match="There are: none"):
        run_again("os:system", "true", None, None, {})
