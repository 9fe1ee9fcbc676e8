"""What the doctor says of functions that let images of a call change each other's scores, or take one at a time."""

import numpy as np
import pytest

import seewhy
from support.mixing import KINDS, X, plain


def hazards(function, **settings):
    report = seewhy.doctor(seewhy.wrap(function, takes="float", **settings), X)
    return {hazard.name: hazard for hazard in report.hazards}


@pytest.mark.parametrize("size", [None, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_the_doctor_says_what_the_maps_say(kind, size):
    found = hazards(KINDS[kind], batch_size=size)
    (m,) = seewhy.rise(seewhy.wrap(KINDS[kind], takes="float", batch_size=size), X, target=1, masks=8)
    (name,) = {*found} - {"scores-only"}
    assert name == ("one-at-a-time" if kind == "one at a time" else "mixed-batch")
    assert any(words.startswith(found[name].words.partition(":")[0]) for words in m.source.warnings)


@pytest.mark.parametrize("size", [1, 2, None])
def test_the_doctor_says_nothing_of_an_ordinary_function(size):
    calls = []

    def function(x):
        calls.append(len(x))
        return plain(x)

    assert {*hazards(function, batch_size=size)} == {"scores-only"}
    assert calls == [1, 1, size or 3]


def test_a_function_is_not_asked_for_several_where_one_each_was_asked_for():
    assert {*hazards(KINDS["mean"], batch_size=1)} == {"scores-only"}


def test_what_fails_for_want_of_memory_is_not_the_image():
    def function(x):
        if len(x) > 1:
            raise MemoryError
        return plain(x)

    assert {*hazards(function)} == {"scores-only"}


def test_what_draws_at_random_does_not_mix():
    rng = np.random.default_rng(0)
    assert {*hazards(lambda x: plain(x) + rng.normal(size=(len(x), 2)))} == {"scores-only", "non-deterministic"}
