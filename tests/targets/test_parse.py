"""What a person may write for a target, and what a new way of writing one takes."""

import sys
from importlib import import_module

import numpy as np
import pytest

import seewhy
from seewhy import AnyOf, Class, Contrast, PerImage, Point, Region, Top, Unit
from seewhy.errors import BadParameter, NoSuchName
from seewhy.targets.box import Box
from seewhy.targets.embedding import Similar, Text
from seewhy.targets.parse import KINDS, LONGEST, MOST, as_targets
from seewhy.targets.token import Token

LABELS = ["red", "green", "unit: blue"]
WRITTEN = {
    "any:green": AnyOf("green").known(LABELS),
    "any:2+0": AnyOf([2, 0]).known(LABELS),
    "unit:body.2:7": Unit("body.2", 7),
    "unit:body:7:sum": Unit("body", 7, "sum"),
    "unit:body:7:1,2": Unit("body", 7, (1, 2)),
    "region:green": Region(1),
    "point:3,4.5:red": Point(3, 4.5, 0),
    "box:green:2": Box(1, 2),
    "similar:dog.png": Similar("dog.png"),
    "text:a dog|a cat": Text("a dog", ["a cat"]),
    "token:dog": Token("dog"),
    "token:3|longest=9|seed=0": Token(3, 0, 9),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_a_text_makes_the_target_that_writes_it(text):
    [target] = as_targets(text, LABELS)
    assert target == WRITTEN[text]
    if not isinstance(target, Text):  # which writes its whole sentences
        assert as_targets(str(target), LABELS) == [target]


def test_every_kind_of_text_is_read_by_a_class():
    assert {text.partition(":")[0] for text in WRITTEN} == {*KINDS}
    for path in KINDS.values():
        module, _, name = path.partition(":")
        assert callable(getattr(import_module(module), name).parse)


def test_a_label_is_a_label_whatever_it_begins_with():
    assert as_targets("unit: blue", LABELS) == [Class(2)]
    assert as_targets("red", LABELS) == as_targets(0, None) == as_targets([np.int64(0)], None) == [Class(0)]
    with pytest.raises(BadParameter, match="write unit:LAYER:CHANNEL"):
        as_targets("unit: blue", None)
    with pytest.raises(NoSuchName, match="No class 'colour:red'"):
        as_targets("colour:red", LABELS)


def test_lists_arrays_and_ranges_are_several():
    for several in (range(2), np.array([0, 1]), (0, "1")):
        assert as_targets(several, None) == [Class(0), Class(1)]
    assert as_targets([Top(2), Contrast("red", "green")], LABELS) == [Top(2), Contrast(0, (1,))]
    [each] = as_targets(PerImage(["red", "region:green"]), LABELS)
    assert each == PerImage([Class(0), Region(1)])
    assert str(each) == "each image's own"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([], "list of targets is empty"),
        (range(MOST + 1), "100,001 targets are asked for at once"),
        ("x" * (LONGEST + 1), "10,001 characters long"),
        (None, "None is no target"),
        (True, "True is no target"),
        (Top, "is no target"),
        (PerImage([PerImage([0])]), "no PerImage and no Unit"),
        (PerImage(["unit:body:7"]), "no PerImage and no Unit"),
        (PerImage([Unit("body", 7)]), "no PerImage and no Unit"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_target_is_refused(target, message):
    with pytest.raises(BadParameter, match=message):
        as_targets(target, LABELS)


OWN = """
from dataclasses import dataclass
from seewhy.targets.aim import Aim, Pinned

@dataclass(frozen=True)
class Darkest(Aim):
    channel: int
    local = False

    def pin(self, output, view):
        return Pinned(lambda output: output[:, self.channel].reshape(len(output), -1).min(1), "activation", str(self))

    @classmethod
    def parse(cls, text):
        return cls(int(text.partition(":")[2]))

    def __str__(self):
        return f"darkest:{self.channel}"
"""


def test_a_new_target_is_one_file_and_one_line(tmp_path, monkeypatch):
    (tmp_path / "darkest_target.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(KINDS, "darkest", "darkest_target:Darkest")
    x = np.random.default_rng(0).uniform(1, 2, (1, 3, 4, 6)).astype(np.float32)
    x[0, 2, 1, 5] = 0.5
    model = seewhy.wrap(lambda images: images, takes="float")
    [found] = seewhy.occlusion(model, x, target="darkest:2", window=1, stride=1, fill=5.0)
    assert (found.source.target, found.source.score) == ("darkest:2", 0.5)
    assert np.argwhere(found.values).tolist() == [[1, 5]]  # only where the darkest pixel is hidden
    assert "darkest_target" in sys.modules


@pytest.mark.parametrize(
    ("text", "contrast"),
    [
        ("red-vs-green", Contrast(0, (1,))),
        ("0-vs-1+2", Contrast(0, (1, 2))),
        ("RED-vs-green:0.6", Contrast(0, (1,), 0.6)),
        ("red-vs-green+2:1", Contrast(0, (1, 2), 1.0)),
        ("red-vs-green:-0.5", Contrast(0, (1,), -0.5)),
        ("red-vs-look-alikes", Contrast(0, ())),
        ("red-vs-2 look-alikes:0.6", Contrast(0, (), 0.6, 2)),
    ],
)
def test_a_text_makes_the_contrast_that_it_says(text, contrast):
    [target] = as_targets(text, LABELS)
    assert target == contrast
    assert as_targets(str(target), LABELS) == [target], "what it writes is read again"


def test_a_label_is_no_contrast_and_no_strength():
    labels = ["a", "a-vs-b", "b:0.6", "c+d", "b"]
    assert as_targets("A-vs-b", labels) == [Class(1)]
    assert as_targets("a-vs-b:0.6", labels) == [Contrast(0, (2,))]
    assert as_targets("a-vs-c+d:0.6", labels) == [Contrast(0, (3,), 0.6)]


@pytest.mark.parametrize("text", ["red-vs-", "-vs-green", "red-vs-green+", "red-vs-green:0.6.1", "red-vs-:0.6"])
def test_a_contrast_of_nothing_is_told_how_to_write_it(text):
    with pytest.raises(BadParameter, match="A-vs-B"):
        as_targets(text, LABELS)


def test_each_image_may_have_a_target_in_words():
    targets = PerImage(["top", "top 2", '"red"', "red-vs-green:0.6", "any:green", 2])
    (found,) = as_targets(targets, LABELS)
    assert found.targets == (Top(), Top(2), Class(0), Contrast(0, 1, 0.6), AnyOf("green").known(LABELS), Class(2))
    with pytest.raises(BadParameter, match="'top:2' is 2 of them"):
        as_targets(PerImage(["top:2", 0]), LABELS)


class Whole:
    """A target of someone's own, whose `parse` knows nothing of errors."""

    @classmethod
    def parse(cls, text):
        return int(text.partition(":")[2])


@pytest.mark.parametrize("text", ["whole:x", "whole:", "WHOLE: 1.5"])
def test_what_a_target_of_ones_own_cannot_read_is_misuse(monkeypatch, text):
    monkeypatch.setitem(sys.modules, "whole_target", sys.modules[__name__])
    monkeypatch.setitem(KINDS, "whole", "whole_target:Whole")
    with pytest.raises(BadParameter, match=f"{text}.*invalid literal"):
        as_targets(text, LABELS)
    assert as_targets(text, [text, "b"]) == [Class(0)], "but for a label that is spelt so"


@pytest.mark.parametrize(
    ("labels", "text", "index"),
    [
        (["9", "3", "1", "7"], "3", 3), (["9", "3", "1", "7"], '"3"', 1), (["10-wheeler", "1", "0"], "1", 1), (["10-wheeler",
        "1", "0"], "0", 0),
        (["10-wheeler", "1", "0"], '"0"', 2), (["2019", "2020"], "2020", 1), (["2019", "2020"], "1", 1), (["007", "x"], "007",
        0),
        (["x", "-1"], "-1", 1), (["x", "y", "1, one"], "1", 1), (["x", "y", "1, one"], '"1"', 2), (["1e3", "x"], "1e3", 0),
        (None, "7", 7),
    ],
)  # fmt: skip
def test_a_number_is_an_index_wherever_a_class_is_named(labels, text, index):
    assert as_targets(text, labels) == [Class(index)]
    assert as_targets(f"region:{text}", labels) == [Region(index)]
    assert as_targets(f"point:1,2:{text}", labels) == [Point(1, 2, index)]
    assert as_targets(f"box:{text}:1", labels) == [Box(index, 1)]
    assert as_targets(f"{text}-vs-2 look-alikes", labels) == [Contrast(index, look_alikes=2)]
    (group,) = as_targets(f"any:{text}+{text}", labels)
    assert group.classes == (index,)
