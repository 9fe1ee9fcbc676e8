"""Working copies: which modules are stages, how each is drawn, and that the person's own network never changes."""

import copy
import warnings
from threading import Lock
from zlib import crc32

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import seewhy
from seewhy.models.torch.adapted import AdaptedNetwork
from seewhy.models.torch.working_copy import DrawingFrom, TorchWorkingCopy
from support.threads import Beside

X = np.random.default_rng(0).standard_normal((3, 3, 8, 8)).astype(np.float32)


class Odd(nn.Module):
    """Runs a convolution twice, keeps a scale of its own, reads a layer's weights without running it, and one layer never."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([0.5, 1.0, 3.0])[:, None, None])
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.unused = nn.Linear(4, 4)
        self.head = nn.Linear(3, 4)

    def forward(self, x):
        x = self.conv(x).relu()
        x = self.norm(self.scale * x)
        x = self.conv(x).relu().mean((2, 3))
        return functional.linear(x, self.head.weight, self.head.bias)


def odd(seed=0):
    torch.manual_seed(seed)
    network = Odd().eval()
    network.norm.running_mean += 1  # as if it were trained
    network.norm.running_var *= 2
    with torch.no_grad():
        network.norm.weight *= 3
    return network


def copied(network):
    return TorchWorkingCopy(seewhy.wrap(network), X)


def bits(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_stages_go_from_the_scores_down_by_the_last_reading_of_their_weights():
    made = copied(odd())
    assert made.stages == ["head", "conv", "norm", ""]  # conv last runs behind norm; "" holds the scale
    made.randomise([""], 1)
    assert made.model.weights == "weights of its own, with random Odd, seed 1"


def test_a_weight_that_two_modules_share_is_of_the_upper_one():
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Conv2d(3, 3, 1), nn.Flatten(), nn.Linear(192, 2))
    network[0].weight = network[2].weight
    made = copied(network)
    assert made.stages == ["4", "2", "0"]
    made.randomise(["2"], 0)
    weight, bias = made.network[0].weight.clone(), made.network[0].bias.clone()
    made.randomise(["0"], 0)
    assert torch.equal(made.network[2].weight, weight)  # the lower one draws its bias alone
    assert not torch.equal(made.network[0].bias, bias)


def test_each_kind_of_layer_is_drawn_as_is_said_of_it():
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 400, 5), nn.BatchNorm2d(400), nn.Flatten(), nn.LayerNorm(6400), nn.Linear(6400, 5))
    network[1].running_var *= 7
    network[1].running_mean -= 2
    with torch.no_grad():
        network[3].weight.fill_(4)
        network[4].weight.fill_(100)
    made = copied(network.eval())
    made.randomise(made.stages, 3)
    conv, norm, _, layer, head = made.network
    for module, fan_in in ((conv, 75), (head, 6400)):  # torch's own: uniform in +-1 / sqrt(fan in)
        most = float(module.weight.detach().abs().max()) * fan_in**0.5
        assert 0.99 < most <= 1
        assert module.weight.std().item() * (3 * fan_in) ** 0.5 == pytest.approx(1, abs=0.02)
    assert (norm.running_mean == 0).all()
    assert (norm.running_var == 1).all()
    assert (norm.weight == 1).all()
    assert (layer.weight == 1).all()


def test_what_has_no_reset_is_drawn_from_a_normal_distribution_of_the_same_mean_and_deviation():
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.rand(3, 40, 40) ** 3 + 2)

        def forward(self, x):
            return torch.einsum("nchw,chk->nk", x, self.weight[:, :8])

    torch.manual_seed(2)
    network = Plain()
    was = network.weight.detach()
    made = copied(network)
    made.randomise(made.stages, 0)
    now = made.network.weight.detach()
    assert not torch.equal(now, was)
    assert now.mean().item() == pytest.approx(was.mean().item(), abs=4 * was.std().item() / was.numel() ** 0.5)
    assert now.std().item() == pytest.approx(was.std().item(), rel=0.05)
    skew = lambda w: (((w - w.mean()) / w.std()) ** 3).mean().item()  # noqa: E731
    assert abs(skew(now)) < 0.15 < 0.5 < skew(was)  # normal now, whatever it was


def test_a_reset_that_reaches_into_other_modules_changes_none_of_their_weights():
    class Outer(nn.Linear):
        def __init__(self):
            self.inner = None
            super().__init__(3, 2)
            self.inner = nn.Linear(3, 3)

        def reset_parameters(self):
            super().reset_parameters()
            if self.inner is not None:
                self.inner.reset_parameters()

        def forward(self, x):
            return super().forward(self.inner(x.mean((2, 3))))

    made = copied(Outer())
    before = bits(made.network)
    made.randomise([""], 0)
    after = bits(made.network)
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"weight", "bias"}


def test_weights_depend_on_the_name_and_the_seed_alone_and_global_numbers_are_not_drawn():
    down, up, other = (copied(odd()) for _ in range(3))
    torch.manual_seed(5)
    state = torch.get_rng_state()
    down.randomise(down.stages, 7)
    for stage in reversed(up.stages):
        up.randomise([stage], 7)
    other.randomise(other.stages, 8)
    assert torch.equal(torch.get_rng_state(), state)
    assert same(bits(down.network), bits(up.network))
    assert not torch.equal(down.network.conv.weight, other.network.conv.weight)
    assert not torch.equal(down.network.conv.weight.flatten()[:9], down.network.head.weight.flatten()[:9])


def test_restoring_gives_back_every_bit_and_what_is_said_of_the_weights():
    made = TorchWorkingCopy(seewhy.wrap(odd(), weights="v1.pth"), X)
    before, said = bits(made.network), made.model.weights
    made.randomise(["head", "norm"], 4)
    assert made.model.weights == "v1.pth, with random head, norm, seed 4"
    assert made.model.untrained == "random weights in head, norm"
    made.restore()
    assert same(bits(made.network), before)
    assert made.model.weights == said == "v1.pth"


def test_the_copy_answers_as_the_network_until_it_is_changed():
    network = odd()
    model, made = seewhy.wrap(network), copied(network)
    assert np.array_equal(made.model.answer(X).scores, model.answer(X).scores)
    made.randomise(["head"], 0)
    assert np.abs(made.model.answer(X).scores - model.answer(X).scores).max() > 0.01
    expected = copy.deepcopy(network)
    expected.load_state_dict(made.network.state_dict())
    with torch.no_grad():
        np.testing.assert_allclose(made.model.answer(X).scores, expected(torch.as_tensor(X)), rtol=1e-6)


def test_the_network_itself_is_not_touched_and_other_threads_see_it_as_it_was():
    network = odd().train()
    network.requires_grad_(False)
    before, model = bits(network), seewhy.wrap(network)
    usual = model.answer(X).scores
    seen = []
    with Beside(lambda: seen.append((model.answer(X).scores, bits(network), network.training))):
        made = TorchWorkingCopy(model, X)
        for seed in range(20):
            made.randomise(made.stages, seed)
            made.model.answer(X)
    assert same(bits(network), before)
    assert network.training
    assert not any(p.requires_grad for p in network.parameters())
    assert len(seen) > 0
    assert all(np.array_equal(scores, usual) and same(state, before) and training for scores, state, training in seen)


def test_a_linear_head_tells_what_it_is_given_and_takes_other_weights():
    rng = np.random.default_rng(3)
    torch.manual_seed(3)
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.ReLU(), nn.Linear(6, 3)).eval()
    made = copied(network)
    features = made.head_inputs([X[:2], X[2:]])
    with torch.no_grad():
        np.testing.assert_allclose(features, network[:3](torch.as_tensor(X)), rtol=1e-5)
    weight, bias = rng.standard_normal((3, 6)), rng.standard_normal(3)
    made.set_head(weight, bias)
    np.testing.assert_allclose(made.model.answer(X).scores, features @ weight.T + bias, rtol=1e-4, atol=1e-5)
    made.restore()
    assert same(bits(made.network), bits(network))


def test_several_weights_of_one_module_are_drawn_in_their_order():
    class Several(nn.Module):
        def __init__(self):
            super().__init__()
            for name in "abcdef":
                self.register_parameter(name, nn.Parameter(torch.rand(3)))

        def forward(self, x):
            return x.mean((2, 3)) @ torch.stack([self.a * self.b, self.c * self.d, self.e * self.f])

    torch.manual_seed(0)
    network = Several()
    made = copied(network)
    made.randomise([""], 9)
    with DrawingFrom([9, crc32(b"")]), torch.no_grad():
        for name, was in network.named_parameters():
            expected = torch.empty(3).normal_() * was.std(correction=0) + was.mean()
            assert torch.equal(made.network.get_parameter(name), expected), name


@pytest.mark.parametrize("behind", [nn.Softplus, lambda: nn.Conv2d(3, 3, 1)], ids=["something behind it", "a convolution"])
def test_what_is_no_linear_head_is_said(behind):
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), *([nn.Flatten(), nn.Linear(3, 3), behind()] if behind is nn.Softplus else
                                                       [behind(), nn.Flatten()]))  # fmt: skip
    with pytest.raises(seewhy.NotApplicable, match="do not come straight out of one linear layer with a bias"):
        copied(network).head_inputs([X])


class Scaled(nn.Module):
    """Scores that a number beside each image multiplies."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x, factor):
        return self.head(self.conv(x).mean((2, 3)) * factor[:, None])


