"""Convolutions, pools and padding of boxes against plain ones, at every kind of place."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from seewhy.models.torch.variants import incremental
from support.boxes import check, doubles, on_boxes

CONVS = (F.conv1d, F.conv2d, F.conv3d)
MAX_POOLS = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
MEAN_POOLS = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
MANY = settings(max_examples=60, deadline=None)


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
