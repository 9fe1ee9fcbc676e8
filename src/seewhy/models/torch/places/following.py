"""Where the cells of every layer lie in the image: derived from the calls of torch while the unchanged network runs."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from weakref import ReferenceType, ref

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from seewhy.images.places import Place
from seewhy.models.torch.passes.torch_calls import name_of

from .calls import cell_by_cell, rule_of
from .marks import NOWHERE, Mark, start
from .windows import onto

__all__ = ["Following", "Place"]

BLANK = ("new_full", "new_zeros", "new_ones", "new_empty")  # methods that use no number of the tensor they are called on
TURNS = ("flip", "rot90", "fliplr", "flipud")


class Following(TorchFunctionMode):
    """While this mode is active, each tensor computed from the image x (n, c, *space) has a mark that says where its cells lie.

    No number changes, and nothing is raised: the result of a call without a rule counts as lying in no known place.
    """

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.marks: dict[int, tuple[ReferenceType[Tensor], Mark]] = {}
        self.history: list[Mark] = []  # all marks, in the order in which they were made
        self.turned = False  # the network mirrored or turned the image, or a map of it
        self._keep(x, start(x.shape))

    def place_of(self, tensor: Tensor, grid: Iterable[int]) -> Place | None:
        """Where the cells of a map with that grid (*cells), which the tensor holds, lie; None where that is unknown.

        The place is that of the tensor's own mark; without one, that of the last tensor of the same grid before it; else, if
        the last known grid is a multiple of this grid, its cells are shared out evenly.  The tensor must still be alive.
        """
        return self.place_at(self.moment(tensor), grid)

    def moment(self, tensor: Tensor) -> "Moment":
        """What is known at this moment of a tensor that was just computed, for a later `place_at`."""
        return Moment(self.of(tensor), len(self.history), self.turned)

    def place_at(self, moment: "Moment", grid: Iterable[int]) -> Place | None:
        """What `place_of` would have given for the tensor at that moment."""
        grid, tensor_mark = tuple(grid), moment.mark
        if tensor_mark is not None and tensor_mark.where is not None and tensor_mark.where[0] == grid:
            return tensor_mark.where[1]
        if moment.turned:  # an earlier tensor of this grid may be mirrored against this one
            return None
        last = None
        for mark in reversed(self.history[: moment.marks_before]):
            if mark.where is None:
                continue
            last = last or mark.where
            if mark.where[0] == grid:
                return _everywhere(mark.where[1])
        return _evenly(*last, grid) if last else None

    def of(self, tensor: Tensor) -> Mark | None:
        """The mark of a tensor; None for a tensor that was not computed from the image."""
        known = self.marks.get(id(tensor))
        return known[1] if known is not None and known[0]() is tensor else None

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = fn(*args, **kwargs)
        if isinstance(out, Tensor | tuple | list) and not isinstance(out, torch.Size):
            with torch._C.DisableTorchFunction():  # reading a shape is a call, too, which other modes should not see
                self._note(fn, args, kwargs, out)
        return out

    def _note(self, fn: Any, args: Any, kwargs: Any, out: Any) -> None:
        marks = self._marks(args) + self._marks(kwargs.values()) if kwargs else self._marks(args)
        if not marks or (name := name_of(fn)) in BLANK:
            return
        self.turned = self.turned or name in TURNS
        try:
            rule = rule_of(fn)
            marks_made = rule(marks, out) if rule is cell_by_cell else rule(self.of, out, *args, **kwargs)
        except Exception:  # noqa: BLE001 - the network itself ran: a rule that fails must not stop it
            marks_made = NOWHERE
        if isinstance(out, Tensor):
            self._keep(out, marks_made if isinstance(marks_made, Mark) else NOWHERE)
            base = out._base
            if isinstance(marks_made, Mark) and base is not None and self.of(base) is None:  # a view of a blank tensor
                self._keep(base, onto(marks_made, out, base))
            return
        for tensor, mark in zip(out, [marks_made] * len(out) if isinstance(marks_made, Mark) else marks_made, strict=False):
            if isinstance(tensor, Tensor):
                self._keep(tensor, mark)

    def _marks(self, values: Iterable[Any]) -> list[Mark]:
        """The marks of those tensors among the arguments, or in lists among them, that were computed from the image."""
        marks: list[Mark] = []
        for value in values:
            if isinstance(value, Tensor):
                known = self.marks.get(id(value))
                if known is not None and known[0]() is value:
                    marks.append(known[1])
            elif isinstance(value, tuple | list):
                marks += self._marks(value)
        return marks

    def _keep(self, tensor: Tensor, mark: Mark) -> None:
        self.marks[id(tensor)] = (ref(tensor), mark)
        if mark.spots and (not self.history or self.history[-1] is not mark):
            self.history.append(mark)


class Moment(NamedTuple):
    """What was known when a tensor was computed."""

    mark: Mark | None
    marks_before: int  # how many marks had been made
    turned: bool = False  # had the image, or a map of it, been mirrored or turned?

    @property
    def grid(self) -> tuple[int, ...] | None:
        """The grid of the tensor by its own mark; None where it has none."""
        return self.mark.where[0] if self.mark is not None and self.mark.where is not None else None


def _everywhere(place: Place) -> Place:
    """The same place with an unbounded field of view: after unknown calls, a cell may depend on the whole image."""
    return place._replace(field=(float("inf"),) * len(place.field))


def _evenly(known: tuple[int, ...], place: Place, grid: tuple[int, ...]) -> Place | None:
    """The place of the cells of a grid, each of which covers equally many cells of a known grid; None where they do not."""
    if len(grid) != len(known) or any(new < 1 or old % new for old, new in zip(known, grid, strict=True)):
        return None
    shares = [old // new for old, new in zip(known, grid, strict=True)]
    stride = tuple(s * k for s, k in zip(place.stride, shares, strict=True))
    first = tuple(f + s * (k - 1) / 2 for f, s, k in zip(place.first, place.stride, shares, strict=True))
    return _everywhere(Place(stride, first, place.field))
