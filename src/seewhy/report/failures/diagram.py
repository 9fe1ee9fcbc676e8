"""The reliability diagram, as numbers of a drawing."""

from typing import Any

from seewhy.dataset.failures.calibration import Calibration

SIDE, LEFT, TOP = 240, 44, 12  # of the square, and where it begins, in pixels


def diagram(found: Calibration) -> dict[str, Any]:
    """The places of bars, points and whiskers; heights count from the top, as in SVG."""
    most = max(one.right.of for one in found.bins)
    return {
        "side": SIDE,
        "left": LEFT,
        "top": TOP,
        "ticks": [(share, _x(share / 100), _y(share / 100)) for share in (0, 20, 40, 60, 80, 100)],
        "bins": [
            {
                "x": _x(one.low),
                "width": round(SIDE * (one.high - one.low), 1),
                "at": _x(one.confidence),
                "y": _y(one.right.share),
                "height": round(SIDE * one.right.share, 1),
                "low": _y(one.right.interval[0]),
                "high": _y(one.right.interval[1]),
                "weight": round(0.25 + 0.75 * one.right.of / most, 2),
                "says": one,
            }
            for one in found.bins
        ],
    }


def _x(share: float) -> float:
    return round(LEFT + SIDE * share, 1)


def _y(share: float) -> float:
    return round(TOP + SIDE * (1 - share), 1)
