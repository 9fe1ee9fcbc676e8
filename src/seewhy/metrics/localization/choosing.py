"""On which photos a threshold is chosen, and what is said of that beside every number."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter


class Choosing(NamedTuple):
    """scored: the places of the photos that are scored; rows: by name, what the threshold is chosen by; words: what people drew
    for that.
    """

    scored: NDArray[np.intp]
    rows: Mapping[str, NDArray]
    words: str


def choosing(
    rows: Mapping[str, NDArray], chosen_on: float | Mapping[str, NDArray] | None, drawn: str, seed: int = 0
) -> Choosing:
    """How a threshold is chosen.

    rows: of the scored photos, (n, ...) by name.
    chosen_on: rows of other photos; a share of the photos, which are then not scored; or None, the scored photos themselves.
    drawn: what people had to draw: "boxes", "masks".
    Raises BadParameter where nothing is left to choose it on, or to score.
    """
    count = len(next(iter(rows.values())))
    if chosen_on is None:
        words = f"the true {drawn} of these very photos: the best threshold for them, as the papers' own code takes it"
        return Choosing(np.arange(count), rows, words)
    if isinstance(chosen_on, Mapping):
        others = len(next(iter(chosen_on.values()), ()))
        if not others:
            raise BadParameter("There are no photos to choose the threshold on: add() them to chosen_on first.")
        return Choosing(np.arange(count), chosen_on, _words(drawn, others))
    chosen, scored = split(count, chosen_on, seed)
    return Choosing(scored, {name: some[chosen] for name, some in rows.items()}, _words(drawn, len(chosen)))


def _words(drawn: str, count: int) -> str:
    return f"the true {drawn} of {count} other photo{'s' * (count != 1)}"


def split(count: int, share: float, seed: int = 0) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The places of photos that choose, a drawn share of them, and of those that are scored.

    Raises BadParameter where one of the two would be empty.
    """
    many = round(count * share) if 0 < share < 1 else 0
    if not 0 < many < count:
        raise BadParameter(
            f"chosen_on={share!r} of {count} photo{'s' * (count != 1)} leaves none to choose the threshold on, or none to "
            "score: give a share between 0 and 1, other photos, or None for the best threshold of these very photos."
        )
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[:many]), np.sort(order[many:])
