"""What methods take beside model and images: of each parameter its default, its kind and its meaning.

All three are read off the signature and the docstring of a function.  What decorators and makers add to the parameters of a
formula is written as the call of a protocol: so type checkers and editors know the parameters of every method, also of those
that a person makes with `from_gradients` and its like.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import Parameter as Argument
from inspect import cleandoc, signature
from types import NoneType, UnionType
from typing import Any, Literal, ParamSpec, Protocol, Union, get_args, get_origin

import numpy as np

from seewhy.explaining.recipe import Parameter, Reduce

P = ParamSpec("P")  # parameters of a method, all of them given by name


class Signed(Protocol[P]):
    """A formula that ends in a ReLU, and its parameters P."""

    def __call__(self, signed: bool = False, *args: P.args, **params: P.kwargs) -> Any:
        """signed: True leaves out the ReLU at the end, so that evidence against the target stays in the map, below zero."""


class Reduced(Protocol[P]):
    """A method that finds channels at the image, and its parameters P."""

    def __call__(self, reduce: Reduce = ..., *args: P.args, **params: P.kwargs) -> Any:
        """reduce: how the channels of a pixel become one number: "max" the largest absolute value, "sum" the signed sum, "l2"
        the Euclidean norm.
        """


class Scored(Protocol[P]):
    """A method that asks for the scores of variants, and its parameters P."""

    def __call__(
        self, budget: int | str | None = None, fast: bool = False, dtype: Any = None, *args: P.args, **params: P.kwargs
    ) -> Any:
        """budget: what one image may cost at most, in forward passes (2000) or in time ("10 s", "500 ms", "2 min"); the map is
        then made of what was asked until then.  None: no limit.
        fast: run a copy of the network with channels last and BatchNorm folded into the convolutions, where that leaves the
        scores to rounding.
        dtype: run a copy of the network in that precision, such as "bfloat16"; None: in its own.
        """


class SignedScored(Protocol[P]):
    """`Signed` and `Scored` together."""

    def __call__(
        self, signed: bool = False, budget: int | str | None = None, fast: bool = False, dtype: Any = None,
        *args: P.args, **params: P.kwargs,
    ) -> Any: ...  # fmt: skip


class Sampled(Protocol[P]):
    """`Scored`, of a method that draws."""

    def __call__(
        self, budget: int | str | None = None, fast: bool = False, dtype: Any = None, tolerance: float | None = None,
        *args: P.args, **params: P.kwargs,
    ) -> Any:  # fmt: skip
        """tolerance: end as soon as no pixel's standard error is above it, in units of the score.  None: make all draws."""


class Smoothed(Protocol[P]):
    """A method with parameters P, over noisy copies of the image."""

    def __call__(self, samples: int = 25, sigma: float = 0.15, seed: int = 0, *args: P.args, **params: P.kwargs) -> Any:
        """samples: how many noisy copies.
        sigma: standard deviation of the noise, as a share of the range of the prepared image's values.
        seed: of the noise, which depends on it and the image alone; also the method's own.
        """


class Augmented(Protocol[P]):
    """A method with parameters P, over views of the image."""

    def __call__(
        self, flips: Literal["auto"] | bool = "auto", scales: float | Sequence[float] = (1.0, 0.75, 1.5),
        *args: P.args, **params: P.kwargs,
    ) -> Any:  # fmt: skip
        """flips: also the mirror image, along the last axis; "auto": but not of signals, whose time runs one way.
        scales: factors of the image's size; the map has the size of the finest.
        """


class Windowed(Protocol[P]):
    """A method with parameters P, on windows of the enlarged image."""

    def __call__(
        self, scales: float | Sequence[float] = (1.0, 1.5, 2.0), window_overlap: float = 0.0,
        pool: Literal["mean", "max"] = "mean",
        *args: P.args, **params: P.kwargs,
    ) -> Any:  # fmt: skip
        """scales: factors of the image's size, from 1 on.
        window_overlap: which share of a window its neighbour covers, too, at least: from 0 to 0.95.
        pool: "mean" of what is above zero at a place, or "max".
        """


