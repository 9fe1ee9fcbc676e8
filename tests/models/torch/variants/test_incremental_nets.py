"""Incremental passes against plain ones: whole networks, what they cost, and what they leave behind."""

import gc
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from seewhy.models.torch.variants.incremental import Incremental
from support.hiding import blank, calibrated, counted, same_scores

CORNERS = torch.tensor([[0, 0], [16, 32], [80, 80], [7, 61], [80, 0]])


TORCHVISION: dict[str, dict[str, Any]] = {
    "resnet18": {}, "vgg11": {}, "mobilenet_v2": {}, "densenet121": {}, "squeezenet1_1": {}, "efficientnet_b0": {},
    "shufflenet_v2_x0_5": {}, "googlenet": {"transform_input": True, "init_weights": False},
    "googlenet on plain input": {"transform_input": False, "init_weights": False},
}  # fmt: skip


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name: str) -> None:
    torch.manual_seed(0)
    network = torchvision.models.get_model(name.split()[0], weights=None, **TORCHVISION[name]) if name != "vgg11" else vgg11()
    x = torch.randn(4, 3, 96, 96, dtype=torch.float64)
    same_scores(calibrated(network, x), x[:1], CORNERS, 16, apart=1e-4)


def vgg11() -> nn.Module:
    """Without its large linear layers."""
    with torch.device("meta"):
        network = torchvision.models.vgg11(weights=None, init_weights=False)
    network.classifier = nn.Sequential(nn.Flatten(), nn.Linear(512 * 7 * 7, 5))
    for part in network.features.to_empty(device="cpu").children():
        if isinstance(part, nn.Conv2d):
            part.reset_parameters()
    return network


class Residual(nn.Module):
    """Two convolutions beside a way past them, added in place or not."""

    def __init__(self, c: int, stride: int, groups: int, in_place: bool) -> None:
        super().__init__()
        conv = nn.Conv2d(c, c, 3, stride, 1, groups=groups, bias=False)
        self.first = nn.Sequential(conv, nn.BatchNorm2d(c), nn.ReLU(inplace=True))
        self.second = nn.Sequential(nn.Conv2d(c, c, 3, 1, 1), nn.BatchNorm2d(c))
        self.past = nn.Conv2d(c, c, 1, stride) if stride > 1 else nn.Identity()
        self.act, self.in_place = nn.ReLU(inplace=in_place), in_place

    def forward(self, x: Tensor) -> Tensor:
        out = self.second(self.first(x))
        if self.in_place:
            out += self.past(x)
            return self.act(out)
        return self.act(out + self.past(x))


class Branches(nn.Module):
    """Inception: ways of differing reach, side by side."""

    def __init__(self, c: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.ways = nn.ModuleList([
            nn.Conv2d(c, c // 2, 1),
            nn.Sequential(nn.Conv2d(c, c // 4, kernel, padding="same", dilation=dilation), nn.SiLU(inplace=True)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(c, c // 4, 1), nn.Hardswish()),
        ])  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([way(x) for way in self.ways], 1)


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, c: int, in_place: bool) -> None:
        super().__init__()
        self.weigh, self.in_place = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, c, 1), nn.Sigmoid()), in_place

    def forward(self, x: Tensor) -> Tensor:
        gate = self.weigh(x)
        return x.mul_(gate) if self.in_place else x * gate


class Halves(nn.Module):
    """One half goes on as it is; then channels change places."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c // 2, c // 2, (1, 3), padding=(0, 1))

    def forward(self, x: Tensor) -> Tensor:
        kept, rest = x.chunk(2, 1)
        n, c, h, w = x.shape
        return torch.cat((kept, self.conv(rest)), 1).view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Watching(nn.Module):
    """Chooses its way by what it sees."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.mean() > 0 else x * 3


BLOCKS: tuple[Callable[[Any, int], nn.Module], ...] = (
    lambda draw, c: Residual(c, draw(st.integers(1, 2)), draw(st.sampled_from([1, c])), draw(st.booleans())),
    lambda draw, c: Branches(c, draw(st.integers(1, 2)) * 2 - 1, draw(st.integers(1, 2))),
    lambda draw, c: Gate(c, False),
    lambda draw, c: nn.Sequential(nn.Conv2d(c, c, 1), Gate(c, True)),
    lambda draw, c: Halves(c),
    lambda draw, c: nn.MaxPool2d(draw(st.integers(2, 3)), 2, 1, ceil_mode=draw(st.booleans())),
    lambda draw, c: nn.AvgPool2d(2, draw(st.integers(1, 2)), draw(st.integers(0, 1)), draw(st.booleans()), draw(st.booleans())),
    lambda draw, c: nn.Sequential(nn.Conv2d(c, c, 5, 2, 2, groups=2), nn.ReLU6(inplace=True)),
    lambda draw, c: nn.Sequential(nn.ZeroPad2d((1, 2, 0, 1)), nn.Conv2d(c, c, (3, 2), 1), nn.GELU()),
    lambda draw, c: nn.Sequential(nn.Conv2d(c, c, 3, padding=1, padding_mode="reflect"), nn.PReLU(c, 0.2)),
    lambda draw, c: nn.Sequential(nn.GroupNorm(2, c), nn.Dropout2d(0.5), nn.LeakyReLU(0.1, inplace=False)),
)  # fmt: skip


@st.composite
def networks(draw: Any) -> nn.Module:
    torch.manual_seed(draw(st.integers(0, 99)))
    c = 8
    blocks = [draw(st.sampled_from(BLOCKS))(draw, c) for _ in range(draw(st.integers(1, 5)))]
    head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * c, 3))
    return nn.Sequential(
        nn.Conv2d(3, c, 3, draw(st.integers(1, 2)), 1), nn.BatchNorm2d(c), nn.ReLU(inplace=True), *blocks, head
    )


