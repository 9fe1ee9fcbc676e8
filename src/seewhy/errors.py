"""What can go wrong, each saying what was asked, what exists, and what to do.

SeewhyError
├── Misuse              the question cannot be asked like this (exit code 2 on the command line)
│   ├── NoSuchName      a layer, class, method or model that does not exist
│   ├── BadParameter    a parameter a method, an image or a model does not take
│   ├── NeedsGradients  the method reads gradients and the model gives scores only
│   └── NotApplicable   the method has no meaning on this network
│       └── NotHere     what is asked for is not in this one image
├── BadImage            a file or array that is no picture
├── BadWeights          weights that do not fit, or cannot be fetched
├── BadNetwork          the network failed, or gave something that is no score
├── NotWritten          a file cannot be written
└── MissingExtra        an optional dependency is not installed
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class SeewhyError(Exception):
    """Anything seewhy raises on purpose.

    partial: the Heatmaps of what was done before, where work that takes long failed in the middle; else None.
    """

    partial: Any = None


class Misuse(SeewhyError, ValueError):
    """The question cannot be asked like this."""


class NoSuchName(Misuse, LookupError):
    """A name that does not exist, with the nearest ones that do and where to find the rest."""

    def __init__(self, kind: str, asked: object, near: Iterable[str], rest: str) -> None:
        close = ", ".join(near)
        super().__init__(f"No {kind} {asked!r}. " + (f"Closest: {close}. " if close else "") + rest)

    def __str__(self) -> str:  # LookupError would quote it
        return str(self.args[0])


class BadParameter(Misuse, TypeError):
    """A parameter that is not taken, or not with this value."""


class NeedsGradients(Misuse):
    """The method reads gradients, the model gives scores only."""


class NotApplicable(Misuse):
    """The method has no meaning on this network, or not at this layer."""


class NotHere(NotApplicable):
    """What is asked for is not in this image; it may be in others."""


class BadImage(SeewhyError, ValueError):
    """A missing, broken or oversized file, or an array that is no picture."""


class BadWeights(SeewhyError, ValueError):
    """Weights that do not fit the network, are not safe to read, or cannot be fetched."""


class BadNetwork(SeewhyError, RuntimeError):
    """The network's output cannot be read as scores."""


class NotWritten(SeewhyError, OSError):
    """A file cannot be written; what was there before is as it was."""


class MissingExtra(SeewhyError, ImportError):
    """An optional dependency is missing."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} is not installed. Install it with: pip install 'seewhy[{extra}]'")


def closest(asked: str, names: list[str], most: int = 3) -> list[str]:
    """The names most like `asked`: near spellings first, then names that contain it."""
    lower = {name.lower(): name for name in reversed(names)}
    near = [lower[name] for name in get_close_matches(asked.lower(), lower, n=most)]
    inside = [name for name in names if asked.lower() in name.lower() and name not in near]
    return (near + inside)[:most]
