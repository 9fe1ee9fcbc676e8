"""Incremental passes against plain ones: every operation alone, at every kind of place."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from seewhy.models.torch.variants import incremental
from seewhy.models.torch.variants.incremental import Incremental, NotIncremental, Patch

CONVS = (F.conv1d, F.conv2d, F.conv3d)
MAX_POOLS = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
MEAN_POOLS = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
MANY = settings(max_examples=60, deadline=None)


def doubles(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def copies(x: Tensor, patches: Tensor, at: Tensor) -> Tensor:
    """Each patch written into its own copy of x."""
    out = x.repeat(len(patches), *[1] * (x.ndim - 1))
    for one, patch, start in zip(out, patches, at.tolist(), strict=True):
        one[(slice(None), *(slice(a, a + n) for a, n in zip(start, patch.shape[1:], strict=True)))] = patch
    return out


def flat(y: Tensor) -> Tensor:
    return y.flatten(1)


def on_boxes(op: Callable[[Any], Any]) -> Callable[[Tensor], Tensor]:
    """The operation, which must not need the copies in full; all that it returns, in a row."""

    def run(x: Tensor) -> Tensor:
        y = op(x)
        parts = y if isinstance(y, tuple) else (y,)
        if isinstance(x, Patch) and not all(isinstance(part, Patch) for part in parts):
            raise TypeError("computed in full")
        return torch.cat([flat(part) for part in parts], 1)

    return run


def check(run: Callable[[Tensor], Tensor], x: Tensor, patches: Tensor, at: Tensor) -> None:
    """Once more, so that what is remembered is used, and for one copy alone; and the arguments stay as they are."""
    before = x.clone(), patches.clone()
    passes = Incremental(run, x)
    for n in (len(at), 1, len(at)):
        want = run(copies(x, patches[:n], at[:n]))
        torch.testing.assert_close(passes(patches[:n], at[:n]), want, rtol=1e-10, atol=1e-10)
    assert torch.equal(x, before[0])
    assert torch.equal(passes.base, x)
    assert torch.equal(patches, before[1])


@pytest.fixture(autouse=True)
def never_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental, "DENSE", 2.0)


@st.composite
def scenes(draw: Any, channels: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """A signal, picture or volume, and boxes of one size in it, some at its borders."""
    space = draw(st.lists(st.integers(7, 12), min_size=1, max_size=3))
    sizes = [draw(st.integers(1, 5)) for _ in space]
    m = draw(st.integers(1, 4))
    at = [
        [draw(st.sampled_from([0, n - s, draw(st.integers(0, n - s))])) for n, s in zip(space, sizes, strict=True)]
        for _ in range(m)
    ]
    return doubles(1, channels, *space), doubles(m, channels, *sizes, seed=1), torch.tensor(at)


def per_axis(draw: Any, d: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(draw(st.integers(low, high)) for _ in range(d))


@pytest.mark.filterwarnings("ignore:Using padding=.same.")  # with an even kernel, torch pads by a copy
@MANY
@given(scenes(), st.data())
def test_convolutions(scene: Any, data: Any) -> None:
    x, patches, at = scene
    d = at.shape[1]
    kernel, groups = per_axis(data.draw, d, 1, 4), data.draw(st.sampled_from([1, 2, 4]))
    dilation = per_axis(data.draw, d, 1, 2)
    padding = data.draw(st.sampled_from(["same", "valid", 0, per_axis(data.draw, d, 0, 4)]))
    stride = 1 if padding == "same" else per_axis(data.draw, d, 1, 3)
    weight, bias = doubles(8, 4 // groups, *kernel, seed=2), data.draw(st.sampled_from([None, doubles(8, seed=3)]))
    check(on_boxes(lambda x: CONVS[d - 1](x, weight, bias, stride, padding, dilation, groups)), x, patches, at)


@MANY
@given(scenes(), st.data())
def test_max_pools(scene: Any, data: Any) -> None:
    x, patches, at = scene
    d = at.shape[1]
    kernel, stride = per_axis(data.draw, d, 2, 3), data.draw(st.sampled_from([None, per_axis(data.draw, d, 1, 3)]))
    padding, dilation = data.draw(st.integers(0, 1)), per_axis(data.draw, d, 1, 2)
    ceil = data.draw(st.booleans())
    check(on_boxes(lambda x: MAX_POOLS[d - 1](x, kernel, stride, padding, dilation, ceil)), x - 9, patches - 9, at)


@MANY
@given(scenes(), st.data())
def test_mean_pools(scene: Any, data: Any) -> None:
    x, patches, at = scene
    d = at.shape[1]
    kernel, stride = per_axis(data.draw, d, 2, 3), data.draw(st.sampled_from([None, per_axis(data.draw, d, 1, 3)]))
    padding, ceil, counted = data.draw(st.integers(0, 1)), data.draw(st.booleans()), data.draw(st.booleans())
    over = {} if d == 1 else {"divisor_override": data.draw(st.sampled_from([None, 5]))}
    run = on_boxes(lambda x: MEAN_POOLS[d - 1](x, kernel, stride, padding, ceil_mode=ceil, count_include_pad=counted, **over))
    check(run, x, patches, at)


@MANY
@given(scenes(), st.data())
def test_padding_with_a_number(scene: Any, data: Any) -> None:
    x, patches, at = scene
    pad = per_axis(data.draw, 2 * data.draw(st.integers(1, at.shape[1])), 0, 3)
    check(on_boxes(lambda x: F.pad(x, pad, value=0.5)), x, patches, at)


def channel(seed: int) -> Tensor:
    return doubles(1, 4, 1, 1, seed=seed)


def shuffle(x: Tensor) -> Tensor:
    n, c, h, w = x.size()
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)


MEAN, VAR = doubles(4, seed=5), doubles(4, seed=6).abs() + 0.1
BY_BOX: dict[str, Callable[[Tensor], Any]] = {
    "relu": F.relu, "relu_": lambda x: F.relu(x + 0, inplace=True), "torch.relu_": lambda x: torch.relu_(x + 0),
    "relu6": F.relu6, "hardtanh": lambda x: F.hardtanh(x, -0.3, 0.4), "hardtanh_": lambda x: F.hardtanh_(x + 0),
    "clamp": lambda x: x.clamp(-0.1, 0.3), "clamp_": lambda x: (x + 0).clamp_(min=0), "silu": F.silu, "mish": F.mish,
    "gelu": F.gelu, "gelu tanh": lambda x: F.gelu(x, approximate="tanh"), "hardswish": nn.Hardswish(inplace=True),
    "hardsigmoid": F.hardsigmoid, "sigmoid": torch.sigmoid, "sigmoid_": lambda x: (x * 1).sigmoid_(), "tanh": torch.tanh,
    "leaky": nn.LeakyReLU(0.2, inplace=True), "elu": F.elu, "selu": F.selu, "softplus": F.softplus,
    "prelu": lambda x: F.prelu(x, MEAN), "threshold": lambda x: F.threshold(x, 0.1, 7.0),
    "scalars": lambda x: 3 - 2 / ((1 + x * 2 - 0.5) / 3 + 20), "square": lambda x: x**2 + x.square() - x.pow(3),
    "channels": lambda x: (x * channel(7) + channel(8)) / channel(9) - doubles(4, 1, 1, seed=10) * doubles(1, seed=11),
    "written": lambda x: torch.clone(x).mul_(2).add_(channel(7)).sub_(1).div_(3), "dropout": nn.Dropout(0.5).eval(),
    "batch norm": lambda x: F.batch_norm(x, MEAN, VAR, doubles(4, seed=7), doubles(4, seed=8)),
    "chunk": lambda x: x.chunk(2, dim=1), "split": lambda x: x.split([1, 3], 1), "narrow": lambda x: x.narrow(1, 1, 2),
    "slice": lambda x: x[:, 1:3], "steps": lambda x: (x[:, ::2] + x[:, 1::2], x[:, 0], x[:, None, 1]),
    "one channel": lambda x: torch.cat([torch.unsqueeze(x[:, 0], 1) * 2 + 1, torch.unsqueeze(x[:, 2], 1)], 1),
    "shuffle": shuffle, "channel_shuffle": nn.ChannelShuffle(2), "unbind": lambda x: x.unbind(1),
    "detach": lambda x: x.detach(),
    "to": lambda x: x.to(torch.float64).double().contiguous(memory_format=torch.channels_last),
    "identity": nn.Identity(), "twice": lambda x: x + x, "product": lambda x: x * x.sigmoid(),
    "grown sum": lambda x: F.max_pool2d(x, 3, 1, 1) + x * 2, "shrunk sum": lambda x: x - F.avg_pool2d(x, 5, 1, 2),
    "gate": lambda x: x * F.max_pool2d(x, 3, 1, 1)[:, 1:2].sigmoid(), "minimum": lambda x: torch.minimum(x, -x),
    "cat": lambda x: torch.cat([x, F.max_pool2d(x, 3, 1, 1), F.avg_pool2d(x, 5, 1, 2)[:, :1]], 1),
    "cat alike": lambda x: torch.cat((x, -x), dim=-3), "sizes": lambda x: x * x.shape[-1] + x.size(0) + x.dim() + len(x),
}  # fmt: skip
PLACES = torch.tensor([[0, 0], [0, 0], [5, 2], [6, 7], [0, 7], [3, 3]])


@pytest.mark.parametrize("name", BY_BOX)
def test_what_is_done_on_boxes(name: str) -> None:
    x = doubles(1, 4, 9, 10)
    check(on_boxes(BY_BOX[name]), x, doubles(6, 4, 3, 3, seed=1), PLACES)


def write_one(x: Tensor) -> Tensor:
    x = x * 2
    x[:, 1] = 5.0
    return x


def write_after_view(x: Tensor) -> Tensor:
    x = x * 2
    rows = x.flatten(2)
    rows.relu_()
    return x + 1


def write_after_read(x: Tensor) -> Tensor:
    x = x * 2
    mean = x.mean((2, 3), keepdim=True)
    x.relu_()
    return x * mean


def sum_in_place(x: Tensor) -> Tensor:
    y = F.max_pool2d(x, 3, 1, 1)
    x = x * 2
    x += y
    y += x
    return torch.cat([x, y.relu_()], 1)


IN_FULL: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda x: x.softmax(1), "over space": lambda x: x.softmax(-1), "layer norm": lambda x: F.layer_norm(x, (10,)),
    "transposed": lambda x: x.transpose(-1, -2), "flipped": lambda x: x.flip(-1),
    "rows": lambda x: x[..., 1:] * x[:, :, 1:2, 1:],
    "mirror": lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"), "cropped": lambda x: F.pad(x, (-1, 2)),
    "place": lambda x: x * doubles(1, 1, 9, 10, seed=3) + doubles(10, seed=4), "own gate": lambda x: x * x.mean((2, 3), True),
    "batch": lambda x: x - x.mean(0), "views": lambda x: x.view(len(x), 4, -1), "one": lambda x: x[:, :, 1, 1],
    "matrix": lambda x: x @ doubles(10, 3, seed=3), "up": lambda x: F.interpolate(x, scale_factor=2), "writes": write_one,
    "unconv": lambda x: F.conv_transpose2d(x, doubles(4, 2, 3, 3)), "group norm": lambda x: F.group_norm(x, 2),
    "indices": lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    "batch statistics": lambda x: F.batch_norm(x, None, None, training=True),
    "view writes": write_after_view, "read writes": write_after_read, "sum writes": sum_in_place,
    "squares": lambda x: x[:, :, :9, :9].transpose(2, 3), "stack": lambda x: torch.stack([x, x * 2], 1).sum(1),
    "new": lambda x: torch.zeros_like(x) + x.new_ones(1), "numbers": lambda x: x * float(x[0, 0, 0, 0]) * 0 + x,
    "dilated": lambda x: F.conv2d(x, x[:1, :, :3, :3].detach() * 0 + 1), "narrow space": lambda x: x.narrow(2, 1, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_FULL)
def test_anything_else_is_done_in_full(name: str) -> None:
    check(lambda x: flat(F.relu(IN_FULL[name](x * 1.5)) - 1), doubles(1, 4, 9, 10), doubles(6, 4, 3, 3, seed=1), PLACES)


@pytest.mark.parametrize("dense", [0.01, 0.3, 0.8])
def test_boxes_that_cover_much_go_on_in_full(dense: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental, "DENSE", dense)
    check(lambda x: flat(sum_in_place(F.max_pool2d(x, 3, 1, 1))), doubles(1, 4, 9, 10), doubles(6, 4, 3, 3, seed=1), PLACES)


def into_a_half(x: Tensor) -> Tensor:
    first, _second = (x * 2).chunk(2, 1)
    return flat(first.relu_())


def through_data(x: Tensor) -> Tensor:
    x = x * 2
    x.data.mul_(2)
    return flat(x)


def into_shared_copies(x: Tensor) -> Tensor:
    x = x * 2
    half = x[:, :2]
    x.flatten(2).relu_()
    return flat(half + 1)


@pytest.mark.parametrize(
    ("run", "why"),
    [(into_a_half, "shares memory"), (into_shared_copies, "shares memory"), (through_data, "data"),
     (lambda x: x, "not a row per box"), (lambda x: flat(x).sum(0, True), "not a row per box"),
     (lambda x: [x], "list"), (lambda x: x.nowhere, "AttributeError")],
)  # fmt: skip
def test_what_it_cannot_follow_it_refuses(run: Any, why: str) -> None:
    with pytest.raises(NotIncremental, match=why):
        Incremental(run, doubles(1, 4, 9, 10))(doubles(6, 4, 3, 3, seed=1), PLACES)


def test_lack_of_memory_is_the_callers_to_know() -> None:
    def run(x: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("too much")

    with pytest.raises(torch.OutOfMemoryError):
        Incremental(run, doubles(1, 4, 9, 10))(doubles(6, 4, 3, 3), PLACES)


def test_what_is_remembered_is_checked() -> None:
    """A network that changes its mind, its numbers or its weights between calls is not answered from memory."""
    x, patches, seen = doubles(1, 4, 9, 10), doubles(6, 4, 3, 3, seed=1), {"fn": torch.tanh, "factor": 2.0}
    weight = doubles(3, 4, 3, 3, seed=2)

    def run(x: Tensor) -> Tensor:
        return flat(seen["fn"](F.conv2d(x * seen["factor"], weight, None, 1, 1)))

    passes = Incremental(run, x)
    for change in (
        {},
        {"fn": torch.sigmoid},
        {"factor": 3.0},
        {"fn": F.relu, "factor": channel(3)},
        {"factor": channel(4)},
        {},
    ):
        seen.update(change)
        torch.testing.assert_close(passes(patches, PLACES), run(copies(x, patches, PLACES)), rtol=1e-10, atol=1e-10)
    weight.mul_(2)
    torch.testing.assert_close(passes(patches, PLACES), run(copies(x, patches, PLACES)), rtol=1e-10, atol=1e-10)
