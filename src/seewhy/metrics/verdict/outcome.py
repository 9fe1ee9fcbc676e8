"""What came of a comparison of methods: every number, the rankings, and the words."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from seewhy.json_text import as_json
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Failed, Refused
from seewhy.printable import printable

from .criteria import CRITERIA, Measured
from .grid import ShownGrid
from .ranking import CONTROLS, MethodRank, Values, ranked
from .words import MethodVerdict, sentences, verdicts

ORDER = ("trust", "care", "behind", "unknown", "avoid", "control")
SHOWN = ("deletion", "insertion", "head", "stability", "disagreement", "completeness", "pointing", "energy", "grid", "seconds")
NOTE = "= not told from the best of its column (Holm, 5 %); * the best; intervals hold 95 %, over photos"


class ComparedPhoto(NamedTuple):
    """One photo, by its place among those given, and the number of each method by each criterion that is defined."""

    name: str
    place: int
    explained: str  # the class, in words
    values: Measured


@dataclass(frozen=True)
class MethodComparison:
    """Several methods on one network and many photos, criterion by criterion.

    layer: that was explained, "" where no method reads one; costs: of each method, in words.
    photos: that were counted, in the order in which they were; total: how many were given.
    failed: photos that were left out, and why; refused: methods that this model cannot be asked; notes: what could not be
    counted, and why; ended: "" where all photos were looked at, else why not.
    examples: the maps of a few photos, by the place of the photo; grids: a few of the grids, by that of who is asked about.
    """

    model: str
    layer: str
    costs: Mapping[str, str]
    photos: tuple[ComparedPhoto, ...]
    total: int
    seed: int
    seconds: float
    failed: tuple[Failed, ...] = ()
    refused: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()
    ended: str = ""
    examples: Mapping[int, Mapping[str, Heatmap]] = field(default_factory=dict, repr=False)
    grids: Mapping[int, ShownGrid] = field(default_factory=dict, repr=False)

    @property
    def methods(self) -> list[str]:
        """All that were compared, the controls last."""
        return sorted(self.costs, key=lambda method: method in CONTROLS)

    @cached_property
    def values(self) -> Mapping[str, Values]:
        """By the criterion and the method: a number for each photo, NaN where it is not defined."""
        return {
            name: {
                method: np.array([photo.values.get((method, name), np.nan) for photo in self.photos])
                for method in self.methods
            }
            for name in CRITERIA
        }  # fmt: skip

    @cached_property
    def rankings(self) -> Mapping[str, tuple[MethodRank, ...]]:
        """By the criterion, of those that any method has a number by: its methods, the best first."""
        every = {name: ranked(self.values[name], CRITERIA[name].better, self.seed) for name in CRITERIA}
        return {name: rows for name, rows in every.items() if rows}

    @cached_property
    def verdicts(self) -> tuple[MethodVerdict, ...]:
        """What is to be said of each method."""
        return verdicts(self.values, self.rankings, self.methods, self.seed)

    @cached_property
    def says(self) -> tuple[str, ...]:
        """The comparison in words, a sentence a line."""
        about = self.model, self.layer, len(self.photos), self.verdicts, self.values, self.rankings, self.seed
        return (*sentences(*about), *([self.ended] if self.ended else []))

    def __str__(self) -> str:
        return "\n".join(printable(line) for line in self.says)

    def table(self) -> list[tuple[str, ...]]:
        """A head, and a row for each method: its verdict, and by each criterion its mean with the interval."""
        shown = [name for name in SHOWN if name in self.rankings]
        rows = [("method", "verdict", *shown)]
        deletion = {row.method: place for place, row in enumerate(self.rankings.get("deletion", ()))}
        for each in sorted(self.verdicts, key=lambda each: (ORDER.index(each.status), deletion.get(each.method, 0))):
            rows.append((each.method, each.status, *(self._cell(name, each.method) for name in shown)))
        return rows

    def _cell(self, criterion: str, method: str) -> str:
        row = next((row for row in self.rankings[criterion] if row.method == method), None)
        if row is None:
            return "-"
        mark = "*" if row.first else "=" if row.tied and not row.control else ""
        return f"{row.mean:.2f} ({row.low:.2f} to {row.high:.2f}){mark}"

    @property
    def facts(self) -> dict[str, Any]:
        """All but the maps, by name, for JSON."""
        return {
            "model": self.model, "layer": self.layer, "photos": len(self.photos), "given": self.total, "seed": self.seed,
            "seconds": self.seconds, "ended": self.ended, "says": list(self.says),
            "verdicts": [each._asdict() for each in self.verdicts],
            "costs": dict(self.costs),
            "criteria": {
                name: {"better": CRITERIA[name].better, "says": CRITERIA[name].says, "methods": [row.facts for row in rows]}
                for name, rows in self.rankings.items()
            },
            "failed": [left.facts for left in self.failed],
            "refused": [left.facts for left in self.refused],
            "notes": list(self.notes),
        }  # fmt: skip

    def to_json(self) -> str:
        """One JSON object on one line."""
        return as_json(self.facts)

    def to_csv(self) -> str:
        """A row for each photo, method and criterion that is defined, numbers with all their digits."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["photo", "explained", "method", "criterion", "value"])
        for photo in self.photos:
            for (method, criterion), value in sorted(photo.values.items()):
                writer.writerow([photo.name, photo.explained, method, criterion, repr(value)])
        return text.getvalue()


def examples_of(found: MethodComparison, samples: int = 2) -> dict[str, list[int]]:
    """The places of the photos to be shown: of each criterion the best and the worst one of the method that leads it, and the
    first few that were looked at, under "samples".
    """
    chosen = {"samples": [photo.place for photo in found.photos[:samples]]}
    for name, rows in found.rankings.items():
        leaders = [row.method for row in rows if row.first]
        if not leaders or name == "seconds":
            continue
        numbers = {photo.place: photo.values[leaders[0], name] for photo in found.photos if (leaders[0], name) in photo.values}
        ordered = sorted(numbers, key=lambda place, of=numbers: of[place], reverse=CRITERIA[name].better == "higher")
        chosen[name] = list(dict.fromkeys((ordered[0], ordered[-1])))
    return chosen
