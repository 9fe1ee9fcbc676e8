"""The reliability diagram as numbers of a drawing."""

import pytest

from seewhy.dataset.failures.calibration import Calibration, CalibrationBin
from seewhy.report.failures.diagram import LEFT, SIDE, TOP, diagram
from seewhy.truth.accuracy import Portion


def test_points_lie_where_their_numbers_say():
    bins = (CalibrationBin(0.4, 0.5, 0.45, Portion(2, 8)), CalibrationBin(0.9, 1.0, 0.98, Portion(16, 16)))
    found = diagram(Calibration(0.1, 0, 0.2, 0.8, 0.75, 0.05, 0.3, bins))
    first, second = found["bins"]
    assert first["at"] == pytest.approx(LEFT + 0.45 * SIDE, abs=0.1)
    assert first["y"] == pytest.approx(TOP + 0.75 * SIDE)
    assert first["y"] + first["height"] == TOP + SIDE  # the bar stands on the ground
    assert second["y"] == TOP
    low, high = Portion(2, 8).interval
    assert first["low"] == pytest.approx(TOP + (1 - low) * SIDE, abs=0.1)
    assert first["high"] == pytest.approx(TOP + (1 - high) * SIDE, abs=0.1)
    assert second["weight"] == 1 > first["weight"]
    assert found["ticks"][0] == (0, LEFT, TOP + SIDE)
    assert found["ticks"][-1] == (100, LEFT + SIDE, TOP)
