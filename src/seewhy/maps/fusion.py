"""Several layers' maps as one."""

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

import numpy as np

from seewhy.errors import BadParameter, NoSuchName, NotApplicable, closest
from seewhy.images.places import Cells
from seewhy.images.resample import brought
from seewhy.images.sight import Sight

from .heatmap import Heatmap
from .heatmaps import Heatmaps
from .record import recorded

HOW = {
    "mean": lambda maps: np.mean(maps, axis=0),
    "max": lambda maps: reduce(lambda p, q: np.where(abs(p) >= abs(q), p, q), maps),  # the strongest, sign kept
    "product": lambda maps: np.prod(maps, axis=0),
}


def fuse(heatmaps: Iterable[Heatmap], how: str = "mean") -> Heatmaps:
    """Join the layers of each image, target and method: upsampled to the finest of them, each from where its cells lie,
    divided by its largest absolute value (layers have units of their own), then averaged, multiplied, or the strongest taken.

    Returns one map per image, target and method, in the order they came; its values lie in [-1, 1].
    """
    if how not in HOW:
        raise NoSuchName("fusion", how, closest(how, [*HOW]), f"There are: {', '.join(HOW)}.")
    groups: dict[object, list[Heatmap]] = {}
    for m in heatmaps:
        s = m.source
        groups.setdefault((m.place, s.image, s.model, s.weights, s.scores, s.target, s.method, repr(s.params)), []).append(m)
    if not groups:
        raise BadParameter("There are no maps to fuse. Ask a method for several layers: layer=['layer3', 'layer4'].")
    return Heatmaps(tuple(_fused(group, how) for group in groups.values()))


def _fused(group: list[Heatmap], how: str) -> Heatmap:
    """The maps of several layers as one map.  Raises NotApplicable where they are not flat, BadParameter."""
    if any(m.values.ndim != 2 for m in group):
        raise NotApplicable("Only flat maps can be fused.")
    if how == "product" and min(m.values.min() for m in group) < 0:
        raise BadParameter("A product of signed maps would turn evidence against into evidence for. Fuse unsigned ones.")
    finest = [max(sides) for sides in zip(*(m.values.shape for m in group), strict=True)]
    even = [m.values / (abs(m.values).max() or 1) for m in group]
    onto = _cells_of_the_finest(group)
    grown = [brought(v, m.cells, finest, onto) for v, m in zip(even, group, strict=True)]
    first = group[0]
    source = replace(
        first.source,
        layer=" + ".join(m.source.layer for m in group),
        params={**first.source.params, "fuse": how},
        warnings=tuple(dict.fromkeys(w for m in group for w in m.warnings)),
    )
    return recorded(replace(first, values=HOW[how](grown).astype(np.float32), source=source, channels=None, cells=onto))


def _cells_of_the_finest(group: list[Heatmap]) -> Cells | None:
    """Along each axis the cells of the map that has the most of them; None where the cells of all maps lie evenly."""
    size = next((m.cells.size for m in group if m.cells), None)
    if size is None:
        return None
    placed = [m.cells or Cells.even(m.values.shape, size) for m in group]
    finest = [max(range(len(group)), key=lambda i, axis=axis: group[i].values.shape[axis]) for axis in range(len(size))]
    first, stride = (tuple(getattr(placed[i], name)[axis] for axis, i in enumerate(finest)) for name in ("first", "stride"))
    sights = tuple(placed[i].sights[axis] if placed[i].sights else Sight() for axis, i in enumerate(finest))
    return Cells(first, stride, size, sights if any(sight.spread for sight in sights) else ())
