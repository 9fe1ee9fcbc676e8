"""A Keras model on the torch backend as a torch module: a part for each of its layers, which hooks and taps know by name.

The Keras model itself runs, and each layer's `call` runs inside of its part, so hooks of a part see what the layer emits.  All
that the torch adapter does with modules, it does with the parts: the Keras layers are not written to.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from copy import deepcopy
from itertools import zip_longest
from threading import local
from typing import Any, Self

import keras
import torch
from torch import Tensor, nn

from seewhy.errors import BadNetwork, BadParameter
from seewhy.models.torch.adapted import AdaptedLayer, AdaptedNetwork, LeftOff
from seewhy.models.torch.containers import Foreign

from .endings import Ending, distinct, each_output, tells
from .layers import LayerCall, channels_of, named_layers, packed, tapped
from .torch_ending import LastSoftmax
from .torch_layers import by_torch


class CallsHere(local):
    """The calls of layers whose parts are about to run in this thread."""

    def __init__(self) -> None:
        self.calls: list[LayerCall] = []


HERE = CallsHere()
KINDS: dict[str, type["LayerPart"]] = {}


class LayerPart(AdaptedLayer):
    """What stands for a Keras layer, and holds its weights.  Its class is one made of this, with the name of the layer's."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = Foreign(layer)
        hold(self, layer)

    @property
    def linear(self) -> bool:
        """Does it do what torch's Linear does?"""
        return type(self.layer.value).call is keras.layers.Dense.call

    @property
    def weight(self) -> Tensor | None:
        """The weights that it multiplies with, if it has such."""
        kernels = [self._parameters.get(name) for name in ("kernel", "pointwise_kernel", "depthwise_kernel")]
        return next((kernel for kernel in kernels if kernel is not None), None)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        in_place(self, lambda: super(LayerPart, self)._apply(fn, recurse))
        return self

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return HERE.calls.pop()(*args, **kwargs)

    def stand_in(self, call: LayerCall, *args: Any, **kwargs: Any) -> Any:
        """The layer's call, run inside of this part: a function for `tapped`."""
        HERE.calls.append(call)
        return self(*args, **kwargs)


def part_of(layer: Any) -> LayerPart:
    """The part for a layer, of a class of the same name."""
    name = type(layer).__name__
    if name not in KINDS:
        KINDS[name] = type(name, (LayerPart,), {"__module__": __name__})
    return KINDS[name](layer)


def variables_of(layer: Any) -> list[Any]:
    """The variables of a layer itself, not of those inside of it, that have values."""
    return [each for each in layer._trainable_variables + layer._non_trainable_variables if each._value is not None]


def held_by(module: nn.Module) -> list[Tensor]:
    """The tensors that a part holds for these variables."""
    return [tensor for tensor in (*module._parameters.values(), *module._buffers.values()) if tensor is not None]


def hold(module: nn.Module, layer: Any) -> None:
    """Make the weights of the layer itself parameters of the module, and its statistics buffers: the very same tensors."""
    names: set[str] = set()
    for variable in variables_of(layer):
        name = variable.name.replace(".", "_")
        name = name if name not in names else f"{name}_{len(names)}"
        names.add(name)
        statistic = any(variable is each for each in layer._non_trainable_variables)
        (module._buffers if statistic else module._parameters)[name] = variable._value


def in_place(module: nn.Module, apply: Callable[[], Any]) -> None:
    """Let torch move the tensors of a module, and have the same buffers hold what it made new ones of, as parameters do."""
    before = {name: buffer for name, buffer in module._buffers.items() if buffer is not None}
    apply()
    for name, buffer in before.items():
        moved = module._buffers[name]
        if moved is not buffer and moved is not None:
            buffer.data = moved.data
            module._buffers[name] = buffer


def _plain_calls(endings: Iterable[Ending], parts: Iterable[LayerPart]) -> Iterator[tuple[Any, LayerCall]]:
    """How layers compute what they emit: without the last activation, and by the calls of torch's own layers."""
    ends = {id(ending.layer): ending for ending in endings}
    for ending in endings:
        bare = ending.bare
        yield ending.layer, (None if bare is None else by_torch(bare)) or ending.off
    for part in parts:
        layer = part.layer.value
        if id(layer) not in ends and (call := by_torch(layer)) is not None:
            yield layer, call


