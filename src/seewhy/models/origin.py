"""Where a model came from: what `load` made it of, and what its weights were then."""

import os
import platform
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
import PIL

from seewhy import __version__
from seewhy.printable import SECRET

PLAIN = (str, int, float, bool, type(None))


class Origin(NamedTuple):
    """What `load` and `wrap` know of how a model was made."""

    recipe: Mapping[str, Any] = {}  # the arguments of `load`, as JSON has them; empty where no text can say them
    trusted: bool = False  # code that came with the weights was let run
    weights: str | None = None  # the file or tag they came from, as was said then
    weights_sha256: str = ""  # of them in memory, as they were then

    def weights_now(self, said: str | None, sha256: str) -> str | None:
        """What a Source says of the weights, which are these now."""
        edited = said is not None and said == self.weights and "" not in (sha256, self.weights_sha256)
        return f"{said}, changed since" if edited and sha256 != self.weights_sha256 else said


NO_ORIGIN = Origin()


def ground() -> dict[str, str]:
    """The versions of what every map depends on."""
    return {"seewhy": __version__, "python": platform.python_version(), "numpy": np.__version__, "pillow": PIL.__version__}


def machine() -> dict[str, Any]:
    """The machine, as far as any framework's numbers may depend on it."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"platform": f"{platform.system()} {platform.machine()}", "processors": processors}


def recipe_of(spec: str, **given: Any) -> dict[str, Any]:
    """The arguments of `load` that make the same model again, as JSON has them; empty where no text can say one of them.

    Arguments that are None or empty are left out.  Of the address of a service the query, and of its options the headers and
    the proxy, are not repeated: they may hold a secret.
    """
    address = "://" in spec
    recipe: dict[str, Any] = {"spec": spec.partition("?")[0] if address else spec}
    for name, value in sorted(given.items()):  # however they were given: the same model has one recipe
        if value is None or (isinstance(value, Mapping) and not value):
            continue
        if name == "options" and address:
            value = {key: inner for key, inner in value.items() if key not in SECRET}
        try:
            recipe[name] = _said(value)
        except TypeError:
            return {}
    return recipe


def _said(value: Any) -> Any:
    """The value as JSON has it.  Raises TypeError where it has none that stands for the same."""
    if isinstance(value, PurePath):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {_key(key): _said(inner) for key, inner in sorted(value.items(), key=str)}
    if isinstance(value, list | tuple):
        return [*map(_said, value)]
    if isinstance(value, np.generic):
        return value.item()
    if type(value).__module__ == "torch" and type(value).__name__ in ("device", "dtype"):
        return str(value).removeprefix("torch.")
    if not isinstance(value, PLAIN):
        raise TypeError(f"{type(value).__name__} is no text")
    return value


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{key!r} is no name")
    return key
