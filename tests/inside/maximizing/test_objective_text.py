"""Objectives as a person writes them: what is read, and where a text makes no sense any more."""

import numpy as np
import pytest

from seewhy import Class, Contrast, Unit
from seewhy.errors import BadParameter
from seewhy.inside.maximizing.objective_text import parsed
from seewhy.targets.sums import Direction, Diversity, WeightedSum, WholeLayer

LABELS = ["black + white", "layer:x", "tabby", "t-shirt"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("unit:conv:3", Unit("conv", 3)),
        ("2", Class(2)),
        ("tabby", Class("tabby")),
        ("t-shirt", Class("t-shirt")),
        ("layer:conv.1", WholeLayer("conv.1")),
        ('diversity:"a:b"', Diversity("a:b")),
        ("1-vs-2", Contrast(1, 2)),
        ("black + white", Class("black + white")),
        ("layer:x", Class("layer:x")),
        ("unit:conv:3 + 0.5*layer:conv - 2*tabby", Unit("conv", 3) + 0.5 * WholeLayer("conv") - 2 * Class("tabby")),
        ("-unit:conv:3", -Unit("conv", 3)),
        ("-2 * tabby + 1", -2 * Class("tabby") + Class(1)),
        ('"black + white" - "tabby"', Class("black + white") - Class("tabby")),
    ],
    ids=str,
)
def test_a_text_is_read(text, meant):
    assert parsed(text, LABELS) == meant


def test_what_a_sum_says_of_itself_is_read_as_the_same():
    total = -1.5 * Unit("a:b", 3, (1, 2)) + Class(1) - WholeLayer("conv") + 3 * Diversity("conv")
    assert parsed(str(total), LABELS) == total


def test_a_direction_is_read_from_its_file(tmp_path):
    np.save(tmp_path / "way.npy", np.array([1.0, -2.0]))
    found = parsed(f"2*direction:conv:{tmp_path / 'way.npy'}:0,1", None)
    assert isinstance(found, WeightedSum)
    ((weight, direction),) = found.terms
    assert weight == 2
    assert isinstance(direction, Direction)
    assert (direction.layer, direction.vector.tolist(), direction.at) == ("conv", [1, -2], (0, 1))
    (tmp_path / "other.npy").write_text("no array")
    with pytest.raises(BadParameter, match="cannot be read"):
        parsed(f"direction:conv:{tmp_path / 'other.npy'}", None)
    with pytest.raises(BadParameter, match="cannot be read"):
        parsed(f"direction:conv:{tmp_path / 'none.npy'}", None)


@pytest.mark.parametrize(
    "text", ["layer:", "layer:a:b", "direction:conv", "direction:conv:a.npy:up", "top:3", "unit:conv"], ids=str
)
def test_what_makes_no_sense_is_said(text):
    with pytest.raises(BadParameter):
        parsed(text, None)


@pytest.mark.parametrize("text", ["", "  ", "3*", "unit:conv:3 + ", "unit:conv:3 + 2*", "layer:conv -  "])
def test_a_sum_that_lacks_a_term_says_so(text):
    with pytest.raises(BadParameter, match="lacks a term"):
        parsed(text, ["bird", "boat"])
