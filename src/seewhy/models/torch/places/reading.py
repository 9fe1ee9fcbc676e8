"""Which layers the cells of reach the scores: told from the calls of torch, in the pass that finds out where layers lie."""

from collections.abc import Iterator
from typing import Any
from weakref import ReferenceType, ref

import torch
from torch import Tensor

from seewhy.models.torch.passes.outputs import tensors_in
from seewhy.models.torch.passes.torch_calls import name_of

from .calls import AS_IT_IS, CELL_BY_CELL, ORDERS, SAME_ORDER
from .following import BLANK, Following
from .marks import Mark

CHOOSING = frozenset((
    "getitem", "index", "select", "narrow", "index_select", "gather", "take_along_dim", "chunk", "split", "split_with_sizes",
    "tensor_split", "unsafe_chunk", "unsafe_split", "unbind", "iter", "hsplit", "vsplit", "dsplit",
))  # fmt: skip
ROW_BY_ROW = CHOOSING | frozenset(
    f"{CELL_BY_CELL} {SAME_ORDER} {AS_IT_IS} {' '.join(ORDERS)} cat concat concatenate stack squeeze unsqueeze repeat tile "
    "repeat_interleave flip fliplr flipud rot90 roll pad constant_pad_nd setitem index_put masked_scatter index_copy copy "
    "batch_norm conv1d conv2d conv3d".split()
)


JOINING = frozenset((  # calls whose result may hold parts, each of which rests on layers of its own
    "cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack", "column_stack", "setitem", "index_put", "index_copy",
    "index_add", "copy", "masked_scatter", "scatter", "scatter_add", "where", "maximum", "minimum", "max", "min",
))  # fmt: skip
MIXING = frozenset((  # calls of whose results each number rests on all parts of what comes in
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "matmul", "mm", "bmm",
    "addmm", "baddbmm", "einsum", "bilinear", "scaled_dot_product_attention", "multi_head_attention_forward", "tensordot",
))  # fmt: skip
ROUTING = frozenset((  # calls by whose results a network's code can choose what to run
    "__bool__", "__int__", "__float__", "__index__", "__array__", "is_nonzero", "item", "tolist", "numpy", "nonzero",
    "argwhere", "masked_select", "unique", "unique_consecutive", "equal", "allclose",
))  # fmt: skip
IMAGE = 1  # the bit of the image itself


