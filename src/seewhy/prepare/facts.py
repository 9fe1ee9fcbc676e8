"""What a preprocessing does to an image, by its numbers, as a Source and an exported file say it."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from seewhy.arrays import described
from seewhy.json_text import plain

from .callable_fit import CallableFit
from .fit import Fit
from .unscaled import Unscaled
from .volume_fit import VolumeFit

LONGEST = 2000  # characters of what a stranger's preprocessing says of itself
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # in memory, which is another in every process


def facts_of(prepare: Any) -> dict[str, Any]:
    """All numbers of a Fit, VolumeFit or ClipFit, with its `kind`; of a callable its name and what it says of itself, bounded;
    nothing where there is none.
    """
    if prepare is None:
        return {}
    if isinstance(prepare, CallableFit):
        return _of_callable(prepare.prepare)
    if isinstance(prepare, Fit):
        kind = "Fit" if isinstance(prepare, Unscaled) else type(prepare).__name__  # with these numbers they do the same
        return {"kind": kind, **{name: plain(getattr(prepare, name)) for name in Fit.__dataclass_fields__}}
    if isinstance(prepare, VolumeFit):
        return {"kind": "VolumeFit", **plain(asdict(prepare))}
    return {"kind": type(prepare).__name__, "count": plain(prepare.count), "fit": facts_of(prepare.fit)}


def _of_callable(prepare: Any) -> dict[str, Any]:
    facts, kind = {"kind": "code", "code": str(described(prepare))}, type(prepare)
    numbers = getattr(prepare, "facts", None)
    if isinstance(numbers, Mapping):
        return {**facts, "numbers": plain(numbers)}
    speaks = kind.__repr__ is not object.__repr__ and kind.__module__ != "builtins"
    return {**facts, "says": ADDRESS.sub("", repr(prepare))[:LONGEST]} if speaks else facts
