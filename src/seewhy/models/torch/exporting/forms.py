"""How maps are computed inside of a graph: in closed form behind a pooled head, from activations alone, or by the tail."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seewhy.errors import NotApplicable
from seewhy.models.torch.passes.head import linear_head, pooled
from seewhy.models.torch.places.layout import Layout

LARGEST = 2**32  # bytes of edited activations of one image
SQUARINGS = 24  # of a Gram matrix: its 2**24th power has one component left, but where two are equal to 7 digits

WAY_BACK = (
    "A graph goes no way back through a network: gradients are put into it in closed form, where global average pooling and "
    "one linear layer are all that lies behind {}. In {} something else does. recipro-cam needs no such head."
)


class PooledHead(NamedTuple):
    """What makes the scores of a network that ends in global average pooling and one linear layer."""

    linear: str | Tensor  # the parameter that has its weights, by name; or these themselves, (k, c)
    rectified: bool  # what is pooled is the ReLU of what the layer emits

    def weights(self, network: nn.Module) -> Tensor:
        """The weights of the linear layer, (k, c)."""
        return network.get_parameter(self.linear).flatten(1) if isinstance(self.linear, str) else self.linear

    def activation(self, a: Tensor) -> Tensor:
        """What is pooled, of what the layer emits (n, c, *space)."""
        return a.relu() if self.rectified else a

    def gradient(self, a: Tensor, rows: Tensor) -> Tensor:
        """The gradient toward a (n, c, *space) of the score whose linear weights are rows (n, c)."""
        space = a.shape[2:]
        g = (rows / space.numel()).reshape(*a.shape[:2], *[1] * len(space)).expand(a.shape)
        return g * (a > 0).to(g.dtype) if self.rectified else g


def pooled_head(
    network: nn.Module, run: Callable[[], tuple[Tensor, Tensor]], a: Tensor, layer: str, name: str
) -> PooledHead:  # fmt: skip
    """The head behind a layer whose activation, as the network runs, is a (n, c, *space); NotApplicable where it is none."""
    with torch.no_grad():
        try:
            _, linear, entered = linear_head(network, run)
            rectified = pooled(a, entered, layer, name) is not a
        except NotApplicable as error:
            raise NotApplicable(WAY_BACK.format(layer, name)) from error
    matrices = ((key, weight) for key, weight in network.named_parameters() if weight.ndim > 1)
    held = (key for key, w in matrices if w.data_ptr() == linear.data_ptr() and w.flatten(1).shape == linear.shape)
    return PooledHead(next(held, linear), rectified)  # by name, so that no file holds the weights twice


def alone(layout: Layout, emission: Tensor, layer: str) -> Tensor:
    """What to multiply the emission (1, ...) by, its images first, so that one cell is left of it, for each cell; last of all
    that no cell is: (cells + 1, ...), of length one along all that it does not differ in.  What has no place, stays.
    """
    images, space = layout.images, torch.Size(layout.space)
    if images is None:
        raise NotApplicable(
            f"Layer {layer} emits {tuple(emission.shape)} for one image: its rows are no images, so no graph can edit one. "
            "Name a layer around it."
        )
    cells = space.numel()
    if (size := (cells + 1) * emission.numel() * 4) > LARGEST:
        raise NotApplicable(
            f"Layer {layer} has {cells:,} cells, and a graph edits all of them at once: that takes {size / 2**30:.0f} GB for "
            "each image. Name a later layer, of fewer cells."
        )
    masks = torch.cat([torch.eye(cells), torch.zeros(1, cells)]).reshape(-1, 1, *space)
    masks = layout.back(masks.expand(-1, layout.channels, *space), torch.ones_like(emission, dtype=torch.float32))
    masks = masks.movedim(images, 0)
    for d in range(1, masks.ndim):
        first = masks.narrow(d, 0, 1)
        if torch.equal(first.expand(masks.shape), masks):
            masks = first
    return masks.clone()


def principal(a: Tensor, centred: bool = False) -> Tensor:
    """(n, c, *space) -> (n, *space): the projection on the first principal component, by the power of a Gram matrix.

    The same as `methods.cam.principal`, of whose eigenvectors ONNX knows nothing; where the first two components are of one
    size to 7 digits, it is a mixture of both (which it is there, too).
    """
    m = a.double().flatten(2).swapaxes(1, 2)  # (n, places, c)
    m = m - m.mean(1, keepdim=True) if centred else m
    by_place = m.shape[1] <= m.shape[2]
    gram = m @ m.swapaxes(1, 2) if by_place else m.swapaxes(1, 2) @ m
    power = gram
    for _ in range(SQUARINGS):
        power = power / power.abs().amax((1, 2), keepdim=True).clamp(min=1e-300)
        power = power @ power
    # every column of the power is the component times a number: the sum of those of like sign is far from zero
    longest = (power * power).sum(1).argmax(1)  # (n,)
    vector = power.gather(2, longest[:, None, None].expand(-1, power.shape[1], 1))
    vector = gram @ (vector / vector.abs().amax((1, 2), keepdim=True).clamp(min=1e-300))
    vector = vector / (vector * vector).sum((1, 2), keepdim=True).sqrt().clamp(min=1e-300)
    if by_place:
        size = (vector * (gram @ vector)).sum((1, 2), keepdim=True).clamp(min=0).sqrt()
        projection = (vector * size)[..., 0]
    else:
        projection = (m @ vector)[..., 0]
    return (projection * _sign(projection, m)[:, None]).reshape(a.shape[0], *a.shape[2:])


def _sign(projection: Tensor, m: Tensor) -> Tensor:
    """1 or -1: that of the agreement with the sum over channels, or where that is zero up to rounding, of the largest value."""
    whole, sizes = m.sum(2), m.abs().sum(2)
    agrees = (projection * whole).sum(1)
    most = ((projection**2).sum(1) * (sizes**2).sum(1)).sqrt()
    peak = projection.gather(1, projection.abs().argmax(1, keepdim=True))[:, 0]
    return 1 - 2 * (torch.where(agrees.abs() > 1e-6 * most, agrees, peak) < 0).to(projection.dtype)
