"""Keras models on the JAX backend: compiled once for each shape of images and kind of question."""

# Nothing of JAX is in the environment that is checked.
# pyright: reportMissingImports=false

from typing import Any

import jax
import jax.numpy as jnp
import keras

from seewhy.models.jax.backend import JaxBackend, JaxNetwork
from seewhy.models.jax.equations import marked

from .call import KerasCall


class KerasOnJax(JaxBackend):
    """A Keras model that JAX runs, as the `Backend` of a model.

    Its variables go in as arguments, so edits of weights are seen; it compiles again where its layers were changed.
    """

    def __init__(self, call: KerasCall) -> None:
        self.call = call
        network = JaxNetwork(
            "Keras on JAX", call.model.name, self._scores, self._state, call.channels, versions, call.kinds(), call.axes(),
            call.structure, call.dtype, call.rank,
        )  # fmt: skip
        super().__init__(network)

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override] - what was left off shows when it runs
        return (self.call.note,) if self.call.note else ()

    def _state(self) -> list[Any]:
        return [variable.value for variable in self.call.model.variables]

    def _scores(self, state: list[Any], x: Any) -> Any:
        mapping = list(zip(self.call.model.variables, state, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return self.call(x, _marked)


def versions() -> dict[str, str]:
    return {"keras": f"{keras.__version__} on jax"}


def _marked(name: str, emitted: Any) -> Any:
    return marked(emitted, name) if isinstance(emitted, jax.Array) and jnp.issubdtype(emitted.dtype, jnp.floating) else emitted
