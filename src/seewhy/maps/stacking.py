"""Rows of a sheet with too many columns, or with columns that are mostly empty, as several rows below each other."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from .sheet import SheetColumn, titles

T = TypeVar("T")
ImageCells = Mapping[SheetColumn, T]
ImageRows = list[list[tuple[str, dict[SheetColumn, T]]]]  # of each image, with the words that tell them apart
FACTS = {"model": ("model", "weights"), "method": ("method", "params"), "target": ("target",), "layer": ("layer",)}
FIRST = ("method", "model", "layer")  # what columns stand for, where they do not stand for all that varies
FEW, WIDE = 12, 6  # images that may have several rows each, and columns that may stand beside each other


def stacked(rows: Sequence[ImageCells[T]], kinds: Sequence[str] | None = None) -> ImageRows[T]:
    """The cells of each image in columns that stand for some kinds of facts (`FACTS`), with a row for each of the others.

    By default columns stand for all that varies, but for the methods alone (or the models, or the layers) where two things vary
    and there is one image, or are few images and many columns; and for all but the target where a column of a target would be
    empty in most rows, as that of the true class is where most answers are right.
    """
    if kinds is not None:
        return _by(rows, [fact for kind in kinds for fact in FACTS[kind]])
    columns, images = {column for row in rows for column in row}, sum(bool(row) for row in rows)
    but_target, tries = [fact for fact in SheetColumn._fields if fact != "target"], list[Sequence[str]]()
    if images == 1 or (images <= FEW and len(columns) > WIDE):
        varies = [FACTS[kind] for kind in FIRST if len({_only(column, FACTS[kind]) for column in columns}) > 1]
        tries = [*varies[:1], *([but_target] if varies else [])]
    if any(2 * sum(column in row for row in rows) < images for column in columns):
        tries.append(but_target)
    for of_column in tries:
        if _filled(parts := _by(rows, of_column)):
            return parts
    return [[("", dict(row))] for row in rows]


def _by(rows: Sequence[ImageCells[T]], of_column: Sequence[str]) -> ImageRows[T]:
    """The cells in columns by some facts, with a row for each combination of the others that are needed to tell cells apart."""
    columns = [*dict.fromkeys(column for row in rows for column in row)]
    of_row, kept = _telling(columns, of_column), _following(columns, of_column)
    besides = [*dict.fromkeys(_only(column, of_row) for column in columns)]
    words = dict(zip(besides, titles(besides), strict=True))
    every = []
    for row in rows:
        parts: dict[SheetColumn, dict[SheetColumn, T]] = {}
        for column, cell in row.items():
            parts.setdefault(_only(column, of_row), {})[_only(column, kept)] = cell
        every.append([(words[beside], cells) for beside, cells in parts.items()] or [("", {})])
    return every


def _filled(parts: ImageRows[T]) -> bool:
    """Is most of the table filled?"""
    cells = [cells for below in parts for _, cells in below if cells]
    return 2 * sum(map(len, cells)) > len(cells) * len({column for row in cells for column in row})


def _only(column: SheetColumn, facts: Iterable[str]) -> SheetColumn:
    """The column with nothing said of the other facts."""
    left_out: dict[str, Any] = {fact: () if fact == "params" else "" for fact in SheetColumn._fields if fact not in facts}
    return column._replace(**left_out)


def _telling(columns: Sequence[SheetColumn], known: Sequence[str]) -> list[str]:
    """The facts that have to be told, beside the known ones, to tell the columns apart."""
    told: list[str] = []
    for fact in SheetColumn._fields:
        if fact not in known and fact not in _following(columns, [*known, *told]):
            told.append(fact)
    return told


def _following(columns: Sequence[SheetColumn], known: Sequence[str]) -> list[str]:
    """The known facts, and those that follow from them, as a layer does where each method has its own."""
    groups: dict[SheetColumn, list[SheetColumn]] = {}
    for column in columns:
        groups.setdefault(_only(column, known), []).append(column)
    return [f for f in SheetColumn._fields if all(len({getattr(c, f) for c in group}) == 1 for group in groups.values())]
