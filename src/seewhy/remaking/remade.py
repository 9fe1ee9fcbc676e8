"""A map made again from its Source alone, and what came of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, BadWeights, NoSuchName, NotApplicable
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.record import read_record
from seewhy.maps.source import Source
from seewhy.models.load import is_address, is_code, load, source_of
from seewhy.printable import in_percent, printable, quoted

from .checks import Check
from .difference import MapDifference, of_record
from .facts import other_facts, parts_of
from .question import asked_again, contradiction

Sameness = Literal["bit for bit", "to rounding", "different"]
Held = Callable[[Heatmap], MapDifference | None]  # holds a new map against the saved one; None where the shapes differ
RECIPE: dict[str, Any] = {"spec": str, "weights": str, "options": Mapping}  # the kinds of what a recipe has
ROUNDING = 1e-3  # of the largest value: a quarter of a level of 255, which no picture shows


@dataclass(frozen=True, eq=False)
class Remade:
    """A map that was made again, and how it compares with the one that was saved.

    heatmap: the new map.
    same: "bit for bit", "to rounding" (no value differs by more than `seewhy.remaking.remade.ROUNDING`, a thousandth, of the
        largest, and what the Source says holds as exactly), or "different".
    faults: what makes it different, in words: values, what the map says, and weights, pixels or preprocessing other than it
        names.
    differences: what it was made under that is other now, in words: versions, device, threads; and what could not be compared,
        such as weights of which the file does not say which.
    largest: the largest difference of values, in shares of the largest absolute value; None where the shapes differ.  Of a map
        of more than 256 values of which only the Source is there, it is told from blocks of it, about.
    spearman, energy_shift: as `seewhy.drift` has them; None where a map is the same everywhere, or the shapes differ.
    where: of the largest difference, in pixels of the image: (x, y) of a photo, else along its axes; None where there is none.
    checks: of an evidence record, what came of its checks now.  unchecked: those that could not be run again, by name.
    signed: of a record, in words, by whom it was signed.
    """

    heatmap: Heatmap
    same: Sameness
    faults: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    largest: float | None = None
    spearman: float | None = None
    energy_shift: float | None = None
    where: tuple[int, ...] | None = None
    checks: tuple[Check, ...] = ()
    unchecked: tuple[str, ...] = ()
    signed: str = ""

    def __str__(self) -> str:
        said = [f"{printable(self.heatmap.source, 300)}: {self.verdict}."]
        said += [f"{fault}." for fault in self.faults]
        return " ".join(said + ([f"Note: {'; '.join(self.differences)}."] * bool(self.differences)))

    @property
    def verdict(self) -> str:
        """Whether it is the same, in words; where not, in which parts; and which checks could not be run again."""
        without = f"; not run again: check {', check '.join(self.unchecked)}" if self.unchecked else ""
        if self.same == "different":
            return f"different ({', '.join(self.parts)}){without}" if self.parts else f"different{without}"
        if self.same == "bit for bit":
            return f"the same, bit for bit{without}"
        rank = "" if self.spearman is None else f", rank correlation {self.spearman:.6f}"
        return f"the same to rounding (values differ by up to {self.largest:.1g} of the largest{rank}){without}"

    @property
    def parts(self) -> tuple[str, ...]:
        """Where it is different: of "photo", "weights", "version", "setting", "score", "map", "picture", "check NAME"."""
        return parts_of(self.faults)

    def with_faults(self, faults: Sequence[str]) -> "Remade":
        """The same, with further faults; any makes it different."""
        return replace(self, same="different", faults=(*self.faults, *faults)) if faults else self

    @property
    def facts(self) -> dict[str, Any]:
        """All but the map, by name, as `seewhy verify --json` prints it."""
        names = ("same", "parts", "faults", "differences", "largest", "spearman", "energy_shift", "where", "unchecked")
        facts = {name: getattr(self, name) for name in names}
        return {**facts, "checks": [check.facts for check in self.checks], "signed": self.signed or None}


def again(
    source: Source, model: Any = None, image: Any = None, target: Any = None, trust: bool = False,
    params: Mapping[str, Any] = {}, held: Held | None = None,
) -> Remade:  # fmt: skip
    """Make the map of a Source again, and say how it compares; the arguments are those of `Source.again`.

    held: holds the new map against the values of a file; by default it is held against what the Source keeps of them.
    """
    held = held or _by_record(source)
    asked = model_of(source, trust) if model is None else model
    remade = asked_again(source, asked, image, target, params)
    found, other = held(remade), other_facts(source, remade.source)
    odd = "" if target is not None else contradiction(source, asked.labels)
    faults = [*_faults(found, remade), *other.claims, *([odd] if odd else [])]
    same: Sameness = "different" if faults else "bit for bit" if found and found.bits else "to rounding"
    if found is None:
        return Remade(remade, same, tuple(faults), other.under)
    where = None if found.bits else pixel_of(remade, found.at)
    return Remade(remade, same, tuple(faults), other.under, found.largest, found.spearman, found.energy_shift, where)


def model_of(source: Source, trust: bool = False, changes: Mapping[str, Any] = {}) -> Any:
    """The model that a Source tells of, loaded again.

    changes: arguments of `load` in place of those in its recipe; of `options` and `prepare` what they name, and nothing else.
    Raises as `check_recipe`; BadWeights where the weights are not there, BadParameter where the network is not.
    """
    check_recipe(source, trust)
    recipe = _changed(source.recipe, changes)
    of_weights = trust and (bool(source.conditions.get("trusted")) or "weights" in changes)
    try:
        return load(**recipe, trust=of_weights)
    except (BadWeights, NoSuchName) as error:
        if "weights" in changes:
            raise
        weights = isinstance(error, BadWeights) and ("weights" in recipe or source_of(recipe["spec"])[0].prefixes)
        call, option = ("(..., weights=FILE)", "--weights FILE") if weights else ("(FILE)", "--model SPEC")
        advice = "Where it lies elsewhere now, give"
        raise (BadWeights if isinstance(error, BadWeights) else BadParameter)(
            f"{error} {advice} model=, what seewhy.load{call} gives.", typed=f"{error.typed or error} {advice} {option}."
        ) from error


def check_recipe(source: Source, trust: bool) -> None:
    """Raise BadParameter, with what to give, where the Source does not tell how its model is loaded, or that needs trust: what
    a stranger wrote may name any code, and anybody's service.
    """
    if not source.recipe:
        why = f"{printable(source.model, 200)} was wrapped by hand, so nobody knows how to make it again: give"
        raise BadParameter(f"{why} model=, what seewhy.wrap(network, ...) gives.", typed=f"{why} --model FILE.py:NAME.")
    recipe = source.recipe
    odd = any(name in recipe and not isinstance(recipe[name], kind) for name, kind in RECIPE.items())
    if odd or "spec" not in recipe or "trust" in recipe:  # which no recipe of seewhy's has
        why = f"{printable(source.model, 200)} has no recipe as seewhy writes it, by which it could be loaded: give"
        raise BadParameter(f"{why} model=, what seewhy.load(FILE) gives.", typed=f"{why} --model SPEC.")
    if source.conditions.get("trusted") and not trust:
        why = f"{printable(source.model, 200)} ran code that came with its weights. If you trust who made it:"
        raise BadParameter(f"{why} trust=True.", typed=f"{why} --trust.")
    spec, custom = recipe["spec"], recipe.get("options", {}).get("custom")
    if not trust and (is_code(spec) or custom or is_address(spec)):
        does = f"runs Python, {quoted(str(custom or spec))}"
        does = f"sends the image to {quoted(spec)}" if is_address(spec) else does
        why = f"Making this map again {does}, as the map itself names it. If you trust who made it:"
        raise BadParameter(f"{why} trust=True, or give model=.", typed=f"{why} --trust, or give --model SPEC.")


def _changed(recipe: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with changes; a dict changes what it names."""
    both = ((name, value, recipe.get(name)) for name, value in changes.items())
    merged = {name: {**old, **new} if isinstance(old, Mapping) and isinstance(new, Mapping) else new for name, new, old in both}
    return {**recipe, **merged}


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
    moved = [found.elsewhere] if found.elsewhere else []
    if found.largest <= ROUNDING:
        return moved
    place = pixel_of(remade, found.at)
    most = f", most at {place}" if place else ""
    about = "" if found.known else "about "
    rank = "" if found.spearman is None else f"; rank correlation {found.spearman:.3f}"
    return [
        *moved,
        f"values differ by up to {about}{in_percent(found.largest, 2)} of the largest{most}; "
        f"{in_percent(found.energy_shift)} of the positive evidence lies elsewhere{rank}",
    ]
