"""Where a model came from: what `load` made it of, and what its weights were then; and where in what was given it lies."""

import os
import platform
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
import PIL

from seewhy import __version__
from seewhy.printable import SECRET

USUAL = (
    "model", "module", "net", "network", "backbone", "model_", "module_", "_model", "learner", "learn", "predictor", "pipeline",
)  # fmt: skip
DEEP = 3  # how many objects lie in one another at most
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


def holding(it: Any, reads: Callable[[Any], bool]) -> tuple[str, Any] | None:
    """Where `it` holds what `reads` takes, as Python writes it behind its name, such as ".model" or "[0]", and that itself;
    None where it holds none.  What lies less deep comes first, then what has a usual name; no code of the object runs.
    """
    level, met = [("", it)], {id(it)}
    for _ in range(DEEP):
        deeper = [(path + step, part) for path, outer in level for step, part in _parts(outer) if part is not None]
        level = []
        for path, part in deeper:
            if reads(part):
                return path, part
            if id(part) not in met:
                met.add(id(part))
                level.append((path, part))
    return None


def _parts(it: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(it, Mapping):
        yield from ((f"[{key!r}]", part) for key, part in it.items() if isinstance(key, str))
    elif isinstance(it, list | tuple):
        yield from ((f"[{place}]", part) for place, part in [*enumerate(it)][:16])
    elif not isinstance(it, type) and hasattr(it, "__dict__"):
        inner = vars(it).get("_modules")  # of a module of torch
        parts = {**vars(it), **(inner if isinstance(inner, dict) else {})}
        parts.pop("_modules", None)
        names = [name for name in USUAL if name in parts]
        names += [name for name in parts if name not in names and not name.startswith("_") and str(name).isidentifier()]
        yield from ((f".{name}", parts[name]) for name in names)


def advice(it: Any, reads: Callable[[Any], bool]) -> str:
    """In words, what to wrap instead of `it`; "" where it holds no network."""
    held = holding(it, reads)
    if held is None:
        return ""
    path, network = held
    return f" It holds a network, {type(network).__name__}, in {path}: give that, wrap(it{path})."
