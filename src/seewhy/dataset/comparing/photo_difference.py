"""What changed of one photo from run A to run B: the answer, and where the network looks."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from seewhy.comparison.measures import centre, flat, spearman
from seewhy.dataset.photo_grid import on_photo_grid
from seewhy.dataset.photo_rows import MapRow
from seewhy.maps.source import Predicted
from seewhy.objects.shift import energy_shift

from .matching import KeptPhoto

SIDE = 64  # places along the longer side of the photo, at which maps of any two grids are compared
CHANGES = ("broken", "fixed", "other", "same", "unknown")


@dataclass(frozen=True)
class LookChange:
    """How far one map lies from another of the same photo and class, where both networks saw it.

    target: "true" where it explains what the photo shows, else "top", what both took it for.
    spearman: rank correlation, -1 to 1; None where a map is the same everywhere.  energy_shift: the share of the positive
        evidence that lies elsewhere, 0 to 1.  centre_shift: how far its centre moved, in shares of the photo's longer side;
        None where a map has no positive evidence.
    """

    target: str
    label: str
    spearman: float | None
    energy_shift: float
    centre_shift: float | None


@dataclass(frozen=True, eq=False)
class PhotoDifference:
    """What changed of a photo.

    item_a, item_b, path: in A, in B, and where it lies by B; truth: what it shows; empty where that is not known.
    before, after: what each took it for; change: "fixed" (right now), "broken" (wrong now), "other" (another answer, as right
        or wrong as before), "same", "unknown" (a model gives no classes).
    looks: how far the maps lie apart; None where no two explain one class, and why: `apart`.
    shares: of the evidence on the object and at the border, by name, before and after; those that both runs know.
    """

    item_a: int
    item_b: int
    path: str
    truth: tuple[str, ...]
    before: Predicted | None
    after: Predicted | None
    right_before: bool | None
    right_after: bool | None
    change: str
    looks: LookChange | None
    apart: str
    shares: dict[str, tuple[float, float]]

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for JSON."""
        looks = self.looks
        return {
            "path": self.path, "item_a": self.item_a, "item_b": self.item_b, "truth": list(self.truth), "change": self.change,
            "before": _answer(self.before), "after": _answer(self.after), "right_before": self.right_before,
            "right_after": self.right_after, "target": looks and looks.target, "explained": looks and looks.label,
            "spearman": looks and looks.spearman, "energy_shift": looks and looks.energy_shift,
            "centre_shift": looks and looks.centre_shift, "not_compared": self.apart,
            "evidence": {name: {"before": old, "after": new} for name, (old, new) in self.shares.items()},
        }  # fmt: skip


def _answer(predicted: Predicted | None) -> dict[str, Any] | None:
    if predicted is None:
        return None
    return {"index": predicted.index, "label": predicted.label, "probability": predicted.probability}


def photo_difference(a: KeptPhoto, b: KeptPhoto, to_b: Any, method: str | None) -> PhotoDifference:
    """What changed of a photo.

    to_b: the number of a class of A in B, -1 where B has it not; method: of the maps; None where the runs share none.
    """
    looks, apart, pair = None, "the runs have no method in common", None
    if method is not None:
        looks, apart, pair = _looks(a, b, to_b, method)
    same = None if a.predicted is None or b.predicted is None else to_b(a.predicted.index) == b.predicted.index
    alike = a.truth == b.truth
    right = (a.right if alike else None, b.right if alike else None)
    change = "unknown" if same is None else "same" if same else "other"
    if None not in right and right[0] != right[1]:
        change = "fixed" if right[1] else "broken"
    return PhotoDifference(
        a.item, b.item, b.path, b.truth, a.predicted, b.predicted, *right, change, looks, apart, _shares(pair),
    )  # fmt: skip


def _looks(a: KeptPhoto, b: KeptPhoto, to_b: Any, method: str) -> tuple[LookChange | None, str, Any]:
    """The difference of the maps of one class: that which the photo shows, else what both took it for."""
    if a.error is not None or b.error is not None:
        return None, "it failed in one of the runs", None
    for target in ("true", "top"):
        pair = a.map(target, method), b.map(target, method)
        if pair[0] is None or pair[1] is None or pair[0].index is None or to_b(pair[0].index) != pair[1].index:
            continue
        found = _look_change(pair[0], pair[1], a.size, target)
        return (found, "", pair) if found is not None else (None, "the networks see no common upright part of it", None)
    return None, "the runs have no maps of one class of it", None


def _look_change(a: MapRow, b: MapRow, size: tuple[int, int] | None, target: str) -> LookChange | None:
    placed = [] if size is None else [grid for one in (a, b) if (grid := on_photo_grid(one, size, SIDE)) is not None]
    if len(placed) < 2:
        return None
    seen = placed[0][1] & placed[1][1]
    if not seen.any():
        return None
    values = [np.where(seen, full, 0) for full, _ in placed]
    flat_a, flat_b = (flat(each[seen]) for each in values)
    rank = None if flat_a or flat_b else spearman(values[0][seen], values[1][seen])
    centres = centre(values[0]), centre(values[1])
    moved = None
    if centres[0] is not None and centres[1] is not None:
        moved = float(np.hypot(*(centres[1] - centres[0])) / max(seen.shape))
    label = b.label or str(b.index)
    return LookChange(target, label, rank, energy_shift(values[0][seen], values[1][seen]), moved)


def _shares(pair: tuple[MapRow, MapRow] | None) -> dict[str, tuple[float, float]]:
    """The shares of the evidence that both runs know."""
    found = dict[str, tuple[float, float]]()
    if pair is None:
        return found
    for name in ("on_object", "border"):
        old, new = pair[0].evidence.get(name), pair[1].evidence.get(name)
        if old is not None and new is not None:
            found[name] = float(old), float(new)
    return found
