"""One attention as it ran: from which tokens of the image its queries and its keys were computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, prod
from typing import NamedTuple

import torch
from torch import Tensor

from seewhy.images.places import Place
from seewhy.models.torch.places.marks import IMAGES

from .attending import AttentionCall
from .codes import MIXED, constant, mixture, seen_by, summed
from .tracing import CELLS, TokenSpace, Tracing

BESIDE = "its keys are no tokens of the image, or several are pooled into one, or its values are mixed"
NEITHER = "it cannot be followed to tokens of the image: channels attend to channels, or tokens are mixed around it"
WORDS = "neither its queries nor its keys are patches of the image"
STRAY = "some of its keys are no tokens that a layer emits"
OVERLAP = "its windows overlap: a token is the sum of what several windows make of it"
TURNED = "tokens change their places in it: what it makes lies in another order than what it looks at"
FROZEN = "no gradient passes it"


class TokenRow(NamedTuple):
    """The tokens that the queries or the keys of an attention are."""

    length: int
    grid: tuple[int, ...]  # of those that lie in the image
    cells: tuple[int, ...]  # which tokens these are, cell by cell and row by row
    place: Place | None = None  # where the cells lie


class TokenAttention(NamedTuple):
    """One attention, and the tokens that it joins."""

    layer: str
    queries: TokenRow | None  # None if they are no tokens of the image
    keys: TokenRow | None
    rows: Tensor | None  # (r, q): the token of each row of the weights (n, r, q, k), -1 for a row of no token
    columns: Tensor | None  # (r, k): the token of each column
    size: tuple[int, int]  # (q, k)
    left_out: str = ""  # the reason, in words, why its places are not known

    @property
    def square(self) -> bool:
        """Are its queries and its keys the tokens of one grid?"""
        q, k = self.queries, self.keys
        if q is None or k is None or self.left_out:
            return False
        return q.grid == k.grid and q.length == k.length

    @property
    def beside(self) -> bool:
        """Are its keys tokens of the image, but not its queries, as in a head that pools by attention?"""
        return self.queries is None and self.keys is not None and self.size[0] < self.size[1]


class TokenOrder(NamedTuple):
    """The tokens of an attention, by their codes, and as a row; none, if it is known that they lie nowhere."""

    codes: tuple[int, ...]
    row: TokenRow | None


NOWHERE = TokenOrder((), None)


@dataclass
class Met:
    """One attention of the pass."""

    joined: TokenAttention
    known: bool  # do rules tell of all its rows and columns?
    queries: tuple[int, ...] = ()  # the codes of their tokens, in order
    keys: tuple[int, ...] = ()
    seen: int = 0  # through which attentions its keys and values came
    number: int = 0  # of the attentions that ran before it


def unplaced(call: AttentionCall) -> TokenAttention:
    size = (call.weights.shape[-2], call.weights.shape[-1])
    return TokenAttention(call.layer, None, None, None, None, size, call.left_out)


class AttentionCodes(NamedTuple):
    """The codes of the tokens that an attention joins, for all its heads and windows."""

    rows: Tensor  # (..., q, 1): of the queries
    columns: Tensor  # (r, k): of the values
    looked_up: Tensor  # (r, k): of the keys
    seen: int  # through which attentions they came


def met_by(follow: Tracing, call: AttentionCall, out: Tensor) -> tuple[Met, Tensor]:
    """One attention, and the codes of what it made; the network goes on with these codes."""
    found = _codes_of(follow, call)
    codes = found.rows if call.order is None else found.rows.permute([call.order.index(j) for j in range(out.ndim)])
    follow.passed(out, codes, found.seen)
    met = _resolved(follow, call, out, found)
    met.seen, met.number = found.seen, follow.attentions - 1
    return met, codes


def _codes_of(follow: Tracing, call: AttentionCall) -> AttentionCodes:
    weights, *lead, k = call.weights, *call.weights.shape[:-2], call.weights.shape[-1]
    paired, valued = follow(weights), follow(call.values)
    rows = constant(weights)
    if valued is not None and valued.pairs is not None:
        valued = mixture(weights, valued.seen)
    columns = rows[..., 0] if valued is None else summed(valued.codes, [-1]).squeeze(-1)
    looked_up = columns
    if paired is not None and paired.pairs is not None:
        rows, looked_up = summed(paired.codes, [-1]), summed(paired.pairs, [-2]).squeeze(-2)
    elif paired is not None and paired.codes.shape[-1] > 1:
        looked_up = summed(paired.codes, [-2]).squeeze(-2)
    elif paired is not None:
        rows = paired.codes
    columns, looked_up = (codes.expand(*lead, k).reshape(-1, k) for codes in (columns, looked_up))
    return AttentionCodes(rows.expand(*weights.shape[:-1], 1), columns, looked_up, seen_by(filter(None, (paired, valued))))


def _resolved(follow: Tracing, call: AttentionCall, out: Tensor, found: AttentionCodes) -> Met:
    """Which tokens its rows and columns are, or in words why that is not known."""
    unknown, columns = unplaced(call), found.columns
    if not call.weights.requires_grad:
        return Met(unknown._replace(left_out=FROZEN), True)
    if not _images_first(follow, call):
        return Met(unknown, False)
    rows = found.rows.reshape(-1, call.weights.shape[-2])
    values = call.values if call.values is not None else out
    keys = _tokens_of(follow, columns, values, False)
    alike = keys is not None and keys.row is not None and torch.equal(rows, columns)
    queries = keys if alike else _tokens_of(follow, rows, out, call.order is not None)
    if queries is NOWHERE and keys and keys.row:
        if rows.shape == columns.shape:  # tokens may be taken for queries behind it, as where all queries look alike
            queries = None
        elif bool((numbered(rows, keys.codes) >= 0).all()):  # a class token that looks at all
            queries = keys
    if queries is None or keys is None or not bool((columns == found.looked_up).all()):
        return Met(unknown, False)
    at = numbered(rows, queries.codes)
    of = at if alike else numbered(columns, keys.codes)
    row, column = queries.row, keys.row
    why = ""
    if column is None:
        channels = (mark := follow.of(values)) is not None and mark.dims[-1].spatial
        why = BESIDE if row is not None else NEITHER if channels else WORDS
    elif row is not None and bool((columns == MIXED).any()):
        why, column = STRAY, None
    elif row is not None and overlap(at, of):
        why = OVERLAP
    elif row is not None and at.shape == of.shape and not torch.equal(at, of):
        why = TURNED
    if column is not None and found.seen and column.place is not None:  # its cells see the whole image
        column = column._replace(place=column.place._replace(field=(inf,) * len(column.grid)))
    joined = unknown._replace(
        queries=row, keys=column, rows=at if row is not None else None, columns=of if column is not None else None, left_out=why
    )
    return Met(joined, True, queries.codes, keys.codes)


def _images_first(follow: Tracing, call: AttentionCall) -> bool:
    """Are the images outermost in the weights?  Of words alone there are none."""
    marks = [mark for tensor in (call.weights, call.values) if tensor is not None and (mark := follow.raw(tensor)) is not None]
    for mark in marks:
        lead = [f for dim in mark.dims[:-2] for f in dim.factors]
        at = next((i for i, f in enumerate(lead) if f.axis == IMAGES), None)
        if not mark.lost:
            return at is not None and all(f.size == 1 for f in lead[:at])
    return not marks


def _tokens_of(follow: Tracing, codes: Tensor, of: Tensor, turned: bool) -> TokenOrder | None:
    """The tokens (r, m) of an attention in their order, whose codes are those of the tensor `of` (..., m, c), unless `turned`.

    Where all heads see the same row, it is that row; else, as of windows, all cells of the map, and then what lies beside it.
    """
    cells = codes[codes >= CELLS]
    if not len(cells):
        return NOWHERE if _spaceless(follow, of) or not bool((codes == MIXED).any()) else None
    space = follow.space_of(int(cells[0]))
    every = torch.arange(space.begin, space.begin + prod(space.grid), dtype=codes.dtype, device=codes.device)
    row, alone = codes[0], cells.unique()
    if bool((codes == row).all()) and bool((row >= 0).all()) and len(row.unique()) == len(row):
        order = tuple(row.tolist())
        if torch.equal(alone, every):
            return TokenOrder(order, _row(order, space))
        return None if turned else _taken(follow, order, of)
    if not torch.equal(alone, every):
        return None
    order = tuple(torch.cat([every, codes[(codes >= 0) & (codes < CELLS)].unique()]).tolist())
    return TokenOrder(order, _row(order, space))


def _spaceless(follow: Tracing, of: Tensor) -> bool:
    """Is it known that no row of a tensor (..., m, c) lies anywhere?"""
    mark = follow.of(of)
    return mark is None or not (mark.lost or mark.points or any(dim.spatial for dim in mark.dims[:-1]))


def _row(order: Sequence[int], space: TokenSpace) -> TokenRow:
    at = {code: i for i, code in enumerate(order)}
    cells = tuple(at[space.begin + cell] for cell in range(prod(space.grid)))
    return TokenRow(len(order), space.grid, cells, space.place)


def _taken(follow: Tracing, order: tuple[int, ...], of: Tensor) -> TokenOrder | None:
    """Some of the cells of a map, which are a coarser map, as its mark tells."""
    coded = follow.anew(of)
    if coded is None:
        return None
    codes = summed(coded.codes, [-1]).expand(*of.shape[:-1], 1).reshape(-1, len(order))
    if not bool((codes == codes[0]).all()):
        return None
    cells = codes[0][codes[0] >= CELLS]
    space = follow.space_of(int(cells[0])) if len(cells) else None
    if space is None or len(cells.unique()) < prod(space.grid):
        return None
    return TokenOrder(order, _row(tuple(codes[0].tolist()), space))


def numbered(codes: Tensor, order: Sequence[int]) -> Tensor:
    """For each code its place in the order, -1 for one that is not in it."""
    table = torch.tensor(order, dtype=codes.dtype, device=codes.device)
    if not len(table):
        return torch.full(codes.shape, -1, device=codes.device)
    ordered, places = table.sort()
    at = torch.searchsorted(ordered, codes.contiguous()).clamp(max=len(table) - 1)
    return torch.where(ordered[at] == codes, places[at], -1)


def overlap(rows: Tensor, columns: Tensor) -> bool:
    """Does a token lie in several windows of one head, or twice in one window?"""
    windows = torch.cat([rows, columns], 1)
    windows = windows[:1] if bool((windows == windows[0]).all()) else windows.unique(dim=0)
    filled = windows[:, : rows.shape[1]]
    ordered = columns.sort(1).values
    return len(filled[filled >= 0].unique()) < int((filled >= 0).sum()) or bool(
        ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any()
    )
