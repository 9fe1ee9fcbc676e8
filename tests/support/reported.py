"""A run of photos that lie on the disk, written by hand, for reports."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seewhy.dataset.info import RunInfo
from seewhy.dataset.photo_rows import PhotoRow
from seewhy.images.places import Extent
from seewhy.maps.source import Predicted

from .answered import NAMES, answered, shown

EVIL = '<script>alert("1")</script>"\' onload=alert(1)'
TURNED = "\u202etac\u202c قطة"
LONG = "very " * 400 + "long"
LABELS = (*NAMES[:1], EVIL, TURNED, LONG)


def info(count: int, methods: tuple[str, ...] = ("grad-cam",)) -> RunInfo:
    asked = tuple({"name": name, "params": {}} for name in methods)
    return RunInfo("net", "weights.pt", "", LABELS, asked, ("top", "true"), "photos", count, "0", 64)


def photos(
    folder: Path, count: int = 24, methods: tuple[str, ...] = ("grad-cam",), wrong: int = 3, **given: Any
) -> list[PhotoRow]:
    """Photos of four classes with odd names, of which one of `wrong` is taken for the next class; the last is not there."""
    rng, found = np.random.default_rng(0), []
    for i in range(count):
        truth = i % 4
        answer = (truth + 1) % 4 if i % 3 == 0 else truth
        path = folder / f"{i}.png"
        if i < count - 1:
            Image.fromarray(rng.integers(0, 255, (6, 8, 3), np.uint8)).resize((80, 60)).save(path)
        sure = 0.5 + 0.4 * i / count
        maps = [
            shown(rng.random((3, 4)), target, LABELS[index], method=method, box=Extent(10, 0, 70, 60),
                  evidence={"on_object": rng.random(), "object_area": 0.4})
            for method in methods for target, index in (("top", answer), ("true", truth))[: 1 + (truth != answer)]
        ]  # fmt: skip
        top = (Predicted(answer, LABELS[answer], sure), Predicted(truth, LABELS[truth], 1 - sure))
        facts = {
            "path": str(path),
            "size": (80, 60),
            "maps": maps,
            "predicted": top[0],
            "top": top,
            "truth_labels": (LABELS[truth],),
        }
        found.append(answered(i, truth, answer, sure, **{**facts, **given}))
    return found
