"""ReLUs told by what they do: results that are c x of an earlier tensor x where it is above zero, and less below.

However they are spelled: of every call it is known from which earlier tensors of the image alone its result was made, and a
result is held against these.  Nothing that joins two branches is, such as a gate or a residual sum.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import ref

import torch
from torch import Tensor, nn

from seewhy.models.torch.passes.outputs import tensors_in
from seewhy.models.torch.passes.torch_calls import spelled, version_of

MIXING = spelled(  # which put many values into one: their result is nothing that an activation makes of one tensor
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "linear", "matmul", "__matmul__",
    "__rmatmul__", "mm", "bmm", "addmm", "baddbmm", "bilinear", "batch_norm", "layer_norm", "rms_norm", "group_norm",
    "instance_norm", "scaled_dot_product_attention", "multi_head_attention_forward", "avg_pool1d", "avg_pool2d", "avg_pool3d",
    "max_pool1d", "max_pool2d", "max_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
    "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d", "interpolate", "grid_sample", "softmax", "mean",
)  # fmt: skip
MOVES = spelled(  # which put values elsewhere, and change none
    "movedim", "moveaxis", "permute", "transpose", "swapaxes", "swapdims", "t", "adjoint", "view", "view_as", "reshape",
    "reshape_as", "flatten", "ravel", "unflatten", "squeeze", "unsqueeze", "squeeze_", "unsqueeze_", "expand", "expand_as",
    "repeat", "tile", "contiguous", "clone", "to", "type", "type_as", "float", "double", "half", "bfloat16", "flip", "fliplr",
    "flipud", "roll", "rot90", "chunk", "split", "tensor_split", "unbind", "narrow", "select", "index_select", "gather",
    "__getitem__", "cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack", "pixel_shuffle", "pixel_unshuffle",
    "channel_shuffle",
) | {getattr(Tensor, name).__get__ for name in ("T", "mT", "H", "mH")}  # fmt: skip
DEEP = 8  # calls that a spelling of a ReLU takes at most


class Earlier(NamedTuple):
    """An earlier tensor, as it was."""

    x: Tensor
    version: int


class ReluShape(NamedTuple):
    """What a result is of an earlier tensor x: `slope` x above zero, and less below; or, without a slope, off below zero."""

    x: Tensor
    slope: float | None


class Descent(NamedTuple):
    """How a tensor was made: of earlier ones, the latest first; by a ReLU somewhere on the way; of weights alone.

    led: it is what a ReLU gave, at most moved, whose gradient the rule leads already.
    """

    of: tuple[Earlier, ...] = ()
    by_relu: bool = False
    of_weights: bool = False
    led: bool = False

    def behind_relu(self) -> "Descent":
        """How what a ReLU makes of it was made."""
        return self._replace(by_relu=True, led=True)


class Lineage:
    """From which earlier tensors of the image alone each tensor was made."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[Any, Descent]] = {}  # with a weak reference to the tensor

    def seen(self, x: Tensor) -> bool:
        """Was it the result of a call, or read by one?"""
        alive = self.known.get(id(x), (None,))[0]
        return alive is not None and alive() is x

    def of(self, x: Tensor) -> Descent:
        """How x was made; itself is first of what it was made of."""
        made = self.known[id(x)][1] if self.seen(x) else Descent()
        return made if made.of_weights else made._replace(of=(Earlier(x, version_of(x)), *made.of))

    def joined(self, args: Any, kwargs: Any) -> Descent:
        """How the result of a call is made: of what all arguments that rest on the image were made of."""
        graphed = [x for x in tensors_in((*args, *kwargs.values())) if x.requires_grad]
        each = [made for x in graphed if not isinstance(x, nn.Parameter) and not (made := self.of(x)).of_weights]
        if not each:
            return Descent(of_weights=bool(graphed))
        ids = [{id(earlier.x) for earlier in made.of} for made in each[1:]]
        common = tuple(earlier for earlier in each[0].of if all(id(earlier.x) in those for those in ids))
        return Descent(common[:DEEP], any(made.by_relu for made in each), led=all(made.led for made in each))

    def led(self, y: Tensor, made: Descent) -> bool:
        """Is y an earlier tensor that the rule leads already, at most scaled?"""
        return any(
            self.of(x).led and x.shape == y.shape and version_of(x) == version and _scaled(x, y) for x, version in made.of
        )

    def note(self, out: Any, made: Descent) -> None:
        """Keep how the result of a call was made."""
        for x in tensors_in((out,)):
            if x.requires_grad and not isinstance(x, nn.Parameter):
                self.known[id(x)] = (ref(x), made._replace(of=tuple(each for each in made.of if each.x is not x)))


def shape_of(y: Tensor, made_of: Sequence[Earlier]) -> ReluShape | None:
    """What ReLU, leaky or not, y is of one of these, the first that fits; or of which it is off below zero alone."""
    found = None
    with torch.no_grad(), torch._C.DisableTorchFunction():
        for x, version in made_of:
            if x.shape != y.shape or not x.is_floating_point() or version_of(x) != version or x.dtype != y.dtype:
                continue
            shape = _shape(x, y)
            if shape is not None and shape.slope is not None:
                return shape
            found = found or shape
    return found


def _scaled(x: Tensor, y: Tensor) -> bool:
    """Is y, which is above zero somewhere, c x?"""
    with torch.no_grad(), torch._C.DisableTorchFunction():
        place = int(y.flatten().argmax())
        straight = y.flatten()[place] / x.flatten()[place] * x
        return bool(((y - straight).abs() <= 16 * torch.finfo(x.dtype).eps * straight.abs()).all())


def _shape(x: Tensor, y: Tensor) -> ReluShape | None:
    above, below = x > 0, x < 0
    first = int(above.flatten().to(torch.uint8).argmax())
    if not bool(above.any()) or not bool(below.any()):
        return None
    slope = float(y.flatten()[first] / x.flatten()[first])
    if not 0 < slope < float("inf"):
        return None
    near = 16 * torch.finfo(x.dtype).eps
    straight = slope * x
    size = straight.abs()
    as_above = (y - straight).abs() <= near * size
    less_below = (y <= 0) & (y > straight * (1 - near))
    if bool((as_above | ~above).all()) and bool((less_below | ~below).all()):
        return ReluShape(x, slope)
    off = y == 0
    return ReluShape(x, None) if bool((off == ~above).all()) else None
