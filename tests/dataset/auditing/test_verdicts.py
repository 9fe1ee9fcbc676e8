"""The verdict on each class and on the whole."""

from seewhy.dataset.auditing.suspects import Suspicion
from seewhy.dataset.auditing.verdicts import class_verdicts, whole_verdict

SUSPECT = Suspicion("cat", "place", "a corner", "most of the evidence lies in a corner", 0.01, ((0, 0, 0.25, 0.25),))
FILE = Suspicion("cat", "file", "width in pixels", "all are wide", 0.01)


def test_the_worst_suspicion_is_the_verdict_and_the_worst_class_comes_first():
    found = class_verdicts({"ant": 10, "bee": 3, "cat": 10, "dog": 12}, [FILE, SUSPECT])
    assert [(each.explained, each.photos, each.verdict) for each in found] == [
        ("cat", 10, "suspect"), ("ant", 10, "clear"), ("dog", 12, "clear"), ("bee", 3, "few"),
    ]  # fmt: skip
    assert found[0].suspicions == (SUSPECT, FILE)
    assert str(found[0]) == (
        "cat (10 photos): is suspect. Most of the evidence lies in a corner; it was not pasted onto other photos. All are wide."
    )
    assert str(found[1]) == "ant (10 photos): nothing was found."
    assert found[0].facts["suspicions"][1]["where"] == "width in pixels"


def test_what_is_said_of_all_classes_together_has_all_photos():
    (whole, *_) = class_verdicts({"ant": 10, "bee": 5}, [Suspicion("all classes", "region", "border", "why", 0.01)])
    assert (whole.explained, whole.photos) == ("all classes", 15)


def test_one_sentence_on_the_whole():
    counts = {"ant": 10, "bee": 3, "cat": 10}
    assert whole_verdict(class_verdicts(counts, []), 23) == (
        "No shortcut was found in 3 classes on 23 photos; 1 have too few photos to tell."
    )
    assert whole_verdict(class_verdicts(counts, [SUSPECT]), 23) == (
        "Of 3 classes on 23 photos: is suspect: cat; 1 have too few photos to tell."
    )
    assert whole_verdict(class_verdicts({"ant": 2}, []), 2).startswith("Of 1 class on 2 photos none has enough photos")
    assert "5 are needed" in whole_verdict(class_verdicts({"ant": 2}, []), 2)
