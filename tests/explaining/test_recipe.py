"""A recipe: what the engine knows of a method before it runs, and how a core becomes the values of a map."""

from typing import Any

import numpy as np
import pytest

from seewhy.explaining.case import Outcome
from seewhy.explaining.recipe import READINGS, Parameter, Recipe

CORE = np.array([[[[1.0, -2.0], [3.0, -4.0]], [[-5.0, 6.0], [-7.0, 8.0]]]])  # (1, 1, 2, 2, 2) as channels, below


def taken(defaults: dict[str, Any]) -> dict[str, Parameter]:
    return {name: Parameter(default, Any, "") for name, default in defaults.items()}


def given(_case: Any, **params: Any) -> dict[str, Any]:
    """A run that gives the parameters it got."""
    return {name: np.full((1, 1, 1), value, float) for name, value in params.items()}


def test_a_run_gets_every_parameter_but_those_that_finish_the_map():
    recipe = Recipe("plain", given, taken({"signed": False, "power": 2, "steps": 5}), params={"steps": 7})
    assert recipe.settings == {"signed": False, "power": 2, "steps": 7}
    cores = recipe.outcome(None).cores  # type: ignore[arg-type]
    assert {name: float(core[0, 0, 0]) for name, core in cores.items()} == {"power": 2, "steps": 7}
    pixels = Recipe("pixels", given, taken({"reduce": "max", "power": 3}), pixels=True)
    assert {*pixels.outcome(None).cores} == {"power"}  # type: ignore[arg-type]


def test_an_outcome_with_notes_is_handed_on_as_it_is():
    outcome = Outcome({"late": CORE}, lambda _t, _i: ("odd",))
    assert Recipe("plain", lambda _case: outcome, rectified=False).outcome(None) is outcome  # type: ignore[arg-type]


def test_the_relu_comes_last_unless_the_map_is_asked_for_signed():
    recipe = Recipe("plain", given, taken({"signed": False}))
    np.testing.assert_array_equal(recipe.finished(CORE), np.maximum(CORE, 0))
    signed = Recipe("plain", given, taken({"signed": False}), params={"signed": True})
    assert signed.finished(CORE) is CORE
    assert Recipe("plain", given, rectified=False).finished(CORE) is CORE


@pytest.mark.parametrize(
    ("how", "expected"),
    [("max", [[5, 6], [7, 8]]), ("sum", [[-4, 4], [-4, 4]]), ("l2", [[26**0.5, 40**0.5], [58**0.5, 80**0.5]])],
)
def test_channels_of_a_pixel_method_are_joined(how, expected):
    recipe = Recipe("pixels", given, taken({"reduce": how}), pixels=True)
    np.testing.assert_allclose(recipe.finished(CORE[None]), [[expected]])


def test_other_methods_build_on_finished_maps_or_on_channels():
    run = lambda _case, **_: {"late": CORE}  # noqa: E731
    np.testing.assert_array_equal(Recipe("a", run, taken({"signed": False})).maps(None)["late"], np.maximum(CORE, 0))  # type: ignore[arg-type]
    assert Recipe("b", run, taken({"reduce": "sum"}), pixels=True).maps(None)["late"] is CORE  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "whole", "asks", "blind"),
    [
        ({"reads": "gradients", "shares": ("gradients",)}, False, False, False),  # the graph from the layer on is enough
        ({"reads": "gradients"}, True, False, False),
        ({"reads": "pixels", "pixels": True, "shares": ("pixels",)}, True, False, False),
        ({"reads": "activations"}, False, False, True),
        ({"reads": "nothing"}, False, False, True),
        ({"reads": "scores", "passes": "{samples} forwards"}, False, True, False),
        ({"reads": "layer scores"}, False, True, False),
        ({"reads": "gradients", "shares": ("gradients",), "passes": "{steps} passes"}, True, False, False),
    ],
)
def test_what_a_method_keeps_and_looks_at(more, whole, asks, blind):
    recipe = Recipe("any", given, **more)
    assert (recipe.whole, recipe.asks, recipe.blind) == (whole, asks, blind)


def test_cost_and_caveat_are_in_words():
    doc = "relu(sum a g)\n\nSource: Nobody.\n\nCaveat: blind\nto colours."
    recipe = Recipe("any", given, taken({"steps": 5}), doc=doc, passes="{steps} forwards")
    assert recipe.cost == "5 forwards"
    assert recipe.caveat == "blind to colours."
    assert Recipe("any", given, doc="Nothing.").caveat == ""
    assert Recipe("any", given, reads="head").cost == READINGS["head"].cost


def test_arrays_among_the_settings_are_described_in_words():
    described = Recipe("any", given, taken({"baseline": np.zeros((3, 4), np.float32), "steps": 5})).described
    assert described["steps"] == 5
    assert isinstance(described["baseline"], str)
    assert "3" in described["baseline"]
    assert "4" in described["baseline"]
