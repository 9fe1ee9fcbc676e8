"""One slice of a DICOM series: where it lies, how its pixels are scaled, and what sets it apart from other slices."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats

SHARED = {  # what slices of one volume cannot differ in, where they say it
    "FrameOfReferenceUID": "in what their positions are relative to",
    "PhotometricInterpretation": "in whether high values are bright or dark",
    "RescaleType": "in the unit of their values",
    "Units": "in the unit of their values",
}


class Slice(NamedTuple):
    """One slice, and where it lies: in mm, as DICOM has it (LPS: x to the left, y to the back, z to the head)."""

    file: Path
    place: int  # of the frame, or of the tile of a mosaic, in its file
    position: Floats  # (3,) the centre of its first pixel
    across: Floats  # (3,) from one column to the next
    down: Floats  # (3,) from one row to the next
    thick: float  # mm, where nothing else tells how far slices are apart
    shape: tuple[int, int]  # rows, columns
    slope: float  # of the rescaling
    zero: float
    apart: dict[Any, str]  # tags, and what they say
    shared: dict[str, str]  # those of SHARED that it has, and what they say
    notes: tuple[str, ...] = ()
    pixels: NDArray[Any] = np.zeros((0, 0))  # (rows, columns), as they are stored, once they are read

    @property
    def scaled(self) -> NDArray[np.float32]:
        """(rows, columns)"""
        if self.pixels.dtype.itemsize <= 4 and self.slope == 1 and not self.zero:
            return self.pixels.astype(np.float32)
        return (self.pixels.astype(np.float64) * self.slope + self.zero).astype(np.float32)
