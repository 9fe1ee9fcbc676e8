"""Whose rows of attentions are shown: of what the network's head reads, of a token, a place, a word, a detected object."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import numbers
from seewhy.errors import BadParameter, NotApplicable
from seewhy.explaining.findings import view_of
from seewhy.images.places import Cells, Extent, Turned
from seewhy.maps.source import TargetFacts
from seewhy.models.model import Attended, Attention
from seewhy.prepare.batch import Batch
from seewhy.printable import in_percent, quoted
from seewhy.targets.aim import Aim, ImageView, Pinned
from seewhy.targets.box import Box
from seewhy.targets.parse import read, short_text
from seewhy.targets.target import Class
from seewhy.targets.token import Token
from seewhy.targets.written import WrittenText

CLASS = "class"
WAYS = 'a token\'s number, a pixel (y, x) of the photo, Token("dog") of a text, or Box("dog") of a detector'
AIMS = ("token:", "box:")  # how their texts begin


class AskedRows(NamedTuple):
    """Images, the model that answers for them, and whose rows of its attentions are shown."""

    model: Any
    batch: Batch
    place: int  # of the first image
    query: Any  # as it was asked, of an aim its text
    pinned: Pinned | None = None  # of an aim

    def attended(self) -> Attended:
        """What a pass leaves at the attentions; of an aim with the gradient of its number, which tells its row."""
        return self.model.attended(self.batch.x, [Class(0)] if self.pinned else (), whole=False)

    def target(self) -> TargetFacts:
        """What a Source says of the query."""
        pinned = self.pinned
        if pinned is None:
            return TargetFacts(_words(self.query), self.model.explains, _place(self.query))
        share = "" if pinned.probability is None else f" ({in_percent(pinned.probability)})"
        of = f"of the word {quoted(pinned.label)}{share}" if pinned.written else f"of {pinned.label}{share} {pinned.place}"
        facts = {**pinned.facts, "index": None}  # the weights are those of no class
        return TargetFacts(self.query, pinned.kind, of, **facts)

    def why_not(self, attended: Attended, block: Attention) -> str:
        """Why an attention has no rows of this query, in words; "" where it has."""
        if self.pinned is not None and self.pinned.written is not None:
            return self._why_no_word(block, self.pinned.written)
        if self.pinned is not None:
            return self._why_no_object(attended, block)
        if block.queries.grid or isinstance(self.query, int | np.integer) or (self.query == CLASS and self._alone(block)):
            return ""
        return f"{block.queries.length} queries that are no tokens of the image look there: ask for one by its number, query=0"

    def _alone(self, block: Attention) -> bool:
        return block.queries.length == 1

    def _why_no_word(self, block: Attention, written: WrittenText) -> str:
        """The row that foretells a token is the last that its logit has a gradient through, and no patch."""
        rows = self.rows
        length = written.row + len(written.ids)
        if block.queries.length != length or {*rows} & {*block.queries.cells}:
            return "its queries are not the words of the text"
        through = _through(block)
        if not len(through) or through[-1] != max(rows):
            return "the word's logit does not come through the row of its place in the text"
        return ""

    def _why_no_object(self, attended: Attended, block: Attention) -> str:
        """In the last attention of objects a box has a gradient through its own row alone; so have objects in those before."""
        others = [each for each in attended.layers if not each.queries.grid and each.queries.length > max(self.rows)]
        if not others or block not in others or block.queries.length != others[-1].queries.length:
            return "its queries are no objects that look at the image"
        if _through(others[-1]).tolist() != [*self.rows]:
            return f"the score of the box does not come through one row of {others[-1].layer} alone"
        return ""

    @property
    def rows(self) -> tuple[int, ...]:
        """Of an aim, the rows of its attentions."""
        if self.pinned is None:
            return ()
        at, written = self.pinned.at, self.pinned.written
        return tuple(written.row + i for i in at) if written else at

    def shares(self, attended: Attended, block: Attention, placed: Cells | None) -> NDArray[np.float64]:
        """The share of each row of an attention in what is shown: (n, queries)."""
        if self.pinned is None:
            return _shares(attended, block, self.query, self.batch, placed)
        share = np.zeros((1, block.queries.length))
        share[:, [*self.rows]] = 1 / len(self.rows)
        return share

    def notes(self, attended: Attended, block: Attention) -> tuple[str, ...]:
        """What a person should know of the rows."""
        if self.pinned is not None:
            several = len(self.pinned.at) > 1
            return (*self.pinned.notes, *["the mean of the rows of the word's tokens is shown"] * several)
        if not isinstance(self.query, str) or not block.queries.grid:
            return ()
        if len(attended.reads) != block.queries.length:
            return ("the head of the network reads other tokens than this layer's: the mean over its patches is shown",)
        if attended.reads[block.queries.in_image].any():
            return ("the head of the network reads patches: the mean over their rows is shown, query=(y, x) shows one",)
        return ()


def asked_rows(model: Any, batch: Batch, place: int, query: Any) -> Iterator[AskedRows]:
    """The images of a batch, together; of an aim each alone, for it means another row in each."""
    if isinstance(query, str) and query.startswith(AIMS):
        (query,) = read(query, model.labels)
    if not isinstance(query, Aim):
        yield AskedRows(model.beside(place, len(batch.x)), batch, place, query)
        return
    if not isinstance(query, Token | Box):
        raise NotApplicable(f"query={query}: no attention has a row of its own for that. Ask for {WAYS}.")
    for i in range(len(batch.x)):
        alone, whole = model.beside(place + i, 1), batch.part(i, i + 1)
        aimed, (pinned,) = alone.aimed([query.known(model.labels)], whole.x, view_of(whole, alone, 0))
        yield AskedRows(aimed, whole, place + i, short_text(pinned.target, model.labels), pinned)


def _through(block: Attention) -> NDArray[np.intp]:
    """The rows of an attention through whose weights the explained score has a gradient."""
    return np.flatnonzero((numbers(block.g)[0, 0] != 0).any((0, 2)))


def _shares(attended: Attended, block: Attention, query: Any, batch: Batch, placed: Cells | None) -> NDArray[np.float64]:
    """Which rows of the attention are shown: the share of each, (n, queries)."""
    tokens, n = block.queries, len(batch.x)
    share = np.zeros((n, tokens.length))
    if isinstance(query, str):
        if query != CLASS:
            raise BadParameter(f'query={query!r}: "class", {WAYS}.')
        if tokens.grid and len(attended.reads) == tokens.length:
            return share + attended.reads
        read = tokens.in_image if tokens.grid else [0]  # a probe that pools has one row
        share[:, read] = 1 / len(read)
    elif isinstance(query, int | np.integer) and not isinstance(query, bool):
        if not 0 <= query < tokens.length:
            raise BadParameter(f"query={query}: {block.layer} has tokens 0 to {tokens.length - 1}.")
        share[:, query] = 1
    else:
        for i in range(n):
            share[i, _token(query, block, batch, i, placed)] = 1
    return share


def _token(query: Any, block: Attention, batch: Batch, i: int, placed: Cells | None) -> int:
    """The token of the patch at the pixel (y, x) of photo i."""
    box, grid, space = batch.boxes[i], block.queries.grid, batch.x.shape[2:]
    try:
        y, x = (float(at) for at in query)
    except (TypeError, ValueError):
        raise BadParameter(f'query={query!r}: "class", {WAYS}.') from None
    if not isinstance(box, Extent | Turned) or len(grid) != 2:
        raise NotApplicable("Only a patch of a photo can be pointed at by its pixel; ask for a token by its number.")
    at = ImageView(tuple(space), None, batch.known_box(i), None).to_prepared(np.array([x + 0.5, y + 0.5]))[::-1]
    if not all(0 <= pixel < side for pixel, side in zip(at, space, strict=True)):
        edges = ", ".join(f"{edge:g}" for edge in (box.extent if isinstance(box, Turned) else box))
        raise BadParameter(f"query=({y:g}, {x:g}): of {batch.names[i]} the network saw ({edges}): left, top, right, bottom.")
    pixels = at - 0.5
    even = Cells.even(grid, tuple(space))
    lies = placed if placed is not None and block.keys.grid == grid else even
    cell = [round((at - first) / stride) for at, first, stride in zip(pixels, lies.first, lies.stride, strict=True)]
    row, column = (min(max(at, 0), sides - 1) for at, sides in zip(cell, grid, strict=True))
    return block.queries.cells[row * grid[1] + column]


def _words(query: Any) -> str:
    if isinstance(query, str):
        return query
    return f"token {query}" if isinstance(query, int | np.integer) else f"({', '.join(f'{at:g}' for at in query)})"


def _place(query: Any) -> str:
    """In words for a caption: of which token the row is shown."""
    if isinstance(query, str):
        return "of what the network's head reads"
    return f"of {_words(query)}" if isinstance(query, int | np.integer) else f"of the patch at {_words(query)}"
