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
