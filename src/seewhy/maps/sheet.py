"""Many maps on one sheet, as records: a row for each photo, a column for each model, method, target or layer that varies.

`Heatmaps.grid`, the page of `seewhy explain` and its picture are drawn from these records.  They hold neither photos nor
maps, only pictures as small as they are shown, so that the rows of hundreds of photos fit into memory.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from seewhy.pictures.thumbnails import Thumbnail

from .source import Predicted, Source, layer_words

T = TypeVar("T")
ORDERS = ("given", "name", "confidence", "wrong")  # of the rows


class SheetColumn(NamedTuple):
    """What the maps of one column share."""

    model: str
    weights: str
    method: str
    params: tuple[tuple[str, str], ...]  # of the method: their names, and their values as text
    target: str  # as it was asked: "top 1", "281"
    layer: str

    @classmethod
    def of(cls, source: Source) -> "SheetColumn":
        params = tuple((name, str(value)) for name, value in sorted(source.params.items()))
        return cls(source.model, source.weights or "", source.method, params, source.target, source.layer)


@dataclass(frozen=True)
class SheetCell:
    """One map, as a sheet shows it."""

    says: str  # what it explains, where its column does not tell: "tabby (281), 84.0 %"
    picture: Thumbnail | None
    files: tuple[str, ...] = ()  # that hold it, by their names in the folder of the sheet; the first is what the picture shows
    colours: str = ""  # of the map: a name of `COLOURS`, or of a picture with colours of its own, such as "signed"; else empty
    caveat: str = ""  # what is known against the method
    warnings: tuple[str, ...] = ()  # why this map is empty or suspect
    facts: tuple[str, ...] = ()  # what was measured of it, in words: "68 % of the evidence in the box, 21 % of the area"


@dataclass(frozen=True)
class SheetAnswer:
    """What one model took a photo for."""

    model: str
    predicted: Predicted | None  # None where it names no classes
    right: bool | None = None  # None where the truth is not known


@dataclass(frozen=True)
class SheetRow:
    """One photo, what the models took it for, and its maps."""

    image: str  # its name
    photo: Thumbnail | None = None  # None of what cannot be shown without a map
    answers: tuple[SheetAnswer, ...] = ()  # of each model
    cells: Mapping[SheetColumn, SheetCell] = field(default_factory=dict)
    failure: str = ""  # why there are no maps of it, or not all
    truth: str = ""  # what the photo shows, where somebody said it: "tabby (281)"
    facts: tuple[str, ...] = ()  # what else was measured of the photo, in words

    @property
    def wrong(self) -> bool:
        """Did any model give another answer than the truth?"""
        return any(answer.right is False for answer in self.answers)

    @property
    def confidence(self) -> float:
        """The probability of the first model's answer; -1 where there is none."""
        said = self.answers[0].predicted if self.answers else None
        return -1.0 if said is None else said.probability


def in_order(rows: Iterable[SheetRow], order: str) -> list[SheetRow]:
    """The rows as they were given, by the photo's name, the surest answer first, or the wrong answers first and of these the
    surest (`ORDERS`).  In all orders but the given one, photos without any map come last.
    """
    keys = {
        "given": lambda row: 0,
        "name": lambda row: (not row.cells, row.image),
        "confidence": lambda row: (not row.cells, -row.confidence),
        "wrong": lambda row: (not row.cells, not row.wrong, -row.confidence),
    }
    return sorted(rows, key=keys[order])


def columns_of(rows: Iterable[SheetRow]) -> list[SheetColumn]:
    """The columns of the rows, in the order in which they are first met."""
    return [*dict.fromkeys(column for row in rows for column in row.cells)]


def titles(columns: Sequence[SheetColumn]) -> list[str]:
    """What tells each column from the others; what they share, and what follows from the rest of a title, is left out."""
    said: list[list[str]] = [[] for _ in columns]
    for fact in SheetColumn._fields:
        groups: dict[tuple[str, ...], list[int]] = {}
        for place, words in enumerate(said):
            groups.setdefault(tuple(words), []).append(place)
        if all(len({getattr(columns[place], fact) for place in group}) == 1 for group in groups.values()):
            continue
        for group in groups.values():
            for place in group:
                said[place].append(_words(columns[place], fact, [columns[other] for other in group]))
    return [", ".join(filter(None, words)) for words in said]


def shared(columns: Sequence[SheetColumn]) -> str:
    """What all columns share, in words: "grad-cam, top 1, at layer4, of torchvision/resnet50"."""
    said = {fact: getattr(columns[0], fact) for fact in SheetColumn._fields if len({getattr(c, fact) for c in columns}) == 1}
    words = [said.get("method"), _target(said.get("target", "")), said.get("layer") and f"at {layer_words(said['layer'])}"]
    words = [word for word in words if word]
    return ", ".join([*words, *([f"of {model}" if words else model] if (model := said.get("model")) else [])])


def aligned(rows: Sequence[Mapping[SheetColumn, T]]) -> list[dict[SheetColumn, T]]:
    """The cells of rows whose targets are the same from photo to photo as they are; of others, such as the true class of each
    photo, in columns of their first target, their second, and so on.
    """
    asked = [[*dict.fromkeys(column.target for column in row)] for row in rows]
    every = {target for targets in asked for target in targets}
    if any(every == {*targets} for targets in asked):
        return [dict(row) for row in rows]
    return [
        {column._replace(target=f"target {targets.index(column.target) + 1}"): cell for column, cell in row.items()}
        for row, targets in zip(rows, asked, strict=True)
    ]


def _words(column: SheetColumn, fact: str, group: Sequence[SheetColumn]) -> str:
    """A fact of a column in words; of parameters those by which the columns of its group differ."""
    if fact == "layer":
        return f"at {layer_words(column.layer)}"
    if fact == "target":
        return _target(column.target)
    if fact != "params":
        return getattr(column, fact)
    others = [dict(other.params) for other in group]
    differ = [(name, value) for name, value in column.params if any(other.get(name) != value for other in others)]
    return " ".join(f"{name} {value}" for name, value in differ)


def _target(target: str) -> str:
    return f"class {target}" if target.isdecimal() else target
