"""Layer-wise relevance propagation against products written out unit by unit, what it conserves, and zennit."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from seewhy import Class, Contrast
from seewhy.models.model import INPUT
from seewhy.models.rule import Relevance
from support import ask, networks
from support.references import relevance as plain

X = networks.images(2, 6, 8)
WHERE = {**dict.fromkeys(plain.TOYS, X), "signal": networks.images(2, 6, 8).reshape(2, 3, 48)[..., :16],
         "volume": np.random.default_rng(1).normal(0.3, 1, (2, 3, 4, 3, 5))}  # fmt: skip
TOYS = {**plain.TOYS, **plain.TOYS_1D, **plain.TOYS_3D}
RULES = {"epsilon": ("epsilon", "epsilon"), "gamma": ("gamma", "gamma"), "z-plus": ("z-plus", "z-plus"),
         "epsilon-plus": ("z-plus", "epsilon")}  # fmt: skip
EPSILON = 1 / 64


def handed_down(network, x, layers, rule, targets=(1,)):
    """{layer: (t, n, c, *space)} of relevance."""
    trace = seewhy.wrap(network).trace(x, [Class(t) if isinstance(t, int) else t for t in targets], layers, rule)
    return {layer: (e.a[None] * e.g).numpy() for layer, e in trace.evidence.items()}


def scores(network, x):
    with torch.no_grad():
        return network(torch.tensor(x)).numpy()


def spatial(network, x):
    """The layers that have space, by name; those inside a branch of the network have a dot in it."""
    return [name for name, layer in seewhy.wrap(network).layers(x).items() if len(layer.shape) == x.ndim - 1]


def trunk(network, x):
    return [name for name in spatial(network, x) if "." not in name] + [INPUT]


def folded(network):
    """Convolutions that a BatchNorm follows: they are one layer with it."""
    after = pairwise(network.named_modules())
    return [name for (name, part), (_, then) in after if isinstance(part, plain.CONVS[:3]) and isinstance(then, plain.NORMS)]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("toy", TOYS)
def test_relevance_is_handed_down_in_shares_of_products(toy, rule):
    """At the image and at every layer, in branches too."""
    network, x = plain.built(TOYS[toy]), WHERE[toy]
    said = scores(network, x)
    names = {part: name for name, part in network.named_modules()}
    layers = [name for name in spatial(network, x) if name not in folded(network) and not name.endswith("open")]
    found = handed_down(network, x, [*layers, INPUT], Relevance(*RULES[rule], epsilon=EPSILON), [1, 3])
    for t, index in enumerate((1, 3)):
        for i, image in enumerate(x):
            by = plain.Relevance(*RULES[rule], epsilon=EPSILON)
            ask.close(found[INPUT][t, i], plain.relevance(network, image, np.eye(5)[index] * said[i], by))
            expected = {names[part]: arrived[0] for part, arrived in by.at.items() if names[part] in layers}
            assert len(expected) > 2
            for layer, arrived in expected.items():
                ask.close(found[layer][t, i].reshape(arrived.shape), arrived)  # what is flattened still has a place


@pytest.mark.parametrize("toy", TOYS)
def test_without_biases_every_layer_holds_the_whole_score(toy):
    network, x = plain.built(TOYS[toy], bias=False), WHERE[toy]
    layers = [name for name in trunk(network, x) if name not in folded(network)]
    assert len(layers) > 3
    for rule in RULES.values():
        for found in handed_down(network, x, layers, Relevance(*rule, epsilon=0)).values():
            ask.close(found[0].reshape(len(x), -1).sum(1), scores(network, x)[:, 1])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("toy", TOYS)
def test_what_does_not_arrive_is_what_the_biases_took(toy, rule):
    network, x = plain.built(TOYS[toy]), WHERE[toy]
    found = seewhy.lrp.using(rule=rule, epsilon=0.0).outcome(ask.case(network, x, [1]))
    for i, (image, said) in enumerate(zip(x, scores(network, x), strict=True)):
        by = plain.Relevance(*RULES[rule], epsilon=0)
        arrived = plain.relevance(network, image, np.eye(5)[1] * said, by)
        assert abs(by.kept) > 1e-5
        ask.close(found.cores[INPUT][0, i], arrived)
        ask.close(found.measured["relevance"][0, i], said[1] - by.kept)


def test_a_layer_by_hand():
    """x = (1, 2, -1), w = (3, -1, -2), b = 2: products 3, -2, 2 and 2, their sum 5; relevance 5 comes in."""
    network, x = plain.of_three_products()
    shares = {"epsilon": np.array([3, -2, 2]) / 5, "z-plus": np.array([3, 0, 2]) / 7,
              "gamma": np.array([4.5, -2, 3]) / (4.5 - 2 + 3 + 3)}  # fmt: skip
    for rule, expected in shares.items():
        found = handed_down(network, x, [INPUT], Relevance(rule, rule, epsilon=0, gamma=0.5), [0])[INPUT]
        ask.close(found.ravel(), 5 * expected)
    found = handed_down(network, x, [INPUT], Relevance("epsilon", epsilon=3), [0])[INPUT]
    ask.close(found.ravel(), 5 * np.array([3, -2, 2]) / 8)
    with torch.no_grad():
        network[0].bias.fill_(-8)  # sum -5: now the negative products are of its sign
    found = handed_down(network, x, [INPUT], Relevance("gamma", epsilon=0, gamma=0.5), [0])[INPUT]
    ask.close(found.ravel(), -5 * np.array([3, -3, 2]) / (3 - 3 + 2 - 12))


@pytest.mark.parametrize("toy", ["plain", "dense", "norm", "norm1d", "average", "max", "residual", "concat", "grouped"])
def test_with_epsilon_0_and_no_bias_it_is_input_times_gradient(toy):
    network, x = plain.built(TOYS[toy], bias=False), torch.tensor(X, requires_grad=True)
    (g,) = torch.autograd.grad(network(x)[:, 1].sum(), x)
    ask.close(handed_down(network, X, [INPUT], Relevance("epsilon", epsilon=0))[INPUT][0], X * g.numpy())


class Written(nn.Module):
    """The toy `norm`, weight for weight, with functions, a view, a copy and writing in place."""

    def __init__(self, parts: nn.Sequential) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, x: Tensor) -> Tensor:
        conv1, norm1, _, conv2, norm2, _, _, _, fc = self.parts
        x = F.conv2d(x, conv1.weight, conv1.bias, padding=1).contiguous()
        x = F.batch_norm(x, norm1.running_mean, norm1.running_var, norm1.weight, norm1.bias, eps=norm1.eps).relu_()
        x = torch.conv2d(x, weight=conv2.weight, padding=1)
        x = F.batch_norm(x, norm2.running_mean, norm2.running_var).clamp_(min=0)
        return F.linear(x.flatten(2).mean(2), fc.weight, bias=fc.bias)


@pytest.mark.parametrize("rule", RULES)
def test_functions_and_in_place_activations_are_layers_too(rule):
    by = Relevance(*RULES[rule], epsilon=EPSILON)
    network = plain.built(TOYS["norm"])
    ask.close(handed_down(Written(network), X, [INPUT], by)[INPUT], handed_down(network, X, [INPUT], by)[INPUT])
    for twin in (networks.inplace(), networks.functional()):
        expected = handed_down(networks.pooled(), X, ["conv1", INPUT], by)
        found = handed_down(twin, X, ["conv1", INPUT], by)
        for layer in expected:
            ask.close(found[layer], expected[layer])


def test_a_norm_behind_an_activation_is_no_part_of_the_layer_before():
    parts = [plain.conv(3, 6), nn.ReLU(), nn.BatchNorm2d(6), nn.Conv2d(6, 8, 3), nn.ReLU(), *plain.head()]
    network = plain.built(lambda: parts)
    twin = copy.deepcopy(network)
    twin[1].inplace = twin[4].inplace = True
    for rule in RULES.values():
        by = plain.Relevance(*rule, epsilon=EPSILON)
        expected = [
            plain.relevance(network, image, np.eye(5)[1] * said, by) for image, said in zip(X, scores(network, X), strict=True)
        ]
        for one in (network, twin):
            ask.close(handed_down(one, X, [INPUT], Relevance(*rule, epsilon=EPSILON))[INPUT][0], expected)


@pytest.mark.parametrize("toy", ["norm", "residual", "smooth"])
def test_a_convolution_before_its_norm_is_no_layer_of_its_own(toy):
    """Relevance goes past it: to say anything of it would be wrong."""
    network, x, by = plain.built(TOYS[toy]), WHERE[toy], Relevance(*RULES["gamma"], epsilon=EPSILON)
    for conv in folded(network):
        for layers in ([conv], [conv, INPUT]):
            with pytest.raises(seewhy.NotApplicable, match=f"{conv} and the BatchNorm behind it are one layer"):
                handed_down(network, x, layers, by)


def test_a_gate_gets_nothing():
    """What it lets through is relevant; what opens it is not, and the gate itself cannot be read."""
    network, by = plain.built(TOYS["squeezed"]), Relevance(epsilon=EPSILON)
    found = handed_down(network, X, ["2.body", INPUT], by)
    assert not found["2.body"].any()
    ask.close(found[INPUT], handed_down(network, X, [INPUT], by)[INPUT])
    for layers in (["2.open"], ["2.open", INPUT]):
        with pytest.raises(seewhy.NotApplicable, match=r"2\.open is a gate"):
            handed_down(network, X, layers, by)


@pytest.mark.parametrize("layers", [["0"], ["2", "4"], ["3", INPUT], [INPUT]], ids="+".join)
def test_what_else_is_read_changes_nothing(layers):
    network, by = plain.built(TOYS["average"]), Relevance(*RULES["gamma"], epsilon=EPSILON)
    every = handed_down(network, X, [*"01234", INPUT], by)
    for layer, found in handed_down(network, X, layers, by).items():
        ask.close(found, every[layer])


def zennits(network, rule, x=X):
    """Their relevance at the image.  Their pooling has an epsilon of its own, here none to speak of."""
    pytest.importorskip("zennit")
    from zennit.attribution import Gradient
    from zennit.canonizers import SequentialMergeBatchNorm
    from zennit.composites import LayerMapComposite
    from zennit.rules import Epsilon, Gamma, Pass, ZPlus
    from zennit.types import Activation, AvgPool, Convolution, Linear

    of = {"epsilon": Epsilon(1e-6), "gamma": Gamma(0.25), "z-plus": ZPlus()}
    conv, dense = RULES[rule]
    known = [(Activation, Pass()), (Convolution, of[conv]), (Linear, of[dense]), (AvgPool, Epsilon(1e-12))]
    composite = LayerMapComposite(known, canonizers=[SequentialMergeBatchNorm()])
    start = torch.tensor(np.eye(5)[1] * scores(network, x))
    with Gradient(model=network, composite=composite) as attributor:
        return attributor(torch.tensor(x), start)[1].numpy()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("toy", ["pooled", "bn_dropout", "flat_head", "squeezed"])
def test_zennit_agrees_where_all_is_modules(toy, rule):
    network, x = getattr(networks, toy)(), networks.images(2)
    for module in network.modules():
        if isinstance(module, plain.NORMS):
            module.eps = 1e-30  # torch 2.10 takes no 0, which their merging leaves in the norm as well
    ask.close(handed_down(network, x, [INPUT], Relevance(*RULES[rule]))[INPUT][0], zennits(network, rule, x))


@pytest.mark.parametrize("rule", RULES)
def test_functions_that_zennits_hooks_cannot_see(rule):
    """Pooling as a function hands their relevance out evenly, not in shares of what was pooled."""
    modules, functions = networks.pooled(), networks.functional()
    ours = handed_down(functions, X, [INPUT], Relevance(*RULES[rule]))[INPUT][0]
    ask.close(ours, zennits(modules, rule))
    ask.far(ours, zennits(functions, rule), rel=0.1)


def test_images_do_not_see_each_other():
    """One without negative values, one half black, one as it is; and where nothing is, nothing arrives."""
    x = networks.images(3, 6, 8)
    x[0], x[1, :, :, :4] = abs(x[0]), 0
    for toy in ("plain", "norm", "leaky"):
        network = plain.built(TOYS[toy])
        for rule in RULES.values():
            by = Relevance(*rule, epsilon=0)
            together = handed_down(network, x, [INPUT], by, [0, 1])[INPUT]
            alone = [handed_down(network, x[i : i + 1], [INPUT], by, [0, 1])[INPUT][:, 0] for i in range(3)]
            ask.close(together, np.stack(alone, 1))
            assert not together[:, 1, :, :, :4].any()


def test_a_contrast_starts_with_both_scores():
    network, by = plain.built(TOYS["norm"]), Relevance(epsilon=EPSILON)
    one, other, both = handed_down(network, X, [INPUT], by, [1, 3, Contrast(1, 3, strength=0.5)])[INPUT]
    ask.close(both, one - 0.5 * other)


@pytest.mark.parametrize("at", ["max", "sum", (1, 2)])
def test_a_unit_is_a_score_too(at):
    network = plain.built(TOYS["norm"])
    a = network[:6](torch.tensor(X)).detach().numpy()  # behind the second ReLU
    channel = int(a[:, :, 1, 2].min(0).argmax())  # on in that cell, in both images
    maps = seewhy.lrp(seewhy.wrap(network), X, target=seewhy.Unit("5", channel, at))
    for m, image, own in zip(maps, X, a[:, channel], strict=True):
        cells = {"max": own == own.max(), "sum": own > 0}.get(at, np.arange(own.size).reshape(own.shape) == own.shape[1] + 2)
        start = np.zeros(a.shape[1:])
        start[channel] = own * cells
        ask.close(m.channels, plain.relevance(network[:6], image, start, plain.Relevance()), rel=1e-6)
        ask.close(m.source.score, start.sum())


def every_other(x):
    return (torch.arange(x.shape[1]) % 2 == 0)[None, :, None, None].expand_as(x)


def turned(x):
    return torch.arange(x.shape[1]).flip(0).view(1, -1, 1, 1).expand_as(x)


def set_in(x):
    out = torch.zeros_like(x)
    out[:, [0, 2, 1]] = x[:, :3]
    return out


PLACED = {
    "masked_scatter": lambda x: torch.zeros_like(x).masked_scatter(every_other(x), x[every_other(x)]),
    "masked_select": lambda x: x.masked_select(every_other(x)).view(len(x), -1, *x.shape[2:]).repeat(1, 2, 1, 1),
    "masked_fill": lambda x: x.masked_fill(every_other(x), 0.0),
    "where": lambda x: torch.where(every_other(x), x, 0.0),
    "index_put": lambda x: torch.zeros_like(x).index_put((torch.tensor([0, 1]), torch.tensor([1, 2])), x[:, 0]),
    "item by item": set_in,
    "scatter": lambda x: torch.zeros_like(x).scatter(1, turned(x), x),
    "scatter_add": lambda x: torch.zeros_like(x).scatter_add(1, turned(x) // 2, x),
    "gather": lambda x: x.gather(1, turned(x)),
    "take_along_dim": lambda x: torch.take_along_dim(x, turned(x), 1),
    "take": lambda x: x.take(torch.arange(x.numel()).view_as(x).flip(1)),
    "index_copy": lambda x: torch.zeros_like(x).index_copy(1, torch.arange(6).flip(0), x),
    "index_add": lambda x: torch.zeros_like(x).index_add(1, torch.arange(6) // 2, x),
    "index_fill": lambda x: x.index_fill(1, torch.tensor([0]), 0.0),
    "index_select": lambda x: x.index_select(1, torch.arange(6).flip(0)),
    "select_scatter": lambda x: torch.select_scatter(x, x[:, 1], 1, 0),
    "slice_scatter": lambda x: torch.slice_scatter(torch.zeros_like(x), x[:, :3], 1, 0, 3),
    "roll, flip, rot90": lambda x: x.roll(1, 2).flip(3).rot90(2, (2, 3)),
    "tril": lambda x: x.tril().triu(-2),
    "diagonal": lambda x: x + x.diagonal(dim1=2, dim2=3)[..., :1, None],
    "sort": lambda x: x.sort(1)[0],
    "topk": lambda x: x.topk(6, 1)[0],
    "repeat_interleave": lambda x: x.repeat_interleave(2, 3),
    "unfold, fold": lambda x: F.fold(F.unfold(x, 2, stride=2), x.shape[2:], 2, stride=2),
    "cumsum": lambda x: x.cumsum(3),
    "nan_to_num": lambda x: x.nan_to_num(),
    "grid_sample": lambda x: F.grid_sample(
        x, F.affine_grid(torch.eye(2, 3, dtype=x.dtype)[None] * 0.8, [1, *x.shape[1:]], False).expand(len(x), -1, -1, -1)
    ),
}


class Placing(nn.Module):
    def __init__(self, place) -> None:
        super().__init__()
        self.conv1, self.conv2, self.fc, self.place = plain.conv(3, 6), plain.conv(6, 6), nn.Linear(6, 5), place

    def forward(self, x):
        return self.fc(self.conv2(self.place(self.conv1(x).relu())).relu().mean((2, 3)))


@pytest.mark.filterwarnings("ignore:Default grid_sample")
@pytest.mark.parametrize("rule", [Relevance("epsilon", epsilon=0), Relevance("epsilon", epsilon=0, attention=True)])
@pytest.mark.parametrize("name", PLACED)
def test_what_only_places_selects_or_adds_hands_relevance_on(name, rule):
    """By epsilon 0 and without biases: input times gradient."""
    network, x = plain.built(lambda: [Placing(PLACED[name])], bias=False), torch.tensor(X, requires_grad=True)
    (g,) = torch.autograd.grad(network(x)[:, 1].sum(), x)
    assert g.any()
    ask.close(handed_down(network, X, [INPUT], rule)[INPUT][0], X * g.numpy())
