"""Photos of a run, written by hand, as reports read them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seewhy.dataset.photo_rows import MapRow, PhotoRow
from seewhy.images.places import Extent
from seewhy.maps.source import Predicted

NAMES = ("cat", "dog", "cow", "hen")


def shown(values: Any = ((0, 1), (2, 4)), target: str = "top", label: str = "cat", **given: Any) -> MapRow:
    """A map of a 40x30 photo, all of which the network saw."""
    facts: dict[str, Any] = {
        "method": "grad-cam", "index": 0, "score": 1.0, "probability": 0.5, "coarse": False, "evidence": {}, "seen": None,
        "warnings": (), "box": Extent(0, 0, 40, 30),
    }  # fmt: skip
    return MapRow(**{**facts, **given}, values=np.array(values, np.float32), target=target, label=label)


def answered(
    item: int, truth: int | None, answer: int, sure: float = 0.5, looks: Mapping[str, float] | None = None,
    maps: Sequence[MapRow] | None = None, seen: Any = None, **given: Any,
) -> PhotoRow:  # fmt: skip
    """A photo of one class, or of none that is known, with the answer and its probability.

    The rest of 1 is the true class's, or the next one's.
    """
    other = (answer + 1) % len(NAMES) if truth in (None, answer) else truth
    top = (Predicted(answer, NAMES[answer], sure), Predicted(int(other or 0), NAMES[int(other or 0)], 1 - sure))
    right = None if truth is None else truth == answer
    vector = None if seen is None else np.array(seen, np.float32)
    facts: dict[str, Any] = {
        "path": f"{item}.jpg", "sha256": None, "size": (40, 30), "format": "JPEG", "file_bytes": 100, "top": top,
        "predicted": top[0], "right": right, "true_rank": None if right is None else 2 - right,
        "true_probability": None if right is None else sure if right else 1 - sure, "photo": looks or {}, "embedding": None,
        "truth": () if truth is None else (truth,), "truth_labels": () if truth is None else (NAMES[truth],), "error": None,
        "maps": (shown(label=NAMES[answer], seen=vector),) if maps is None else tuple(maps),
    }  # fmt: skip
    return PhotoRow(item, **{**facts, **given})
