"""Which layers a gradient from the scores reaches, at their cells: against torch.autograd.grad, layer by layer."""

import pytest
import torch
from torch import nn

from seewhy.models.torch.places.reached import reached
from seewhy.models.torch.places.survey import survey
from support import networks

X = torch.as_tensor(networks.images(1))


class Rewriting(nn.Module):
    """A layer emits what another writes over, one hands on its input, one runs twice, and one comes too late."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.over, self.same = nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Identity()
        self.twice, self.late, self.fc = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3), nn.Linear(4, 2)

    def forward(self, x):
        a = self.same(self.over(self.conv(x)))
        a = self.twice(self.twice(a))
        self.late(a)
        return self.fc(a.mean((2, 3)))


def by_hand(network):
    """For each module, whether the gradient toward a copy of its last output is there and not zero."""
    flags = {}
    for name, module in network.named_modules():
        emitted = []

        def keep(_module, _args, out, emitted=emitted):
            emitted.append(out.clone())
            return emitted[-1].clone()

        if name:
            handle = module.register_forward_hook(keep)
            with torch.enable_grad():
                raw = network(X.clone().requires_grad_())
            handle.remove()
            (g,) = torch.autograd.grad((raw * torch.arange(1.0, raw.shape[1] + 1)).sum(), emitted[-1], allow_unused=True)
            flags[name] = g is not None and bool(g.any())
    return flags


@pytest.mark.parametrize("make", [Rewriting, networks.pooled])
def test_a_gradient_is_seen_where_autograd_gives_one(make):
    network = make().double().eval()
    known = survey(network, X, network)
    assert reached({name: m for name, m in network.named_modules() if name}, known.layout, X, network) == [by_hand(network)]


def test_nothing_is_left_behind():
    network = networks.pooled().double().eval()
    reached(dict(network.named_modules()), lambda _: None, X, network)
    assert all(p.grad is None for p in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())
