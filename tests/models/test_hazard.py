"""A function that knows more than its scores, and what a person should know of it."""

import numpy as np
import pytest

from seewhy import occlusion, wrap
from seewhy.models.hazard import NOTE, WARNING, Hazard, KnownFunction

X = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)


class Warned(KnownFunction):
    hazards = (Hazard("old", WARNING, "it is old"), Hazard("small", NOTE, "it is small"))
    sha256 = "ab" * 32

    def __call__(self, images):
        return images.mean((2, 3))


def test_what_warns_is_said_on_every_map():
    source = occlusion(wrap(Warned(), takes="float"), X)[0].source
    assert "it is old" in source.warnings
    assert "it is small" not in source.warnings
    assert source.weights_sha256 == "ab" * 32


def test_by_itself_it_gives_nothing():
    assert (KnownFunction().hazards, KnownFunction().sha256) == ((), "")
    with pytest.raises(NotImplementedError):
        KnownFunction()(X)
