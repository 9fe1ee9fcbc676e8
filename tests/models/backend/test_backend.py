"""The protocol that an adapter fills in is all that a model asks of it."""

from typing import Any

import numpy as np

import seewhy
from seewhy.models.backend.backend import Backend
from seewhy.models.backend.model import BackendModel
from seewhy.models.settings import Settings
from support.numpy_backend import NumpyNetwork, torch_twin

MEMBERS = {*Backend.__annotations__} | {name for name, value in vars(Backend).items() if callable(value) and name[0] != "_"}


class NoMoreThanAsked:
    """Hands on what the protocol names, and knows nothing else."""

    def __init__(self, backend: Any) -> None:
        self.backend, self.asked = backend, set()

    def __getattr__(self, name: str) -> Any:
        assert name in MEMBERS, name
        self.asked.add(name)
        return getattr(self.backend, name)


def test_a_model_asks_for_all_of_the_protocol_and_no_more():
    backend = NoMoreThanAsked(NumpyNetwork(torch_twin()))
    model, x = BackendModel(backend, Settings("by hand")), np.random.default_rng(0).normal(size=(1, 3, 8, 8))
    seewhy.explain(model, x, ["grad-cam", "guided-backprop", "eigen-cam", "recipro-cam", "cam"])
    seewhy.doctor(model, x)
    repr(model)
    model.takes_signals()
    assert backend.asked == MEMBERS
