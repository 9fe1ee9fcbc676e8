"""What was written is run, by the file alone, and held against the library's own scores and maps."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadNetwork
from seewhy.models.graph import FileRun

ROUNDING = 7e-5  # of the largest: what the sums of a network may differ by in float32, as in seewhy's own short cuts
CANCELLED = 4e-6  # of the scores: what is left of rounding where two scores are taken off each other


class Checked(NamedTuple):
    """How far what a file gives lies from what the library gives, at most; and how large the largest of each is."""

    images: int
    scores: float
    largest_score: float
    maps: float
    largest_map: float
    tied: int = 0  # images whose two best scores are equal up to rounding, so that either may be explained

    @property
    def notes(self) -> tuple[str, ...]:
        """What the check could not see."""
        lost = self.largest_map <= CANCELLED * self.largest_score
        return ("the maps are no larger than rounding, so it could not be seen whether they are right",) if lost else ()


def checked(run: FileRun, x: NDArray[Any], scores: NDArray[Any], maps: NDArray[Any], top: bool, single: bool) -> Checked:
    """Run images x (n, c, *space), alone and together, and compare with scores (n, k) and maps (n, *space).

    top: the maps are of the class that each image is taken for; single: the file takes one image at a time.
    Raises BadNetwork where they differ by more than rounding.
    """
    if not (np.isfinite(scores).all() and np.isfinite(maps).all()):
        raise BadNetwork(
            "The network's own scores or maps hold NaN or infinity for these images: there is nothing to check with."
        )
    largest_score, largest_map = float(abs(scores).max()), float(abs(maps).max())
    slack = ROUNDING * largest_score
    order = np.sort(scores, axis=1)
    tied = np.zeros(len(x), bool) if not top or scores.shape[1] < 2 else order[:, -1] - order[:, -2] <= slack
    if tied.all():
        raise BadNetwork(
            "The two best scores of every image that was tried are equal up to rounding, so it cannot be checked which class "
            "is explained. Give photos that the network knows, or a class as target."
        )
    apart = [range(i, i + 1) for i in range(len(x))]
    off_scores = off_maps = 0.0
    for rows in apart if single or len(x) == 1 else [*apart, range(len(x))]:
        part = [*rows]
        got_scores, got_maps = run(np.ascontiguousarray(x[part], np.float32))
        _same_shape("scores", got_scores, scores[part])
        _same_shape("maps", got_maps, maps[part])
        untied = ~tied[part]
        off_scores = _larger(off_scores, got_scores - scores[part])
        off_maps = _larger(off_maps, got_maps[untied] - maps[part][untied])
    for what, off, largest, most in (
        ("scores", off_scores, largest_score, slack),
        ("maps", off_maps, largest_map, ROUNDING * largest_map + CANCELLED * largest_score),
    ):
        if not off <= most:  # also of NaN
            raise BadNetwork(
                f"The {what} of the file differ from the library's by {off:.2g}, where the largest is {largest:.3g} and "
                f"rounding would be {most:.1g}: it is not the same network, so it was not kept."
            )
    return Checked(len(x), off_scores, largest_score, off_maps, largest_map, int(tied.sum()))


def _larger(off: float, differences: NDArray[Any]) -> float:
    """The largest difference so far; NaN once there is one."""
    return float(np.maximum(off, np.max(abs(differences), initial=0)))


def _same_shape(what: str, got: NDArray[Any], expected: Sequence[Any] | NDArray[Any]) -> None:
    if np.shape(got) != np.shape(expected):
        raise BadNetwork(f"The file gives {what} of shape {np.shape(got)}, the library {np.shape(expected)}: it was not kept.")
