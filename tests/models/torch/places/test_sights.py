"""Where cells look: against where the energy of their gradients lies, measured."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import seewhy
from seewhy.images.places import Gaze, Place
from seewhy.images.sight import Sight
from seewhy.models.torch.places.layout import located
from seewhy.models.torch.places.sights import Bell, mixed, of_kernel, scale_of
from support.following import followed


def placed(net: nn.Module, *space: int, channels: int = 3) -> tuple[Place, Gaze | None]:
    out, following = followed(net, torch.zeros(1, channels, *space))
    mark = following.of(out)
    assert mark is not None
    known = located(mark, tuple(out.shape), space)
    assert known.place is not None
    return known.place, known.gaze


def energy(net: nn.Module, x: Tensor, cell: tuple[int, ...], draws: int = 0) -> list[np.ndarray]:
    """Along each axis the squares of the gradient of a cell's channels, each in turn or some random mixtures."""
    x = x.clone().requires_grad_()
    a = net(x)[0, :, *cell]
    ways = torch.eye(len(a)) if not draws else torch.randn(draws, len(a))
    grads = [torch.autograd.grad((a * way).sum(), x, retain_graph=True)[0][0] for way in ways]
    squares = torch.stack(grads).double().square().sum((0, 1))
    return [squares.movedim(axis, 0).reshape(side, -1).sum(1).numpy() for axis, side in enumerate(squares.shape)]


def moments(along: np.ndarray) -> tuple[float, float]:
    at = np.arange(len(along))
    centre = float(at @ along / along.sum())
    return centre, float(((at - centre) ** 2) @ along / along.sum()) ** 0.5


def agrees(told: tuple[Place, Gaze | None], found: list[np.ndarray], cell: tuple[int, ...], within: float = 1e-4) -> None:
    place, gaze = told
    first, sights = gaze or (place.first, [Sight()] * len(found))
    for axis, along in enumerate(found):
        centre, spread = moments(along)
        assert first[axis] + cell[axis] * place.stride[axis] == pytest.approx(centre, abs=within)
        assert sights[axis].spread == pytest.approx(spread, abs=within)


