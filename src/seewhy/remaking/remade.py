"""A map made again from its Source alone, and what came of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, NotApplicable
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.record import read_record
from seewhy.maps.source import Source
from seewhy.models.load import load
from seewhy.printable import printable

from .difference import MapDifference, of_record
from .facts import other_facts
from .question import asked_again

Sameness = Literal["bit for bit", "to rounding", "different"]
Held = Callable[[Heatmap], MapDifference | None]  # holds a new map against the saved one; None where the shapes differ
ROUNDING = 1e-3  # of the largest value: a quarter of a level of 255, which no picture shows


@dataclass(frozen=True, eq=False)
class Remade:
    """A map that was made again, and how it compares with the one that was saved.

    heatmap: the new map.
    same: "bit for bit", "to rounding" (no value differs by more than `seewhy.remaking.remade.ROUNDING`, a thousandth, of the
        largest, and what the Source says holds as exactly), or "different".
    faults: what makes it different, in words.
    differences: what it was made under that is other now, in words: versions, weights, image, threads; and what could not be
        compared.
    largest: the largest difference of values, in shares of the largest absolute value; None where the shapes differ.  Of a map
        of more than 256 values of which only the Source is there, it is told from blocks of it, about.
    spearman, energy_shift: as `seewhy.drift` has them; None where a map is the same everywhere, or the shapes differ.
    where: of the largest difference, in pixels of the image: (x, y) of a photo, else along its axes; None where there is none.
    """

    heatmap: Heatmap
    same: Sameness
    faults: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    largest: float | None = None
    spearman: float | None = None
    energy_shift: float | None = None
    where: tuple[int, ...] | None = None

    def __str__(self) -> str:
        said = [f"{printable(self.heatmap.source, 300)}: {self.verdict}."]
        said += [f"{fault}." for fault in self.faults]
        return " ".join(said + ([f"Note: {'; '.join(self.differences)}."] * bool(self.differences)))

    @property
    def verdict(self) -> str:
        """Whether it is the same, in words."""
        if self.same == "different":
            return "different"
        if self.same == "bit for bit":
            return "the same, bit for bit"
        rank = "" if self.spearman is None else f", rank correlation {self.spearman:.6f}"
        return f"the same to rounding (values differ by up to {self.largest:.1g} of the largest{rank})"

    def with_faults(self, faults: Sequence[str]) -> "Remade":
        """The same, with further faults; any makes it different."""
        return replace(self, same="different", faults=(*self.faults, *faults)) if faults else self

    @property
    def facts(self) -> dict[str, Any]:
        """All but the map, by name, as `seewhy verify --json` prints it."""
        names = ("same", "faults", "differences", "largest", "spearman", "energy_shift", "where")
        return {name: getattr(self, name) for name in names}


def again(
    source: Source, model: Any = None, image: Any = None, target: Any = None, trust: bool = False,
    params: Mapping[str, Any] = {}, held: Held | None = None,
) -> Remade:  # fmt: skip
    """Make the map of a Source again, and say how it compares; the arguments are those of `Source.again`.

    held: holds the new map against the values of a file; by default it is held against what the Source keeps of them.
    """
    held = held or _by_record(source)
    remade = asked_again(source, model_of(source, trust) if model is None else model, image, target, params)
    found, other = held(remade), other_facts(source, remade.source)
    faults = [*_faults(found, remade), *other.claims]
    same: Sameness = "different" if faults else "bit for bit" if found and found.bits else "to rounding"
    if found is None:
        return Remade(remade, same, tuple(faults), other.under)
    where = None if found.bits else pixel_of(remade, found.at)
    return Remade(remade, same, tuple(faults), other.under, found.largest, found.spearman, found.energy_shift, where)


def model_of(source: Source, trust: bool = False) -> Any:
    """The model that a Source tells of, loaded again.  Raises BadParameter, with what to give, where it cannot be."""
    if not source.recipe:
        raise BadParameter(
            f"{printable(source.model, 200)} was wrapped by hand, so nobody knows how to make it again: give model=, what "
            "seewhy.wrap(network, ...) gives (--model FILE.py:NAME)."
        )
    if source.conditions.get("trusted") and not trust:
        raise BadParameter(
            f"{printable(source.model, 200)} ran code that came with its weights. If you trust who made it: "
            "trust=True (--trust)."
        )
    return load(**source.recipe, trust=trust)


def pixel_of(heatmap: Heatmap, at: NDArray[Any]) -> tuple[int, ...] | None:
    """The place in the image at which numbers, one for each value of the map, are the largest."""
    try:
        full = at if at.shape != heatmap.values.shape else replace(heatmap, values=at.astype(np.float32)).full()
    except NotApplicable:
        return None
    place = tuple(map(int, np.unravel_index(int(full.argmax()), full.shape)))
    return place[::-1] if len(heatmap.size) == 2 else place


def _by_record(source: Source) -> Held:
    """Holds a map against what the Source keeps of its values.  Raises BadParameter where it keeps nothing that can be read."""
    if not source.values:
        raise BadParameter(
            f"{printable(source, 300)} was made by an earlier seewhy, whose Source keeps nothing of the values. Saved as .npz, "
            "NIfTI or GeoTIFF they are in the file: seewhy verify."
        )
    try:
        record = read_record(source.values)
    except ValueError as error:
        raise BadParameter(f"{printable(source, 300)}: {error}.") from None
    return lambda remade: of_record(record, remade.values)


def _faults(found: MapDifference | None, remade: Heatmap) -> list[str]:
    """What is other about the values."""
    if found is None:
        return [f"the map had another shape than {'x'.join(map(str, remade.values.shape))}"]
    if found.largest <= ROUNDING:
        return []
    place = pixel_of(remade, found.at)
    most = f", most at {place}" if place else ""
    about = "" if found.known else "about "
    rank = "" if found.spearman is None else f"; rank correlation {found.spearman:.3f}"
    return [
        f"values differ by up to {about}{found.largest:.2%} of the largest{most}; {found.energy_shift:.1%} of the positive "
        f"evidence lies elsewhere{rank}"
    ]
