"""How what each operator of ONNX gives lies over the image, by its definition: where channels and space go, and the cells."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dims import CHANNELS, Dimension, labels, regrouped, runs_along, whole
from .views import CellsAlong, TensorView, as_maps, everywhere, together

TensorSides = tuple[int, ...]


@dataclass(frozen=True)
class NodeCall:
    """A node of the graph, and what is known of its inputs and outputs for one image."""

    kind: str  # the operator
    given: Mapping[str, Any]  # its attributes
    views: Sequence[TensorView | None]  # of its inputs; None of constants
    shapes: Sequence[TensorSides | None]  # of its inputs
    constant: Callable[[int], NDArray[Any] | None]  # the value of an input, where it is known before any image is
    out: TensorSides  # the shape of its output
    at: int = 0  # which of its outputs

    @property
    def view(self) -> TensorView:
        """The view of the first of its inputs that depends on the image."""
        return next(view for view in self.views if view is not None)

    def ints(self, name: str, place: int | None = None) -> list[int] | None:
        """A list of numbers that is an attribute, or, in later versions of the operator, an input."""
        value = self.given.get(name)
        if value is None and place is not None:
            value = self.constant(place)
        return None if value is None else [int(number) for number in np.ravel(value)]


ViewRule = Callable[[NodeCall], TensorView]


def view_of(call: NodeCall) -> TensorView:
    """The view of what a node gives; of operators that are not known, nothing but that it depends on the image."""
    view = next((each for each in call.views if each is not None), None)
    assert view is not None, "an output that depends on the image has an input that does"
    rule = RULES.get(call.kind)
    found = rule(call) if rule is not None else view.lost(call.out)
    return found if len(found.dims) == len(call.out) else view.lost(call.out)


def _same(call: NodeCall) -> TensorView:
    return call.view.like(call.out) if call.view.shape == call.out else call.view.lost(call.out)


def _combined(call: NodeCall) -> TensorView:
    return together([view for view in call.views if view is not None], call.out)


def _normalised(call: NodeCall) -> TensorView:
    """Of an operator that reads along some dimensions, and leaves each number where it is."""
    rank, kind = len(call.out), call.kind
    axis = call.given.get("axis", -1)
    if kind in ("LayerNormalization", "SimplifiedLayerNormalization", "RMSNormalization"):
        over = range(axis % rank, rank)
    elif kind in ("InstanceNormalization", "GroupNormalization", "MeanVarianceNormalization"):
        over = range(2, rank)
    else:
        over = range(axis % rank, axis % rank + 1)
    same = _same(call)
    return same.mixed([k for k in over if call.out[k] > 1])


def _windows(call: NodeCall) -> TensorView:
    """Of convolutions and pools."""
    weight = WEIGHTS.get(call.kind)
    maps = call.view if call.views[0] is not None else None
    if maps is None or len(call.out) != len(call.view.along) + 2:
        return call.view.lost(call.out)
    shape = call.shapes[weight] if weight is not None else None
    kernel = call.ints("kernel_shape") or (list(shape[2:]) if shape else None)
    along = None
    if kernel is not None and _is_map(maps):
        along = [_window(call, maps, kernel, a) for a in range(len(maps.along))]
    return _maps(call, maps, along)


def _window(call: NodeCall, maps: TensorView, kernel: Sequence[int], a: int) -> CellsAlong | None:
    known, d = maps.along[a], len(maps.along)
    if known is None:
        return None
    step, dilation = ((call.ints(name) or [1] * d)[a] for name in ("strides", "dilations"))
    reach, auto = (kernel[a] - 1) * dilation + 1, call.given.get("auto_pad", b"NOTSET")
    before = (call.ints("pads") or [0] * (2 * d))[a]
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        total = max((call.out[a + 2] - 1) * step + reach - maps.shape[a + 2], 0)
        before = total // 2 if auto == b"SAME_UPPER" else total - total // 2
    elif auto == b"VALID":
        before = 0
    return known.through(reach, -before, step)


def _transposed(call: NodeCall) -> TensorView:
    """Of a transposed convolution: cell o reads the cells (o + pad - k) / stride for all k of its kernel."""
    maps = call.views[0]
    d = len(call.out) - 2
    pads, shape = call.ints("pads") or [0] * (2 * d), call.shapes[1]
    if maps is None or d != len(maps.along):
        return call.view.lost(call.out)
    kernel = call.ints("kernel_shape") or (list(shape[2:]) if shape else None)
    plain = call.given.get("auto_pad", b"NOTSET") == b"NOTSET" and "output_shape" not in call.given
    along: list[CellsAlong | None] = [None] * d
    if kernel is not None and plain and _is_map(maps):
        for a, known in enumerate(maps.along):
            step, dilation = ((call.ints(name) or [1] * d)[a] for name in ("strides", "dilations"))
            reach = (kernel[a] - 1) * dilation
            if known is not None:
                first = known.first + known.stride * (pads[a] - reach / 2) / step
                along[a] = CellsAlong(known.stride / step, first, known.field + abs(known.stride) * reach / step)
    return _maps(call, maps, along)


def _is_map(view: TensorView) -> bool:
    """Do channels and the axes of space lie as operators on maps take them: (n, c, *space)?"""
    return view.order() == tuple(range(1, len(view.shape)))


def _maps(call: NodeCall, maps: TensorView, along: Sequence[CellsAlong | None] | None) -> TensorView:
    """Maps (n, c, *space), as the operator gives them; along: where their cells lie, if what came in was known."""
    fresh = as_maps(call.out, maps)
    return fresh if along is None else replace(fresh, along=tuple(along))


def _pooled_whole(call: NodeCall) -> TensorView:
    fresh = _maps(call, call.view, call.view.along if _is_map(call.view) else None)
    return replace(fresh, along=everywhere(fresh.along, range(len(fresh.along))))


def _turned(call: NodeCall) -> TensorView:
    order = call.ints("perm") or [*reversed(range(len(call.out)))]
    return call.view.like(call.out, tuple(call.view.dims[k] for k in order))


def _regrouped(call: NodeCall) -> TensorView:
    return call.view.like(call.out, regrouped(call.view.dims, call.view.shape, call.out))


def _concatenated(call: NodeCall) -> TensorView:
    """Channels behind channels; what is set beside the image along space lies nowhere."""
    parts = [view for view in call.views if view is not None]
    first, axis = parts[0], call.given["axis"] % len(call.out)
    over = {label for view in parts for label in (labels(view.dims[axis]) if view.dims[axis] is not None else {None})}
    rest = together([view.like(call.out) for view in parts], call.out) if len(parts) > 1 else first.like(call.out)
    if over - {CHANNELS}:
        return rest.like(call.out, _with(rest.dims, axis, None))
    return rest.like(call.out, _with(rest.dims, axis, whole(CHANNELS, call.out[axis])))


def _with(dims: Sequence[Dimension], at: int, dim: Dimension) -> tuple[Dimension, ...]:
    return tuple(dim if k == at else each for k, each in enumerate(dims))


def _sliced(call: NodeCall) -> TensorView:
    starts, axes, steps = call.ints("starts", 1), call.ints("axes", 3), call.ints("steps", 4)
    if starts is None:
        return _cropped(call)
    axes = axes if axes is not None else [*range(len(starts))]
    moves: dict[int, tuple[float, float]] = {}
    for start, k, step in zip(starts, axes, steps or [1] * len(starts), strict=True):
        size = call.view.shape[k]
        moves[k % len(call.out)] = (max(start + size, 0) if start < 0 else min(start, size - 1), step)
    return _cropped(call, moves)


def _padded(call: NodeCall) -> TensorView:
    pads, axes = call.ints("pads", 1), call.ints("axes", 3)
    if pads is None:
        return _cropped(call)
    axes = axes if axes is not None else [*range(len(call.out))]
    return _cropped(call, {k % len(call.out): (-pads[i], 1) for i, k in enumerate(axes)})


def _cropped(call: NodeCall, moves: Mapping[int, tuple[float, float]] | None = None) -> TensorView:
    """Of an operator that takes away or adds entries at the ends of dimensions: along each of them the first entry, and the
    step to the next, counted in those that came in; None where that is not known.
    """
    view, along, dims = call.view, [*call.view.along], [*call.view.dims]
    for k, dim in enumerate(view.dims):
        first, step = moves.get(k, (0, 1)) if moves is not None else (None, 1)
        if dim is None or (call.out[k] == view.shape[k] and step == 1 and not first):
            continue
        label = dim[0].label if len(dim) == 1 and runs_along(dim, dim[0].label) else None
        dims[k] = None if label is None else whole(label, call.out[k])
        if isinstance(label, int):
            known = along[label]
            along[label] = known.through(1, first, step) if known is not None and first is not None else None
    return TensorView(call.out, tuple(dims), tuple(along))


def _split(call: NodeCall) -> TensorView:
    axis = call.given.get("axis", 0) % len(call.out)
    dim = whole(CHANNELS, call.out[axis]) if labels(call.view.dims[axis]) == {CHANNELS} else None
    return call.view.like(call.out, _with(call.view.dims, axis, dim))


def _expanded(call: NodeCall) -> TensorView:
    """Along what is repeated, nothing of the image runs."""
    view, more = call.view, len(call.out) - len(call.view.shape)
    same = [dim if view.shape[k] == call.out[more + k] else () for k, dim in enumerate(view.dims)]
    return view.like(call.out, ((),) * more + tuple(same))


def _gathered(call: NodeCall) -> TensorView:
    """Channels by number; one of a dimension's entries, which is then gone; anything else lies nowhere."""
    view, axis = call.view, call.given.get("axis", 0) % len(call.view.shape)
    count = len(call.out) - len(view.shape) + 1  # dimensions of the indices
    if call.views[0] is None:
        return view.lost(call.out)
    dim: Dimension = whole(CHANNELS, call.out[axis]) if count == 1 and labels(view.dims[axis]) == {CHANNELS} else None
    return view.like(call.out, (*view.dims[:axis], *([dim] * count), *view.dims[axis + 1 :]))


