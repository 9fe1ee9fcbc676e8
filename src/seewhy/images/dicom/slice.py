"""One slice of a DICOM series: where it lies, how its pixels are scaled, and by what it differs from other slices."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats

SHARED = {  # tags that are equal in all slices of a volume that have them
    "FrameOfReferenceUID": "in what their positions are relative to",
    "PhotometricInterpretation": "in whether high values are bright or dark",
    "RescaleType": "in the unit of their values",
    "Units": "in the unit of their values",
}


class Slice(NamedTuple):
    """One slice, and where it lies: in mm, as DICOM has it (LPS: x to the left, y to the back, z to the head)."""

    file: Path
    place: int  # the number of its frame, or of its tile in a mosaic, in the file
    position: Floats  # (3,) the centre of its first pixel
    across: Floats  # (3,) from one column to the next
    down: Floats  # (3,) from one row to the next
    thick: float  # mm: the distance of slices, if positions do not give it
    shape: tuple[int, int]  # rows, columns
    slope: float  # of the rescaling
    zero: float
    apart: dict[Any, str]  # tags by which slices at one place may differ, with their values
    shared: dict[str, str]  # the tags of SHARED that it has, with their values
    notes: tuple[str, ...] = ()
    pixels: NDArray[Any] = np.zeros((0, 0))  # (rows, columns) as stored; empty until they are read

    @property
    def scaled(self) -> NDArray[np.float32]:
        """The pixels (rows, columns), rescaled."""
        if self.pixels.dtype.itemsize <= 4 and self.slope == 1 and not self.zero:
            return self.pixels.astype(np.float32)
        return (self.pixels.astype(np.float64) * self.slope + self.zero).astype(np.float32)
