"""What two Sources of one map say otherwise: what it was made of, what it was made under, and what it claims."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import isclose, isnan
from typing import Any, NamedTuple

from seewhy.maps.source import Source
from seewhy.printable import quoted
from seewhy.targets.box import MATCHED

UNDER = ("versions", "conditions", "host")  # it was made
MADE_OF = ("weights_sha256", "image_sha256", "prepare")
FREE = ("image", "layer_why", "recipe", "seconds", "values")  # where the image lies, how it was asked for
IN_WORDS = ("caveat", "warnings")  # which another version of seewhy may put otherwise
CLOSE = 1e-3  # of a number: as far as of the values of a map
PARTS = {  # of a map, of what it was made of and says, in this order: how a fault in it begins, in words
    "photo": r"the image's pixels|image_size",
    "weights": r"the weights|weights|model|recipe",
    "version": r"versions",
    "setting": r"the preprocessing|params|method|layer|target|index|label|scores|place|classes|geometry|tile|conditions|host",
    "score": r"score|probability|predicted|measured|caveat|warning",
    "map": r"values|the map|it lies|the file's values",
    "picture": r"its picture|the file does not say how|[0-9.e-]+ % of its pixels",
}
BUDGET = re.compile(r"the budget of [0-9]\S*( [a-z]+)?")


class OtherFacts(NamedTuple):
    """What is other, in words."""

    under: tuple[str, ...]  # what the map was made under, which may explain that it is another
    claims: tuple[str, ...]  # what it was made of, and what it says: another map, whatever the values


def other_facts(old: Source, new: Source) -> OtherFacts:
    """What the Source of a map that was made again says otherwise than the one that was saved.

    A model that a person gave, and that was not made by the saved recipe, has a name of its own; edited weights, a text.
    Weights, pixels and preprocessing have to be those that are named; what names none of them is unsure, and no claim.
    """
    hashes = {old.weights_sha256, new.weights_sha256}
    edited = ["weights"] if len(hashes) == 2 and "" not in hashes else []
    given = ["model", "weights"] if not old.recipe or old.recipe != new.recipe else edited
    before, now = (asdict(Source.from_json(source.to_json())) for source in (old, new))
    under = [each for name in (*given, *UNDER) for each in _inside(name, before[name], now[name])]
    material, unnamed = _material(before, now)
    skipped = {*UNDER, *MADE_OF, *FREE, *given, *(["target"] if old.place else []), *([] if old.image_size else ["image_size"])}
    if old.versions.get("seewhy") != new.versions.get("seewhy"):
        skipped |= {*IN_WORDS}
    before, now = _comparable(before), _comparable(now)
    scale = max(1.0, abs(old.score or 0.0))
    near = {"measured": CLOSE * scale}  # what is left of sums that nearly cancel out is rounded as they are, by the score
    sides = [(name, before[name], now[name], near.get(name, CLOSE * scale * 1e-2)) for name in before if name not in skipped]
    claims = [each for side in sides for each in _inside(*side)]
    unsure = [claim for claim in claims if re.match(r"(label|predicted label): .* None made again$", claim)]
    return OtherFacts((*unnamed, *under, *unsure), (*material, *(claim for claim in claims if claim not in unsure)))


def parts_of(faults: Sequence[str]) -> tuple[str, ...]:
    """The parts of a map that faults, in words, are in: of `PARTS`, in that order, then "check NAME" of checks."""
    parts = [part for part, words in PARTS.items() if any(re.match(rf"(?:{words})\b", fault) for fault in faults)]
    return (*parts, *dict.fromkeys(check[0] for fault in faults if (check := re.match(r"check [^:]*(?=:)", fault))))


def _material(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What the map was not made of, though it is named, and what is not named, in words."""
    other, unnamed = [], []
    for name, what, which in (
        ("weights_sha256", "the weights are", "which weights"), ("image_sha256", "the image's pixels are", "which pixels")
    ):  # fmt: skip
        if not old[name]:
            unnamed += [f"the file does not say {which}"] * bool(new[name])
        elif old[name] != new[name]:
            now = _said(new[name]) if new[name] else "none can be told"
            other.append(f"{what} not those that the file names (SHA-256 {_said(old[name])} as saved, {now} made again)")
    before, now = _flat(old["prepare"]), _flat(new["prepare"])
    if steps := [name for name in before if name not in now or _each(name, before[name]) != _each(name, now[name])]:
        said = (f"{name} {_said(before[name])} as saved, {_said(now.get(name))} made again" for name in steps)
        other.append(f"the preprocessing is not the one that the file names: {'; '.join(said)}")
    if missing := [name for name in now if name not in before]:
        which = f" (its {', '.join(missing)})" if before else ""
        unnamed.append(f"the file does not say which preprocessing{which}")
    return other, unnamed


def _each(name: str, value: Any) -> Any:
    """One number for several equal ones, where these mean the same: of each channel, of each side of a crop."""
    if not isinstance(value, tuple) or len(value) < 2 or name.split()[-1:] not in (["mean"], ["std"], ["crop"]):
        return value
    first, *rest = value
    return first if all(each == first for each in rest) else value


def _flat(facts: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """The facts, those of a part under the names of both."""
    parts = [_flat(v, f"{within}{k} ") if isinstance(v, Mapping) and v else {f"{within}{k}": v} for k, v in facts.items()]
    return {name: value for part in parts for name, value in part.items()}


def _comparable(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts without what depends on how the same question was put: a place for a box, a number of forwards for a time."""
    params = {name: value for name, value in facts["params"].items() if name != "budget"}
    warnings = [BUDGET.sub("its budget", warning) for warning in facts["warnings"] if not warning.startswith(MATCHED)]
    return {**facts, "params": params, "warnings": tuple(warnings)}


def _inside(name: str, old: Any, new: Any, near: float = CLOSE * 1e-2) -> Iterator[str]:
    """What is other, by the names of the parts that are.  near: the least distance of two numbers that are."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from _inside(f"{name} {key}", old.get(key), new.get(key), near)
    elif name == "warnings":
        gone, added = ([each for each in some if each not in others] for some, others in ((old, new), (new, old)))
        yield from (f"warning as saved alone: {each}" for each in gone)
        yield from (f"warning made again alone: {each}" for each in added)
    elif not _equal(old, new, near):
        yield f"{name}: {_said(old)} as saved, {_said(new)} made again"


def _equal(old: Any, new: Any, near: float) -> bool:
    numbers = all(isinstance(each, float) for each in (old, new))
    if numbers and not isnan(old) and not isnan(new):
        return isclose(old, new, rel_tol=CLOSE, abs_tol=near)
    return old == new or (numbers and isnan(old) and isnan(new))


def _said(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value):
        return f"{value[:16]}..."
    return f"{value:.6g}" if isinstance(value, float) else quoted(value, 120) if isinstance(value, str) else str(value)[:200]
