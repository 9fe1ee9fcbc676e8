"""What is said of all photos whose truth is known, and of several models."""

from seewhy.cli.truth import TruthAsked
from seewhy.cli.truth_summary import differing, summary
from seewhy.truth.accuracy import Judgement
from seewhy.truth.given import GivenTruth


def test_exactly_one_line_is_never_left_out():
    asked = TruthAsked(GivenTruth(folders=True), [], True)
    for count, told in ((6, 6), (7, 5), (8, 5)):
        asked.judged = [Judgement((place,), place + 1) for place in range(count)]
        lines = summary(asked)
        assert sum("taken for" in line for line in lines) == told
        rest = [f"  and {count - told} other kinds of wrong answers"] * (told < count)
        assert [line for line in lines if "kinds" in line] == rest


def test_photos_on_which_models_differ_are_counted_and_named():
    one, two = (TruthAsked(GivenTruth(folders=True), [], True) for _ in "ab")
    assert differing([one, two]) == []
    one.answers = {f"{place}.png": 0 for place in range(9)}
    two.answers = dict(one.answers)
    assert differing([one]) == []
    assert differing([one, two]) == ["the models give the same answers on all 9 photos"]
    two.answers |= {"1.png": 1, "3.png": 2}
    assert differing([one, two]) == ["the models' answers differ on 2 of 9 photos: 1.png, 3.png"]
    two.answers = dict.fromkeys(one.answers, 1)
    (line,) = differing([one, two])
    assert line.endswith("differ on 9 of 9 photos: 0.png, 1.png, 2.png, 3.png, 4.png, and 4 more")
    one.labels, two.labels = ["tabby, tabby cat", "dog"], ["dog", "tabby"]  # one class under two indices
    assert differing([one, two]) == ["the models give the same answers on all 9 photos"]
