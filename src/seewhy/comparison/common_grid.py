"""Two maps of one image at a common size, on the part of the image that both networks saw; and how far they lie apart."""

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, NotHere
from seewhy.images.places import Extent, Grid, Where
from seewhy.maps.heatmap import Heatmap
from seewhy.objects.shift import energy_shift
from seewhy.pictures.stretching import stretch
from seewhy.printable import in_percent

from .measures import centre, flat, spearman

SIDE = 256  # pixels of the longer side, in which maps over larger photos are compared
FlatMaps = Literal["", "a", "b", "both"]


class Common(NamedTuple):
    """Two maps at a common size, zero where not both networks saw the image."""

    a: NDArray[np.float32]  # (*space): of a photo (h, w), of a volume (i, j, k), of a clip (t, h, w), of a signal (l,)
    b: NDArray[np.float32]
    seen: NDArray[np.bool_]  # by both, of the same shape
    scale: NDArray[np.float64]  # pixels of the image (voxels, samples) per cell of these arrays, along each axis
    share: float  # of all that at least one of the networks saw, the share that both saw


class MapDrift(NamedTuple):
    """How far one map of an image lies from another, on the part of the image that both networks saw.

    spearman: see `measures.spearman`; energy_shift: see `measures.energy_shift`.
    centre_shift: how far the centre of the positive evidence moved, in pixels of the image as it was given (voxels of a volume,
        samples of a signal); None where one of the maps has no positive evidence.
    flat: which of the maps is the same everywhere, so that it has no ranks: "", "a", "b" or "both".
    notes: what has to be known of these numbers, in words.
    """

    spearman: float | None
    energy_shift: float
    centre_shift: float | None
    flat: FlatMaps
    notes: tuple[str, ...]


def on_common_grid(a: Heatmap, b: Heatmap) -> Common:
    """Two maps of one image at its size, or where that is a photo of more than SIDE pixels a side, at this size: linear between
    the centres of cells, as they are drawn.

    Raises BadParameter where they are not of one image's size, NotHere where no part of it was seen by both networks.
    """
    if a.size != b.size:
        raise BadParameter(f"Maps of one image are compared; these lie on images of {a.size} and {b.size} pixels.")
    photo = isinstance(a.box, Extent) and isinstance(b.box, Extent) and a.values.ndim == b.values.ndim == 2
    (full_a, seen_a), (full_b, seen_b) = (_on_photo(m) if photo else _on_grid(m) for m in (a, b))
    both = seen_a & seen_b
    if not both.any():
        raise NotHere(f"{a.source.image}: {a.source.model} and {b.source.model} see no common part of it.")
    sides = np.array(a.size[::-1] if photo else full_a.shape)
    share = float(both.sum() / (seen_a | seen_b).sum())
    return Common(full_a * both, full_b * both, both, sides / full_a.shape, share)


def placed_alike(a: Heatmap, b: Heatmap) -> tuple[Heatmap, Heatmap, str]:
    """Two maps of one image, and a note, where it is known of one alone where its cells look (a torch network tells by its
    weights, an ONNX graph does not): on the same grid over the same part of the image, both then lie as those of the other do,
    lest what is known of a model counts as what moved.
    """
    knows = [m.cells is not None and bool(m.cells.sights) for m in (a, b)]
    if knows[0] == knows[1]:
        return a, b, ""
    name, cells = ("B", b.cells) if knows[0] else ("A", a.cells)
    said = f"of {name} it is not known where its cells look in their fields"
    if a.values.shape == b.values.shape and a.size == b.size and _same_part(a.box, b.box):
        return replace(a, cells=cells), replace(b, cells=cells), f"{said}: both maps are laid out as its map is"
    return a, b, f"{said}: its map may lie half a cell off"


def _same_part(a: Where, b: Where) -> bool:
    if isinstance(a, Grid) or isinstance(b, Grid):
        return a == b
    return max(abs(one - other) for one, other in zip(a, b, strict=True)) < 1


def map_drift(a: Heatmap, b: Heatmap) -> MapDrift:
    """How far map b of an image lies from map a of it.  Raises as `on_common_grid`."""
    a, b, laid = placed_alike(a, b)
    common = on_common_grid(a, b)
    values_a, values_b = common.a[common.seen], common.b[common.seen]
    same = (flat(values_a) << 1) | flat(values_b)
    which: FlatMaps = ("", "b", "a", "both")[same]
    notes = (*_remarks(values_a, values_b, which, common.share), *([laid] if laid else []))
    centres = centre(common.a), centre(common.b)
    moved = (
        None if centres[0] is None or centres[1] is None else float(np.hypot.reduce((centres[1] - centres[0]) * common.scale))
    )
    return MapDrift(spearman(values_a, values_b), energy_shift(values_a, values_b), moved, which, notes)


def _on_photo(heatmap: Heatmap) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The map at the common size, and where the network saw the photo."""
    sides = np.array(heatmap.size)
    small = np.maximum(1, np.round(sides * min(1, SIDE / sides.max()))).astype(int)
    across, down = small / sides
    box = heatmap.box
    extent, size = Extent(box.left * across, box.top * down, box.right * across, box.bottom * down), tuple(map(int, small))
    ones = np.ones(heatmap.values.shape, np.float32)
    return stretch(heatmap.values, extent, size, heatmap.cells), stretch(ones, extent, size) > 0  # type: ignore[arg-type]


def _on_grid(heatmap: Heatmap) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    full = heatmap.full()
    return full, heatmap.box.spread(np.ones(heatmap.values.shape, np.float32)) > 0


def _remarks(a: NDArray[np.float32], b: NDArray[np.float32], which: FlatMaps, share: float) -> tuple[str, ...]:
    notes = []
    if which == "both":
        notes.append("both maps are the same everywhere: they have no rank correlation")
    elif which:
        notes.append(f"the map of {which.upper()} is the same everywhere: it has no rank correlation with another")
    without = [name for name, values in (("A", a), ("B", b)) if values.max() <= 0]
    if len(without) == 2:
        notes.append("neither map has positive evidence")
    elif without:
        notes.append(f"the map of {without[0]} has no positive evidence: all of the other's counts as moved")
    if share < 0.995:
        notes.append(f"compared on the {in_percent(share, 0)} of what either network sees of it that both see")
    return tuple(notes)
