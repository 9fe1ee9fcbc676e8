"""What every bias adds to the score: against the difference that each makes, and the score that all make together."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

import seewhy
from seewhy.models.torch.places.following import Following
from seewhy.models.torch.rules.biases import Biases

RNG = torch.Generator().manual_seed(0)
X = torch.randn(2, 3, 6, 6, dtype=torch.float64, generator=RNG)


def built(make):
    torch.manual_seed(0)
    network = make().double().eval()
    with torch.no_grad():
        for value in [*network.parameters(), *network.buffers()]:
            if value.is_floating_point():
                value.copy_(torch.rand_like(value) + 0.1 if value.ndim < 2 else value)
    return network


NETS = {
    "convolution and linear": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 1)),
    "batch norm": lambda: nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
                                        nn.Linear(64, 1, bias=False)),
    "transposed": lambda: nn.Sequential(nn.ConvTranspose2d(3, 2, 2), nn.Flatten(), nn.Linear(98, 1)),
    "clamped": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Hardtanh(-0.3, 0.4), nn.Flatten(), nn.Linear(64, 1)),
    "curved": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Flatten(), nn.Linear(64, 1)),
    "gate": lambda: Gate(),
    "constants": lambda: Constants(),
}  # fmt: skip


class Spelled(nn.Module):
    """A convolution, a call that adds constants, and a linear layer without a bias."""

    def __init__(self, call):
        super().__init__()
        self.conv, self.call, self.fc = nn.Conv2d(3, 4, 3), call, nn.LazyLinear(1, bias=False)
        self.b, self.w = nn.Parameter(torch.ones(4, 1, 1)), nn.Parameter(torch.linspace(-1, 2, 16).reshape(4, 4))
        self.register_buffer("var", torch.linspace(0.5, 2, 4))
        self.register_buffer("mean", torch.linspace(-1, 2, 4))
        self(torch.zeros(1, 3, 6, 6))

    def forward(self, x):
        return self.fc(self.call(self, self.conv(x)).flatten(1))


def rows(y):
    return y.mean((2, 3))


SPELLINGS = {  # of constants beside a linear part
    "add with alpha": lambda s, y: torch.add(y, s.b, alpha=2), "add by name": lambda s, y: y.add(other=s.b),
    "subtract": lambda s, y: torch.subtract(y, s.b), "rsub": lambda s, y: torch.rsub(y, 3.0, alpha=2),
    "in place": lambda s, y: y.clone().sub_(s.b, alpha=0.5), "onto a constant": lambda s, y: s.b.expand_as(y).clone().add_(y),
    "addmm": lambda s, y: torch.addmm(s.mean, rows(y), s.w),
    "addmm, scaled": lambda s, y: torch.addmm(s.mean, rows(y), s.w, beta=3),
    "addmm as an operator": lambda s, y: torch.ops.aten.addmm.default(s.mean, rows(y), s.w),
    "the image added": lambda s, y: torch.addmm(rows(y), s.w[: len(y)], s.w),
    "baddbmm": lambda s, y: torch.baddbmm(s.mean[:, None], y.flatten(2), torch.ones(len(y), 16, 2).to(y)),
    "addcmul": lambda s, y: torch.addcmul(s.b, y, s.w[0].reshape(-1, 1, 1), value=2),
    "linear as an operator": lambda s, y: torch.ops.aten.linear.default(rows(y), s.w, s.mean),
    "convolution as an operator": lambda s, y: torch.ops.aten.conv2d.default(y, s.w[:, :, None, None], s.mean),
    "cat": lambda s, y: torch.cat([y, s.b.expand_as(y)], 1), "stack": lambda s, y: torch.stack((y, s.b.expand_as(y)), 1),
    "pad": lambda s, y: F.pad(y, (1, 0), value=0.7), "where": lambda s, y: torch.where(y > 0, y, 0.3),
    "masked_fill": lambda s, y: y.masked_fill(y < 0, -0.4),
    "torch.batch_norm": lambda s, y: torch.batch_norm(y, s.w[0], s.mean, s.mean, s.var, False, 0.1, 1e-3, False),
    "batch norm as an operator": lambda s, y: torch.ops.aten.batch_norm.default(
        y, s.w[0], s.mean, s.mean, s.var, False, 0.1, 1e-3, False
    ),
}  # fmt: skip
NETS |= {name: lambda call=call: Spelled(call) for name, call in SPELLINGS.items()}


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(64, 1)

    def forward(self, x):
        y = self.conv(x)
        return self.fc((y * y.sigmoid()).flatten(1))


class Constants(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift, self.fc = nn.Parameter(torch.ones(1, 3, 1, 1)), nn.Linear(108, 1, bias=False)

    def forward(self, x):
        return self.fc((2 - (x + self.shift - 0.5)).flatten(1))


def gathered(network, x=X):
    x = x.clone().requires_grad_()
    entered = x.clone()
    follow = Following(entered)
    with follow, Biases(len(x), follow) as biases:
        score = network(entered).flatten()
    (g,) = torch.autograd.grad(score.sum(), x)
    return score.detach(), (x * g).flatten(1).sum(1).detach(), biases.terms


@pytest.mark.parametrize("name", NETS)
def test_pixels_and_biases_are_the_score(name):
    score, pixels, found = gathered(built(NETS[name]))
    assert found
    shares = sum((b.placeless + (0 if b.signed is None else b.signed.flatten(1).sum(1))) for b in found)
    assert_close(pixels + shares, score)
    assert not torch.allclose(pixels, score)


def test_the_bias_of_a_channel_lies_where_its_gradient_does():
    network = built(NETS["convolution and linear"])
    _, _, found = gathered(network)
    conv = next(b for b in found if b.signed is not None)
    hidden = network[0](X)
    weight = network[3].weight.reshape(4, 4, 4)
    expected = network[0].bias[:, None, None] * weight * (hidden > 0)
    assert_close(conv.signed, expected.sum(1).detach())
    assert_close(conv.placeless, torch.zeros(2, dtype=torch.float64))


def test_tokens_of_no_place_are_counted_apart():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.end = nn.Linear(3, 2), nn.Linear(74, 1, bias=False)

        def forward(self, x):
            tokens = F.pad(x.flatten(2).transpose(1, 2), (0, 0, 1, 0))
            return self.end(self.fc(tokens).flatten(1))

    network = built(Tokens)
    _, _, found = gathered(network)
    (bias,) = found
    weight = network.end.weight.detach().reshape(37, 2)
    expected = network.fc.bias.detach() * weight
    assert_close(bias.placeless, expected[0].sum().expand(2))
    assert_close(bias.signed, expected[1:].sum(1).reshape(6, 6).expand(2, 6, 6))


def test_values_that_belong_to_no_image_are_refused():
    network = nn.Sequential(nn.Linear(6, 1)).double()
    x = X.reshape(-1, 6)[:7].clone().requires_grad_()
    with Biases(2, Following(X)):
        score = network(x).sum()
    with pytest.raises(seewhy.NotApplicable, match="unknown whose is which"):
        score.backward()


def test_nothing_is_noted_where_no_gradient_comes():
    network = built(NETS["convolution and linear"])
    with torch.no_grad(), Biases(2, Following(X)) as biases:
        network(X)
    assert biases.terms == []