@settings(max_examples=60, deadline=None)
@given(
    networks(),
    st.integers(1, 9),
    st.lists(st.tuples(st.integers(0, 28), st.integers(0, 21)), min_size=1, max_size=5),
    st.data(),
)
def test_any_small_network(network: nn.Module, size: int, places: list[tuple[int, int]], data: Any) -> None:
    x = torch.randn(2, 3, 28 + size, 21 + size, dtype=torch.float64)
    same_scores(calibrated(network, x), x[:1], torch.tensor(places), size, apart=-1)


def test_a_network_that_chooses_by_what_it_sees() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 3, 20, 20, dtype=torch.float64)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), Watching(), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 18 * 18, 2)).double().eval()
    passes = Incremental(network, x)
    for factor in (1.0, -50.0, 50.0):
        at, patches = torch.tensor([[3, 4]]), torch.full((1, 3, 6, 6), factor, dtype=torch.float64)
        copy = x.clone()
        copy[:, :, 3:9, 4:10] = factor
        torch.testing.assert_close(passes(patches, at), network(copy).detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("d", [1, 3])
def test_signals_and_volumes(d: int) -> None:
    torch.manual_seed(0)
    one = nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d, nn.AvgPool1d
    Conv, Norm, Max, Mean = one if d == 1 else (nn.Conv3d, nn.BatchNorm3d, nn.MaxPool3d, nn.AvgPool3d)
    parts = (
        Conv(2, 6, 3, 1, 1),
        Norm(6),
        nn.ReLU(inplace=True),
        Max(2),
        Conv(6, 6, 3, 2, 1, groups=3),
        nn.SiLU(),
        Mean(3, 1, 1),
    )
    network = nn.Sequential(*parts, nn.Flatten(), nn.LazyLinear(4)).double()
    n, size = (60, 8) if d == 1 else (20, 5)
    x = torch.randn(3, 2, *[n] * d, dtype=torch.float64)
    network(x)
    at = torch.tensor([[0] * d, [n - size] * d, [7] * d, [11, 0, 3][:d]])
    same_scores(calibrated(network, x), x[:1], at, size, apart=1e-3)


@pytest.mark.parametrize(("name", "times"), [("vgg16", 6.1), ("resnet50", 2.02), ("mobilenet_v2", 1.75), ("densenet121", 1.85)])
def test_far_less_is_computed(name: str, times: float) -> None:
    """At 224 pixels, for the 13 windows of 32 in five rows of a grid of 16; on shapes alone, without values."""
    with torch.device("meta"):
        network, x = torchvision.models.get_model(name, weights=None).eval(), torch.empty(1, 3, 224, 224)
    shown = Incremental(network, x)
    plain = counted(lambda: network(x)).products
    rows = [torch.tensor([[y, x] for x in range(0, 193, 16)]) for y in range(0, 193, 48)]
    shown(blank(x, rows[0], 32), rows[0])
    work = sum(counted(lambda row=row: shown(blank(x, row, 32), row)).products for row in rows)
    assert 13 * len(rows) * plain / work > times


def test_the_image_itself_is_computed_once() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    x = torch.randn(1, 3, 50, 50)
    network(x)
    at = torch.tensor([[10, 10], [20, 3]])
    passes = Incremental(network, x)
    assert [counted(lambda: passes(blank(x, at, 4), at)).calls for _ in range(3)] == [4, 2, 2]
    assert counted(lambda: passes(blank(x, at, 8), at + 20)).calls == 2


def test_network_and_image_are_left_alone() -> None:
    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v2(weights=None).eval()
    x, patches = torch.randn(1, 3, 96, 96), torch.randn(5, 3, 16, 16).to(memory_format=torch.channels_last)
    kept = [*network.state_dict().values(), x, patches]
    before = [(value.clone(), value.stride(), value._version) for value in kept]
    passes = Incremental(nn.Sequential(nn.ReLU(inplace=True), network), x)
    assert not passes(patches, CORNERS).requires_grad
    with torch.inference_mode():
        passes(patches, CORNERS)
    assert all(torch.equal(value, was) for value, (was, *_) in zip(kept, before, strict=True))
    assert [(value.stride(), value._version) for value in kept] == [(stride, version) for _, stride, version in before]
    assert all(part.grad is None and part.requires_grad for part in network.parameters())
    assert not any(part._forward_hooks or part.training for part in network.modules())


def test_memory_goes_with_the_object() -> None:
    torch.manual_seed(0)
    passes = Incremental(torchvision.models.resnet18(weights=None).eval(), torch.randn(1, 3, 96, 96))
    passes(torch.zeros(5, 3, 16, 16), CORNERS)
    kept = [ref(result) for _, _, result in passes.memo.steps]
    assert kept
    del passes
    gc.collect()
    assert not any(one() is not None for one in kept)
