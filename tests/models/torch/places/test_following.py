"""Where cells lie behind several layers: derived again, from which pixels the gradient of one cell reaches."""

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from support.following import agrees, conv, followed, lies, ones, place


@st.composite
def layer_of(draw: Any, d: int) -> Any:
    kind = draw(st.sampled_from(["conv", "conv", "tf", "pool", "avg", "slice", "block", "unshuffle", "nhwc"]))
    k, s = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    if kind == "conv":
        return ones(conv(d, k, stride=s, padding=draw(st.integers(0, 2)), dilation=draw(st.integers(1, 2))))
    if kind == "tf":
        net, pad = ones(conv(d, k, stride=s)), [draw(st.integers(0, 2)) for _ in range(2 * d)]
        return lambda x: net(F.pad(x, pad))
    if kind in ("pool", "avg"):
        pools = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
        return lambda x: pools[d - 1](x, k, s, padding=k // 2 if kind == "pool" else 0)
    if kind == "slice":
        start = draw(st.integers(0, 2))
        return lambda x: x[(..., *[slice(start, None, s)] * d)]
    if kind == "block":
        inner, tail = ones(conv(d, 3, padding=1)), ones(conv(d, 1, into=6))
        return lambda x: tail(torch.cat([x + F.relu(inner(x)), inner(x)], 1))
    if kind == "unshuffle" and d == 2:
        mix = ones(conv(2, 1, into=12))
        return lambda x: mix(F.pixel_unshuffle(x[:, :, : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2], 2))
    mix = ones(nn.Linear(3, 3))
    return lambda x: mix(x.movedim(1, -1)).movedim(-1, 1)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), d=st.integers(1, 2))
def test_the_gradient_of_a_cell_reaches_its_receptive_field(data, d):
    layers = data.draw(st.lists(layer_of(d), min_size=1, max_size=4))

    def net(x: Tensor) -> Tensor:
        for layer in layers:
            x = layer(x)
        return x

    x = torch.ones(1, 3, *[151] * d, dtype=torch.float64)
    out, following = followed(net, x)
    cell = tuple(side // 2 for side in out.shape[2:])
    mark = following.of(out)
    assert mark is not None
    assert mark.where is not None, mark.lost
    agrees(net, x, cell, lies(mark)[1])


def test_branches_meet_in_the_middle_and_see_what_either_sees():
    """x + conv(x) of an off-centre kernel: the centres' mean, and the union of the fields."""
    found = place(lambda x: x[..., :-3] + F.conv2d(x, torch.ones(3, 3, 1, 4).double()), 16, 16)
    assert found == ((1, 1), (0, 0.75), (1, 4))
    wide = place(lambda x: torch.cat([x[..., :-3], F.conv2d(x, torch.ones(9, 3, 1, 4).double())], 1), 16, 16)
    assert wide.first == (0, 1.5 * 9 / 12), "each channel counts"
