"""Two maps of one question beside each other: how much of the evidence one has elsewhere, and where they part."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import overload

import numpy as np

from seewhy.errors import BadParameter
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.record import recorded
from seewhy.objects.shift import PARTED, energy_shift
from seewhy.printable import in_percent

LEARNED = ("grad-cam", "hires-cam")  # the two methods that PARTED is of


@dataclass(frozen=True, eq=False)
class Disagreement:
    """How far two maps of one network, image, target and layer lie apart.

    share: of the first map's positive evidence, how much lies elsewhere on the second: 0 (all where it was) to 1 (none of it).
    where: the map of where they part, each divided by its sum: positive where the first has more, negative where the second.
    doubtful: does that much speak against the first map?  Known of Grad-CAM and HiResCAM alone, from `threshold` on; else None.
    """

    share: float
    where: Heatmap
    doubtful: bool | None
    threshold: float | None

    def __str__(self) -> str:
        source = self.where.source
        first, second = source.params["first"], source.params["second"]
        said = f"{source.image}: {in_percent(self.share)} of the evidence of {first} lies elsewhere in {second}"
        if self.doubtful is None or self.threshold is None:
            return said
        verdict = "averaging the gradient has moved it" if self.doubtful else "no reason for doubt"
        return f"{said}; {verdict} (doubtful from {in_percent(self.threshold, 0)} on)"


@overload
def disagreement(first: Heatmap, second: Heatmap) -> Disagreement: ...
@overload
def disagreement(first: Iterable[Heatmap], second: Iterable[Heatmap]) -> list[Disagreement]: ...
def disagreement(first: Heatmap | Iterable[Heatmap], second: Heatmap | Iterable[Heatmap]) -> Disagreement | list[Disagreement]:
    """How far two methods' maps of the same question lie apart, and where: of Grad-CAM and HiResCAM, whether Grad-CAM lies.

    first, second: heatmaps of one network, image, target and layer, or as many of each, in the same order.

    What is compared is positive evidence, each map divided by its sum: half the sum of absolute differences (total variation).
    Grad-CAM averages the gradient over the map, which HiResCAM does not; where only pooling and one linear layer follow, the
    two are the same.  The threshold for these two is learned from the demo's `flat` network (docs/disagreement.md).

    Source: Draelos & Carin 2020, Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks.
    Raises BadParameter where the maps are not of the same network, image, target and layer.
    """
    if isinstance(first, Heatmap) and isinstance(second, Heatmap):
        return _of_two(first, second)
    if isinstance(first, Heatmap) or isinstance(second, Heatmap):
        raise BadParameter("disagreement compares a heatmap with a heatmap, or as many with as many; here one is a single map.")
    some, others = list(first), list(second)
    if len(some) != len(others):
        raise BadParameter(f"disagreement compares map by map, and there are {len(some)} and {len(others)} of them.")
    return [_of_two(one, other) for one, other in zip(some, others, strict=True)]


def _of_two(first: Heatmap, second: Heatmap) -> Disagreement:
    a, b = first.source, second.source
    for name in ("model", "weights_sha256", "image", "image_sha256", "target", "index", "place", "layer"):
        if getattr(a, name) != getattr(b, name):
            raise BadParameter(
                f"The maps are of two questions: {name.replace('_', ' ')} {getattr(a, name)!r} and {getattr(b, name)!r}. "
                "Explain the same image, target and layer of one network by both: "
                "seewhy.explain(model, image, ['grad-cam', 'hires-cam'])."
            )
    if first.values.shape != second.values.shape:
        raise BadParameter(f"The maps have {first.values.shape} and {second.values.shape} values, though of one layer.")
    if not (np.isfinite(first.values).all() and np.isfinite(second.values).all()):
        raise BadParameter(f"A map of {a.image} has NaN or infinity in it.")
    learned = (a.method, b.method) == LEARNED
    share = energy_shift(first.values, second.values)
    source = replace(
        a,
        method=f"disagreement({a.method}, {b.method})",
        params={"first": a.method, "second": b.method},
        warnings=tuple(dict.fromkeys((*a.warnings, *b.warnings))),
        measured={"share": share},
        caveat="positive where the first map has more of its evidence, negative where the second has",
    )
    values = (_shares(first) - _shares(second)).astype(np.float32)
    where = recorded(replace(first, values=values, source=source, channels=None, error=None, regions=None))
    return Disagreement(share, where, share >= PARTED if learned else None, PARTED if learned else None)


def _shares(heatmap: Heatmap) -> np.ndarray:
    positive = np.maximum(heatmap.values.astype(np.float64), 0)
    return positive / (positive.sum() or 1)
