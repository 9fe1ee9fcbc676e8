"""The conditions that decide whether a method can run, and at what cost: the image's size and the layer's activation."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.printable import quoted


class Conditions(NamedTuple):
    """One image and one network."""

    space: tuple[int, ...]  # of the image, in pixels
    layer: str | None = None  # the layer to explain; None where no layer has axes of space
    a: NDArray[Any] | None = None  # what the layer emits for the image (c, *cells), where that is known
    refused: Mapping[str, str] = {}  # what cannot be read from the network, with the reason
    tokens: bool = False  # the layer emits tokens

    @property
    def channels(self) -> NDArray[Any] | None:
        """The layer's activation with its cells in a row: (c, cells)."""
        return None if self.a is None else self.a.reshape(len(self.a), -1)


MethodSettings = Mapping[str, Any]
# how many forwards one map takes; None where that cannot be known
Forwards = Callable[[MethodSettings, Conditions], int | None]
Obstacle = Callable[[MethodSettings, Conditions], str]  # why a method cannot run, whatever the network is; "" where it can


class Advice(NamedTuple):
    """Why a method is the one to begin with."""

    rank: int  # the lowest of all methods that work is advised
    reason: str


# what speaks for a method that works there; None where nothing does
Advising = Callable[[MethodSettings, Conditions], Advice | None]


def once(_settings: MethodSettings, _conditions: Conditions) -> int | None:
    """The forwards of a method that reads a single pass."""
    return 1


def stated(name: str, passes: str, defaults: MethodSettings, asks: bool) -> Forwards:
    """The forwards of a method, where its cost in words can be counted upon; BadParameter where it cannot.

    asks: it asks for the scores of variants; then the words have to be "{samples} forwards", with a parameter of that name, or
    a plain number as in "1 forward".  Of other methods, no words or words that begin with a single forward.
    """
    amount, _, unit = passes.partition(" ")
    if not asks:
        first = passes.partition(",")[0]
        if first in ("", "1 forward") or first.startswith("1 forward of "):
            return once
    elif unit in ("forward", "forwards"):
        if amount.isdecimal():
            return lambda _settings, _conditions: int(amount)
        for key, value in defaults.items():
            if amount == f"{{{key}}}" and isinstance(value, int) and not isinstance(value, bool):
                return lambda settings, _conditions: _whole(settings[key])
    argument, plain = ("forwards", '"{samples} forwards"') if asks else ("counted", '"1 forward, and ..."')
    raise BadParameter(
        f"{name}: how many forwards one map takes cannot be told from {quoted(passes)}. Give {argument}=, a function of the "
        f"settings and the conditions that gives their number (None where it is not known), or word the passes as {plain}."
    )


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float | np.number) and float(value).is_integer() else None


def from_channels(count: Callable[[NDArray[Any], MethodSettings], int]) -> Forwards:
    """The forwards of a method whose cost depends on the channels (c, cells) of the layer."""

    def forwards(settings: MethodSettings, conditions: Conditions) -> int | None:
        return None if conditions.channels is None else count(conditions.channels, settings)

    return forwards


def varying(channels: NDArray[Any]) -> int:
    """How many channels vary over space, plus one if some are constant: these share one mask, which is empty."""
    varies = np.ptp(channels, axis=1) > 0
    return int(varies.sum()) + (not varies.all())
