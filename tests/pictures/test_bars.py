"""Bars of numbers: as long as the numbers are large, on the side of their sign."""

import numpy as np

from seewhy.pictures.bars import ROW, NamedNumber, bars
from seewhy.pictures.curves import AGAINST, FOR


def lengths(values: list[float], colour: tuple[int, int, int]) -> list[int]:
    """How many pixels of that colour lie in the middle of each row."""
    pixels = np.asarray(bars([NamedNumber(f"channel {i}", value) for i, value in enumerate(values)]))
    return [int((pixels[10 + ROW * i + 6] == colour).all(1).sum()) for i in range(len(values))]


def test_bars_are_in_proportion_and_on_their_side():
    above, below = lengths([4.0, -2.0, 1.0, 0.0], FOR), lengths([4.0, -2.0, 1.0, 0.0], AGAINST)
    assert above[0] > 100
    assert abs(above[0] - 4 * above[2]) <= 6
    assert abs(above[0] - 2 * below[1]) <= 6
    assert above[1] == below[0] == below[2] == 0
    assert above[3] + below[3] <= 1


def test_zeros_alone_and_a_long_name_are_drawn():
    assert bars([NamedNumber("x" * 500, 0.0)]).height < 60
