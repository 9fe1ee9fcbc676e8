"""Maps of the same photos after each epoch of a training, so that one sees what a network learns to look at."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from warnings import warn

from seewhy.errors import NotApplicable, SeewhyError
from seewhy.methods.making.method import Method, explain
from seewhy.models.wrap import wrap
from seewhy.targets.target import Top

from .trackers import log_maps

LIGHTNING = ("lightning.pytorch", "pytorch_lightning")


@dataclass
class EpochMaps:
    """The maps of fixed photos, logged after every so many epochs.

    photos, methods, target, layer: as of `explain`; how: as of `wrap`, such as prepare= and labels=; to: as of `log_maps`.
    What fails is told once, as a warning: a training does not end because a map could not be made.
    """

    photos: Sequence[Any]
    methods: Sequence[str | Method[Any]] = ("grad-cam",)
    target: Any = Top()
    layer: str | None = None
    how: Mapping[str, Any] = field(default_factory=dict)
    to: Any = None
    every: int = 1
    name: str = "seewhy"

    def __post_init__(self) -> None:
        self._told = False

    def log(self, network: Any, epoch: int, to: Any) -> list[str]:
        """Log the maps of a network as it is now; the names that were.  Its modules are left as they were."""
        if epoch % self.every:
            return []
        try:
            with _at_rest(network):
                maps = explain(wrap(network, **self.how), [*self.photos], self.methods, self.target, self.layer)
                return log_maps(maps, self.to if self.to is not None else to, epoch, self.name)
        except SeewhyError as error:
            if not self._told:
                warn(f"seewhy: no maps of epoch {epoch}: {error}", stacklevel=2)
            self._told = True
            return []


@contextmanager
def _at_rest(network: Any) -> Iterator[None]:
    """Inside, a torch network is in evaluation mode; after, each of its modules is in the mode in which it was."""
    modules = network.modules() if hasattr(network, "modules") and hasattr(network, "eval") else ()
    modes = [(module, module.training) for module in modules]
    if modes:
        network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def lightning_callback(
    photos: Sequence[Any], methods: Sequence[str | Method[Any]] = ("grad-cam",), target: Any = Top(), layer: str | None = None,
    to: Any = None, every: int = 1, name: str = "seewhy", **how: Any,
) -> Any:  # fmt: skip
    """A callback of Lightning that logs maps of these photos after each epoch of training.

    to: as of `log_maps`; by default the trainer's own loggers.  every: so many epochs; how: as of `wrap`: prepare=, labels=.
    Raises NotApplicable where Lightning was not imported: it is made for who trains with it.
    """
    module = next((sys.modules[each] for each in LIGHTNING if each in sys.modules), None)
    if module is None:
        raise NotApplicable("Lightning was not imported: `import lightning.pytorch` first, and give this to its Trainer.")
    maps = EpochMaps(photos, methods, target, layer, how, to, every, name)

    class LightningMaps(module.Callback):
        """Logs maps of fixed photos after each epoch."""

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            if trainer.is_global_zero:
                maps.log(pl_module, trainer.current_epoch, list(trainer.loggers))

    return LightningMaps()


def keras_callback(
    photos: Sequence[Any], to: Any, methods: Sequence[str | Method[Any]] = ("grad-cam",), target: Any = Top(),
    layer: str | None = None, every: int = 1, name: str = "seewhy", **how: Any,
) -> Any:  # fmt: skip
    """A callback of Keras that logs maps of these photos after each epoch.

    to: as of `log_maps`; every: so many epochs; how: as of `wrap`: prepare=, labels=.
    Raises NotApplicable where Keras was not imported.
    """
    keras = sys.modules.get("keras")
    if keras is None:
        raise NotApplicable("Keras was not imported: `import keras` first, and give this to model.fit(callbacks=[...]).")
    maps = EpochMaps(photos, methods, target, layer, how, to, every, name)

    class KerasMaps(keras.callbacks.Callback):
        """Logs maps of fixed photos after each epoch."""

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            maps.log(self.model, epoch, to)

    return KerasMaps()
