"""What a module returns: the activation in it, in whatever container, and that container with another in its place."""

from collections.abc import Callable, Iterable, Iterator, Mapping, ValuesView
from copy import copy
from typing import Any

from torch import Tensor

from seewhy.errors import BadParameter


def tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    """All tensors among the values, and in lists, tuples, mappings, the values of these and dataclasses among them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list | ValuesView):
            yield from tensors_in(value)
        elif isinstance(value, Mapping):
            yield from tensors_in(value.values())
        elif _is_record(value):
            yield from tensors_in(vars(value).values())


def activation_of(output: Any, given: Iterable[Any] = ()) -> Tensor | None:
    """The activation in what a module returned: the tensor, or the first real one of several in a container that is not among
    what it was given, as it then handed that on; the first of all, where it handed all on.  None where none holds real numbers.
    """
    if isinstance(output, Tensor):
        return output if output.is_floating_point() else None
    real = [tensor for tensor in tensors_in([output]) if tensor.is_floating_point()]
    entered = {id(tensor) for tensor in tensors_in(given)} if len(real) > 1 else ()
    return next((tensor for tensor in real if id(tensor) not in entered), real[0] if real else None)


def emitted(output: Any, name: str, given: Iterable[Any] = ()) -> tuple[Tensor, Callable[[Tensor], Any]]:
    """The activation in what the module `name` returned, and how to put another in its place, wherever it stands there.

    given: what the module was given.  Raises BadParameter where there is no activation.
    """
    tensor = activation_of(output, given)
    if tensor is None:
        raise BadParameter(f"Layer {name} emits {_unread(output)}")
    if tensor is output:
        return tensor, lambda other: other
    return tensor, lambda other: _with(output, tensor, other)


def _with(part: Any, old: Tensor, new: Tensor) -> Any:
    """The container with another tensor in the place of one; itself where it does not hold that."""
    if part is old:
        return new
    if not isinstance(part, tuple | list | Mapping) and not _is_record(part):
        return part
    if not any(tensor is old for tensor in tensors_in([part])):
        return part
    if isinstance(part, list | tuple):
        items = [_with(value, old, new) for value in part]
        make = getattr(type(part), "_make", None)
        return make(items) if make else _refilled(part, items)
    made = copy(part)
    for key, value in part.items() if isinstance(part, Mapping) else vars(part).items():
        other = _with(value, old, new)
        if other is value:
            continue
        if isinstance(part, Mapping):
            made[key] = other  # type: ignore[index] - of a ModelOutput its attribute, too
        else:
            object.__setattr__(made, key, other)  # also of a frozen one
    return made


def _refilled(part: Any, items: list[Any]) -> Any:
    """A list or tuple of the same class that holds these."""
    if isinstance(part, list):
        made = copy(part)
        made[:] = items
        return made
    return tuple(items) if type(part) is tuple else tuple.__new__(type(part), items)


def _unread(output: Any) -> str:
    """What a module returned that holds no activation, in words, and what to do."""
    tensor = next(tensors_in([output]), None)
    if tensor is None:
        return f"{type(output).__name__}, not an activation. Ask for a layer inside it."
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_complex():
        what = f"complex numbers ({kind}), as of a Fourier transform, of which no channel is a map"
    elif tensor.is_quantized:
        what = f"quantised numbers ({kind}), which can be neither weighed nor led back through"
    else:
        what = f"{kind} numbers, which decide or count, not an activation"
    return f"{what}. Ask for a layer before or behind it; occlusion and rise read none."


def _is_record(value: Any) -> bool:
    """Is it an object of a dataclass?"""
    return hasattr(value, "__dataclass_fields__") and not isinstance(value, type)
