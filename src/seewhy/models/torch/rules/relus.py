"""ReLUs in every spelling: which calls of torch are one, on what, and between which values the unit is on."""

import math
import weakref
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from seewhy.models.torch.passes.torch_calls import name_of, spelled, version_of

RELU = spelled("relu", "relu_")
RELU6 = spelled("relu6")
HARDTANH = spelled("hardtanh", "hardtanh_")
THRESHOLD = spelled("threshold", "threshold_")
CLAMP = spelled("clamp", "clamp_", "clip", "clip_")
CLAMP_MIN = spelled("clamp_min", "clamp_min_")
ELUS = spelled("elu", "elu_", "celu", "celu_", "selu", "selu_")
LEAKY = ELUS | spelled("leaky_relu", "leaky_relu_", "prelu", "rrelu", "rrelu_")  # to the rules on where x > 0, as a ReLU is
MAXIMUM = spelled("maximum", "max", "fmax")
WHERE = spelled("where")
FILL = spelled("masked_fill", "masked_fill_", "__setitem__")
PRODUCT = spelled("mul", "multiply", "__mul__", "__rmul__", "mul_", "multiply_", "__imul__")
INPLACE_AT = {F.relu: 1, F.relu6: 1, F.hardtanh: 3, F.threshold: 3, F.leaky_relu: 2, F.elu: 2, F.celu: 2, F.selu: 1,
              F.rrelu: 4, F.silu: 1, F.mish: 1, F.hardswish: 1}  # fmt: skip

ABOVE = {"gt", "__gt__", "greater", "ge", "__ge__", "greater_equal"}
BELOW = {"lt", "__lt__", "less", "le", "__le__", "less_equal"}
CASTS = {"float", "to", "type_as", "half", "double", "bfloat16", "type", "clone"}
NOT = {"logical_not", "__invert__", "bitwise_not"}
NOTED = ABOVE | BELOW | CASTS | NOT | {"detach"}
COULD_BE = RELU | RELU6 | HARDTANH | THRESHOLD | CLAMP | CLAMP_MIN | LEAKY | MAXIMUM | WHERE | FILL | PRODUCT


class ReluCall(NamedTuple):
    """A ReLU found in a call."""

    x: Tensor
    low: float = 0.0  # the unit is on between
    high: float = math.inf
    inplace: bool = False
    slope: float = 1.0  # where it is on


