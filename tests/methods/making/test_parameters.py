"""What methods take: read off signatures and docstrings, told in help, and checked by kind."""

import inspect
import pydoc
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import pytest

import seewhy
from seewhy import METHODS
from seewhy.methods import path, relevance
from seewhy.methods.making.method import lookup
from seewhy.methods.making.parameters import SHARED, fits, in_help, in_words, parameters_of, split

MADE = ["smooth(full-grad)", "augment(grad-cam)", "product(guided-backprop, rise)", "libra(smooth(gradient))"]
COMMON = ("model", "images", "target", "layer", "tile", "overlap", "on_error")
KINDS = {
    "a whole number": (int, [3, 50.0, np.int64(2), -1], [2.5, "3", True, None, float("nan"), float("inf"), [1], 1j]),
    "a number": (float, [3, 0.5, np.float32(2), np.inf], ["3", True, None, [1.0], np.ones(2), 1j]),
    "either True or False": (bool, [True, 0, 1, np.bool_(False)], ["yes", None, 2, 1.0, np.ones(2)]),
    "a text": (str, ["a", ""], [3, None, b"a"]),
    "one of a, b": (Literal["a", "b"], ["a"], ["c", None, ["a"], {}]),
    "'auto' or a whole number or a list, each a whole number": (
        Literal["auto"] | int | Sequence[int], ["auto", 3, (3, 4), [], np.array([3])], ["other", 2.5, [2.5], None, "3"]
    ),
    "a number or None": (float | None, [None, 3], ["None", True]),
}  # fmt: skip


@pytest.mark.parametrize("words", KINDS)
def test_a_value_is_of_a_kind_or_is_not_and_the_kind_has_words(words):
    kind, good, bad = KINDS[words]
    assert in_words(kind) == words
    assert [value for value in good if not fits(value, kind)] == []
    assert [value for value in bad if fits(value, kind)] == []
    assert all(fits(value, Any) and fits(value, kind | np.ndarray) for value in [*good, *bad])  # an array is looked at later


def test_parameters_are_read_off_a_signature_and_a_docstring():
    def mine(a, g, *, power: int = 2, seed=0, plain):
        """What: it does.

        power: to which
            it is raised: 2 is usual.

        Source: me: you.
        """

    read = parameters_of(mine)
    assert [*read] == ["power", "seed", "plain"]
    assert read["power"] == (2, int, "to which\nit is raised: 2 is usual.")
    assert read["seed"] == (0, Any, SHARED["seed"])
    assert (read["plain"].default, read["plain"].meaning) == (inspect.Parameter.empty, "")
    assert split(mine.__doc__, read)[0] == "What: it does.\n\nSource: me: you."
    assert in_help({"power": read["power"]}) == "    power=2: to which\n        it is raised: 2 is usual."


@pytest.mark.parametrize("name", [*METHODS, *MADE])
def test_help_explains_every_parameter_of_every_method(name):
    method = lookup(name)
    shown = pydoc.plain(pydoc.render_doc(method))
    taken = inspect.signature(method).parameters
    assert [*taken] == [*COMMON, *method.defaults]
    for key, parameter in taken.items():
        head = f"        {key}: " if parameter.default is parameter.empty else f"        {key}={parameter.default!r}: "
        (entry,) = (line for line in shown.splitlines() if line.startswith(head))
        assert len(entry.removeprefix(head).split()) > 2, f"{name}: what is {key}?"
    for said in (method.formula, method.source, f"Costs {method.cost}."):
        assert " ".join(said.split()) in " ".join(shown.split())


def test_every_parameter_of_a_shipped_method_has_an_annotation():
    open_ = {(name, key) for name, method in METHODS.items() for key, p in method.parameters.items() if p.kind is Any}
    assert {key for _, key in open_} == {"dtype"}  # a precision of whatever framework


def test_the_names_that_editors_offer_are_those_that_are_taken():
    assert get_args(path.Quadrature) == tuple(path.RULES)
    assert get_args(relevance.LrpRule) == tuple(relevance.RULES)
    assert get_args(relevance.AttentiveRule) == tuple(relevance.ATTENTIVE)


def test_parameters_of_a_method_s_own_are_given_by_name():
    with pytest.raises(seewhy.BadParameter, match="give its own parameters by name, as in signed="):
        seewhy.grad_cam.using(True)
    with pytest.raises(seewhy.BadParameter, match="give its own parameters by name, as in signed="):
        seewhy.grad_cam(seewhy.wrap(lambda x: x), np.zeros((8, 8, 3), np.uint8), 0, None, None, None, "raise", True)


def test_the_class_and_its_methods_have_signatures():
    assert "name" in inspect.signature(seewhy.Method).parameters
    assert inspect.signature(seewhy.grad_cam).return_annotation is seewhy.Heatmaps
    assert str(inspect.signature(seewhy.lrp)).count("rule: Literal[") == 1
