"""What an image can be made for: targets that add up, and what is no score: directions, whole layers, difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.printable import quoted

from .grammar import bare_or_quoted, number_text

MOST = 100  # terms of a sum
LEAST = 0.1  # of a cosine that a direction counts a cell by


class Summand:
    """What adds up: `2 * Unit("conv", 3) + Class(1) - 0.5 * WholeLayer("conv")` is a WeightedSum."""

    def __add__(self, other: Any) -> "WeightedSum":
        return WeightedSum((*terms_of(self), *terms_of(other))) if isinstance(other, Summand) else NotImplemented

    def __sub__(self, other: Any) -> "WeightedSum":
        return self + other * -1 if isinstance(other, Summand) else NotImplemented

    def __mul__(self, factor: Any) -> "WeightedSum":
        if isinstance(factor, bool) or not isinstance(factor, Real):
            return NotImplemented
        return WeightedSum(tuple((weight * float(factor), term) for weight, term in terms_of(self)))

    __rmul__ = __mul__

    def __neg__(self) -> "WeightedSum":
        return self * -1


@dataclass(frozen=True)
class WeightedSum(Summand):
    """Several summands, each with its weight.  Made by +, - and *."""

    terms: tuple[tuple[float, Any], ...]

    def __post_init__(self) -> None:
        if len(self.terms) > MOST:
            raise BadParameter(f"The sum has {len(self.terms):,} terms; {MOST} are the most.")
        if any(not isfinite(weight) for weight, _ in self.terms):
            raise BadParameter("A weight of the sum is NaN or infinite; give a number.")

    def __str__(self) -> str:
        text = ""
        for weight, term in self.terms:
            sign = ("- " if weight < 0 else "+ ") if text else ("-" if weight < 0 else "")
            factor = "" if abs(weight) == 1 else f"{number_text(abs(weight))}*"
            text += f"{' ' if text else ''}{sign}{factor}{term}"
        return text


def terms_of(summand: Any) -> tuple[tuple[float, Any], ...]:
    """The terms of a sum with their weights; what is no sum is one term."""
    return summand.terms if isinstance(summand, WeightedSum) else ((1.0, summand),)


@dataclass(frozen=True, eq=False)
class Direction(Summand):
    """How far the activations of a layer go in one direction: <a, vector> at each cell, on average over them.

    vector: (c,), a number for each channel.  cosine: each cell counts by max(0.1, cos(a, vector)) to this power, so that what
    points elsewhere counts less; 0 for the dot product alone.  at: a cell (y, x), of a signal (t,), of a volume (z, y, x);
    None for the mean over all.
    Source: Carter et al. 2019, Activation Atlas, and lucid's direction objectives.
    """

    layer: str
    vector: Any
    cosine: float = 0.0
    at: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        _check_layer("Direction", self.layer)
        vector = np.asarray(self.vector, np.float64)
        if vector.ndim != 1 or not np.isfinite(vector).all() or not vector.any():
            raise BadParameter(f"Direction: the vector {vector.shape} is (c,), a finite number for each channel, not all 0.")
        if isinstance(self.cosine, bool) or not isinstance(self.cosine, Real) or not 0 <= self.cosine <= 100:
            raise BadParameter(f"Direction: cosine={quoted(self.cosine)} is no power from 0 to 100.")
        at = self.at
        whole = isinstance(at, Sequence) and all(isinstance(each, int | np.integer) and each >= 0 for each in at)
        if at is not None and (not whole or not len(at)):
            raise BadParameter(f"Direction: at={quoted(at)} is no cell (y, x), of a signal (t,), of a volume (z, y, x).")
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "at", None if at is None else tuple(map(int, at)))

    def along(self, cells: NDArray[Any]) -> NDArray[Any]:
        """How far each cell of activations (n, c, cells) goes in this direction: (n, cells).

        Raises BadParameter where the layer has another number of channels than the vector has numbers.
        """
        v = self.vector.astype(cells.dtype)
        if len(v) != cells.shape[1]:
            raise BadParameter(f"Direction: the vector has {len(v)} numbers; layer {self.layer} has {cells.shape[1]} channels.")
        dots: NDArray[Any] = np.einsum("ncj,c->nj", cells, v)
        if not self.cosine:
            return dots
        return dots * np.maximum(dots / (np.linalg.norm(v) * lengths_of(cells)), LEAST) ** self.cosine

    def __str__(self) -> str:
        where = "" if self.at is None else f":{','.join(map(str, self.at))}"
        power = f", cosine to the power of {number_text(self.cosine)}" if self.cosine else ""
        return f"direction:{bare_or_quoted(self.layer, ':')}{where} of {len(self.vector)} numbers{power}"


def lengths_of(cells: NDArray[Any]) -> NDArray[Any]:
    """The lengths (n, cells) of cells (n, c, cells); 1 of a cell that is 0, so that its cosine with anything is 0."""
    lengths = np.linalg.norm(cells, axis=1)
    return np.where(lengths > np.finfo(cells.dtype).tiny, lengths, 1)


@dataclass(frozen=True)
class WholeLayer(Summand):
    """All that a layer finds: the mean square of its activations, as deep dreams are made for.

    Source: Mordvintsev, Olah & Tyka 2015, Inceptionism.
    """

    layer: str

    def __post_init__(self) -> None:
        _check_layer("WholeLayer", self.layer)

    def __str__(self) -> str:
        return f"layer:{bare_or_quoted(self.layer, ':')}"


@dataclass(frozen=True)
class Diversity(Summand):
    """How different the images of a batch are in a layer: minus the mean cosine between their Gram matrices, from -1 to 1.

    Added to another objective with a weight, it makes a batch show several sides of what a unit answers to.
    Source: Olah, Mordvintsev & Schubert 2017, Feature Visualization.
    """

    layer: str

    def __post_init__(self) -> None:
        _check_layer("Diversity", self.layer)

    def __str__(self) -> str:
        return f"diversity:{bare_or_quoted(self.layer, ':')}"


def _check_layer(what: str, layer: Any) -> None:
    if not isinstance(layer, str) or not layer.strip():
        raise BadParameter(f"{what}: layer={quoted(layer)} is no name of a layer; model.layers() lists them.")
