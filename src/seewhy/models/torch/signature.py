"""What a network's forward takes, and what to say where it was called with something else."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from inspect import Parameter, Signature, signature
from typing import Any

from torch import Tensor, nn

from seewhy.models.origin import holding
from seewhy.printable import printable

IMAGES = (
    "x", "image", "images", "img", "imgs", "input", "inputs", "pixel_values", "pixels", "photo", "photos", "video", "frames",
    "volume", "sample", "samples",
)  # fmt: skip
BY_NAME = ("too many indices for tensor", "invalid data type 'str'", "only integers, slices")  # x["image"] of a tensor
PLACED = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
GATHERED = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def advice(network: nn.Module, args: Sequence[Any], options: Mapping[str, Any], error: Exception, given: bool) -> str:
    """In words, how to call a network that failed on these arguments; "" where its arguments are not what was wrong.

    given: somebody said, by `inputs=`, what it is called with.
    """
    how = ""
    with suppress(TypeError, ValueError):  # of a network without a signature
        takes = signature(network.forward)
        if not given and callable(getattr(network, "generate", None)) and next(iter(takes.parameters), "") in IMAGES:
            return ' It writes text about an image: explain a word of that, target="token:WORD".'
        how = _by_signature(takes, args, options, error, given)
    return how or inside(network, error)


def _by_signature(
    takes: Signature, args: Sequence[Any], options: Mapping[str, Any], error: Exception, given: bool
) -> str:  # fmt: skip
    parameters = [each for each in takes.parameters.values() if each.kind not in GATHERED]
    names = [each.name for each in parameters]
    written = printable(f"forward{takes.replace(return_annotation=Signature.empty)}", 200)
    needed = [each for each in parameters if each.default is Parameter.empty]
    first = names[0] if names else ""
    try:
        takes.bind(*args, **options)
    except TypeError as wrong:
        missing = [each.name for each in needed if each.name not in options and each not in parameters[: len(args)]]
        alone = missing and not given
        what = f"it takes {' and '.join(missing)}, too" if alone else f"the call does not fit it ({wrong})"
        return f" {written}: {what}. Say all that it is called with, for example {example(needed or parameters[:1])}"
    if given:
        return ""
    said = f"{type(error).__name__} {error}"
    image = next((name for name in names if name in IMAGES), "")
    if image and image != first and first not in IMAGES:
        return (
            f" {written}: the images went in as {first}. Say where they go, for example {example([_named(parameters, image)])}"
        )
    empty = [each for each in parameters[1:] if each.default is None][:3]
    if empty and "NoneType" in said:
        nothing = f"nothing was given as {', '.join(each.name for each in empty)}"
        return f" {written}: {nothing}. If it needs that, give it, for example {example([parameters[0], *empty])}"
    if "values to unpack" in said:
        return f" If {written} takes {first} apart, give all of it: inputs=((seewhy.IMAGE, other),)."
    if any(words in said for words in BY_NAME):
        return f' If {written} reads {first} by names, give it as a dict: inputs=({{"image": seewhy.IMAGE, "other": other}},).'
    return ""


def _named(parameters: Sequence[Parameter], name: str) -> Parameter:
    return next(each for each in parameters if each.name == name)


def example(parameters: Sequence[Parameter]) -> str:
    """What to give as `inputs=` for these parameters, as Python writes it: images where a name tells them, else first."""
    names = [each.name for each in parameters]
    image = next((name for name in names if name in IMAGES), names[0] if names else "")
    values = ["seewhy.IMAGE" if name == image else name for name in names]
    if all(each.kind in PLACED and each.default is Parameter.empty for each in parameters):
        return f"wrap(network, inputs=({', '.join(values)}{',' if len(values) == 1 else ''}))."
    return f"wrap(network, inputs={{{', '.join(f'{name!r}: {value}' for name, value in zip(names, values, strict=True))}}})."


def unable(network: nn.Module) -> str:
    """In words, why this module is no network that is called with images, but holds one; "" where it may be."""
    plain = type(network).__call__ is nn.Module.__call__
    bare = plain and getattr(network.forward, "__func__", None) is nn.Module.forward
    trains = type(network).train
    trainer = trains is not nn.Module.train and "mode" not in signature(trains).parameters  # train() is no switch, but trains
    held = _held(network) if bare or trainer else None
    if held is None:
        return ""
    why = "has no forward" if bare else "is more than a network: its train() trains"
    return (
        f"{type(network).__name__} {why}. It holds one, {type(held[1]).__name__}, in {held[0]}: give that, wrap(it{held[0]})."
    )


def _held(network: nn.Module) -> tuple[str, nn.Module] | None:
    """Where a module holds one that has all its weights."""
    containers = nn.ModuleList | nn.ModuleDict | nn.Sequential
    if isinstance(network, containers):
        return None
    held = holding(network, lambda part: isinstance(part, nn.Module))
    weights = {*map(id, network.parameters())}
    return held if held and weights and {*map(id, held[1].parameters())} >= weights else None


def inside(network: nn.Module, error: Exception | None = None) -> str:
    """What to wrap instead, where all weights of a network lie in another that it holds, and that one never ran, as the
    error shows; "" where that is not so.
    """
    if isinstance(error, RuntimeError) or (held := _held(network)) is None:  # torch's own: it did count with images
        return ""
    trace = error.__traceback__ if error is not None else None
    while trace is not None:
        if trace.tb_frame.f_locals.get("self") is held[1]:
            return ""
        trace = trace.tb_next
    return f" It holds a network, {type(held[1]).__name__}, in {held[0]}: if that is meant, wrap(it{held[0]})."


def no_tensors(output: Any) -> bool:
    """Is there no tensor among what a network gave?"""
    if isinstance(output, Mapping):
        return all(no_tensors(part) for part in output.values())
    if isinstance(output, list | tuple):
        return all(no_tensors(part) for part in output)
    return not isinstance(output, Tensor)
