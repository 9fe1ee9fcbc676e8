"""From which tokens of the image each tensor was computed: followed through torch's calls while the unchanged network runs."""

from bisect import bisect_right
from math import prod
from typing import Any, NamedTuple
from weakref import ReferenceType, ref

import torch
from torch import Tensor

from seewhy.images.places import Place
from seewhy.models.torch.passes.outputs import tensors_in
from seewhy.models.torch.passes.torch_calls import name_of
from seewhy.models.torch.places.calls import CELL_BY_CELL
from seewhy.models.torch.places.following import BLANK, Following
from seewhy.models.torch.places.layout import located
from seewhy.models.torch.places.marks import Mark

from .carried import MAY_BE_ZERO, carried
from .codes import CONSTANT, MIXED, Coded, constant, mixture, seen_by, starts_with, thin

UNTOLD: Any = object()  # what no rule tells of
CELLS = 1 << 24  # tokens of no place have the codes below it
BY_NUMBER = frozenset(CELL_BY_CELL.split())


class TokenSpace(NamedTuple):
    """Tokens that are cells of a map of the image."""

    begin: int  # the code of the first
    grid: tuple[int, ...]
    place: Place | None


class Unlaid:
    """A tensor of which no token is known by a code yet: its cells become tokens when they are asked for."""

    def __init__(self, mark: Mark | None, tensor: Tensor, seen: int) -> None:
        self.mark, self.shape, self.seen = mark, tuple(tensor.shape), seen
        self.coded: Coded | None = None


Record = Coded | Unlaid


