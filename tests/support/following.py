"""Networks whose cells are followed back to the image."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seewhy.models.torch.places.following import Following
from seewhy.models.torch.places.marks import Mark

Net = Any  # a module, or a function of the image


class Lies(NamedTuple):
    """Where cells lie, and how much they see."""

    stride: tuple[float, ...]
    first: tuple[float, ...]
    field: tuple[float, ...]


def followed(net: Net, x: Tensor) -> tuple[Tensor, Following]:
    with Following(x) as following:
        return net(x), following


def mark_of(net: Net, x: Tensor) -> Mark:
    """The mark of the net's output."""
    out, following = followed(net, x)
    mark = following.of(out)
    assert mark is not None, "not computed from the image"
    return mark


def conv(d: int, k: Any, **more: Any) -> nn.Module:
    return (nn.Conv1d, nn.Conv2d, nn.Conv3d)[d - 1](more.pop("into", 3), 3, k, **more)


def lies(mark: Mark) -> tuple[tuple[int, ...], Lies] | None:
    """The grid of the cells, and where they lie; None where that is not known."""
    return None if mark.where is None else (mark.where[0], Lies(*mark.where[1][:3]))


def place(net: Net, *space: int, grid: tuple[int, ...] | None = None) -> Lies:
    """Where the cells of the net's output, a map (1, c, *cells) or one of that grid, lie by its mark."""
    mark = mark_of(net, torch.zeros(1, 3, *space, dtype=torch.float64))
    found = lies(mark)
    assert found is not None, mark.lost
    assert found[0] == (mark.shape[2:] if grid is None else grid)
    return found[1]


def reached(net: Net, x: Tensor, cell: tuple[int, ...]) -> list[np.ndarray]:
    """Per axis the pixels that a cell of the net's map (1, c, *cells) depends on."""
    x = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(net(x)[0, :, *cell].sum(), x)
    support = (g[0] != 0).any(0)
    return [support.any(tuple(b for b in range(support.ndim) if b != a)).nonzero()[:, 0].numpy() for a in range(support.ndim)]


def agrees(net: Net, x: Tensor, cell: tuple[int, ...], found: Lies) -> None:
    """The middle and the size of the support of an interior cell's gradient are those that were derived."""
    for a, pixels in enumerate(reached(net, x, cell)):
        assert pixels[0] > 0, "cut by the border"
        assert pixels[-1] < x.shape[2 + a] - 1
        assert (pixels[0] + pixels[-1]) / 2 == pytest.approx(found.first[a] + cell[a] * found.stride[a])
        assert pixels[-1] - pixels[0] + 1 == pytest.approx(found.field[a])


def ones(net: nn.Module) -> nn.Module:
    """All weights 1: nothing cancels, and every pixel in the receptive field counts."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(1 if parameter.ndim > 1 else 0)
    return net.double().eval()
