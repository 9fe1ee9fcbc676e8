"""What came of planting: the proof that the network rests on it, and which methods find it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from seewhy.json_text import as_json
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Failed, Refused
from seewhy.metrics.regional.chance import enough_photos
from seewhy.metrics.verdict.ranking import MethodRank, Values, ranked
from seewhy.printable import in_percent
from seewhy.truth.accuracy import Portion

from .marks import PLANTINGS

USED = 0.9  # of the held-out photos that the head has to answer right, by what was planted alone


@dataclass(frozen=True)
class PlantedTruth:
    """Which methods find what a head was made to depend on, on held-out photos.

    what: was planted: "marks", "backgrounds" or "patches".
    marked: how many of the held-out photos the head tells by it; bare: how many without, of which each stands for both kinds;
    area: the mean share of what the network sees that it takes.
    values: by the measure ("mass": the share of the evidence on it; "beyond": that less the area; "pointing") and the method, a
    number for each held-out photo, the mean over its two kinds.  examples: the maps of the first of these photos.
    """

    model: str
    what: str
    layer: str
    fitted: int
    photos: tuple[str, ...]
    marked: Portion
    bare: Portion
    area: float
    values: dict[str, Values]
    seed: int
    failed: tuple[Failed, ...] = ()
    refused: tuple[Refused, ...] = ()
    examples: tuple[Heatmap, ...] = ()

    @property
    def planted(self) -> bool:
        """Does the head rest on what was planted?"""
        return self.marked.share >= USED

    @cached_property
    def rankings(self) -> dict[str, tuple[MethodRank, ...]]:
        """By the measure the methods, the best first; nothing where it could not be planted."""
        return {name: ranked(of, "higher", self.seed) for name, of in self.values.items()}

    @property
    def noun(self) -> str:
        """For one of what was planted."""
        return PLANTINGS[self.what].noun

    @property
    def says(self) -> tuple[str, ...]:
        """What came of it, a sentence a line."""
        proof = (
            f"a head fitted to {self.fitted} photos, each with either {self.noun} in turn ({PLANTINGS[self.what].kinds}), "
            f"tells {self.marked} of the held-out photos by their {self.noun}, and without one "
            f"{in_percent(self.bare.share, 0)}, which is chance"
        )
        if not self.planted:
            return (
                f"No {self.what} could be planted in {self.model}: {proof}; {in_percent(USED, 0)} with the "
                f"{self.noun} are asked for.",
            )
        area = f"A {self.noun} takes {in_percent(self.area)} of the area."
        head = f"{self.what.capitalize()} planted in {self.model}: {proof}. {area}"
        return (head, *(self._of(row) for row in self.rankings["beyond"] if not row.control))

    def _of(self, row: MethodRank) -> str:
        mass, pointing = (next(r for r in self.rankings[name] if r.method == row.method) for name in ("mass", "pointing"))
        ahead = row.to_random
        found = ahead is not None and ahead.settled and ahead.mean > 0
        less = ahead is not None and ahead.settled and ahead.mean < 0
        tie = "the best" if row.first else "tied with the best" if row.tied else ""
        tests = sum(each.to_random is not None for each in self.rankings["beyond"])
        few = ahead is not None and not ahead.settled and not enough_photos([ahead.photos] * tests).all()
        too_few = f"is not judged, for {len(self.photos)} held-out photos are too few to tell {tests} methods from a random map"
        told = "has less there than a random map" if less else too_few if few else "cannot be told from a random map"
        verdict = "finds it" if found else told
        return (
            f"{row.method} {verdict}{f', {tie}' if tie and found else ''}: {in_percent(mass.mean)} of its evidence lies on the "
            f"{self.noun} ({in_percent(mass.low)} to {in_percent(mass.high)}), and it points at it in "
            f"{in_percent(pointing.mean, 0)}."
        )

    def __str__(self) -> str:
        return "\n".join(self.says)

    @property
    def facts(self) -> dict[str, Any]:
        """All but the maps, by name, for JSON."""
        return {
            "model": self.model, "what": self.what, "layer": self.layer, "planted": self.planted,
            "says": list(self.says), "fitted": self.fitted,
            "held_out": len(self.photos), "right_with_mark": self.marked.share, "right_without": self.bare.share,
            "area": self.area, "measures": {name: [row.facts for row in rows] for name, rows in self.rankings.items()},
            "failed": [left.facts for left in self.failed],
            "refused": [left.facts for left in self.refused],
        }  # fmt: skip

    def to_json(self) -> str:
        """One JSON object on one line."""
        return as_json(self.facts)