def _reduced(call: NodeCall) -> TensorView:
    view, rank = call.view, len(call.view.shape)
    axes = call.ints("axes", 1)
    over = {axis % rank for axis in axes} if axes else {*range(rank)}
    dims = [() if k in over else dim for k, dim in enumerate(view.dims) if k not in over or call.given.get("keepdims", 1)]
    return view.mixed([k for k in over if view.shape[k] > 1]).like(call.out, tuple(dims))


def _resized(call: NodeCall) -> TensorView:
    view = call.view
    mode = call.given.get("coordinate_transformation_mode", b"half_pixel" if call.kind == "Resize" else b"asymmetric").decode()
    nearest = call.given.get("mode", b"nearest") == b"nearest"
    dims, along = [*view.dims], [*view.along]
    for k, size in enumerate(call.out):
        old, dim = view.shape[k], view.dims[k]
        if size == old:
            continue
        label = dim[0].label if dim and runs_along(dim, dim[0].label) else None
        dims[k] = whole(label, size) if isinstance(label, int) else None
        if isinstance(label, int):
            known, scale = along[label], size / old
            along[label] = None
            if known is not None and (mode.endswith("half_pixel") or (nearest and mode == "asymmetric")):
                along[label] = known.through(1 if nearest else 2, 0.5 / scale - 0.5 - (not nearest) / 2, 1 / scale)
            elif known is not None and mode in ("asymmetric", "align_corners"):
                step = 1 / scale if mode == "asymmetric" else (old - 1) / max(size - 1, 1)
                along[label] = known.through(2, -0.5, step)
    return TensorView(call.out, tuple(dims), tuple(along))


