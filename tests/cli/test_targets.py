"""What a person writes for --target."""

import click
import pytest

from seewhy import Contrast, Top
from seewhy.cli.targets import one_target, parse_target
from seewhy.errors import BadParameter, NoSuchName
from seewhy.targets.group import Group
from seewhy.targets.parse import LONGEST, TOPS, as_targets
from seewhy.targets.target import Class

LABELS = ["cat", "hound, dog", "cat-vs-dog"]


def test_top_classes():
    assert parse_target("top", LABELS) == [Top(1)]
    assert parse_target("TOP:3", LABELS) == [Top(1), Top(2), Top(3)]
    assert parse_target(f"top:{TOPS}", None)[-1] == Top(TOPS)


@pytest.mark.parametrize(
    ("text", "labels", "said"),
    [("top:4", LABELS, "3 classes; top:3 is the most"), (f"top:{TOPS + 1}", None, f"too many at once; top:{TOPS}"),
     ("top:0", LABELS, "write top, or top:3"), ("top:x", LABELS, "write top, or top:3"),
     ("a" * (LONGEST + 1), LABELS, "characters long")],
)  # fmt: skip
def test_what_is_none_is_told_what_would_be(text, labels, said):
    with pytest.raises((click.BadParameter, BadParameter), match=said):
        parse_target(text, labels)


def test_python_takes_the_same_texts():
    assert as_targets(["top:2", "cat"], LABELS) == [Top(1), Top(2), Class(0)]
    assert as_targets("top", ["bottom", "top"]) == [Class(1)], "the name of a class"


def test_indices_and_labels():
    assert parse_target("2", LABELS) == [Class(2)]
    assert parse_target(" dog ", LABELS) == [Class(1)]
    assert parse_target("7", None) == [Class(7)]
    with pytest.raises(NoSuchName, match="-1"):
        parse_target("-1", LABELS)
    assert parse_target("cat-vs-dog", LABELS) == [Class(2)], "the name of a class, and no contrast"


def test_contrasts():
    assert parse_target("cat-vs-1", LABELS) == [Contrast(0, (1,))]
    assert parse_target("0-vs-1+2", LABELS) == [Contrast(0, (1, 2))]
    assert parse_target("0-vs-1:0.6", LABELS) == [Contrast(0, (1,), 0.6)]
    assert parse_target("cat-vs-dog+2:1", LABELS) == [Contrast(0, (1, 2), 1.0)]


def test_groups():
    assert parse_target("any:dog", LABELS) == [Group((1, 2), "any:dog", "any dog: hound, cat-vs-dog (2 classes)")]
    assert [group.classes for group in parse_target("any:0+hound", LABELS)] == [(0, 1)]


def test_one_target_is_one():
    assert one_target("cat", LABELS, "one is explained") == parse_target("cat", LABELS)[0]
    with pytest.raises(click.BadParameter, match="'top:2' are several; one is explained"):
        one_target("top:2", LABELS, "one is explained")