class Tracing(Following):
    """Follows where cells lie, and from which tokens each tensor was computed, of one image.

    Where tokens are mixed, as by a convolution, the cells of what is made are new tokens.
    """

    def __init__(self, x: Tensor) -> None:
        super().__init__(x)
        self.device = x.device
        self.records: dict[int, tuple[ReferenceType[Tensor], Record]] = {}
        self.spaces: list[TokenSpace] = []
        self.cells, self.others = CELLS, 0
        self.attentions = 0
        self.mixed_beside: set[int] = set()  # attentions to whose results something was added that mixes tokens
        self.last_linear: Tensor | None = None  # what entered the last linear layer

    def __call__(self, tensor: Any, /) -> Coded | None:
        """What a tensor was computed from; None of one that was computed from no token."""
        record = self._record(tensor)
        return self._laid(record) if isinstance(record, Unlaid) else record

    def fresh(self, count: int) -> Tensor:
        """Codes of so many tokens of no place, which no other tokens have."""
        self.others += count
        return torch.arange(self.others - count, self.others, dtype=torch.int32, device=self.device)

    def space_of(self, code: int) -> TokenSpace:
        """The map of which a token with a code from CELLS on is a cell."""
        return self.spaces[bisect_right(self.spaces, code, key=lambda space: space.begin) - 1]

    def anew(self, tensor: Tensor) -> Coded | None:
        """The codes of a tensor if its cells became tokens now; None where they have no known place."""
        return self._as_tokens(Unlaid(self.of(tensor), tensor, 0))

    def passed(self, tensor: Tensor, rows: Tensor, seen: int) -> None:
        """Note what an attention gave: for each query (..., q, 1) its token."""
        bit = 1 << self.attentions
        self.attentions += 1
        self._put(tensor, Coded(torch.where(rows == CONSTANT, MIXED, rows), None, seen | bit))

    def _record(self, tensor: Any) -> Record | None:
        if not isinstance(tensor, Tensor):
            return None
        known = self.records.get(id(tensor))
        if known is not None and known[0]() is tensor:
            return known[1]
        mark = self._of(tensor)
        return None if mark is None else self._put(tensor, Unlaid(self.of(tensor), tensor, 0))

    def _put(self, tensor: Tensor, record: Record) -> Record:
        if isinstance(record, Coded) and record.mixed:
            mark = self.of(tensor) if self._of(tensor) is not None else None
            record = Unlaid(mark, tensor, record.seen)
        self.records[id(tensor)] = (ref(tensor), record)
        return record

    def _laid(self, unlaid: Unlaid) -> Coded:
        """The codes of a tensor whose cells become tokens now; of a mixture where they have no known place."""
        if unlaid.coded is None:
            unlaid.coded = self._as_tokens(unlaid) or mixture(
                torch.empty((0,) * len(unlaid.shape), device=self.device), unlaid.seen
            )
        return unlaid.coded

    def _as_tokens(self, unlaid: Unlaid) -> Coded | None:
        if unlaid.mark is None or not unlaid.shape:
            return None
        at = located(unlaid.mark, unlaid.shape, self.space)
        if at.layout is None or at.layout.parts > 1 or not at.layout.fits(unlaid.shape, 1):
            return None
        count = prod(unlaid.shape)
        numbers = torch.arange(1, count + 1, device=self.device).reshape(unlaid.shape)
        places = at.layout.turn(numbers).flatten(2)[0]  # (c, cells)
        if bool((places == 0).any()):  # cells of the map that are not there
            return None
        codes = torch.full((count,), CONSTANT, dtype=torch.int32, device=self.device)
        cells = torch.arange(self.cells, self.cells + places.shape[1], dtype=torch.int32, device=self.device)
        codes[places - 1] = cells.expand_as(places)
        codes = thin(codes.reshape(unlaid.shape))
        self.spaces.append(TokenSpace(self.cells, at.layout.space, at.place))
        self.cells += places.shape[1]
        row = at.layout.row
        if row is not None and at.layout.extra:
            along = [-1 if j == row else 1 for j in range(codes.ndim)]
            codes = torch.where(codes == CONSTANT, self.fresh(codes.shape[row]).reshape(along), codes)
        return Coded(codes, None, unlaid.seen)

    def _note(self, fn: Any, args: Any, kwargs: Any, out: Any) -> None:
        known = [(tensor, record) for tensor in tensors_in([args, kwargs]) if (record := self._record(tensor)) is not None]
        given = [record for _, record in known]
        super()._note(fn, args, kwargs, out)
        name = name_of(fn)
        if name in BLANK or not given:
            for tensor in tensors_in([out]):
                self.records.pop(id(tensor), None)
            return
        name = name.partition(".")[0].strip("_")
        if name == "linear" and isinstance(args[0], Tensor):
            self.last_linear = args[0]
        same = name in BY_NUMBER and len(known) == 1 and isinstance(out, Tensor) and known[0][0].shape == out.shape
        made = given[0] if same else self._made_of(name, given, fn, args, kwargs, out)
        outs = [out] if isinstance(out, Tensor) else [*out]
        seen = seen_by(given)
        for tensor, record in zip(outs, made if isinstance(made, list) else [made] * len(outs), strict=False):
            if isinstance(tensor, Tensor):
                record = self._fitting_record(tensor, record, name, seen)
                if args and tensor is args[0]:
                    self._written(tensor, record, seen)
                if name in BY_NUMBER and len(given) > 1:
                    self._spoilt(tensor, record, given)
                self._put(tensor, record)

    def _made_of(self, name: str, given: list[Record], fn: Any, args: Any, kwargs: Any, out: Any) -> Any:
        """What the results of a call are computed from: one for each, or the same for all; UNTOLD where no rule does."""
        unlaid = {id(record) for record in given if isinstance(record, Unlaid) and record.coded is None}
        if name in BY_NUMBER and len(unlaid) > 1:
            return UNTOLD
        try:
            return carried(self, fn, args, kwargs, out)
        except Exception:  # noqa: BLE001 - no rule tells
            return UNTOLD

    def _fitting_record(self, tensor: Tensor, record: Any, name: str, seen: int) -> Record:
        if record is None or (name in MAY_BE_ZERO and starts_with(tensor, 0) and not bool(tensor.any())):
            return Coded(constant(tensor))  # nothing of the tokens goes on
        return (
            mixture(tensor, seen) if record is UNTOLD or (isinstance(record, Coded) and not _fits(record, tensor)) else record
        )

    def _written(self, tensor: Tensor, record: Record, seen: int) -> None:
        """A tensor was written over, which may be a part of another."""
        base, before = tensor._base, self._record(tensor) or Coded(constant(tensor))
        if base is not None and not _alike(before, record):
            self._put(base, mixture(base, seen))

    def _spoilt(self, tensor: Tensor, record: Record, given: list[Record]) -> None:
        """Note where something that mixes tokens is added to what the latest attention made of them."""
        latest, mark = self.attentions - 1, self._of(tensor)
        mixed = latest >= 0 and isinstance(record, Coded) and record.mixed
        behind = any(isinstance(each, Coded) and each.seen >> latest & 1 for each in given) if mixed else False
        if behind and mark is not None and (mark.lost or mark.spots):
            self.mixed_beside.add(latest)


def _fits(coded: Coded, tensor: Tensor) -> bool:
    sides = [coded.codes] if coded.pairs is None else [coded.codes, coded.pairs]
    return all(
        side.ndim == tensor.ndim and all(a in (1, b) for a, b in zip(side.shape, tensor.shape, strict=True)) for side in sides
    )


def _alike(known: Record, record: Record) -> bool:
    if known is record:
        return True
    if not isinstance(known, Coded) or not isinstance(record, Coded) or known.pairs is not None or record.pairs is not None:
        return False
    return known.codes.shape == record.codes.shape and bool((known.codes == record.codes).all())
