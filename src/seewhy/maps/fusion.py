"""Several layers' maps as one."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce
from typing import NamedTuple

import numpy as np

from seewhy.arguments import known_names
from seewhy.arrays import Floats
from seewhy.errors import BadParameter, NoSuchName, NotApplicable, closest
from seewhy.images.places import Cells, Grid
from seewhy.images.resample import brought, from_centres
from seewhy.images.sight import Sight

from .heatmap import Heatmap
from .heatmaps import Heatmaps
from .record import recorded

HOW = {
    "mean": lambda maps: np.mean(maps, axis=0),
    "max": lambda maps: reduce(lambda p, q: np.where(abs(p) >= abs(q), p, q), maps),  # the strongest, sign kept
    "product": lambda maps: np.prod(maps, axis=0),
}
SLACK = 0.51  # of a pixel or voxel that the network saw: two spacings of one field of view end so far apart at most


@known_names()
def fuse(heatmaps: Iterable[Heatmap], how: str = "mean") -> Heatmaps:
    """Join the layers of each image, target and method: upsampled to the finest of them, each from where its cells lie,
    divided by its largest absolute value (layers have units of their own), then averaged, multiplied, or the strongest taken.

    The images are photos, volumes, clips or signals.  Maps of one image that was prepared in several ways, such as a volume at
    two spacings, are brought onto each other where they lie in it, provided that all show the same part of it.

    Returns one map per image, target and method, in the order they came; its values lie in [-1, 1].
    Raises NotApplicable where maps of a question lie on different parts of the image, or have different dimensions.
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
    """The maps of several layers as one map.  Raises NotApplicable where they do not lie over each other, BadParameter."""
    if len({m.values.ndim for m in group}) > 1:
        sides = ", ".join(f"{m.source.layer} {'x'.join(map(str, m.values.shape))}" for m in group)
        raise NotApplicable(f"Maps of different dimensions cannot be fused: {sides}. Fuse layers that keep the same axes.")
    if how == "product" and min(m.values.min() for m in group) < 0:
        raise BadParameter("A product of signed maps would turn evidence against into evidence for. Fuse unsigned ones.")
    even = [m.values / (abs(m.values).max() or 1) for m in group]
    first, onto, grown = _over_each_other(group, even)
    source = replace(
        first.source,
        layer=" + ".join(m.source.layer for m in group),
        params={**first.source.params, "fuse": how},
        warnings=tuple(dict.fromkeys(w for m in group for w in m.warnings)),
    )
    values = HOW[how](grown).astype(np.float32)
    return recorded(replace(first, values=values, source=source, channels=None, error=None, regions=None, cells=onto))


def _over_each_other(group: list[Heatmap], maps: Sequence[Floats]) -> tuple[Heatmap, Cells | None, list[Floats]]:
    """The maps on one grid: the heatmap on whose part of the image that lies, where its cells lie there, and the maps."""
    if all(m.box == group[0].box for m in group):
        finest = [max(sides) for sides in zip(*(m.values.shape for m in group), strict=True)]
        onto = _cells_of_the_finest(group)
        return group[0], onto, [brought(v, m.cells, finest, onto) for v, m in zip(maps, group, strict=True)]
    finer = max(group, key=lambda m: m.values.size)
    _check_same_part(group, finer)
    there = _axes_on_image(finer)
    grown = []
    for values, m in zip(maps, group, strict=True):
        here = _axes_on_image(m)
        order = [[axis.of_image for axis in here].index(axis.of_image) for axis in there]
        pairs = [(here[own].centres, axis.centres) for own, axis in zip(order, there, strict=True)]
        grown.append(from_centres(values.transpose(order), pairs))
    return finer, finer.cells, grown


class ImageAxis(NamedTuple):
    """How one axis of a map lies in the image that was given."""

    of_image: int  # the axis of the image that it runs along
    edges: tuple[float, float]  # of what the network saw, in pixels of the image: 0 is the centre of its first
    centres: Floats  # of the map's cells, likewise
    pixel: float  # how long a pixel is that the network saw


def _axes_on_image(m: Heatmap) -> list[ImageAxis]:
    """How the axes of a map lie in the image.  Raises NotApplicable where it has other axes than that."""
    if m.values.ndim != (len(m.box.axes) if isinstance(m.box, Grid) else 2):
        raise NotApplicable(
            f"The map at {m.source.layer} is {m.values.shape}: how its axes lie in {m.source.image} is unknown."
        )
    cells, axes = m.cells or Cells.even(m.values.shape, m.values.shape), []
    for axis, count in enumerate(m.values.shape):
        if isinstance(m.box, Grid):
            of_image, step, size = m.box.axes[axis], m.box.step[axis], m.box.size[axis]
            low, high = m.box.first[axis] - step / 2, m.box.first[axis] + (size - 0.5) * step
        else:
            of_image, size = axis, cells.size[axis]
            low, high = ((m.box.top, m.box.bottom), (m.box.left, m.box.right))[axis]
            low, high = low - 0.5, high - 0.5
        centres = low + (cells.centres(axis, count) + 0.5) / cells.size[axis] * (high - low)
        axes.append(ImageAxis(of_image, (min(low, high), max(low, high)), centres, abs(high - low) / size))
    return axes


def _check_same_part(group: list[Heatmap], finer: Heatmap) -> None:
    """Raises NotApplicable where maps lie on parts of the image that differ by more than rounding to whole pixels does."""
    expected = sorted(_axes_on_image(finer), key=lambda axis: axis.of_image)
    for m in group:
        own = sorted(_axes_on_image(m), key=lambda axis: axis.of_image)
        if _outer(m) != _outer(finer) or not all(map(_alike, own, expected)):
            raise NotApplicable(
                f"The maps at {finer.source.layer} and {m.source.layer} show different parts of {m.source.image}: "
                f"{_part(expected)} and {_part(own)}. Explain the same part with both, by the same crop in `prepare`."
            )


def _outer(m: Heatmap) -> tuple[int, ...] | None:
    """The sides of the image in which a Grid lies; None of a photo."""
    return m.box.shape if isinstance(m.box, Grid) else None


def _alike(one: ImageAxis, other: ImageAxis) -> bool:
    slack = SLACK * max(one.pixel, other.pixel)
    return all(abs(p - q) <= slack for p, q in zip(one.edges, other.edges, strict=True))


def _part(axes: list[ImageAxis]) -> str:
    return " x ".join(f"{axis.edges[0] + 0.5:.4g} to {axis.edges[1] + 0.5:.4g}" for axis in axes)


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
