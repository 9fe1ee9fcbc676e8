"""The boxes of a map: where it lies above a threshold, which regions of that hang together, and the box around each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter, NoSuchName, closest
from seewhy.printable import quoted

from .found import FoundBox, FoundBoxes
from .scikit import skimage
from .threshold import cut_of, cut_words

COMPONENTS = ["largest", "all"]
LEAST = 0.001  # of what the network saw: smaller regions are left out of "all"


def find(
    values: Floats,
    seen: Sequence[slice] = (),
    threshold: float | None = None,
    of: str = "max",
    components: str = "largest",
    connectivity: int = 8,
    least: float | None = None,
    preset: str | None = None,
    refine: Any = None,
    pixels: NDArray[Any] | None = None,
) -> FoundBoxes:
    """The objects in a map of one to three dimensions.

    values: at the size of the image, zero outside of `seen`, what the network saw of it.
    threshold, of, preset: as `threshold.cut_of`.
    components: the "largest" region by area alone, or "all" of at least `least`: a share of what the network saw (0.001 by
        default), or, from 1 on, pixels.
    connectivity: pixels hang together also at their corners (8; of volumes 26), or at their sides alone (4; of volumes 6).
    refine: True, one of `refine.REFINERS` by name, or (name, {setting: value}): brings the mask to the edges in `pixels`,
        (*shape, c).
    Raises NoSuchName, BadParameter; MissingExtra without scikit-image; NotApplicable where a refiner takes no such image.
    """
    if components not in COMPONENTS:
        raise NoSuchName(
            "choice of components", components, closest(str(components), COMPONENTS), 'There are "largest" and "all".'
        )
    edges = _refinement(refine)
    part = tuple(seen) or (slice(None),) * values.ndim
    looked_at = values[part]
    neighbours, smallest = _connectivity(connectivity, values.ndim), _least(least, looked_at.size)
    cut, how = cut_of(looked_at, threshold, of, preset), f"{cut_words(threshold, of, preset)}, {_which(components)}"

    def none(why: str) -> FoundBoxes:
        return FoundBoxes((), (), values.shape, cut, how, why)

    if not np.isfinite(cut):
        return none(_why_none(looked_at))
    if edges is None:
        mask, nothing = looked_at > cut, f"no value lies above {cut:.4g}, where the threshold is"
    else:
        mask, nothing = edges.run(values, cut, part, pixels)[part], "nothing is left of the mask after it was refined"
        how += f", refined by {edges}"
    if (around := _bounds(mask)) is None:
        return none(nothing)
    mask, strong = mask[around], np.maximum(looked_at[around], 0)
    first = [inner.start + (outer.start or 0) for inner, outer in zip(around, part, strict=True)]
    labels, count = skimage("measure").label(mask, return_num=True, connectivity=neighbours)
    regions = _Regions(labels, count, strong)
    chosen = np.flatnonzero(regions.strongest > 0)  # a refined mask may reach where the map says nothing
    if not len(chosen):
        return none("the refined mask lies where no value of the map is positive")
    if components == "largest":
        chosen = chosen[regions.areas[chosen].argmax()][None]
    elif not len(large := chosen[regions.areas[chosen] >= smallest]):
        most = regions.areas[chosen].max()
        return none(f"no region has {smallest:g} pixels or more: the largest has {most}; least= sets that")
    else:
        chosen = large
    boxes, masks = regions.boxes(chosen, first, float(looked_at.max()), _total(looked_at))
    return FoundBoxes(boxes, masks, values.shape, cut, how)


def _refinement(refine: Any) -> Any:
    """What is to bring a mask to the image's edges; None where nothing is."""
    if refine is None or refine is False:
        return None
    from .refine.refined import refinement  # here, for few ask for it

    return refinement(refine)