class Masks:
    """What a network compared with zero: which masks say where a tensor is above it."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[Any, Any, int, bool]] = {}
        self.detached: dict[int, tuple[Any, Any]] = {}

    def note(self, fn: Any, args: Any, out: Any) -> None:
        """Remember x > 0, and what casting and negation make of it."""
        name = name_of(fn)
        if name not in NOTED or not args or not isinstance(args[0], Tensor) or not isinstance(out, Tensor):
            return
        if name == "detach":
            self.detached[id(out)] = (weakref.ref(out), weakref.ref(args[0]))
        elif name in ABOVE or name in BELOW:
            if len(args) > 1 and is_zero(args[1]):
                self._keep(out, self._undetached(args[0]), name in ABOVE)
        elif compared := self.of(args[0]):
            self._keep(out, compared[0], compared[1] == (name in CASTS))

    def of(self, mask: Any) -> tuple[Tensor, bool] | None:
        """The tensor, and whether the mask is on or off where it lies above zero."""
        mask_ref, x, version, above = self.known.get(id(mask), (None, None, 0, False))
        if mask_ref is None or mask_ref() is not mask or x is None or (tensor := x()) is None or version_of(tensor) != version:
            return None
        return tensor, above

    def _undetached(self, x: Tensor) -> Tensor:
        """What x was detached from."""
        alias, source = self.detached.get(id(x), (None, None))
        tensor = source() if alias is not None and source is not None and alias() is x else None
        return x if tensor is None else tensor

    def _keep(self, mask: Tensor, x: Tensor, above: bool) -> None:
        self.known[id(mask)] = (weakref.ref(mask), weakref.ref(x), version_of(x), above)


def relu_call(fn: Any, args: Any, kwargs: Any, masks: Masks | None = None) -> ReluCall | None:
    """The ReLU that a call is: its input, between which values it is on, and whether it writes over the input."""
    if fn not in COULD_BE:
        return None
    values = [*args, *(kwargs[key] for key in ("input", "self") if key in kwargs)]
    if not values or not isinstance(values[0], Tensor):
        return None
    relu = _masked(fn, values, kwargs, masks) if masks else None
    relu = relu or _plain(fn, values[0], args, kwargs)
    if relu is None or not relu.x.is_floating_point():
        return None
    return relu._replace(inplace=overwrites(fn, args, kwargs))


def overwrites(fn: Any, args: Any, kwargs: Any) -> bool:
    """Does the call write over its input?"""
    name, position = name_of(fn), INPLACE_AT.get(fn)
    if bool(kwargs.get("inplace")) or name in ("__imul__", "__setitem__") or (name.endswith("_") and not name.endswith("__")):
        return True
    return position is not None and len(args) > position and bool(args[position])


def _plain(fn: Any, x: Tensor, args: Any, kwargs: Any) -> ReluCall | None:
    def argument(place: int, *names: str) -> Any:
        return args[place] if len(args) > place else next((kwargs[n] for n in names if n in kwargs), None)

    if fn in RELU or fn in LEAKY:
        return ReluCall(x)
    if fn in RELU6:
        return ReluCall(x, high=6.0)
    if fn in HARDTANH:
        low, high = argument(1, "min_val"), argument(2, "max_val")
        return ReluCall(x, -1.0 if low is None else float(low), 1.0 if high is None else float(high))
    if fn in THRESHOLD:
        return ReluCall(x, float(argument(1, "threshold")))
    if fn in CLAMP or fn in CLAMP_MIN:  # with another minimum it is no activation
        high = argument(2, "max") if fn in CLAMP else None
        high = float(high) if isinstance(high, int | float) or (isinstance(high, Tensor) and high.numel() == 1) else None
        return ReluCall(x, high=math.inf if high is None else high) if is_zero(argument(1, "min")) else None
    if fn in MAXIMUM:
        other = argument(1, "other")
        if not isinstance(other, Tensor):  # max over an axis
            return None
        return ReluCall(x) if is_zero(other) else ReluCall(other) if is_zero(x) else None
    return None


def _masked(fn: Any, values: list[Any], kwargs: Any, masks: Masks) -> ReluCall | None:
    """where(x > 0, x, 0), x.masked_fill(x < 0, 0), x[x < 0] = 0, x * (x > 0)."""
    if fn in WHERE:
        mask, *rest = [*values, *(kwargs[key] for key in ("condition", "other") if key in kwargs)]
        if mask.dtype != torch.bool and rest:  # x.where(mask, other)
            mask, rest = rest[0], [mask, *rest[1:]]
        compared = masks.of(mask)
        if len(rest) != 2 or not compared:
            return None
        passed, dropped = rest if compared[1] else rest[::-1]
        return ReluCall(compared[0]) if passed is compared[0] and is_zero(dropped) else None
    if fn in FILL:
        mask = values[1] if len(values) > 1 else kwargs.get("mask")
        value = values[2] if len(values) > 2 else kwargs.get("value")
        compared = masks.of(mask)
        return ReluCall(compared[0]) if compared and not compared[1] and compared[0] is values[0] and is_zero(value) else None
    if fn in PRODUCT and len(values) == 2:
        for mask, other in (values, values[::-1]):
            compared = masks.of(mask)
            if compared and compared[1] and compared[0] is other:
                return ReluCall(compared[0])
    return None


def is_zero(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not value.requires_grad and not bool(value.any())
    return isinstance(value, int | float) and value == 0
