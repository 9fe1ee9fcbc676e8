"""Exact scores of many copies of one image that each differ from it in one box, for a fraction of as many passes.

Nakandala, Kumar and Papakonstantinou, "Incremental and Approximate Inference for Faster Occlusion-based Deep CNN
Explanations" (Krypton), SIGMOD 2019: every layer recomputes only what the box can change. The network runs as it is
written, on a Patch in place of the images; an operation that is not known to look only near gets the copies in full.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor

from seewhy.memory import out_of_memory
from seewhy.models.torch.passes.taps import Stop

from .patch_ops import OPERATIONS, ORDERS, BoxOperation, concatenated, pointwise, unchanged
from .patches import Boxes

DENSE = 0.8  # from this share of a map on, the copies go on in full
T = Tensor
QUERIES = {  # what a network may ask of a tensor without reading its values
    *(getattr(T, name).__get__ for name in ("shape", "ndim", "device", "dtype", "layout", "is_cuda", "is_cpu", "is_mps",
      "is_leaf", "is_meta", "is_sparse", "is_quantized", "requires_grad", "grad_fn")),
    *(T.size, T.dim, T.ndimension, T.numel, T.nelement, T.__len__, T.__hash__, T.get_device, T.element_size, T.is_contiguous),
    *(T.is_floating_point, torch.is_floating_point, T.is_complex, torch.is_complex, T.is_inference),
}  # fmt: skip
UNSEEN = {T.data.__get__, T.data.__set__}  # type: ignore[attr-defined]


class NotIncremental(Exception):
    """The network does not take boxes in place of images; a plain pass may well work."""


class Spread(NotIncremental, Stop):
    """The copies go on in full, and too little was left out before for boxes to be of use."""


class Incremental:
    """Scores of copies of one image that each differ from it in one box, by recomputing only what the box can change.

    run: images (m, c, *space) -> scores (m, k), with the network in eval mode; x: the image (1, c, *space).
    The image's own activations are computed in the first call and kept as long as this object is.
    """

    def __init__(self, run: Callable[[Tensor], Tensor], x: Tensor) -> None:
        self.run = run
        self.base = _channels_last(x.detach())
        self.memo = Memo()

    def __call__(self, patches: Tensor, at: Tensor, worth: Callable[[], bool] | None = None) -> Tensor:
        """Patches (m, c, *size) at the cells from `at` (m, d) on, all inside the image -> scores (m, k).

        worth: asked when the copies go on in full for the first time; if it says no, Spread is raised.
        Raises NotIncremental where the network does not run on them.
        """
        with torch.inference_mode(False), torch.no_grad():
            boxes = Boxes(self.base, _channels_last(patches.detach()), at.cpu().numpy())
            self.memo.rewind(worth)
            try:
                scores = self.run(_wrapped(boxes, self.memo, None))
                scores = scores.plain() if isinstance(scores, Patch) else scores
            except NotIncremental:
                raise
            except Exception as error:
                if out_of_memory(error):
                    raise
                raise NotIncremental(f"The network does not run on boxes: {type(error).__name__}: {error}") from error
        if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != len(patches):
            shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise NotIncremental(f"Of {len(patches)} boxes come scores of {shape}, not a row per box.")
        return scores


def _channels_last(x: Tensor) -> Tensor:
    """A copy, since layers may work in place."""
    return x.movedim(1, -1).clone(memory_format=torch.contiguous_format).movedim(-1, 1)


class Memo:
    """Results on the one unchanged map, in the order in which they are asked for."""

    def __init__(self) -> None:
        self.steps: list[tuple[Any, Any, Any]] = []  # operation, what it was given, its result
        self.next = 0
        self.worth: Callable[[], bool] | None = None  # asked once, see `Incremental.__call__`

    def rewind(self, worth: Callable[[], bool] | None) -> None:
        self.next, self.worth = 0, worth

    def in_full(self, boxes: Boxes) -> Tensor:
        """The copies in full; Spread where the way there was not worth it.  Of a pooled map nothing can be said."""
        if self.worth is not None and prod(boxes.space) > 1:
            worth, self.worth = self.worth, None
            if not worth():
                raise Spread
        return boxes.whole()

    def __call__(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        """The result of the same operation on the same arguments, or a new one: then nothing behind it is known any more."""
        place, self.next = self.next, self.next + 1
        arguments = (args, kwargs)
        if place < len(self.steps):
            earlier, before, result = self.steps[place]
            if earlier is fn and _same(before, arguments):
                return result
            del self.steps[place:]
        result = fn(*args, **kwargs)
        self.steps.append((fn, _noted(arguments), result))
        return result


def _noted(value: Any) -> Any:
    """Arguments, and for tensors the count of writes into them."""
    if isinstance(value, Tensor):
        return value, _version(value)
    if isinstance(value, tuple | list):
        return [_noted(part) for part in value]
    return {key: _noted(part) for key, part in value.items()} if isinstance(value, dict) else value


def _same(before: Any, value: Any) -> bool:
    if isinstance(value, Tensor):
        if not isinstance(before, tuple):
            return False
        tensor, version = before
        if version != _version(tensor):
            return False
        return tensor is value or (tensor.shape == value.shape and tensor.dtype == value.dtype and torch.equal(tensor, value))
    if isinstance(value, tuple | list):
        return isinstance(before, list) and len(before) == len(value) and all(map(_same, before, value))
    if isinstance(value, dict):
        return isinstance(before, dict) and [*before] == [*value] and all(_same(before[key], value[key]) for key in value)
    return type(before) is type(value) and bool(before == value)


def _version(x: Tensor) -> int:
    return 0 if x.is_inference() else x._version


class Family:
    """Patches that share memory, as a network sees it: what is written into one of them is written into all."""

    def __init__(self) -> None:
        self.members = 0
        self.full: list[tuple[Tensor, int]] = []  # copies handed out in full, and the count of writes into them

    def written(self) -> bool:
        return any(full._version != version for full, version in self.full)


class Patch(Tensor):
    """Stands for the copies (m, *lead, *space); holds one map, and a box of each.

    channels_last: it stands for (m, *space, c), of which the map and the boxes are (m, c, *space) all the same.
    """

    boxes: Boxes | None  # None once the copies live on in full
    memo: Memo
    family: Family
    full: Tensor | None
    channels_last: bool

    @staticmethod
    def __new__(cls, boxes: Boxes, memo: Memo, family: Family, channels_last: bool = False) -> "Patch":
        patch, (m, *rest) = boxes.patch, boxes.shape
        shape = (m, *rest[1:], rest[0]) if channels_last else boxes.shape
        return Tensor._make_wrapper_subclass(cls, shape, dtype=patch.dtype, device=patch.device)  # type: ignore[attr-defined]

    def __init__(self, boxes: Boxes, memo: Memo, family: Family, channels_last: bool = False) -> None:
        self.boxes, self.memo, self.family, self.full, self.channels_last = boxes, memo, family, None, channels_last
        family.members += 1

    @classmethod
    def __torch_function__(cls, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if fn in QUERIES:
            with torch._C.DisableTorchFunctionSubclass():
                return fn(*args, **kwargs)
        operation = OPERATIONS.get(fn)
        done = None if operation is None else _by_box(fn, operation, args, kwargs)
        return _in_full(fn, args, kwargs) if done is None else done

    @classmethod
    def __torch_dispatch__(cls, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotIncremental(f"{fn} reads memory that boxes do not have.")

    def current(self) -> Boxes | None:
        """The boxes, unless somebody wrote into the copies since they were handed out."""
        if self.family.written():
            self.alone()
            self.boxes = None
        return self.boxes

    def plain(self) -> Tensor:
        """The copies in full."""
        boxes = self.current()
        if self.full is None:
            if boxes is None:
                raise NotIncremental("A map was written into that shares memory with another.")
            full = self.memo.in_full(boxes)
            self.full = full.movedim(1, -1) if self.channels_last else full
            self.family.full.append((self.full, self.full._version))
        return self.full

    def become(self, boxes: Boxes) -> "Patch":
        """Itself, holding other boxes, after a write into it."""
        self.boxes = boxes
        if boxes.share >= DENSE:
            self.plain()
            self.boxes = None
        return self

    def alone(self) -> None:
        """Raises NotIncremental where a write into it would be one into other patches, too."""
        if self.family.members > 1:
            raise NotIncremental("The network writes into a map that shares memory with another.")


def _by_box(fn: Any, operation: BoxOperation, args: Any, kwargs: Any) -> Any:
    """The operation on boxes alone; None where it is not known what it does to them."""
    patches = _patches((args, kwargs))
    if any(patch.current() is None for patch in patches) or kwargs.get("out") is not None:
        return None
    first = patches[0]
    if fn in ORDERS:
        return _reordered(fn, args, kwargs)
    last = any(patch.channels_last for patch in patches)
    if last:
        args, kwargs = _channels_first(operation, args, kwargs)
        if args is None:
            return None
    written = operation.returns == "written" or (operation.returns == "new" and bool(kwargs.get("inplace")))
    if written:
        if args[0] is not first or first.full is not None:
            return None
        first.alone()
    boxed, named = _replaced((args, kwargs), lambda patch: patch.boxes)
    out = operation.handler(first.memo, fn, *boxed, **named)
    if out is None or operation.returns == "itself":
        return None if out is None else first
    family = first.family if operation.returns == "view" else None
    if isinstance(out, list):
        return tuple(_wrapped(part, first.memo, family) for part in out)
    if written:
        return first.become(out)
    return _wrapped(out, first.memo, family, last)


def _wrapped(boxes: Boxes, memo: Memo, family: Family | None, channels_last: bool = False) -> Tensor:
    if family is None and boxes.share >= DENSE:
        full = memo.in_full(boxes)
        return full.movedim(1, -1) if channels_last else full
    return Patch(boxes, memo, family or Family(), channels_last)


def _reordered(fn: Any, args: Any, kwargs: Any) -> Tensor | None:
    """The same boxes, where their channels are put last, or first again; None of any other order."""
    patch = args[0] if args else None
    if not isinstance(patch, Patch) or patch.boxes is None or not patch.boxes.has_channels(patch.boxes.d) or kwargs:
        return None
    sides = torch.empty([*range(2, 2 + patch.ndim)], device="meta")  # all sides differ, so that the shape shows the order
    axes = [side - 2 for side in fn(sides, *args[1:]).shape]
    first, last = [*range(patch.ndim)], [0, *range(2, patch.ndim), 1]
    back = [0, patch.ndim - 1, *range(1, patch.ndim - 1)]
    if axes == first:
        return patch
    if axes != (back if patch.channels_last else last):
        return None
    return Patch(patch.boxes, patch.memo, patch.family, not patch.channels_last)


def _channels_first(operation: BoxOperation, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The arguments of what acts on each value, or joins channels, as if channels came first; (None, None) of anything else."""
    if operation.handler is concatenated and len(args[0]) and all(isinstance(x, Patch) and x.channels_last for x in args[0]):
        dim = args[1] if len(args) > 1 else kwargs.get("dim", 0)
        return ((args[0], 1), {}) if dim in (-1, args[0][0].ndim - 1) else (None, None)
    handler = getattr(operation.handler, "func", operation.handler)
    ndim = next(x.ndim for x in _patches((args, kwargs)))
    if handler not in (pointwise, unchanged):
        return None, None
    values = [_moved(value, ndim) for value in (*args, *kwargs.values())]
    if any(value is NotImplemented for value in values):
        return None, None
    return tuple(values[: len(args)]), dict(zip(kwargs, values[len(args) :], strict=True))


