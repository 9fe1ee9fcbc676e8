"""What goes wrong between a network and its maps: numbers as in methods.md 2.3, and what hooks, modes and grad modes do."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from seewhy import Class
from support import ask, networks
from support.references import cams as references

ALL = list(range(networks.CLASSES))


LAYERS = ["conv1", "act1", "conv2", "act2"]
X = networks.images(2, 8, 10, seed=21)


def maps_of(network, layers, targets=ALL, x=X):
    """{(method, layer): (t, n, h, w)} of every method that reads what the network found."""
    asked = ask.case(network, x, targets, layers)
    methods = [*references.FROM_GRADIENTS, *references.FROM_ACTIVATIONS]
    return {(method, layer): m for method in methods for layer, m in ask.run(method, asked).items()}


def same(one, other):
    assert one.keys() == other.keys()
    for key, expected in other.items():
        ask.close(one[key], expected)


def test_1_what_an_in_place_relu_overwrites_was_kept():
    """The map before an in-place ReLU is that of the network without one: all layers in one call, and each alone."""
    expected = maps_of(networks.pooled(), LAYERS)
    same(maps_of(networks.inplace(), LAYERS), expected)
    for layer in LAYERS:
        same(maps_of(networks.inplace(), [layer]), {key: m for key, m in expected.items() if key[1] == layer})
    evidence = ask.case(networks.inplace(), X, [0], ["conv2"]).trace.evidence["conv2"]
    assert evidence.a.min() < 0, "before the ReLU there are negative numbers"


class Aliased(nn.Module):
    """`skip` hands on its very input, which is then rectified in place; what reads it has read it by then."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.skip = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), nn.Identity()
        self.fc = nn.Linear(4, networks.CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        kept = self.skip(x).mean((2, 3))
        x.relu_()
        y = self.conv2(x)
        y += x
        return self.fc(F.relu_(y).mean((2, 3)) + kept)


@pytest.mark.parametrize(
    "layers",
    [["conv1"], ["skip"], ["conv2"], ["conv1", "conv2"],
     ["conv1", "skip"]],
    ids="+".join,
)  # fmt: skip
def test_1_sums_in_place_and_a_layer_that_hands_on_its_input(layers):
    network = networks.made(Aliased, 0)
    evidence = ask.case(network, X, [1], layers).trace.evidence
    for layer in layers:
        for i, image in enumerate(X):
            a, g = references.evidence(network, layer, image, [0, 1, 0, 0, 0])
            ask.close(evidence[layer].a[i].numpy(), a)
            ask.close(evidence[layer].g[0, i].numpy(), g)


class Shared(Aliased):
    """What `skip` hands on is read after it was overwritten: a copy in between changes the scores."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        kept = self.skip(x)
        x.relu_()
        return self.fc((self.conv2(x) + kept).mean((2, 3)))


def test_1_a_layer_whose_reading_changes_the_scores_says_so():
    model = seewhy.wrap(networks.made(Shared, 0))
    assert any("overwrites later" in w for w in seewhy.grad_cam(model, X, target=1, layer="skip")[0].warnings)
    for layer in ("conv1", "conv2"):
        assert not seewhy.grad_cam(model, X, target=1, layer=layer)[0].warnings
    for toy in ("inplace", "pooled", "reused"):
        maps = seewhy.grad_cam(seewhy.wrap(getattr(networks, toy)()), X, target=1)
        assert not any("overwrites later" in w for m in maps for w in m.warnings)


def test_17_a_network_in_train_mode_is_explained_in_eval_and_given_back():
    network = networks.bn_dropout()
    expected = maps_of(network, ["bn1", "act2"])
    cam = ask.maps(network, "cam", X, ALL, ["act2"])["act2"]
    network.train()
    network.bn1.eval()  # modes are each module's own
    network.bn2.momentum = 0.9
    modes = [module.training for module in network.modules()]
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    same(maps_of(network, ["bn1", "act2"]), expected)
    ask.close(ask.maps(network, "cam", X, ALL, ["act2"])["act2"], cam)
    assert [module.training for module in network.modules()] == modes
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[name]), f"{name} moved: batch statistics were taken"


def test_17_one_image_does_not_change_another():
    """In eval, a batch and its images one by one agree."""
    network, x = networks.bn_dropout().train(), networks.images(3, 8, 10)
    whole = maps_of(network, ["act2"], x=x)
    for i in range(3):
        same(maps_of(network, ["act2"], x=x[i : i + 1]), {key: m[:, i : i + 1] for key, m in whole.items()})


@pytest.mark.parametrize("broken", [False, True])
def test_20_nothing_is_left_behind(broken):
    """No hook, no gradient in .grad, no changed requires_grad: also when the question was wrong."""
    network = networks.bn_dropout()
    network.conv1.weight.requires_grad_(False)
    own = torch.ones_like(network.fc.weight)
    network.fc.weight.grad = own
    wanted = [p.requires_grad for p in network.parameters()]
    model, methods = seewhy.wrap(network), [ask.asked(name) for name in ask.ANYWHERE]
    if broken:
        for wrong in ({"target": 99}, {"layer": "fc"}, {"layer": ["act2", "nothing"]}):
            with pytest.raises(seewhy.SeewhyError):
                seewhy.explain(model, X, methods, **{"target": 0, "layer": "act2", **wrong})
    else:
        seewhy.explain(model, X, methods, target=[0, 1], layer="act2")
        model.layers(X)
    for module in network.modules():
        for hooks in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks):
            assert not hooks
    assert network.fc.weight.grad is own
    assert torch.equal(own, torch.ones_like(own))
    assert all(p.grad is None for p in network.parameters() if p is not network.fc.weight)
    assert [p.requires_grad for p in network.parameters()] == wanted


def test_20_asking_twice_and_asking_for_several_layers_gives_the_same():
    """What one question leaves would show in the next; what one layer's hook does, in another's map."""
    for toy in ("pooled", "reused", "bn_dropout"):
        network = getattr(networks, toy)()
        layers = ["act#1", "conv2", "act"] if toy == "reused" else LAYERS
        together = maps_of(network, layers)
        same(maps_of(network, layers[::-1]), together)
        for layer in layers:
            same(maps_of(network, [layer]), {key: m for key, m in together.items() if f"{key[1]}#".startswith(f"{layer}#")})


@pytest.mark.parametrize("toy", ["pooled", "inplace", "reused", "bn_dropout", "tokens", "nhwc", "lstm_head", "relu6"])
def test_20_reading_a_layer_changes_nothing_that_the_network_says(toy):
    network, x = getattr(networks, toy)(), networks.images(2)
    model = seewhy.wrap(network)
    said = np.stack([references.scores(network, image) for image in x])
    layers = [name for name, layer in model.layers(x).items() if len(layer.shape) == 3]
    ask.close(model.answer(x).scores, said)
    ask.close(model.trace(x, [Class(0)], layers).answer.scores, said)
    for layer in layers:
        ask.close(model.trace(x, [Class(0)], [layer]).answer.scores, said)


class Guarded(nn.Module):
    """Transfer learning: the first convolution runs under no_grad."""

    def __init__(self) -> None:
        super().__init__()
        self.body = networks.pooled()

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = self.body.act1(self.body.conv1(x))
        return self.body[4:](self.body.act2(self.body.conv2(x)))


@pytest.mark.parametrize(
    "layers",
    [["conv1"], ["act1"], ["conv2"],
     ["act1", "act2"]],
    ids="+".join,
)  # fmt: skip
def test_20_no_grad_inside_the_network_cuts_no_layer_off(layers):
    expected = ask.case(networks.pooled(), X, [1], layers).trace.evidence
    found = ask.case(Guarded(), X, [1], [f"body.{layer}" for layer in layers]).trace.evidence
    for layer in layers:
        ask.close(found[f"body.{layer}"].g.numpy(), expected[layer].g.numpy())


def test_22_a_sequence_is_no_picture():
    model, x = seewhy.wrap(networks.lstm_head()), networks.images(2)
    assert seewhy.grad_cam(model, x, target=0)[0].source.layer == "act1"
    with pytest.raises(seewhy.NotApplicable):
        model.trace(x, [Class(0)], ["lstm"])


class Flattened(nn.Module):
    """Space laid in one line, channels first: (n, 24, h w), as attention over pixels has it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.act1, self.line = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv1d(8, 24, 1)
        self.fc = nn.Linear(24, networks.CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.line(self.act1(self.conv1(x)).flatten(2)).mean(2))


def test_22_channels_are_no_tokens():
    network, x = networks.made(Flattened, 0), networks.images(2, 24, 24)
    model = seewhy.wrap(network)
    assert seewhy.grad_cam(model, x, target=0)[0].source.layer == "line"
    with torch.no_grad():
        line = network.line(network.act1(network.conv1(torch.as_tensor(x))).flatten(2))
    np.testing.assert_allclose(model.activations(x, ["line"])[0]["line"], line.reshape(2, 24, 12, 12))


class Unbatched(torch.autograd.Function):
    """Looks into its gradient, so that many cannot go back at once."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx, g: Tensor) -> Tensor:
        return 2 * g if float(g.abs().sum()) else g


class Reordered(torch.autograd.Function):
    """Asks for a memory layout on the way back, as operations written for channels_last do."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx, g: Tensor) -> Tensor:
        return (2 * g).contiguous(memory_format=torch.channels_last)


class Odd(nn.Module):
    def __init__(self, operation: type[torch.autograd.Function]) -> None:
        super().__init__()
        self.operation = operation

    def forward(self, x: Tensor) -> Tensor:
        return self.operation.apply(x)


@pytest.mark.parametrize("operation", [Unbatched, Reordered])
def test_operations_that_cannot_go_back_in_a_batch(operation):
    plain = networks.pooled()
    network = nn.Sequential(plain[:3], Odd(operation), plain[3:])
    together = ask.maps(network, "hires-cam", X, ALL, ["0.conv1"])["0.conv1"]
    alone = [ask.maps(network, "hires-cam", X, [t], ["0.conv1"])["0.conv1"][0] for t in ALL]
    ask.close(together, np.stack(alone))


def test_more_targets_than_go_back_in_a_batch():
    few = ask.maps(networks.flat_head(), "grad-cam", networks.images(2), ALL, ["act2"])["act2"]
    for order in (ALL * 4, ALL[::-1] * 7):  # 20 and 35
        many = ask.maps(networks.flat_head(), "grad-cam", networks.images(2), order, ["act2"])["act2"]
        ask.close(many, few[order])
