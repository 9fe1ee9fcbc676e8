"""Layers and channels as a person asks for them: by their names, by their numbers."""

from typing import Any

import numpy as np

from seewhy.errors import BadParameter
from seewhy.printable import quoted


def layer_names(layer: Any) -> list[str] | None:
    """The layers that are asked for by a name or a list of names, each once; None for None.  Raises BadParameter for others."""
    if layer is None:
        return None
    names = [layer] if isinstance(layer, str) else layer
    if not isinstance(names, list | tuple) or not names or not all(isinstance(each, str) and each for each in names):
        raise BadParameter(
            f"layer={quoted(layer)}: give the name of a layer, a list of names, or None; model.layers() lists them."
        )
    return [*dict.fromkeys(names)]


def layer_name(layer: Any) -> str | None:
    """The one layer that is asked for, or None.  Raises BadParameter for what is no name."""
    if layer is None or (isinstance(layer, str) and layer):
        return layer
    raise BadParameter(f"layer={quoted(layer)}: one layer is asked for, by its name, or None; model.layers() lists them.")


def numbers_asked(given: Any, every: int, asked: str, layer: str, one: str) -> list[int]:
    """The numbers (of channels, say) that are asked for as `asked`, in their order.

    given: a list, tuple or array of them; every: how many `layer` has; one: what each of them is called.
    Raises BadParameter for one that there is not, and where there is none.
    """
    shown = [*given] if isinstance(given, list | tuple) or np.ndim(given) == 1 else None
    odd = [
        each
        for each in shown or []
        if isinstance(each, bool) or not isinstance(each, int | np.integer) or not 0 <= each < every
    ]
    if odd or not shown:
        said = (
            f"there is no {one} {quoted(odd[0])}" if odd else "the list is empty" if shown == [] else "it is no list of numbers"
        )
        raise BadParameter(f"{asked}={quoted(given if shown is None else shown)}: {said}; {layer} has {one}s 0 to {every - 1}.")
    return [int(each) for each in shown]
