"""One number of how well maps localize, with its interval, its controls and what chose its threshold."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from seewhy.json_text import as_json
from seewhy.printable import in_percent

FIXED = "none: the threshold was fixed beforehand"
NO_THRESHOLD = "none: there is no threshold"
F = TypeVar("F", bound="Factual")


class Factual(Protocol):
    """A score that tells itself by plain names."""

    def facts(self) -> dict[str, Any]: ...


class ControlScore(NamedTuple):
    """The same measure of maps that never saw the photo: "random" or "centre".

    ahead: the 95 % interval of how far the maps are ahead of it, on the same photos; where it holds 0, they may be no better.
    """

    name: str
    value: float
    interval: tuple[float, float]
    ahead: tuple[float, float]


@dataclass(frozen=True)
class LocalizationScore:
    """How well maps localize, by one measure.

    value: from 0 to 1 (a difference of two such, from -1); interval: where, with 95 % confidence, it lies among all photos of
        which these were drawn.
    images: the photos that it was counted on.
    supervision: what people had to draw, beyond labels of photos, so that the threshold could be chosen: the number is no
        better than that allows.  thresholds: what was chosen, as shares of the map's greatest value; empty where there is none.
    """

    name: str
    value: float
    interval: tuple[float, float]
    images: int
    controls: tuple[ControlScore, ...] = ()
    supervision: str = NO_THRESHOLD
    thresholds: tuple[float, ...] = ()

    @property
    def error(self) -> float:
        """What is missing to 1: of an accuracy the error, as papers print it."""
        return 1 - self.value

    def __str__(self) -> str:
        head = f"{self.name}: {_shown(self.value, self.interval)}, {self.images} photo{'s' * (self.images != 1)}"
        beside = [f"{each.name} {_shown(each.value, each.interval)}" for each in self.controls]
        at = f" ({', '.join(f'{threshold:.3g}' for threshold in self.thresholds)})" if self.thresholds else ""
        return "; ".join([head, *beside, f"supervision {self.supervision}{at}"])

    def facts(self) -> dict[str, Any]:
        """All of it under plain names, for a row of CSV or an object of JSON."""
        low, high = self.interval
        facts: dict[str, Any] = {
            "measure": self.name, "value": self.value, "low": low, "high": high, "images": self.images,
        }  # fmt: skip
        for each in self.controls:
            spans = {"": each.interval, "_ahead": each.ahead}
            facts[each.name] = each.value
            facts |= {
                f"{each.name}{what}_{end}": span[at] for what, span in spans.items() for at, end in enumerate(("low", "high"))
            }
        return facts | {"supervision": self.supervision, "thresholds": " ".join(f"{each:.6g}" for each in self.thresholds)}


def table(scores: Iterable[LocalizationScore] | Mapping[str, Iterable[LocalizationScore]]) -> str:
    """Scores below each other in plain text, in per cent, each with its interval, its controls and its supervision.

    scores: of one thing, or of several, by their names.
    """
    rows = [["", "measure", "value", "95 % interval", "photos", "random", "centre", "supervision (threshold)"]]
    for name, each in _named(scores):
        controls = {control.name: f"{in_percent(control.value)} ({_span(control.interval)})" for control in each.controls}
        at = f" ({', '.join(f'{threshold:.3g}' for threshold in each.thresholds)})" if each.thresholds else ""
        rows.append(
            [name, each.name, in_percent(each.value), _span(each.interval), str(each.images), controls.get("random", "-"),
             controls.get("centre", "-"), each.supervision + at]
        )  # fmt: skip
    kept = [column for column in zip(*rows, strict=True) if any(column)]
    widths = [max(map(len, column)) for column in kept]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in zip(*kept, strict=True))
    return "\n".join(line.rstrip() for line in lines)


def csv_of_scores(scores: Iterable[Factual] | Mapping[str, Iterable[Factual]]) -> str:
    """A row for each score, numbers with all their digits; a first column "of" where scores have names."""
    rows = [{**({"of": name} if name else {}), **each.facts()} for name, each in _named(scores)]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*dict.fromkeys(field for row in rows for field in row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def json_of_scores(scores: Iterable[Factual] | Mapping[str, Iterable[Factual]]) -> str:
    """A JSON object for each score, one a line, with all digits; a field "of" where scores have names."""
    return "".join(as_json({**({"of": name} if name else {}), **each.facts()}) + "\n" for name, each in _named(scores))


def _named(scores: Iterable[F] | Mapping[str, Iterable[F]]) -> Sequence[tuple[str, F]]:
    if isinstance(scores, Mapping):
        return [(str(name), each) for name, some in scores.items() for each in some]
    return [("", each) for each in scores]


def _span(interval: tuple[float, float]) -> str:
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"


def _shown(value: float, interval: tuple[float, float]) -> str:
    return f"{in_percent(value)} ({_span(interval)})"
