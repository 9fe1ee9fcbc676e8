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
from .threshold import cut_of

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
    refine: one of `refine.REFINERS`, by name, or with settings, which brings the mask to the edges in `pixels`: (*shape, c).
    """
    if components not in COMPONENTS:
        raise NoSuchName(
            "choice of components", components, closest(str(components), COMPONENTS), 'There are "largest" and "all".'
        )
    neighbours, smallest = _connectivity(connectivity, values.ndim), _least(least, values, seen)
    part = tuple(seen) or (slice(None),) * values.ndim
    looked_at = values[part]
    cut = cut_of(looked_at, threshold, of, preset)
    if not np.isfinite(cut):
        flat = looked_at.size and float(looked_at.min()) == float(looked_at.max()) > 0
        why = "the map is the same everywhere" if flat else "no value of the map is positive"
        return FoundBoxes((), np.zeros(values.shape, np.int32), cut, why)
    if refine is None:
        mask = values > cut
    else:
        from .refine.refined import refined  # here, for few ask for it

        mask = refined(values, cut, part, refine, pixels)
    labels, count = skimage("measure").label(mask, return_num=True, connectivity=neighbours)
    if not count:
        return FoundBoxes((), np.zeros(values.shape, np.int32), cut, "nothing is left of the mask after it was refined")
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    areas[0] = 0
    chosen = [int(areas.argmax())] if components == "largest" else [k for k in range(1, count + 1) if areas[k] >= smallest]
    if not chosen:
        why = f"no region has {smallest:g} pixels or more: the largest has {areas.max()}; least= sets that"
        return FoundBoxes((), np.zeros(values.shape, np.int32), cut, why)
    return _boxes(values, labels, chosen, areas, cut)


def _boxes(values: Floats, labels: NDArray[Any], chosen: list[int], areas: NDArray[Any], cut: float) -> FoundBoxes:
    """A box around each chosen region, the strongest first."""
    from scipy import ndimage  # comes with scikit-image, and takes as long to import

    total, greatest = float(np.maximum(values, 0).sum(dtype=np.float64)), float(values.max())
    found, places = list[FoundBox](), ndimage.find_objects(labels)
    for k in chosen:
        inside, part = labels[places[k - 1]] == k, values[places[k - 1]]
        strong = np.maximum(part, 0)
        evidence = float(strong.sum(where=inside, dtype=np.float64)) / total
        spans = tuple((int(side.start), int(side.stop)) for side in places[k - 1])
        found.append(FoundBox(spans, float(strong.max(where=inside, initial=0)) / greatest, int(areas[k]), evidence))
    order = sorted(range(len(found)), key=lambda at: (-found[at].score, -found[at].evidence, found[at].spans))
    number = np.zeros(len(areas), np.int32)
    number[[chosen[at] for at in order]] = np.arange(1, len(order) + 1)
    return FoundBoxes(tuple(found[at] for at in order), number[labels], cut)


def _connectivity(connectivity: Any, axes: int) -> int:
    """As scikit-image counts it: 1 at sides, the number of axes at corners, too."""
    if connectivity not in (4, 8, 6, 26) or isinstance(connectivity, bool):
        raise BadParameter(
            f"connectivity={quoted(connectivity)}: give 8 (corners count; 26 of volumes) or 4 (sides alone; 6 of volumes)."
        )
    return 1 if connectivity in (4, 6) else axes


def _least(least: Any, values: Floats, seen: Sequence[slice]) -> float:
    """The pixels that a region has to have."""
    least = LEAST if least is None else least
    if isinstance(least, bool) or not isinstance(least, int | float | np.number) or not 0 <= float(least) < np.inf:
        raise BadParameter(
            f"least={quoted(least)}: give the least area of a region, a share below 1 of the image, or pixels from 1 on."
        )
    return float(least) * values[tuple(seen)].size if least < 1 else float(least)