class ReadFollowing(Following):
    """Follows where cells lie, and also from which layers' cells each tensor was computed.

    apart: may the numbers of a tensor each rest on layers of their own, as where the scores of two heads are joined?  routed:
    the network's code looked at numbers that were computed from the image, so that for another image it may run other layers.
    Of a row of tokens, only those of no place may be read behind a layer, as the class token.  So it is noted apart what went
    from token to the same token alone, which is forgotten where only tokens of no place are chosen, and what was mixed.
    """

    def __init__(self, x: Tensor) -> None:
        super().__init__(x)
        self.bits: dict[int, tuple[ReferenceType[Tensor], int, int]] = {id(x): (ref(x), IMAGE, 0)}  # read row by row, and mixed
        self.parted: dict[int, ReferenceType[Tensor]] = {}  # tensors whose numbers may each rest on layers of their own
        self.numbers: dict[int, tuple[ReferenceType[Tensor], int]] = {}  # of tensors: see `number`
        self.count = 0
        self.routed = self.ended = False

    def stamp(self, tensor: Tensor, bit: int) -> None:
        """Note that a layer, whose number is that bit, emitted the tensor."""
        rows, mixed = self._bits(tensor)
        self.bits[id(tensor)] = (ref(tensor), rows | bit, mixed)

    def reads(self, tensor: Tensor) -> int | None:
        """The bits of all layers on whose cells the tensor depends; None where that is not known."""
        rows, mixed = self._bits(tensor)
        return None if self._of(tensor) is None else rows | mixed

    def sees(self, tensor: Tensor) -> bool:
        """Was the tensor computed from the image, and not only from other pictures beside it?"""
        return bool((self.reads(tensor) or 0) & IMAGE)

    def number(self, tensor: Tensor) -> int:
        """A number for the tensor, and for its copies."""
        known = self.numbers.get(id(tensor))
        if known is None or known[0]() is not tensor:
            self.count += 1
            known = self.numbers[id(tensor)] = (ref(tensor), self.count)
        return known[1]

    def apart(self, tensor: Tensor) -> bool:
        """May one number of the tensor rest on other layers than another?"""
        known = self.parted.get(id(tensor))
        return known is not None and known() is tensor

    def moment(self, tensor: Tensor) -> Mark | None:
        """What is known at this moment of a tensor that was just computed; None of one that was not computed from the image."""
        mark = super().moment(tensor)
        return mark if mark is None or mark.lost or self.sees(tensor) else None

    def end(self, *_: Any) -> None:
        """The network has run: what comes now reads what it gave."""
        self.ended = True

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not self.ended and not self.routed:
            with torch._C.DisableTorchFunction():
                self.routed = self._routes(name_of(fn), args)
        return super().__torch_function__(fn, types, args, kwargs)

    def _routes(self, name: str, args: Any) -> bool:
        """Does the network's code look at numbers computed from the image, or choose by them?"""
        if name == "__getitem__":
            return any(tensor.dtype == torch.bool and self._of(tensor) is not None for tensor in tensors_in([args[1]]))
        return name in ROUTING and any(self._of(tensor) is not None for tensor in tensors_in(args))

    def _bits(self, tensor: Tensor) -> tuple[int, int]:
        known = self.bits.get(id(tensor))
        return known[1:] if known is not None and known[0]() is tensor else (0, 0)

    def adopt(self, output: Any, args: Any, kind: str) -> None:
        """What a module emitted whose inside cannot be seen was computed from all that it was given."""
        unseen = [tensor for tensor in tensors_in([output]) if self._of(tensor) is None]
        super().adopt(output, args, kind)
        for tensor in unseen:
            if self._of(tensor) is not None:
                self._add(tensor, 0, self._all_of(args))

    def _all_of(self, values: Any) -> int:
        gathered = 0
        for tensor in tensors_in([values]):
            rows, mixed = self._bits(tensor)
            gathered |= rows | mixed
        return gathered

    def _note(self, fn: Any, args: Any, kwargs: Any, out: Any) -> None:
        read = [(self._of(tensor), *self._bits(tensor)) for tensor in tensors_in([args, kwargs.values()])]
        super()._note(fn, args, kwargs, out)
        if not any(in_rows | in_mixed for _, in_rows, in_mixed in read) or (name := name_of(fn)) in BLANK:
            return
        name = name.strip("_")
        if name in ("clone", "detach") and isinstance(out, Tensor):
            self.numbers[id(out)] = (ref(out), self.number(args[0]))
        several = len({in_rows | in_mixed for _, in_rows, in_mixed in read} - {0}) > 1
        joined = (several and name in JOINING) or name in ("pad", "constant_pad_nd")
        if joined or (name not in MIXING and any(map(self.apart, tensors_in([args, kwargs.values()])))):
            for tensor in _tensors(out):
                self.parted[id(tensor)] = ref(tensor)
                if tensor._base is not None:
                    self.parted[id(tensor._base)] = ref(tensor._base)
        rows = mixed = 0
        for mark, in_rows, in_mixed in read:
            if name in ROW_BY_ROW or _keeps_rows(name, mark, args, kwargs):
                rows |= in_rows
            else:
                mixed |= in_rows
            mixed |= in_mixed
        first = read[0][0]
        chosen = _chosen(fn, args, kwargs, first) if rows and name in CHOOSING and _has_others(first) else None
        for i, tensor in enumerate(_tensors(out)):
            self._add(tensor, rows if chosen is None or chosen[min(i, len(chosen) - 1)] else 0, mixed)

    def _add(self, tensor: Tensor, rows: int, mixed: int) -> None:
        self.bits[id(tensor)] = (ref(tensor), rows, mixed)
        base = tensor._base
        if base is not None and base is not tensor and self._of(base) is not None:  # a part of it may have been written to
            in_rows, in_mixed = self._bits(base)
            if (rows | mixed) & ~(in_rows | in_mixed):
                self.bits[id(base)] = (ref(base), rows | in_rows, mixed | in_mixed)
                if in_rows | in_mixed:
                    self.parted[id(base)] = ref(base)


def _tensors(out: Any) -> Iterator[Tensor]:
    if isinstance(out, Tensor):
        yield out
    elif isinstance(out, tuple | list):
        yield from (part for part in out if isinstance(part, Tensor))


def _keeps_rows(name: str, mark: Mark | None, args: Any, kwargs: Any) -> bool:
    """Does a sum over the last dimensions leave each cell by itself?"""
    if mark is None or mark.lost or name not in ("linear", "layer_norm", "rms_norm", "matmul"):
        return False
    count = 1
    if name in ("layer_norm", "rms_norm"):
        shape = args[1] if len(args) > 1 else kwargs.get("normalized_shape", (1,))
        count = len(shape) if isinstance(shape, tuple | list) else 1
    weights = args[1] if len(args) > 1 else kwargs.get("other")
    plain = name != "matmul" or (isinstance(weights, Tensor) and weights.ndim == 2)
    return plain and not any(dim.informed for dim in mark.dims[-count:])


def _has_others(mark: Mark | None) -> bool:
    """Does a row of tokens hold some of no place?"""
    return mark is not None and not mark.lost and any(dim.rows is not None and -1 in dim.rows for _, dim in mark.spots)


def _chosen(fn: Any, args: Any, kwargs: Any, mark: Mark | None) -> list[bool] | None:
    """For each result of a call that chooses entries: is there any cell among them?  The call is made of flags."""
    if mark is None:
        return None
    there = torch.ones((), dtype=torch.bool)
    for j, dim in mark.spots:
        if dim.rows is not None:
            cells = torch.tensor([row >= 0 for row in dim.rows])
            there = there & cells.reshape(-1, *[1] * (-j - 1))
    flags = there.expand(mark.shape)
    try:
        got = fn(flags, *args[1:], **kwargs)
    except Exception:  # noqa: BLE001 - what cannot be told counts as read
        return None
    return [bool(part.any()) for part in _tensors(got)]