# what a parameter of that name means, where a method's docstring tells nothing else
SHARED = {
    "seed": "of the random draws: the same seed gives the same map.",
    "fill": """what hides: "zero" (in the network's own numbers), "mean" (of the image itself), "black", "white", "blur", a
number, one number a channel, a prepared float array, or any image.""",
    "hide": """what lies where a segment is hidden: "own-mean" (of each segment), "zero" (in the network's own numbers), "mean"
(of the image itself), "black", "white", "blur", a number, one number a channel, a prepared float array, or any image.""",
    "segments": """"auto" (about 100 slic superpixels or supervoxels; of a signal 32 equal intervals), "slic:50", "quickshift"
or "felzenszwalb" superpixels, "grid:8" cells ("grid": 8 x 8, of a signal 32, of a volume 4 x 4 x 4), an integer array
of labels, or a function of the picture (*space, c) that gives one.""",
    "top_channels": "only so many channels, those that vary most over space; the softmax is over these.  None: all.",
}


def parameters_of(function: Callable[..., Any]) -> dict[str, Parameter]:
    """The parameters that a function takes by name; of the call of a protocol, those that it adds."""
    taken = signature(function).parameters
    call = "self" in taken  # of a protocol, in which what it adds has a default
    by_name = [p for p in taken.values() if p.kind is Argument.KEYWORD_ONLY or (call and p.default is not p.empty)]
    _, meanings = split(function.__doc__ or "", [p.name for p in by_name])
    return {
        p.name: Parameter(
            p.default, Any if p.annotation is p.empty else p.annotation, meanings.get(p.name, SHARED.get(p.name, ""))
        )
        for p in by_name
    }


def split(doc: str, names: Collection[str]) -> tuple[str, dict[str, str]]:
    """A docstring without what it says of these names, and what it says of each.

    That is what stands behind "name: " at the beginning of a line, as far as to the next such line or an empty one.
    """
    rest, meanings, name = [], {}, ""
    for line in cleandoc(doc).splitlines():
        head, colon, said = line.partition(": ")
        if colon and head in names:
            name, meanings[head] = head, said
        elif name and line:
            meanings[name] += f"\n{line.strip()}"
        else:
            name = ""
            rest.append(line)
    return "\n".join(line for line, before in zip(rest, ["", *rest], strict=False) if line or before), meanings


def in_help(parameters: Mapping[str, Parameter]) -> str:
    """The parameters as help shows them, an indented paragraph each."""
    heads = {name: name if p.default is Argument.empty else f"{name}={p.default!r}" for name, p in parameters.items()}
    return "\n".join(f"    {heads[name]}: {p.meaning}".replace("\n", "\n        ") for name, p in parameters.items())


def fits(value: Any, kind: Any) -> bool:
    """Is the value of that kind?  Of arrays, images and functions, and where nothing is annotated, the method itself tells."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(fits(value, each) for each in inside)
    if origin is Literal:
        return isinstance(value, str) and value in inside
    if origin is Sequence:
        several = isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)
        return several and all(fits(each, *inside) for each in value)
    if kind in (None, NoneType):
        return value is None
    if kind is bool:  # 1 and 0 are
        return isinstance(value, bool | np.bool_) or (isinstance(value, int) and value in (0, 1))
    if kind in (int, float):
        number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        return number and (kind is float or isinstance(value, int) or value.is_integer())  # as 50.0 is
    return isinstance(value, str) if kind is str else True


WORDS = {bool: "either True or False", int: "a whole number", float: "a number", str: "a text", None: "None", NoneType: "None"}


def in_words(kind: Any) -> str:
    """A kind that values can fail to be of, as in "a whole number or None"."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(map(in_words, inside))
    if origin is Literal:
        return f"one of {', '.join(inside)}" if len(inside) > 1 else repr(*inside)
    if origin is Sequence:
        return f"a list, each {in_words(*inside)}"
    return WORDS.get(kind, str(kind))
