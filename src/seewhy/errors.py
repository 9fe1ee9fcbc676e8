"""What can go wrong, each saying what was asked, what exists, and what to do.

SeewhyError
├── Misuse              the question cannot be asked like this (exit code 2 on the command line)
│   ├── NoSuchName      a layer, class, method or model that does not exist
│   ├── BadParameter    a parameter a method, an image or a model does not take
│   ├── NeedsGradients  the method reads gradients and the model gives scores only
│   └── NotApplicable   the method has no meaning on this network
│       └── NotHere     what is asked for is not in this one image
├── BadImage            a file or array that is no picture
├── BadRecord           an evidence record that is damaged, was changed, or is not signed as it should be
├── BadWeights          weights that do not fit, or cannot be fetched
├── BadNetwork          the network failed, or gave something that is no score
│   ├── NotFinite       its scores hold NaN or infinity
│   └── NoService       a service that gives scores does not answer, or refuses: the next image would fare no better
├── NotWritten          a file cannot be written
├── OutOfMemory         memory ran out, and what to lower
└── MissingExtra        an optional dependency is not installed
"""

import pickle
from collections.abc import Iterable
from typing import Any

from .printable import printable, quoted

LIKE = 200  # characters of a name that others are looked for of
SPELT = 30_000  # names among which near spellings are looked for


class SeewhyError(Exception):
    """Anything seewhy raises on purpose.  Its words are one line that a terminal shows and never obeys, whatever they quote.

    partial: the Heatmaps of what was done before, where work that takes long failed in the middle; else None.
    typed: its words for a person who types commands, where other advice helps there than in Python; else "".
    It reaches another process with all that it says: its words, `partial`, notes, and its cause where that can be sent.
    """

    partial: Any = None
    typed: str = ""

    def __init__(self, *args: Any, typed: str = "") -> None:
        super().__init__(*(printable(words) if isinstance(words, str) else words for words in args))
        self.typed = printable(typed)

    def __str__(self) -> str:  # LookupError, OSError and ImportError have ways of their own
        return BaseException.__str__(self)

    def __reduce__(self) -> Any:
        cause = self.__cause__ if _sendable(self.__cause__) else None
        return _again, (type(self), self.args, dict(vars(self)), cause, self.__suppress_context__)


class Misuse(SeewhyError, ValueError):
    """The question cannot be asked like this."""


class NoSuchName(Misuse, LookupError):
    """A name that does not exist, with the nearest ones that do and where to find the rest.

    rest: where, in Python; typed: the same on the command line, where it differs.
    """

    def __init__(self, kind: str, unknown: object, near: Iterable[str], rest: str, typed: str = "") -> None:
        close = ", ".join(printable(name, 100) for name in near)
        what = f"No {kind} {quoted(unknown)}. " + (f"Closest: {close}. " if close else "")
        super().__init__(what + rest, typed=typed and what + typed)


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


class BadRecord(SeewhyError, ValueError):
    """An evidence record that is damaged, was changed, comes from a later seewhy, or is not signed as it should be."""


class BadWeights(SeewhyError, ValueError):
    """Weights that do not fit the network, are not safe to read, or cannot be fetched."""


class BadNetwork(SeewhyError, RuntimeError):
    """The network's output cannot be read as scores."""


class NoService(BadNetwork):
    """The service that gives the scores does not answer, or refuses to: the next image would fare no better."""


class NotWritten(SeewhyError, OSError):
    """A file cannot be written; what was there before is as it was."""


class OutOfMemory(SeewhyError, MemoryError):
    """Memory ran out: at what, and what to lower."""


class MissingExtra(SeewhyError, ImportError):
    """An optional dependency is missing."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} is not installed. Install it with: {install(extra)}")


def install(extra: str) -> str:
    """The command that installs an extra of seewhy, or several: from the checkout that this seewhy runs from, if it does."""
    from pathlib import Path  # here, with the next, for errors are not to slow down the start

    here = Path(__file__).resolve().parents[2]
    checkout = here if (here / "pyproject.toml").is_file() and (here / "src" / "seewhy").is_dir() else _installed_from()
    return f"pip install '{checkout or 'seewhy'}[{extra}]'"


def _installed_from() -> Any:
    """The folder that pip installed this seewhy from; None where it came from elsewhere, or the folder has gone."""
    from importlib.metadata import PackageNotFoundError, distribution  # all here, as above
    from json import loads
    from pathlib import Path
    from urllib.parse import unquote, urlparse

    try:
        text = distribution("seewhy").read_text("direct_url.json")
        url = urlparse(loads(text)["url"]) if text else None
    except (PackageNotFoundError, ValueError, KeyError, OSError):
        return None
    folder = Path(unquote(url.path)) if url and url.scheme == "file" else None
    return folder if folder and (folder / "pyproject.toml").is_file() else None


def closest(spelling: str, names: list[str], most: int = 3) -> list[str]:
    """The names most like `asked`: near spellings first, then names that contain it."""
    from difflib import get_close_matches  # as long to import as much of seewhy

    spelling = spelling[:LIKE]
    lower = {name[:LIKE].lower(): name for name in reversed(names)}
    near = [lower[name] for name in get_close_matches(spelling.lower(), [*lower][:SPELT], n=most)]
    inside = [name for name in names if spelling.lower() in name.lower() and name not in near]
    return (near + inside)[:most]


def _again(kind: type[SeewhyError], args: tuple[Any, ...], attributes: dict[str, Any], cause: Any, alone: bool) -> SeewhyError:
    """The error as it was, without asking its class, whose arguments may be others than its words."""
    maker = Exception if issubclass(kind, MemoryError) else kind  # whose own is for plain ones alone
    error = maker.__new__(kind, *args)
    error.args = args
    vars(error).update(attributes)
    error.__cause__, error.__suppress_context__ = cause, alone
    return error


def _sendable(error: BaseException | None) -> bool:
    """Does it come out of a pickle again?  Of an error of another library, nobody knows before."""
    try:
        return pickle.loads(pickle.dumps(error)) is not None
    except Exception:  # noqa: BLE001 - whatever it raises
        return False


MANY, SEEDS = 10**9, 2**64 - 1  # the most samples, masks and the like; the largest seed


def whole_number(value: Any, what: str, least: int, most: int = SEEDS) -> int:
    """The value as an int; BadParameter, beginning with `what`, where it is none from least to most."""
    try:
        if least <= value <= most and value == int(value) and not isinstance(value, bool):
            return int(value)
    except (TypeError, ValueError, OverflowError):
        pass
    span = f"from {least} on" if most == SEEDS else f"from {least} to {most:,}"
    raise BadParameter(f"{what} is a whole number {span}, not {quoted(value)}.")


class InSpace(BadNetwork):
    """The network answers with boxes, or with a map, so no class of the whole image can be explained."""


class NotFinite(BadNetwork):
    """The scores hold NaN or infinity, so that nothing can be said of any class."""


class OneByOne(NotApplicable):
    """The images of a batch rest on different layers, so that each is explained by itself: the engine does so."""
