"""Keras models on TensorFlow and on JAX, as `wrap` makes them."""

from importlib import import_module
from typing import Any

import keras
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.models.backend.model import BackendModel
from seewhy.models.model import Answer
from seewhy.models.settings import Settings

from .call import KerasCall

BACKENDS = {"tensorflow": "KerasOnTensorFlow", "jax": "KerasOnJax"}  # the class in the module of that name


class KerasModel(BackendModel):
    """A Keras model whose inside can be read, on TensorFlow or JAX.  Made by `seewhy.wrap`."""

    backend: Any  # KerasOnTensorFlow | KerasOnJax

    def __init__(self, network: Any, settings: Settings) -> None:
        if settings.device is not None or settings.dtype is not None:
            raise BadParameter(
                "A Keras model runs where its variables are, in the precision that its layers were made with: leave device= "
                "and dtype= out, and say it in Keras, as in keras.device or keras.config.set_dtype_policy."
            )
        name = keras.backend.backend()
        reader = getattr(import_module(f".{name}", __package__), BACKENDS[name])
        super().__init__(reader(KerasCall(network, settings)), settings)

    @property
    def keras_model(self) -> Any:
        """The Keras model, as the person gave it."""
        return self.backend.call.model

    def answer_of(self, raw: NDArray[Any]) -> Answer:
        if self.task is None and self.backend.call.left == "sigmoid":  # a sigmoid each, which was left off
            self.task = "multi-label"
        return super().answer_of(raw)
