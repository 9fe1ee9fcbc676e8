"""Images of which a box is hidden, the scores of whole passes for them, and what passes compute."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from seewhy.models.torch.variants.incremental import Incremental


def hidden(x: Tensor, at: Tensor, size: int) -> Tensor:
    """A copy of x per position, with zeros in a box from there on."""
    out = x.repeat(len(at), *[1] * (x.ndim - 1))
    for one, start in zip(out, at.tolist(), strict=True):
        one[(slice(None), *(slice(a, a + size) for a in start))] = 0
    return out


def blank(x: Tensor, at: Tensor, size: int) -> Tensor:
    return x.new_zeros(len(at), x.shape[1], *[size] * at.shape[1])


def calibrated(network: nn.Module, x: Tensor) -> nn.Module:
    """In float64, with BatchNorms that know their input, so that scores of an untrained network differ."""
    network = network.double().eval()
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        network(x)
    for norm in norms:
        norm.eval()
    return network


def same_scores(network: nn.Module, x: Tensor, at: Tensor, size: int, apart: float = 0.0) -> None:
    with torch.no_grad():
        want, whole = network(hidden(x, at, size)), network(x)
    passes = Incremental(network, x)
    torch.testing.assert_close(passes(blank(x, at, size), at), want, rtol=1e-9, atol=1e-9 * float(want.abs().max()))
    torch.testing.assert_close(passes(blank(x, at[:1], size), at[:1]), want[:1], rtol=1e-9, atol=1e-9 * float(want.abs().max()))
    assert float((want - whole).abs().max()) > apart


class Work(TorchDispatchMode):
    """Counts convolutions and their multiplications."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.products = 0, 0

    def __torch_dispatch__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = fn(*args, **(kwargs or {}))
        if fn is torch.ops.aten.convolution.default:
            self.calls += 1
            self.products += out.numel() * args[1][0].numel()
        return out


def counted(run: Callable[[], Any]) -> Work:
    with Work() as work, torch.no_grad():
        run()
    return work
