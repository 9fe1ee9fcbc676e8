"""A sheet as a fragment of HTML, as notebooks show it: small, with its pictures inside, every text escaped."""

from collections.abc import Iterator, Sequence
from html import escape

from seewhy.printable import printable

from .sheet import SheetCell, SheetColumn, SheetRow, columns_of, shared, titles
from .sheet_picture import GOOD_AND_BAD, caveats_of, said, short_names

CELL = "text-align:left;vertical-align:top;padding:4px 8px"
SMALL = "font-size:85%;max-width:180px;overflow-wrap:anywhere"


def fragment(rows: Sequence[SheetRow], maps: int = 0, failed: int = 0) -> str:
    """The rows as a table.  maps, failed: how many maps there are beside those of the rows, and images without any."""
    columns = columns_of(rows)
    heads = "".join(f'<th style="{CELL}">{_text(title)}</th>' for title in titles(columns))
    body = "".join(_row(row, name, columns) for row, name in zip(rows, short_names([r.image for r in rows]), strict=True))
    notes = [f"{method}: {caveat}" for method, caveat in caveats_of(rows).items()]
    more = [f"and {maps} more map{'s' * (maps != 1)}: grid() draws more"] if maps else []
    more += [f"and {failed} more image{'s' * (failed != 1)} without a map: see failed"] if failed else []
    below = "".join(f'<div style="font-size:85%;opacity:.75">{_text(note)}</div>' for note in (*more, *notes))
    above = f"<div>{_text(shared(columns))}</div>" if columns else ""
    if not rows:
        return "no maps"
    return f"{above}<table><thead><tr><th></th>{heads}</tr></thead><tbody>{body}</tbody></table>{below}"


def _row(row: SheetRow, name: str, columns: Sequence[SheetColumn]) -> str:
    cells = "".join(f'<td style="{CELL}">{"".join(_cell(row.cells.get(column)))}</td>' for column in columns)
    return f'<tr><td style="{CELL}">{"".join(_about(row, name))}</td>{cells}</tr>'


def _about(row: SheetRow, name: str) -> Iterator[str]:
    if row.photo:
        yield f'<img src="{row.photo.address}" alt="{_text(name)}">'
    yield _line(name)
    for answer in row.answers:
        words = f"{answer.model}: {said(answer)}" if len(row.answers) > 1 else said(answer)
        yield _line(words, "" if answer.right is None else GOOD_AND_BAD[answer.right])
    yield from map(_line, [*([f"truth: {row.truth}"] if row.truth else []), *row.facts])
    if row.failure:
        yield _line(row.failure, GOOD_AND_BAD[False])


def _cell(cell: SheetCell | None) -> Iterator[str]:
    if cell is None:
        return
    if cell.picture:
        yield f'<img src="{cell.picture.address}" alt="{_text(cell.says)}">'
    yield from map(_line, filter(None, (cell.says, *cell.facts)))
    for warning in cell.warnings:
        yield _line(f"! {warning}", GOOD_AND_BAD[False])


def _line(text: str, colour: str = "") -> str:
    return f'<div style="{SMALL}{";color:" + colour if colour else ""}">{_text(text)}</div>'


def _text(text: str) -> str:
    return escape(printable(text, 300))
