"""How a Keras model is called, on any backend: layers by name, the last activation left off, inputs beside the images."""

from collections.abc import Callable, Iterable
from typing import Any

import keras

from seewhy.models.backend.inputs import caller, picked
from seewhy.models.settings import Settings

from .endings import distinct, each_output
from .layers import LayerCall, named_layers, packed, tapped

At = Callable[[str, Any], Any]  # the name of a layer, and what it emits -> what goes on in its place


class KerasCall:
    """A Keras model as a function of images, in whichever arrays its backend has.

    left: which activation was left off at the end ("softmax", "sigmoid" or "" of none), and note: in words; known once it ran.
    """

    def __init__(self, model: Any, settings: Settings) -> None:
        self.model, self.channels, self.where = model, settings.channels or -1, settings.output
        self.called = caller(settings.inputs, _for_each)
        self.left, self.note = "", ""
        inputs = getattr(model, "inputs", None) or ()
        self.rank = len(inputs[0].shape) if len(inputs) == 1 else 4

    @property
    def dtype(self) -> str:
        """Of the images: what the model keeps its weights in, whatever it computes in."""
        return keras.backend.standardize_dtype(self.model.variable_dtype)

    def layers(self) -> dict[str, Any]:
        """Its layers, by name."""
        return named_layers(self.model)

    def kinds(self) -> dict[str, str]:
        """What each layer is, by name."""
        return {name: type(layer).__name__ for name, layer in self.layers().items()}

    def axes(self) -> dict[str, int]:
        """Where the channels of what layers emit lie, of those that say so themselves."""
        formats = {name: getattr(layer, "data_format", None) for name, layer in self.layers().items()}
        return {name: 1 if said == "channels_first" else -1 for name, said in formats.items() if said}

    def structure(self) -> tuple[Any, ...]:
        """All that decides what the model computes beside its variables: its layers, and what they keep as plain values."""
        return tuple(
            (
                id(layer),
                *((key, value if _plain(value) else id(value)) for key, value in vars(layer).items() if _decides(key, value)),
            )
            for layer in [self.model, *self.layers().values()]
        )

    def __call__(
        self, x: Any, at: At | None = None, layers: Iterable[str] | None = None, beside: Iterable[tuple[Any, LayerCall]] = ()
    ) -> Any:
        """The scores (n, k), or (n, k, *where), of images as the model takes them.

        at: is called with all that these layers emit, by default all layers, in the order in which they are done; beside: what
        else is called in the place of layers' calls, as `tapped` takes it.
        """
        called = self.called(x)
        args, kwargs = packed(self.model, called.args, called.kwargs)

        def run() -> Any:
            return self.model(*args, training=False, **kwargs)

        ends = each_output(self.model, run)
        endings = distinct(ends)
        functions: list[tuple[Any, LayerCall]] = [(ending.layer, ending.off) for ending in endings]
        if at is not None:
            known = self.layers()
            functions += [(known[name], _first_through(at, name)) for name in (known if layers is None else layers)]
        with tapped([*functions, *beside]):
            given = run()
        output = picked(given, self.where, self.model.name)
        own = [end for each, end in zip(keras.tree.flatten(given), ends, strict=False) if each is output and end is not None]
        end = (own or endings)[0] if len(own or endings) == 1 else None
        self.left, self.note = ("", "") if end is None else (end.kind, end.note)
        return keras.ops.moveaxis(output, -1, 1) if self.channels == -1 and len(output.shape) > 2 else output


def _for_each(row: Any, x: Any) -> Any:
    """A row for each image, also where their number is not known yet."""
    count: Any = keras.ops.shape(x)
    return keras.ops.repeat(row, count[0], axis=0)


def _first_through(at: At, name: str) -> LayerCall:
    """The call of a layer, the first array of what it emits by `at`."""

    def through(call: LayerCall, *args: Any, **kwargs: Any) -> Any:
        emitted = call(*args, **kwargs)
        leaves = keras.tree.flatten(emitted)
        if not leaves or not keras.ops.is_tensor(leaves[0]):
            return emitted
        return keras.tree.pack_sequence_as(emitted, [at(name, leaves[0]), *leaves[1:]])

    return through


def _plain(value: Any) -> bool:
    return (
        value is None or isinstance(value, bool | int | float | str) or (isinstance(value, tuple) and all(map(_plain, value)))
    )


def _decides(key: str, value: Any) -> bool:
    """Does an attribute of a layer say what it computes?  Those that Keras keeps for itself begin with an underscore."""
    return not key.startswith("_") and key not in ("call", "quantized_call", "built") and (_plain(value) or callable(value))