def _moved(value: Any, ndim: int) -> Any:
    """An argument for boxes whose channels come first; NotImplemented where it has no such form."""
    if isinstance(value, Patch):
        return value if value.channels_last else NotImplemented
    if not isinstance(value, Tensor) or value.ndim == 0:
        return value
    if value.ndim == 1:
        return value.reshape(-1, *[1] * (ndim - 2))
    return value.movedim(-1, 1) if value.ndim == ndim else NotImplemented


def _in_full(fn: Any, args: Any, kwargs: Any) -> Any:
    """Any operation at all, on the copies in full."""
    if fn in UNSEEN:
        raise NotIncremental("The network reaches for .data, where writes go unseen.")
    full, named = _replaced((args, kwargs), Patch.plain)
    return fn(*full, **named)


def _patches(value: Any) -> list[Patch]:
    if isinstance(value, tuple | list):
        return [patch for part in value for patch in _patches(part)]
    if isinstance(value, dict):
        return _patches([*value.values()])
    return [value] if isinstance(value, Patch) else []


def _replaced(value: Any, of: Callable[[Patch], Any]) -> Any:
    if isinstance(value, Patch):
        return of(value)
    if isinstance(value, tuple | list):
        replaced = [_replaced(part, of) for part in value]
        return replaced if isinstance(value, list) else tuple(replaced)
    return {key: _replaced(part, of) for key, part in value.items()} if isinstance(value, dict) else value
