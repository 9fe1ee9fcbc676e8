"""Keras models on the torch backend, read by the torch adapter."""

from collections.abc import Mapping
from typing import Any

import keras

from seewhy.models.settings import Settings
from seewhy.models.torch.model import TorchModel

from .torch_network import KerasNetwork


class TorchKerasModel(TorchModel):
    """A Keras model whose inside can be read, on the torch backend.  Made by `seewhy.wrap`."""

    def __init__(self, network: Any, settings: Settings) -> None:
        super().__init__(KerasNetwork(network, settings.channels, settings.task == "regression"), settings)

    @property
    def keras_model(self) -> Any:
        """The Keras model, as the person gave it."""
        network: Any = self.network
        return network.model.value

    def takes_signals(self) -> bool:
        """Does it take batches (n, l, c)?"""
        inputs = getattr(self.keras_model, "inputs", None) or ()
        return self.prepare is None and any(len(each.shape) == 3 for each in inputs)

    def versions(self) -> Mapping[str, str]:
        return {**super().versions(), "keras": f"{keras.__version__} on {keras.backend.backend()}"}

    def conditions(self) -> Mapping[str, Any]:
        return {**super().conditions(), "backend": "Keras on torch"}
