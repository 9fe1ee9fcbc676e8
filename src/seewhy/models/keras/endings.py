"""The activation that a Keras model ends in, softmax or sigmoid, and how it is left off: the logit is explained."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import keras

from .layers import LayerCall, named_layers, tapped

KINDS = {"softmax": "softmax", "softmax_v2": "softmax", "Softmax": "softmax", "sigmoid": "sigmoid", "Sigmoid": "sigmoid"}
PASSING = ("Reshape", "Flatten", "Dropout", "Identity", "Squeeze", "Cast")  # layers and operations that hand scores on


class Ending(NamedTuple):
    """A last activation of a model."""

    layer: Any  # or an operation, that computes it
    name: str
    kind: str  # "softmax" or "sigmoid"

    @property
    def note(self) -> str:
        """What a person should know of scores that it was left off from."""
        return f"the {self.kind} at the end ({self.name}) is left off: the logit is explained"

    @property
    def bare(self) -> Any:
        """A layer of the same weights without the activation; None where it does nothing else."""
        if not hasattr(self.layer, "activation"):
            return None
        bare = object.__new__(type(self.layer))  # the layer itself is not written to
        vars(bare).update(vars(self.layer))
        vars(bare)["activation"] = keras.activations.linear
        return bare

    def off(self, call: LayerCall, *args: Any, **kwargs: Any) -> Any:
        """The call of its layer without the activation: the first function for it in `tapped`."""
        if (bare := self.bare) is None:
            return args[0] if args else next(iter(kwargs.values()))
        return getattr(type(self.layer), call.__name__)(bare, *args, **kwargs)


class ByRunning(NamedTuple):
    """What a run of a model whose layers do not tell showed: its endings, as long as its activations stay what they are."""

    activations: list[tuple[int, int]]
    endings: tuple[Ending | None, ...]


SHOWN: "WeakKeyDictionary[Any, ByRunning]" = WeakKeyDictionary()


def distinct(endings: Iterable[Ending | None]) -> tuple[Ending, ...]:
    """Those that there are, each once."""
    return tuple({id(ending.layer): ending for ending in endings if ending is not None}.values())


def each_output(model: Any, run: Callable[[], Any]) -> tuple[Ending | None, ...]:
    """The softmax or sigmoid that each output of the model comes from, as far as a layer or an operation of Keras computes it.

    run: gives what the model gives for images; asked once, of models that are no graph of layers.
    """
    graph = _graph(model)
    if graph is not None:
        return tuple(map(_behind, keras.tree.flatten(graph)))
    ends = [Ending(layer, name, kind) for name, layer in named_layers(model).items() if (kind := activation_of(layer))]
    activations = [(id(each.layer), id(getattr(each.layer, "activation", None))) for each in ends]
    known = SHOWN.get(model)
    if known is None or known.activations != activations:
        known = SHOWN[model] = ByRunning(activations, _by_running(ends, run) if ends else ())
    return known.endings


def tells(model: Any) -> bool:
    """Do the layers of a model tell how it ends?  Not where code that is not Keras's own computes its output."""
    graph = _graph(model)
    return graph is not None and all(_known(tensor._keras_history.operation) for tensor in keras.tree.flatten(graph))


def _known(layer: Any) -> bool:
    if isinstance(layer, keras.Model):
        return tells(layer)
    return not isinstance(layer, keras.layers.Lambda) and type(layer).__module__.startswith("keras.")


def _by_running(ends: list[Ending], run: Callable[[], Any]) -> tuple[Ending | None, ...]:
    emitted: list[tuple[Any, Ending]] = []

    def recorder(ending: Ending) -> LayerCall:
        def record(call: LayerCall, *args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            emitted.append((output, ending))
            return output

        return record

    with tapped((ending.layer, recorder(ending)) for ending in ends):
        outputs = keras.tree.flatten(run())
    return tuple(next((ending for value, ending in emitted if value is output), None) for output in outputs)


def activation_of(layer: Any) -> str:
    """Which of the two a layer or an operation ends in; "" of neither."""
    if isinstance(layer, keras.layers.Softmax) or (not isinstance(layer, keras.Layer) and type(layer).__name__ in KINDS):
        return KINDS[type(layer).__name__]
    activation = getattr(layer, "activation", None)
    if isinstance(activation, keras.layers.Softmax):
        return "softmax"
    return KINDS.get(getattr(activation, "__name__", ""), "")


def _graph(model: Any) -> list[Any] | None:
    """The symbolic outputs of a model that is a graph of layers; None of others."""
    own = getattr(getattr(type(model), "call", None), "__qualname__", "")  # a subclass may have written another
    return getattr(model, "outputs", None) or None if own in ("Functional.call", "Sequential.call") else None


def _behind(tensor: Any) -> Ending | None:
    """The activation that a symbolic tensor comes from, behind operations that only hand it on."""
    while True:
        layer, node, place = tensor._keras_history
        if _graph(layer) is not None:
            tensor = keras.tree.flatten(layer.outputs)[place]
            continue
        kind = activation_of(layer)
        if kind:
            return Ending(layer, layer.name, kind)
        linear = isinstance(layer, keras.layers.Activation) and layer.activation is keras.activations.linear
        before = layer._inbound_nodes[node].input_tensors if linear or type(layer).__name__ in PASSING else ()
        if len(before) != 1:
            return None
        tensor = before[0]
