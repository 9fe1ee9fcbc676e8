"""What changed from one run to another, as one record: sentences, a table, JSON, CSV."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from seewhy.comparison.table import cell
from seewhy.json_text import as_json
from seewhy.metrics.localization.resampling import middle, resampled
from seewhy.metrics.regional.chance import LEVEL
from seewhy.printable import in_percent

from .mcnemar import PairedAnswers
from .photo_difference import CHANGES, PhotoDifference


@dataclass(frozen=True)
class MeanChange:
    """A mean over photos, with its 95 % interval; None of a single photo."""

    photos: int
    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float], seed: int = 0) -> "MeanChange | None":
        """None where there are no values."""
        if not values:
            return None
        rows, count = np.asarray(values, np.float64)[:, None], len(values)
        low, high = middle(resampled(rows, seed)[:, 0] / count, count) if count > 1 else (None, None)
        return cls(count, float(rows.mean()), low, high)

    def __str__(self) -> str:
        span = "" if self.low is None or self.high is None else f" ({in_percent(self.low)} to {in_percent(self.high)})"
        return f"{in_percent(self.mean)}{span}"


@dataclass(frozen=True)
class ClassDifference:
    """What changed of the photos that show a class.

    answers: None where no truth is known.  adjusted: McNemar's p, for all classes (Holm).
    shift: the mean share of the evidence that lies elsewhere; elsewhere: how often the classes would differ as much in that,
        were the photos given to other classes, adjusted for all; None where the photos are too few.
    """

    label: str
    photos: int
    answers: PairedAnswers | None
    adjusted: float | None
    shift: MeanChange | None
    elsewhere: float | None
    more: bool  # more of its evidence moved than of other classes

    @property
    def looks_elsewhere(self) -> bool:
        """Did more of its evidence move than of the other classes, beyond chance?"""
        return self.more and self.elsewhere is not None and self.elsewhere <= LEVEL

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for JSON."""
        return {
            "class": self.label, "photos": self.photos, **answers_facts(self.answers), "adjusted": self.adjusted,
            "energy_shift": None if self.shift is None else asdict(self.shift), "elsewhere_p": self.elsewhere,
            "looks_elsewhere": self.looks_elsewhere,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class RunDifference:
    """What changed from run A to run B.

    a, b: the models, in words; method: of the maps; None where the runs share none.
    photos: those that both have, what changed most first; answers: None where no truth is known of both.
    classes: those with something told from chance first.  shift, on_object, border: means over photos: of the share of the
        evidence that moved, and by how much more of it lies on the object and at the border now.
    only_a, only_b, changed: photos that one run alone has, and those of other bytes at the same path; notes: for the reader.
    """

    a: str
    b: str
    method: str | None
    photos: tuple[PhotoDifference, ...] = field(repr=False)
    answers: PairedAnswers | None
    classes: tuple[ClassDifference, ...] = field(repr=False)
    shift: MeanChange | None
    on_object: MeanChange | None
    border: MeanChange | None
    only_a: tuple[str, ...] = field(default=(), repr=False)
    only_b: tuple[str, ...] = field(default=(), repr=False)
    changed: tuple[str, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many photos changed in which way."""
        return {kind: sum(photo.change == kind for photo in self.photos) for kind in CHANGES}

    @property
    def says(self) -> tuple[str, ...]:
        """What changed, a sentence a line."""
        return tuple(self._says())

    def _says(self) -> Iterator[str]:
        counts, n = self.counts, len(self.photos)
        if (found := self.answers) is not None:
            span = "" if found.low is None or found.high is None else f" ({_signed(found.low)} to {_signed(found.high)})"
            sure = "beyond chance" if found.p <= LEVEL else "which chance gives as well"
            yield (
                f"B gets {in_percent(found.after.share)} of {found.photos} photos right, A {in_percent(found.before.share)}: "
                f"{_signed(found.difference)}{span}, {sure} (McNemar, p {found.p:.2g}); {found.fixed} are right now, "
                f"{found.broken} are wrong now"
            )
        yield f"{n - counts['same'] - counts['unknown']} of {n} photos have another answer"
        if self.shift is not None:
            yield f"{self.shift} of the evidence for the same class lies elsewhere, over {self.shift.photos} photos"
        for name, change in (("on the object", self.on_object), ("at the border", self.border)):
            if change is not None:
                yield (
                    f"By {change} more of the evidence lies {name}"
                    if change.mean >= 0
                    else f"By {_less(change)} less of the evidence lies {name}"
                )
        for each in self.classes:
            if each.answers is not None and each.adjusted is not None and each.adjusted <= LEVEL:
                before, after = (in_percent(part.share, 0) for part in (each.answers.before, each.answers.after))
                yield (
                    f"{each.label}: {before} right before, {after} now, over "
                    f"{each.photos} photos (adjusted p {each.adjusted:.2g})"
                )
            if each.looks_elsewhere and each.shift is not None:
                yield f"{each.label}: it looks elsewhere, more than other classes: {each.shift} of its evidence moved"

    def __str__(self) -> str:
        return "\n".join(self.says)

    def __repr__(self) -> str:
        return f"<RunDifference over {len(self.photos)} photos: {', '.join(f'{n} {kind}' for kind, n in self.counts.items())}>"

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for JSON."""
        means = {name: getattr(self, name) for name in ("shift", "on_object", "border")}
        return {
            "a": self.a, "b": self.b, "method": self.method, "says": list(self.says), "matched": len(self.photos),
            "counts": self.counts, **answers_facts(self.answers),
            **{name: None if mean is None else asdict(mean) for name, mean in means.items()},
            "classes": [each.facts for each in self.classes], "photos": [each.facts for each in self.photos],
            "only_a": list(self.only_a), "only_b": list(self.only_b), "changed": list(self.changed), "notes": list(self.notes),
        }  # fmt: skip

    def to_json(self) -> str:
        """One JSON object on one line."""
        return as_json(self.facts)

    def to_csv(self) -> str:
        """A row for each photo; numbers with all their digits."""
        names = ("path", "truth", "change", "before", "before_probability", "after", "after_probability", "target", "explained",
                 "spearman", "energy_shift", "centre_shift", "not_compared")  # fmt: skip
        text = io.StringIO()
        writer = csv.DictWriter(text, [*names], lineterminator="\n")
        writer.writeheader()
        for photo in self.photos:
            row = {key: value for key, value in photo.facts.items() if key in names}
            row["truth"] = "; ".join(photo.truth)
            for side in ("before", "after"):
                said = photo.before if side == "before" else photo.after
                row[side] = None if said is None else said.label or str(said.index)
                row[f"{side}_probability"] = None if said is None else said.probability
            writer.writerow({key: cell(value) if isinstance(value, str) else value for key, value in row.items()})
        return text.getvalue()


def _signed(share: float) -> str:
    return f"{'+' if share >= 0 else '-'}{in_percent(abs(share))}"


def _less(change: MeanChange) -> str:
    return str(MeanChange(change.photos, -change.mean, None if change.high is None else -change.high,
                          None if change.low is None else -change.low))  # fmt: skip


def answers_facts(found: PairedAnswers | None) -> dict[str, Any]:
    """The answers by name, for JSON."""
    if found is None:
        return {"answers": None}
    return {
        "answers": {**asdict(found), "difference": found.difference, "before": found.before.share, "after": found.after.share}
    }
