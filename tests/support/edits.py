"""Edits of one layer, and the scores they give when a hook of its own puts them in: the slow way."""

import torch
from torch import Tensor, nn

from seewhy.models.torch.passes.taps import Tap
from seewhy.models.torch.variants.tail import TorchTail


def slow(network: nn.Module, layer: str, x: Tensor, edits: Tensor, alone: bool = False) -> Tensor:
    """The scores (m, k) of m copies of the image, while a hook of its own replaces what one call of the layer emits."""
    if alone:
        return torch.cat([slow(network, layer, x, edit) for edit in edits.split(1)])
    name, _, asked = layer.partition("#")
    module, calls = network.get_submodule(name), []
    handle = module.register_forward_hook(lambda *_: calls.append(1))
    network(x.clone())
    handle.remove()
    wanted, seen = int(asked or len(calls)), []

    def hook(_module, _args, output):
        seen.append(1)
        if len(seen) != wanted:
            return None
        return edits.clone() if isinstance(output, Tensor) else type(output)([edits.clone(), *output[1:]])

    handle = module.register_forward_hook(hook)
    try:
        return network(x.repeat(len(edits), *[1] * (x.ndim - 1)))
    finally:
        handle.remove()


def edits_of(a: Tensor, m: int = 5) -> Tensor:
    """Channels gone, other numbers, and the activation itself in the last row."""
    rng = torch.Generator().manual_seed(1)
    edits = a.repeat(m, *[1] * (a.ndim - 1))
    edits[: m // 2] *= torch.rand(m // 2, *a.shape[1:], generator=rng, dtype=a.dtype) > 0.5
    edits[m // 2 : -1] += torch.randn(m - 1 - m // 2, *a.shape[1:], generator=rng, dtype=a.dtype) * (1 + a.std())
    return edits


def check(
    network: nn.Module, layer: str, x: Tensor, *, replays: bool = True, alone: bool = False, felt: bool = True
) -> TorchTail:
    tail = TorchTail(network, Tap(layer, network), x)
    assert (tail.replays, tail.together) == (replays, not alone)
    for m in (3, 1, 5):  # and again: nothing of one call is left in the next
        edits = edits_of(tail.a, max(m, 2))[:m]
        given = edits.clone()
        found, wanted = tail(edits), slow(network, layer, x, edits, alone)
        scale = wanted.abs().max()
        torch.testing.assert_close(found / scale, wanted / scale, rtol=0, atol=1e-10)
        assert torch.equal(edits, given)
        assert not felt or (found - tail.scores).abs().max() > 1e-7 * scale
    torch.testing.assert_close(tail.scores, network(x.clone()), rtol=0, atol=1e-10)
    return tail


def calibrated(network: nn.Module) -> nn.Module:
    """Random weights that let something happen: norms keep what they see alive."""
    network.double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.fill_(0.3)
    return network