def _blocks(call: NodeCall) -> TensorView:
    """Of DepthToSpace and SpaceToDepth."""
    b = call.given["blocksize"]
    finer = call.kind == "DepthToSpace"
    along = [
        known and (known.through(1, (1 - b) / (2 * b), 1 / b) if finer else known.through(b, 0, b)) for known in call.view.along
    ]
    return _maps(call, call.view, along if _is_map(call.view) else None)


def _product(call: NodeCall) -> TensorView:
    """Rows times columns: of a matrix of weights new channels; of two tensors of the image, each cell of one sees all cells."""
    left, right = call.views[0], call.views[1]
    if left is not None and right is None:
        last = left.dims[-1]
        wide = last is None or labels(last) - {CHANNELS}
        seen = left.mixed([len(left.shape) - 1]) if wide else left
        return seen.like(call.out, (*left.dims[:-1], whole(CHANNELS, call.out[-1]))) if call.out else left.lost(call.out)
    if left is None or right is None or len(left.shape) != len(right.shape) or len(call.out) < 3:
        return call.view.lost(call.out)
    outer = together([left, right], call.out)
    dims = (*outer.dims[:-2], left.dims[-2], right.dims[-1])
    return TensorView(call.out, dims, everywhere(left.along, range(len(left.along))))