@pytest.mark.parametrize("seed", range(6))
def test_a_convolution_looks_where_the_squares_of_its_weights_lie(seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    (high, wide), stride, (far, near) = (rng.integers(1, most, 2).tolist() for most in (5, 4, 3))
    net = nn.Conv2d(3, 4, (high + 1, wide), (stride[0], stride[1]), dilation=(far, near), padding=(2, 1))
    agrees(placed(net, 40, 36), energy(net, torch.randn(1, 3, 40, 36), (5, 4)), (5, 4))


@pytest.mark.parametrize("d", [1, 2, 3])
def test_through_layers_spreads_add_up(d):
    """Of random weights, in the mean over many channels."""
    torch.manual_seed(d)
    kind, pool = ((nn.Conv1d, nn.AvgPool1d), (nn.Conv2d, nn.AvgPool2d), (nn.Conv3d, nn.AvgPool3d))[d - 1]
    net = nn.Sequential(kind(3, 60, 3, 2, 1), nn.ReLU(), kind(60, 60, 3, padding=1, groups=60), pool(2), kind(60, 60, 2))
    cell, space = (3,) * d, (28,) * d
    agrees(placed(net, *space), energy(net, torch.randn(1, 3, *space), cell, 40), cell, within=0.5)


def test_cells_look_where_a_kernel_of_one_weight_does_exactly():
    """A path through taps: (0, 2), then every second cell from (2, 2), padded as TensorFlow does."""
    first, second = nn.Conv2d(3, 2, 3, padding=1, bias=False), nn.Conv2d(2, 2, 3, 2, bias=False)
    with torch.no_grad():
        first.weight.zero_()[:, :, 0, 2] = 1
        second.weight.zero_()[:, :, 2, 2] = 1
    net = nn.Sequential(first, nn.ZeroPad2d((0, 1, 0, 1)), second)
    place, gaze = placed(net, 32, 32)
    assert place.first == (1, 1)
    assert gaze is not None
    assert gaze == Gaze((0 - 1 + 2, 2 - 1 + 2), (Sight(0.0, 2.5), Sight(0.0, 2.5)))
    pixels = [int(np.flatnonzero(along)[0]) for along in energy(net, torch.randn(1, 3, 32, 32), (4, 5))]
    assert pixels == [gaze.first[0] + 4 * 2, gaze.first[1] + 5 * 2]


class Residual(nn.Module):
    def __init__(self, scale: float, number: bool = False) -> None:
        super().__init__()
        self.branch = nn.Conv2d(8, 8, 9, padding=4)
        self.scale = scale if number else nn.Parameter(scale * torch.ones(8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.branch(x)


def test_a_residual_looks_as_far_as_its_branch_counts():
    """(9 * 9 - 1) / 12 is the variance of a kernel of nine equal weights."""
    torch.manual_seed(0)
    blocks = {scale: Residual(scale) for scale in (1.0, 0.5, 0.0)}
    for scale, block in blocks.items():
        nn.init.constant_(block.branch.weight, 0.1)
        expected = 80 / 12 * scale**2 / (1 + scale**2)
        _, gaze = placed(block, 30, 30, channels=8)
        found = [sight.spread**2 for sight in gaze.sights] if gaze else [0, 0]
        assert found == pytest.approx([expected] * 2)
    number = Residual(0.5, number=True)
    nn.init.constant_(number.branch.weight, 0.1)
    assert placed(number, 30, 30, channels=8) == placed(blocks[0.5], 30, 30, channels=8)


def test_patches_lie_exactly_where_they_are_cut_whatever_the_border():
    net = nn.Conv2d(3, 4, 8, 8)
    nn.init.ones_(net.weight)
    model = seewhy.wrap(nn.Sequential(net, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    (m,) = seewhy.grad_cam(model, torch.rand(1, 3, 32, 32).numpy(), target=0, layer="0")
    assert m.cells is not None
    assert m.cells.centres(0, 4).tolist() == [3.5, 11.5, 19.5, 27.5]


def test_maps_are_drawn_where_the_image_shows_what_cells_see():
    """Against the measured centres of all cells along the diagonal, also those at the border."""
    torch.manual_seed(0)
    body = nn.Sequential(*[layer for _ in range(4) for layer in (nn.Conv2d(16, 16, 7, padding=3), nn.Tanh())])
    net = nn.Sequential(nn.Conv2d(3, 16, 4, 4), body, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    model, x = seewhy.wrap(net), torch.randn(1, 3, 64, 64)
    (m,) = seewhy.grad_cam(model, x.numpy(), target=0, layer="1")
    assert m.cells is not None
    cells = [moments(energy(net[:2], x, (i, i), 30)[0])[0] for i in range(16)]
    found, even = m.cells.centres(0, 16), m.cells.uncut.centres(0, 16)
    off, off_uncut = (np.sqrt(((at - cells) ** 2).mean()) for at in (found, even))
    assert off < 2.2
    assert off_uncut > 7


def test_bells_are_mixed_by_their_energy():
    near, far = Bell(0.0, 1.0, 1.0), Bell(2.0, 4.0, 3.0)
    assert mixed([(near, 10.0, 1.0), (far, 10.0, 1.0)], 10.0) == Bell(1.5, (1 + 1.5**2) / 4 + (4 + 0.5**2) * 3 / 4, 2.0)
    assert mixed([(near, 0.0, 3.0), (far, 0.0, 1.0)], 1.0).offset == 0.0
    none = near.scaled(0.0)
    assert mixed([(none, 0.0, 1.0), (none, 4.0, 1.0)], 2.0) == Bell(0.0, 5.0, 1.0)  # all alike


@pytest.mark.parametrize(
    "weight", [torch.zeros(2, 3, 3, 3), torch.full((1, 1, 3, 3), float("nan")), torch.ones(2, 2, 3, 3, dtype=torch.int8)]
)
def test_weights_that_do_not_tell_are_read_alike(weight):
    assert of_kernel(weight) == [None, None]


def test_numbers_that_cannot_be_read_do_not_tell():
    assert of_kernel(torch.ones(2, 3, 3, 3, device="meta")) == [None, None]
    a = torch.randn(1, 3, 4, 4)
    assert scale_of("mul", (a, torch.ones(3, 1, 1, device="meta")), [a]) == 1
    inside = []
    torch.vmap(lambda w: inside.append(of_kernel(w)) or w.sum())(torch.ones(5, 2, 3, 3, 3))
    assert inside == [[None, None]]


def test_half_precision_does_not_hide_small_weights():
    weight = torch.full((4, 4, 3, 1), 1e-5, dtype=torch.float16)
    weight[:, :, 2] = 0
    offset, variance = of_kernel(weight)[0] or (0, 0)
    assert (offset, variance) == pytest.approx((-0.5, 0.25))
    assert of_kernel(weight)[1] is None


def test_only_what_is_not_computed_from_the_image_scales_a_map():
    a, gamma = torch.randn(1, 3, 4, 4), torch.tensor([1.0, 2.0, 3.0])
    assert scale_of("__mul__", (a, gamma), [a]) == pytest.approx(14 / 3)
    assert scale_of("mul_", (gamma, a), [a]) == pytest.approx(14 / 3)
    assert scale_of("mul", (a, 0.5), [a]) == 0.25
    assert scale_of("mul", (a, a), [a, a]) == 1
    assert scale_of("add", (a, gamma), [a]) == 1
    assert scale_of("mul", (a, torch.tensor([True])), [a]) == 1
