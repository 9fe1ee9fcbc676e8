"""Maps of full size beside a run, where they were asked for: arrays of Zarr, one for each row whose map is coarse.

maps.zarr/17/gradient/top     the map of photo 17 by the method gradient, for its answer: (h, w) float32
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.atomic import writing
from seewhy.errors import BadRecord, MissingExtra
from seewhy.printable import printable

MAPS = "maps.zarr"


def zarr() -> Any:
    """The library.  Raises MissingExtra where it is not installed."""
    try:
        import zarr  # here, for it is an extra and takes long to import
    except ModuleNotFoundError:
        raise MissingExtra("Zarr, which stores maps of full size,", "maps") from None
    return zarr


def keep_full(folder: Path, item: int, method: str, target: str, values: NDArray[np.float32]) -> None:
    """Store a map (h, w) of the run in a folder, in the place of one that is there.  Raises NotWritten."""
    with writing(folder / MAPS, of="a map of a run"):
        name = f"{item}/{method}/{target}"
        zarr().create_array(folder / MAPS, name=name, data=values, chunks=values.shape, overwrite=True)


def full_map(folder: Path, item: int, method: str, target: str) -> NDArray[np.float32]:
    """The map that `keep_full` stored.  Raises BadRecord where it is not there, or damaged."""
    try:
        return np.asarray(zarr().open_group(folder / MAPS, mode="r")[f"{item}/{method}/{target}"][:], np.float32)
    except (KeyError, OSError, ValueError, RuntimeError) as error:
        why = f"{type(error).__name__}: {printable(error, 200)}"
        raise BadRecord(f"{printable(folder / MAPS)} does not have the map of photo {item} by {method}: {why}.") from None
