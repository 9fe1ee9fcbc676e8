"""Whatever value a parameter of a method is given: a map, or an error that seewhy raises on purpose."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import seewhy
from seewhy import METHODS
from seewhy.methods.making.method import lookup
from support import networks
from support.ask import asked, home

VALUES: Mapping[str, Any] = {
    "a text": "many", "an empty text": "", "bytes": b"x", "None": None, "True": True, "zero": 0, "a negative number": -1,
    "a negative fraction": -0.5, "a huge number": 10**30, "a huge fraction": 1e300, "a tiny one": 1e-320, "NaN": float("nan"),
    "infinity": float("inf"), "minus infinity": -float("inf"), "an imaginary number": 1j, "a list": [1, "a"],
    "an empty list": [], "a list of NaN": [float("nan")] * 3, "a dict": {"a": 1}, "a set": {1}, "a class": int,
    "a function": lambda x: x, "an object": object(), "an array": np.ones((2, 2)), "an array without axes": np.array(np.nan),
    "an empty array": np.zeros(0), "an array of texts": np.array(["a"]), "an array of objects": np.array([None, {}], object),
}  # fmt: skip
ALIKE = {"signed", "reduce", "budget", "fast", "dtype", "tolerance"}  # looked at in one place for all methods: tried once
MADE = ("smooth(grad-cam)", "augment(grad-cam)", "libra(grad-cam)")


def once() -> list[tuple[str, str]]:
    seen: set[object] = set()
    pairs = []
    for name in (*METHODS, *MADE):
        for key, parameter in lookup(name).parameters.items():
            kind = (key, str(parameter.kind)) if key in ALIKE else (name, key)
            if kind not in seen:
                seen.add(kind)
                pairs.append((name, key))
    return pairs


def surprises(call: Any) -> dict[str, str]:
    """What came of the values that were neither refused as misuse nor answered by maps of finite numbers."""
    odd = {}
    for said, value in VALUES.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # of squares of a score that a fill of 1e300 gave
                maps = call(value)
        except seewhy.Misuse as error:
            if "\n" in str(error) or len(str(error)) > 600:
                odd[said] = str(error)
        except Exception as error:  # noqa: BLE001
            odd[said] = repr(error)
        else:
            if not len(maps) or not all(np.isfinite(each.values).all() for each in maps):
                odd[said] = "no map, or one of NaN"
    return odd


@pytest.fixture(scope="module")
def models() -> Mapping[str, Any]:
    return {name: seewhy.wrap(getattr(networks, name)()) for name in ("pooled", "tokens")}


@pytest.mark.parametrize(("name", "key"), once(), ids=lambda word: word)
def test_any_value_of_a_parameter_gives_a_map_or_is_misuse(name, key, models):
    x = networks.images(1, 8, 8) if home(name) == "pooled" else networks.images(1)
    assert surprises(lambda value: asked(name).using(**{key: value})(models[home(name)], x, target=0)) == {}


@pytest.mark.parametrize("key", ["target", "layer", "tile", "overlap", "on_error"])
def test_any_value_of_what_all_methods_take_gives_a_map_or_is_misuse(key, models):
    x = networks.images(1, 8, 8)
    assert surprises(lambda value: seewhy.grad_cam(models["pooled"], x, **{key: value})) == {}


FILLED = ("rise", "occlusion", "score-cam", "lime", "kernel-shap", "sobol", "integrated-gradients")


@pytest.mark.parametrize("name", FILLED)
@pytest.mark.parametrize(("whole", "broken"), [(0, 0.0), (-1, -1.0), (np.int64(1), 1.0), ([0, 1, 2], [0.0, 1.0, 2.0]),
                                               (tuple(np.float32([0, 1, 2])), [0.0, 1.0, 2.0])], ids=str)  # fmt: skip
def test_a_fill_in_whole_numbers_hides_as_the_same_in_fractions(name, whole, broken, models):
    key = next(key for key in ("fill", "hide", "baseline") if key in METHODS[name].defaults)
    found, expected = (
        asked(name).using(**{key: value})(models["pooled"], networks.images(1, 8, 8), target=0)[0].values
        for value in (whole, broken)
    )
    np.testing.assert_array_equal(found, expected)
    assert np.ptp(found) > 0


def test_a_bell_narrower_than_numbers_go_is_empty_and_such_a_kernel_is_refused(models):
    x = networks.images(1, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not seewhy.centre(models["pooled"], x, sigma=1e-320)[0].values.any()  # no cell's centre is the image's
        with pytest.raises(seewhy.BadParameter, match="no sample counts"):
            seewhy.lime(models["pooled"], x, target=0, kernel_width=1e-320)