def _gemm(call: NodeCall) -> TensorView:
    return call.view.lost(call.out) if call.given.get("transA") else _product(call)


def _for_all(rule: ViewRule, *kinds: str) -> dict[str, ViewRule]:
    return dict.fromkeys(kinds, rule)


WEIGHTS = {"Conv": 1, "ConvInteger": 1, "FusedConv": 1, "QLinearConv": 3}  # which input holds the kernels
RULES: dict[str, ViewRule] = {
    **_for_all(_windows, *WEIGHTS, "MaxPool", "AveragePool", "LpPool", "QLinearAveragePool"),
    **_for_all(_transposed, "ConvTranspose"),
    **_for_all(_pooled_whole, "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool"),
    **_for_all(_combined, "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "Where", "PRelu", "Mod", "And", "Or",
               "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "BitShift", "QLinearAdd", "QLinearMul"),
    **_for_all(_same, "Relu", "LeakyRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu", "Selu", "Celu", "Gelu",
               "Mish", "Softplus", "Softsign", "ThresholdedRelu", "Swish", "Erf", "Exp", "Log", "Sqrt", "Reciprocal", "Neg",
               "Abs", "Sign", "Floor", "Ceil", "Round", "Not", "Sin", "Cos", "Atan", "Cast", "CastLike", "Identity", "Dropout",
               "BatchNormalization", "LRN", "DynamicQuantizeLinear", "QuantizeLinear", "DequantizeLinear", "QLinearSigmoid",
               "QLinearLeakyRelu", "Shrink", "FastGelu", "QuickGelu", "IsNaN", "IsInf"),
    **_for_all(_normalised, "Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "LayerNormalization",
               "SimplifiedLayerNormalization", "RMSNormalization", "InstanceNormalization", "GroupNormalization",
               "MeanVarianceNormalization", "QLinearSoftmax"),
    **_for_all(_turned, "Transpose"),
    **_for_all(_regrouped, "Reshape", "Flatten", "Squeeze", "Unsqueeze"),
    **_for_all(_concatenated, "Concat", "QLinearConcat"),
    **_for_all(_sliced, "Slice"),
    **_for_all(_split, "Split"),
    **_for_all(_gathered, "Gather"),
    **_for_all(_padded, "Pad"),
    **_for_all(_expanded, "Expand"),
    **_for_all(_reduced, "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceProd",
               "ReduceSumSquare", "ReduceLogSumExp", "QLinearReduceMean"),
    **_for_all(_resized, "Resize", "Upsample"),
    **_for_all(_blocks, "DepthToSpace", "SpaceToDepth"),
    **_for_all(_product, "MatMul", "QLinearMatMul"),
    **_for_all(_gemm, "Gemm", "QGemm"),
}  # fmt: skip
