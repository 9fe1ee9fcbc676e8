"""Errors to be raised in other processes, which import this file: it needs neither torch nor a network."""

import numpy as np

from seewhy import Extent, Heatmap, Heatmaps, Source, errors


def bare_error(kind: type[errors.SeewhyError]) -> errors.SeewhyError:
    """An error of the kind, with words."""
    known = {
        errors.NoSuchName: ("layer", "layr4", ["layer4"], "All: seewhy layers MODEL."),
        errors.MissingExtra: ("timm", "torch"),
    }
    return kind(*known.get(kind, ("what was asked, what there is, what to do",)))


def partial() -> Heatmaps:
    """Six maps, made by hand."""
    source = Source(
        "a.jpg", "m", None, "grad-cam", {"a": (1, 2)}, "l", "top 1", 3, "cat", "logits", 1.5, 0.5, None, 0.1, {"x": "1"}
    )
    values = np.random.default_rng(0).random((6, 3, 4), np.float32)
    return Heatmaps(tuple(Heatmap(value, None, Extent(0, 0, 4, 3), source) for value in values))


def fail(name: str) -> None:
    """Raise the error of that name, with a partial result."""
    error = bare_error(getattr(errors, name))
    error.partial = partial()
    raise error