class _Regions:
    """Connected regions in the part of a map that holds them all: labels from 1 on, and the map's positive values there."""

    def __init__(self, labels: NDArray[Any], count: int, strong: Floats) -> None:
        """areas, strongest, evidence: (count + 1,), of each region by its label; of label 0 they are zero."""
        self.labels, self.count, inside = labels, count, labels > 0
        values = strong[inside]
        if count == 1:  # as most often, and then without a look at every label
            self.areas, self.strongest = np.array([0, values.size]), np.array([0, values.max()])
            self.evidence = np.array([0, values.sum(dtype=np.float64)])
            return
        numbers = labels[inside]
        self.areas = np.bincount(numbers, minlength=count + 1)
        self.evidence = np.bincount(numbers, values, minlength=count + 1)
        self.strongest = np.zeros(count + 1, strong.dtype)
        np.maximum.at(self.strongest, numbers, values)

    def boxes(
        self, chosen: NDArray[Any], first: Sequence[int], greatest: float, total: float
    ) -> tuple[tuple[FoundBox, ...], tuple[NDArray[np.bool_], ...]]:
        """A box around each chosen region, the strongest first, and the region in it.

        first: where this part of the map begins in it; greatest: value of the map; total: of its positive values.
        """
        from scipy import ndimage  # comes with scikit-image, and takes as long to import

        whole = [tuple(slice(0, side) for side in self.labels.shape)]  # the part holds no more than the regions
        places = whole if self.count == 1 else ndimage.find_objects(self.labels)
        found = list[tuple[FoundBox, NDArray[np.bool_]]]()
        for k in map(int, chosen):
            inside = places[k - 1]
            spans = tuple((int(side.start + at), int(side.stop + at)) for side, at in zip(inside, first, strict=True))
            score, evidence = float(self.strongest[k]) / greatest, float(self.evidence[k]) / total
            box = FoundBox(spans, min(score, 1.0), int(self.areas[k]), min(evidence, 1.0))
            found.append((box, self.labels[inside] == k))
        found.sort(key=lambda pair: (-pair[0].score, -pair[0].evidence, pair[0].spans))
        return tuple(box for box, _ in found), tuple(mask for _, mask in found)


def _total(values: Floats) -> float:
    """The sum of the positive values."""
    return float(np.maximum(values, 0).sum(dtype=np.float64))


def _bounds(mask: NDArray[np.bool_]) -> tuple[slice, ...] | None:
    """The part of a mask outside of which nothing is marked; None where nothing is marked at all."""
    bounds = list[slice]()
    for axis in range(mask.ndim):
        marked = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        if not len(marked):
            return None
        bounds.append(slice(int(marked[0]), int(marked[-1]) + 1))
    return tuple(bounds)


def _why_none(values: Floats) -> str:
    """Why a map has no threshold, in words."""
    if not values.size:
        return "the network saw nothing of the image"
    if not np.isfinite(greatest := values.max()):
        return "the map holds values that are not finite"
    return "no value of the map is positive" if greatest <= 0 else "the map is the same everywhere"


def _which(components: str) -> str:
    return "the largest region" if components == "largest" else "all regions"


def _connectivity(connectivity: Any, axes: int) -> int:
    """As scikit-image counts it: 1 at sides, the number of axes at corners, too."""
    if isinstance(connectivity, bool) or not isinstance(connectivity, int) or connectivity not in (4, 8, 6, 26):
        raise BadParameter(
            f"connectivity={quoted(connectivity)}: give 8 (corners count; 26 of volumes) or 4 (sides alone; 6 of volumes)."
        )
    return 1 if connectivity in (4, 6) else axes


def _least(least: Any, size: int) -> float:
    """The pixels that a region has to have, of so many that the network saw."""
    least = LEAST if least is None else least
    if isinstance(least, bool) or not isinstance(least, int | float | np.number) or not 0 <= float(least) < np.inf:
        raise BadParameter(
            f"least={quoted(least)}: give the least area of a region, a share below 1 of the image, or pixels from 1 on."
        )
    return float(least) * size if least < 1 else float(least)
