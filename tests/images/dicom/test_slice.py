"""One slice: how its pixels are scaled."""

from pathlib import Path

import numpy as np
import pytest

from seewhy.images.dicom.slice import Slice

AXES = np.array([1.0, 0, 0]), np.array([0.0, 1, 0])


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint32])
@pytest.mark.parametrize(("slope", "zero"), [(1.0, 0.0), (1.0, -1024.0), (0.1, 0.0)])
def test_pixels_are_scaled_once_in_double_precision(kind, slope, zero):
    stored = np.array([[0, 1, 100], [127, 7, 99]], kind)
    one = Slice(Path("a.dcm"), 0, np.zeros(3), *AXES, 1.0, (2, 3), slope, zero, {}, {}, (), stored)
    assert one.scaled.dtype == np.float32
    assert np.array_equal(one.scaled, (stored.astype(float) * slope + zero).astype(np.float32))


def test_large_numbers_are_rounded_after_they_are_scaled():
    stored = np.array([[2**31 + 1]], np.uint32)
    one = Slice(Path("a.dcm"), 0, np.zeros(3), *AXES, 1.0, (1, 1), 1.0, -(2.0**31), {}, {}, (), stored)
    assert one.scaled.tolist() == [[1]]
