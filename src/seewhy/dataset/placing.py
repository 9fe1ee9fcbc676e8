"""Where a stored map lies on its photo: as columns, and back."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.images.places import Cells, Extent
from seewhy.images.resample import overlaps
from seewhy.images.sight import Sight

WHOLE = 4096  # values of a map that is stored as it is
SIDE = 32  # cells along each side of a larger one, at most
HALF = np.dtype("<f2")


class CoarseMap(NamedTuple):
    """A map as it is stored."""

    values: NDArray[np.float32]  # (h, w)
    cells: Cells | None
    coarse: bool  # are they means over blocks?


def coarse(values: NDArray[np.float32], cells: Cells | None) -> CoarseMap:
    """The map of at most WHOLE values that stands for a map (h, w): itself, or its means over blocks, at most SIDE on a side.

    Blocks divide the map evenly; where an edge of a block cuts a cell, that counts in part.
    """
    if values.size <= WHOLE:
        return CoarseMap(values, cells, False)
    height, width = values.shape
    rows, columns = min(SIDE, height), min(SIDE, width)
    steps = height / rows, width / columns
    small = overlaps(height, rows) @ values @ overlaps(width, columns).T / (steps[0] * steps[1])
    if cells is not None:
        first = tuple(f + (step - 1) / 2 * s for f, s, step in zip(cells.first, cells.stride, steps, strict=True))
        cells = Cells(first, tuple(s * step for s, step in zip(cells.stride, steps, strict=True)), cells.size)
    return CoarseMap(small.astype(np.float32), cells, True)


def packed(values: NDArray[np.float32]) -> tuple[bytes, float]:
    """The values by their largest absolute value, as the column `map` has them, and that value."""
    scale = np.float32(max(values.max(initial=0), -values.min(initial=0)))
    shares = values / scale if scale > 0 else np.zeros_like(values)
    return np.ascontiguousarray(shares, HALF).tobytes(), float(scale)


def unpacked(content: bytes, shape: Sequence[int], scale: float) -> NDArray[np.float32]:
    """What `packed` took, to the rounding of float16: within 2**-11 of each value, or 2**-25 of the largest."""
    return np.frombuffer(content, HALF).astype(np.float32).reshape(shape) * np.float32(scale)


def half(numbers: NDArray[Any]) -> bytes:
    """Numbers as float16; what is larger than float16 has becomes its largest."""
    most = float(np.finfo(HALF).max)
    return np.ascontiguousarray(np.clip(numbers, -most, most), HALF).tobytes()


def placed(box: Extent, cells: Cells | None) -> dict[str, Any]:
    """The columns `map_box` and `map_cells`."""
    return {"map_box": [float(edge) for edge in box], "map_cells": json.dumps({} if cells is None else cells._asdict())}


def places(map_box: Sequence[float], map_cells: str) -> tuple[Extent, Cells | None]:
    """What `placed` wrote.  Raises ValueError where it is none of that."""
    try:
        said, extent = json.loads(map_cells), Extent(*map(float, map_box))
        cells = None
        if said != {}:
            first, stride, size = (tuple(said[name]) for name in ("first", "stride", "size"))
            cells = Cells(first, stride, size, tuple(Sight(*sight) for sight in said["sights"]))
        return extent, cells
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise ValueError(f"it does not say where its map lies ({type(error).__name__}: {error})") from None