def test_each_image_keeps_the_numbers_beside_it():
    torch.manual_seed(0)
    factors = [1.0, -2.0, 3.0]
    network = Scaled()
    made = TorchWorkingCopy(seewhy.wrap(network, inputs=(seewhy.IMAGE, seewhy.PerImage(factors))), X)
    assert made.stages == ["head", "conv"]
    with torch.no_grad():
        expected = network.conv(torch.as_tensor(X)).mean((2, 3)) * torch.tensor(factors)[:, None]
    np.testing.assert_allclose(made.head_inputs([X[:2], X[2:]]), expected, rtol=1e-5)


def test_a_network_that_gives_a_map_of_scores_has_stages_and_one_of_units_those_before_them():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))
    assert copied(network).stages == ["2", "0"]
    assert TorchWorkingCopy(seewhy.wrap(network).upto("1"), X).stages == ["0"]


class Locked(nn.Linear):
    def __init__(self):
        super().__init__(192, 2)
        self.lock = Lock()

    def forward(self, x):
        return super().forward(x.flatten(1))


def partly_scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TorchScript is on its way out
        return nn.Sequential(nn.Flatten(), torch.jit.script(nn.Linear(192, 2)))


class Adapted(AdaptedNetwork):
    """As a network of Keras on torch."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(192, 2)

    def forward(self, x):
        return self.layer(x.flatten(1))


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (Adapted, "it is a network of another framework"),
        (Locked, "copy.deepcopy: cannot pickle"),
        (partly_scripted, "a part of it is TorchScript"),
        (lambda: nn.Sequential(nn.AvgPool2d(8), nn.Flatten()), "no module of it has weights"),
    ],
    ids=["adapted", "locked", "part scripted", "no weights"],
)
def test_what_cannot_be_copied_or_drawn_says_why(network, why):
    with pytest.raises(seewhy.NotApplicable, match=why):
        copied(network())
