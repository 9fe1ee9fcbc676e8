"""Functions that let images of a call change each other's scores, or take one at a time: what they say of each alone counts."""

import numpy as np
import pytest

import seewhy
from support.mixing import KINDS, X, plain

METHODS = {"rise": {"masks": 15}, "occlusion": {"window": 4, "stride": 4}, "kernel-shap": {"segments": "grid:3", "samples": 30}}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_maps_are_those_of_single_calls_and_say_so(kind, method):
    function, asked = KINDS[kind], seewhy.METHODS[method].using(**METHODS[method])
    alone = lambda x: np.concatenate([function(x[i : i + 1]) for i in range(len(x))])  # noqa: E731
    (expected,) = asked(seewhy.wrap(alone, takes="float"), X, target=1)
    assert not any("alone" in words or "one image" in words for words in expected.source.warnings)
    for size in (1, 2, 7, 64, None):
        (found,) = asked(seewhy.wrap(function, takes="float", batch_size=size), X, target=1)
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-5, atol=1e-7)
        said = any(words.startswith("the network mixes") or "takes one image" in words for words in found.source.warnings)
        assert said == (size != 1)


def test_an_ordinary_function_is_asked_for_one_image_more():
    calls = []

    def function(x):
        calls.append(len(x))
        return plain(x)

    model = seewhy.wrap(function, takes="float")
    for _ in range(2):
        (m,) = seewhy.rise(model, X, target=0, masks=64)
        assert not any("alone" in words for words in m.source.warnings)
    assert calls == [1, 32, 1, 32, 1, 32, 32]  # once, one of the first call of several is asked for again alone
