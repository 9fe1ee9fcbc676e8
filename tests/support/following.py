"""Networks whose cells are followed back to the image."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seewhy.models.torch.places.following import Following, Place
from seewhy.models.torch.places.marks import Mark

Net = Any  # a module, or a function of the image


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


def place(net: Net, *space: int, grid: tuple[int, ...] | None = None) -> Place:
    """Where the cells of the net's output, a map (1, c, *cells) or one of that grid, lie by its mark."""
    x = torch.zeros(1, 3, *space, dtype=torch.float64)
    mark = mark_of(net, x)
    assert mark.where is not None, mark.lost
    assert mark.where[0] == (mark.shape[2:] if grid is None else grid)
    return mark.where[1]


def reached(net: Net, x: Tensor, cell: tuple[int, ...]) -> list[np.ndarray]:
    """Per axis the pixels that a cell of the net's map (1, c, *cells) depends on."""
    x = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(net(x)[0, :, *cell].sum(), x)
    support = (g[0] != 0).any(0)
    return [support.any(tuple(b for b in range(support.ndim) if b != a)).nonzero()[:, 0].numpy() for a in range(support.ndim)]


def agrees(net: Net, x: Tensor, cell: tuple[int, ...], found: Place) -> None:
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