class KerasNetwork(AdaptedNetwork):
    """A Keras model whose layers are parts.  It takes what the model takes; of what it gives, channels come before space.

    A copy runs the same model on weights of its own.  whole: with the softmax or sigmoid at its end.
    """

    def __init__(self, model: Any, channels: int | None = None, whole: bool = False) -> None:
        super().__init__()
        self.model = Foreign(model)
        self.copied, self.whole = False, whole
        self.by_function = Foreign(None)  # does it end in a softmax that is no layer?  None: not known yet
        self.last_channels = (channels_of(model) if channels is None else channels) == -1
        hold(self, model)
        self._modules.update((name, part_of(layer)) for name, layer in named_layers(model).items())
        self.eval()

    def __deepcopy__(self, memo: Any) -> Self:
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update({name: deepcopy(value, memo) for name, value in vars(self).items()})
        twin.copied = True
        return twin

    def __reduce__(self) -> Any:
        return type(self), (self.model.value, -1 if self.last_channels else 1, self.whole)

    def get_submodule(self, target: str) -> nn.Module:
        """The part of that name, also where the network itself has something of that name, such as `model`."""
        part = self._modules.get(target)
        return super().get_submodule(target) if part is None else part

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        in_place(self, lambda: super(KerasNetwork, self)._apply(fn, recurse))
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move the weights; BadParameter for a precision other than the model's own, which its layers cast to."""
        dtype = torch._C._nn._parse_to(*args, **kwargs)[1]  # type: ignore[attr-defined]
        own = next((p.dtype for p in self.parameters() if p.is_floating_point()), dtype)
        if dtype not in (None, own):
            raise BadParameter(
                f"dtype={dtype}: a Keras model computes in the precision that its layers were made with. Make it of another: "
                'keras.config.set_dtype_policy("float64"), then build it and set_weights.'
            )
        return super().to(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        model, parts = self.model.value, self._parts()
        given, options = packed(model, tuple(map(self._laid, args)), {name: self._laid(arg) for name, arg in kwargs.items()})
        with ExitStack() as scopes:
            for scope in self._scopes():
                scopes.enter_context(scope)
            run = lambda: model(*given, training=False, **options)  # noqa: E731
            with torch.no_grad(), torch._C.DisableTorchFunction():  # a run beside the pass is no mode's business
                ends = () if self.whole else each_output(model, run)
            endings = distinct(ends)
            told = endings or self.whole or self.by_function.value is False or tells(model)
            rest = None if told else scopes.enter_context(LastSoftmax())
            with tapped([*_plain_calls(endings, parts), *((part.layer.value, part.stand_in) for part in parts)]):
                output = run()
        lefts = [LeftOff() if end is None else LeftOff(end.kind, end.note) for end in ends]
        if rest is not None:
            output, left = rest.before(output)
            lefts, self.by_function.value = [left], bool(left.kind)
        output = keras.tree.map_structure(self._turned, output)
        self.leave_off(zip_longest(keras.tree.flatten(output), lefts, fillvalue=LeftOff()))
        return output

    def _scopes(self) -> Iterator[Any]:
        """On the device of the weights; with those of a copy, and what the model would note of its pass is not kept."""
        first = next(self.parameters(), None)
        if first is not None:
            yield keras.device(str(first.device))
        yield keras.StatelessScope(state_mapping=[*self._weights()] if self.copied else [])

    def weights_by_name(self) -> dict[str, Tensor]:
        """The variables by their places, for Keras numbers the names of layers on through a process."""
        return {f"{i:05} {each.name}": each.value for i, each in enumerate(self.model.value.variables)}

    def _weights(self) -> Iterator[tuple[Any, Tensor]]:
        for module, layer in [(self, self.model.value), *((part, part.layer.value) for part in self._parts())]:
            yield from zip(variables_of(layer), held_by(module), strict=True)

    def _parts(self) -> list[LayerPart]:
        """The parts, in order; BadNetwork where the model has other layers or weights by now."""
        layers = named_layers(self.model.value)
        parts: list[Any] = [*self._modules.values()]
        same = [*layers] == [*self._modules] and all(
            part.layer.value is layer for part, layer in zip(parts, layers.values(), strict=True)
        )
        if not same or not self._same_weights(parts):
            name = self.model.value.name
            raise BadNetwork(f"The Keras model {name} has other layers or weights than when it was wrapped: wrap it again.")
        return parts

    def _same_weights(self, parts: list[LayerPart]) -> bool:
        owners = [(self, self.model.value), *((part, part.layer.value) for part in parts)]
        if self.copied:
            return all(len(variables_of(layer)) == len(held_by(module)) for module, layer in owners)
        return all([*map(id, held_by(module))] == [id(each._value) for each in variables_of(layer)] for module, layer in owners)

    def _laid(self, value: Any) -> Any:
        """An input, with its channels first in memory: so are then those of all layers, as torch is fastest."""
        if not self.last_channels or not isinstance(value, Tensor) or value.ndim < 4:
            return value
        return value.movedim(-1, 1).contiguous().movedim(1, -1)

    def _turned(self, value: Any) -> Any:
        """A part of the output, with the channels before space."""
        return value.movedim(-1, 1) if self.last_channels and isinstance(value, Tensor) and value.ndim > 2 else value
