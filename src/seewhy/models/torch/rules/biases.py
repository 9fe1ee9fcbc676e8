"""FullGrad in torch: what every bias on the way adds to the score, gathered during one backward pass.

A piecewise linear network is y = sum x dy/dx + sum b dy/db, over all biases: of convolutions and linear layers, what a
BatchNorm adds, and what an activation adds to its own linear part, sigma(z) - sigma'(z) z: 6 where a ReLU6 is clamped,
nothing at a ReLU.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from seewhy.errors import NotApplicable
from seewhy.models.model import Bias
from seewhy.models.torch.passes.graph import rests_on_image
from seewhy.models.torch.passes.torch_calls import known_as, name_of, spelled
from seewhy.models.torch.places.following import Following
from seewhy.models.torch.places.layout import Located, located
from seewhy.models.torch.scores import plain

from .batch_norm import PARAMETERS, arguments, scale_and_shift
from .relevance import CONVS, GATES, SMOOTH, UNCONVS
from .relus import CLAMP, CLAMP_MIN, HARDTANH, LEAKY, PRODUCT, RELU6, THRESHOLD

LAYERS = CONVS | UNCONVS | {F.linear}
CURVED = SMOOTH | GATES | {F.softplus, F.logsigmoid}
MULTIPLIED = spelled("addmm", "addmm_", "baddbmm", "baddbmm_", "addbmm", "addbmm_", "addmv", "addmv_", "addcmul", "addcmul_")
AFFINE = MULTIPLIED | spelled(  # what adds constants to a linear part, or sets them beside it
    "add", "__add__", "__radd__", "add_", "__iadd__", "sub", "__sub__", "__isub__", "sub_", "rsub", "__rsub__", "subtract",
    "subtract_", "cat", "concat", "concatenate", "stack", "hstack", "vstack", "pad", "constant_pad_nd", "where", "masked_fill",
    "masked_fill_",
)  # fmt: skip
MAYBE = RELU6 | HARDTANH | THRESHOLD | CLAMP | CLAMP_MIN | LEAKY  # whose linear part may not be all


class Biases(TorchFunctionMode):
    """While it is entered, every bias is noted; each backward pass then leaves one Bias per place in `terms`.

    follow: tells where tensors of the n images lie; it is entered before.
    """

    def __init__(self, n: int, follow: Following) -> None:
        super().__init__()
        self.n, self.follow = n, follow
        self.terms: list[Bias] = []

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        kind = known_as(fn)
        if kind in LAYERS:
            y = fn(*args, **kwargs)
            bias = kwargs.get("bias", args[2] if len(args) > 2 else None)
            return y if bias is None else self._noted(y, _along(bias, y, kind is not F.linear))
        if kind in PARAMETERS:
            y = fn(*args, **kwargs)
            return self._noted(y, _along(_shift(kind, args, kwargs), y, True))
        if kind in MAYBE or kind in CURVED:
            return self._noted(*_affine(fn, args, kwargs))
        if kind in AFFINE and (constant := _constant(fn, kind, args, kwargs)) is not None:
            return self._noted(fn(*args, **kwargs), constant)
        if kind in PRODUCT and len(args) == 2 and all(isinstance(a, Tensor) and rests_on_image(a) for a in args):
            y = fn(*args, **kwargs)
            return self._noted(y, -y.detach().clone())  # a b = a db + b da - a b
        return fn(*args, **kwargs)

    def _noted(self, y: Tensor, bias: Tensor | None) -> Tensor:
        if bias is not None and y.requires_grad and y.grad_fn is not None:
            with torch._C.DisableTorchFunction():
                mark = self.follow.of(y)
                at = None if mark is None else located(mark, tuple(y.shape), self.follow.space)
                y.register_hook(lambda g: self._add(bias, g, at))
        return y

    def _add(self, bias: Tensor, g: Tensor | None, at: Located | None) -> None:
        if g is None:  # from behind an operation without a derivative, such as a quantised one
            return
        share = plain(bias.detach() * g.detach())
        if at is not None and at.lost and share.ndim > 2:
            raise NotApplicable(f"Where the biases of {tuple(share.shape)} values lie in the image is not known: {at.why}.")
        layout = at and at.layout
        if layout is None:
            self.terms.append(Bias(_of_each(share, self.n), None, None, None))
            return
        cells = layout.turn(share)  # (n, c, *space); class tokens have no place
        size = cells.abs()
        flat = size.flatten(1)
        placeless = _of_each(share, self.n) - cells.flatten(1).sum(1)
        least, most = flat.min(1).values, flat.max(1).values
        spread = (most - least).clamp(min=torch.finfo(flat.dtype).tiny)
        scaled = (size - least.reshape(-1, *[1] * (size.ndim - 1))) / spread.reshape(-1, *[1] * (size.ndim - 1))
        self.terms.append(Bias(placeless, cells.sum(1), size.sum(1), scaled.sum(1)))


def _of_each(share: Tensor, n: int) -> Tensor:
    """(n,): what each image has of it, also where the sequence comes first, or windows were folded into the batch."""
    if len(share) != n and share.ndim > 2 and share.shape[1] == n:
        share = share.movedim(1, 0)
    if len(share) % n:
        raise NotApplicable(f"Of {tuple(share.shape)} values for {n} images it is unknown whose is which. Ask one by one.")
    return share.reshape(n, -1).sum(1)


def _constant(fn: Any, kind: Any, args: Any, kwargs: Any) -> Tensor | None:
    """What a call gives where all that comes of the image is zero, as of x + c, addmm(c, x, w), cat([x, c]); None of nothing,
    and where two parts of the image are multiplied.
    """
    of_image: list[Tensor] = []

    def without(value: Any) -> Any:
        if isinstance(value, Tensor) and value.is_floating_point() and rests_on_image(value):
            of_image.append(value)
            return torch.zeros_like(value, requires_grad=False)
        if isinstance(value, tuple | list):
            return [without(each) for each in value]
        return value.detach().clone() if isinstance(value, Tensor) and value is first and written else value

    first = args[0] if args else None
    written = name_of(kind).endswith("_") or name_of(kind).startswith("__i")
    rest, named = [without(each) for each in args], {key: without(each) for key, each in kwargs.items()}
    if not of_image or (kind in MULTIPLIED and sum(value is not first for value in of_image) > 1):
        return None
    with torch.no_grad(), torch._C.DisableTorchFunction():
        constant = fn(*rest, **named).nan_to_num(0, 0, 0)  # what an infinity hides has no gradient
    return constant if bool(constant.any()) else None


def _along(bias: Tensor, y: Tensor, channels_first: bool) -> Tensor:
    """(c,) as it is added to y."""
    return bias.reshape(-1, *[1] * (y.ndim - 2)) if channels_first and y.ndim > 2 else bias


def _shift(kind: Any, args: Any, kwargs: Any) -> Tensor:
    """What a BatchNorm with fixed statistics adds; of one without, nothing is known to be constant."""
    given = arguments(args, kwargs, kind)
    if given["running_mean"] is None:
        return torch.zeros(given["input"].shape[1], device=given["input"].device)
    return scale_and_shift(given)[1]


def _affine(fn: Any, args: Any, kwargs: Any) -> tuple[Tensor, Tensor | None]:
    """An activation's output, and what it adds to its linear part: y - y' x."""
    x = args[0] if args else kwargs.get("input")
    if not isinstance(x, Tensor) or not x.requires_grad or not torch.is_grad_enabled():
        return fn(*args, **kwargs), None
    rest, named = args[1:], {key: value for key, value in kwargs.items() if key != "input"}
    leaf = x.detach().clone().requires_grad_()
    y = fn(leaf.clone(), *rest, **named)
    (slope,) = torch.autograd.grad(y.sum(), leaf)
    bias = y.detach() - slope * leaf.detach()
    return fn(*args, **kwargs), bias if bool(bias.any()) else None
