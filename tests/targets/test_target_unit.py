"""Units as targets: what single channels of a layer answer to, against bare hooks and autograd."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import METHODS, Class, PerImage, Top, Unit
from seewhy.explaining.case import Case
from support import ask, networks
from support.references import cams as references

X = networks.images(2, 8, 12, seed=41)
FIXED = ("flat_head", "tokens", "lstm_head")  # made for one size
LAYERS = {  # network: layers whose units are asked for
    "pooled": ("conv1", "act1", "act2", "pool", "flat", "fc"),
    "inplace": ("conv1", "conv2", "act2"),
    "functional": ("conv1", "conv2"),
    "reused": ("act#1", "act#2", "act", "conv3"),
    "bn_dropout": ("bn1", "drop1", "act2"),
    "flat_head": ("act2", "fc1", "act3"),
    "tokens": ("patch", "block1", "block2.norm1"),
    "nhwc": ("stem", "block1", "block2"),
    "lstm_head": ("conv1", "act1"),
}
AT = {
    "max": lambda cell: cell.flatten(1).max(1).values,
    "sum": lambda cell: cell.flatten(1).sum(1),
    (1, 2): lambda c: c[:, 1, 2],
}

FLAT = ("pool", "flat", "fc", "fc1", "act3")  # without space
PLACES = [
    (toy, layer, at) for toy, layers in LAYERS.items() for layer in layers for at in AT if at == "max" or layer not in FLAT
]


def network_of(toy):
    return getattr(networks, toy)(**({"h": 8, "w": 12} if toy in FIXED else {}))


def emitted(network, layer, x):
    """What the named call of a layer (the last, if none is named) emits for one image: (c, h, w), or of a linear layer (c,)."""
    name, _, call = layer.partition("#")
    kept = []
    handle = network.get_submodule(name).register_forward_hook(
        lambda _module, _args, out: kept.append(out.clone()) or kept[-1] * 1
    )
    network(x[None] * 1)
    handle.remove()
    out = kept[int(call or 0) - 1][0]
    if isinstance(network, networks.Nhwc) and name != "stem":
        return out.permute(2, 0, 1)
    if isinstance(network, networks.Tokens) and name != "patch":
        return out[1:].T.reshape(-1, 8 // networks.PATCH, 12 // networks.PATCH)
    return out


def by_hand(network, layer, image, at):
    """The activation of every channel, and its gradient at the image: (c,), (c, 3, h, w)."""
    x = torch.tensor(image, requires_grad=True)
    out = emitted(network, layer, x)
    units = AT[at](out) if out.ndim == 3 else out
    g = [torch.autograd.grad(unit, x, retain_graph=True)[0].numpy() for unit in units]
    return units.detach().numpy(), np.stack(g)


def gradients(network, layer, channels, at="max", x=X):
    """dy/dx of units, in float64: (t, n, 3, h, w)."""
    asked = Case(seewhy.wrap(network).upto(layer, at), x, [Unit(layer, c, at) for c in channels], (None,), ("pixels",))
    return ask.run("gradient", asked)["input"]


@pytest.mark.parametrize(("toy", "layer", "at"), PLACES)
def test_scores_are_activations_and_their_gradients(toy, layer, at):
    network = network_of(toy)
    scores = seewhy.wrap(network).upto(layer, at).answer(X)
    expected = [by_hand(network, layer, image, at) for image in X]
    ask.close(scores.scores, [units for units, _ in expected])
    assert scores.probabilities is None, "units are no classes"
    found = gradients(network, layer, range(scores.scores.shape[1]), at)
    ask.close(found, np.stack([g for _, g in expected], axis=1))


def test_the_logits_are_units_of_the_last_layer():
    model = seewhy.wrap(networks.flat_head(h=8, w=12))
    for name in ("gradient", "grad-cam", "deconvnet", "full-grad", "lrp"):
        units = METHODS[name](
            model, X, target=[Unit("fc2", 0), Unit("fc2", 4)], layer="act2" if METHODS[name].layered else None
        )
        classes = METHODS[name](model, X, target=[0, 4], layer="act2" if METHODS[name].layered else None)
        ask.close(ask.values(units), ask.values(classes), rel=1e-6)


def test_a_tie_picks_one_place():
    """On one colour every cell is equal: the gradient is that of one of them, not of their mean or sum."""
    network, x = networks.pooled(), np.ones((1, 3, 6, 7))
    network.conv1.padding, network.conv1.weight.data = (0, 0), abs(network.conv1.weight.data)
    (g,) = gradients(network, "act1", [0], x=x)[:, 0]
    cells = [gradients(network, "act1", [0], (i, j), x)[0, 0] for i in range(4) for j in range(5)]
    assert sum(bool(np.allclose(g, one, rtol=1e-12, atol=0)) for one in cells) == 1
    assert np.count_nonzero(g) == 27


@pytest.mark.parametrize("at", AT)
def test_grad_cam_of_a_unit_at_an_earlier_layer(at):
    network, units = networks.pooled(), [1, 3]
    asked = [Unit("conv2", channel, at) for channel in units]
    found = METHODS["grad-cam"](seewhy.wrap(network), X, target=asked, layer="act1", signed=True)
    assert [(m.place, m.source.target) for m in found] == [(i, str(unit)) for i in (0, 1) for unit in asked]
    for m, channel in zip(found, units * 2, strict=True):
        a, g = references.evidence(network[:3], "act1", X[m.place], np.eye(8)[channel], of=lambda out: AT[at](out[0])[None])
        ask.close(m.values, references.grad_cam(a, g), rel=1e-5)


def test_the_default_layer_is_one_the_unit_rests_on():
    network = networks.pooled()
    for one in METHODS["grad-cam"](seewhy.wrap(network), X, target=Unit("act1", 2)):
        a = emitted(network, "act1", torch.tensor(X[one.place]))[2].detach().numpy()
        assert one.source.layer == "act1"
        ask.close(one.values, a / a.size, rel=1e-5)  # the gradient is one at the strongest cell: its mean 1 / cells
    with pytest.raises(seewhy.NoSuchName, match="act2"):
        METHODS["grad-cam"](seewhy.wrap(network), X, target=Unit("act1", 2), layer="act2")


@pytest.mark.parametrize("layer", ["act1", "conv2", "fc"])
def test_full_grad_and_integrated_gradients_of_a_unit_are_complete(layer):
    network = networks.pooled()
    model = seewhy.wrap(network)
    for m in METHODS["full-grad"](model, X, target=Unit(layer, 1), signed=True):
        (activation,) = by_hand(network, layer, X[m.place], "max")[0][1:2]
        assert m.source.score == pytest.approx(activation)
        assert m.values.sum() + m.source.measured["placeless"] == pytest.approx(activation, rel=1e-5)
    for m in METHODS["integrated-gradients"](model, X, target=Unit(layer, 1), steps=400):
        still, activation = (by_hand(network, layer, image, "max")[0][1] for image in (X[m.place] * 0, X[m.place]))
        assert m.source.measured["difference"] == pytest.approx(activation - still)
        assert m.values.sum() == pytest.approx(activation - still, rel=0.02)


@pytest.mark.parametrize("layer", ["conv1", "act1"])
@pytest.mark.parametrize("name", ["eigen-cam", "centre", "random-map"])
def test_what_no_class_plays_a_part_in_is_the_same_for_a_unit(name, layer):
    model = seewhy.wrap(networks.pooled())
    unit, plain = (METHODS[name](model, X, target=target, layer=layer) for target in (Unit("act1", 0), 0))
    ask.close(ask.values(unit), ask.values(plain))


def counted(network):
    calls = dict.fromkeys(("conv1", "act1", "conv2", "act2", "fc"), 0)
    for name in calls:
        network.get_submodule(name).register_forward_hook(lambda *_, name=name: calls.update({name: calls[name] + 1}))
    return calls


@pytest.mark.parametrize("name", ["gradient", "deconvnet", "lrp", "full-grad", "grad-cam", "eigen-cam"])
def test_nothing_behind_the_layer_runs(name):
    network = networks.pooled()
    calls = counted(network)
    model = seewhy.wrap(network)
    model.layers(X)  # the one look through the network, kept for every later call
    layer = "act1" if METHODS[name].layered else None
    METHODS[name](model, X, target=Unit("act1", 0), layer=layer)  # as that of what runs up to the unit
    calls.update(dict.fromkeys(calls, 0))
    METHODS[name](model, X, target=Unit("act1", 0), layer=layer)
    assert (calls["conv1"], calls["act1"], calls["conv2"], calls["act2"], calls["fc"]) == (1, 1, 0, 0, 0)


def test_a_network_whose_end_fails_has_units():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(7, 2)).double()
    (found,) = METHODS["gradient"](seewhy.wrap(network), X[:1], target=Unit("1#1", 2))
    ask.close(found.channels, by_hand(network[:2], "1", X[0], "max")[1][2], rel=1e-5)


WRONG = [  # target, error, what is said
    (lambda: Unit("nothing", 0), seewhy.NoSuchName, "No layer 'nothing'"),
    (lambda: Unit("act", 0), seewhy.NoSuchName, "Closest: act"),
    (lambda: Unit("act2", 8), seewhy.NoSuchName, "0 to 7"),
    (lambda: Unit("act2", -1), seewhy.NoSuchName, "0 to 7"),
    (lambda: Unit("act2", 1.5), seewhy.BadParameter, "no whole number"),
    (lambda: Unit("act2", True), seewhy.BadParameter, "no whole number"),
    (lambda: Unit("act2", 0, "middle"), seewhy.BadParameter, "max"),
    (lambda: Unit("act2", 0, (1,)), seewhy.BadParameter, "cell"),
    (lambda: Unit("act2", 0, 3), seewhy.BadParameter, "cell"),
    (lambda: Unit("act2", 0, (0.5, 1)), seewhy.BadParameter, "cell"),
    (lambda: Unit("act2", 0, (4, 0)), seewhy.BadParameter, r"grid is \(4, 6\)"),
    (lambda: Unit("act2", 0, (0, 6)), seewhy.BadParameter, r"grid is \(4, 6\)"),
    (lambda: Unit("act2", 0, (-1, 0)), seewhy.BadParameter, "cell"),
    (lambda: Unit("act2#2", 0), seewhy.NoSuchName, "act2#2"),
    (lambda: PerImage([0, Unit("act2", 0)]), seewhy.BadParameter, "no Unit"),
]


@pytest.mark.parametrize(("target", "error", "said"), WRONG)
def test_what_cannot_be_asked(target, error, said):
    with pytest.raises(error, match=said):
        METHODS["gradient"](seewhy.wrap(networks.pooled()), X, target=target())


def test_mixed_targets_keep_their_order_and_say_what_they_are():
    network = networks.pooled()
    model = seewhy.wrap(network, labels=["a", "b", "c", "d", "e"])
    asked = [0, Unit("act1", 2), "d", Unit("act2", 1, "sum"), Unit("act1", 4), Unit("conv2", 5, (1, 2)), Top()]
    found = METHODS["gradient"](model, X, target=asked)
    said = ["0", "unit:act1:2", "3", "unit:act2:1:sum", "unit:act1:4", "unit:conv2:5:1,2", "top 1"]
    assert [(m.place, m.source.target) for m in found] == [(i, target) for i in (0, 1) for target in said]
    for m, target in zip(found, asked * 2, strict=True):
        (alone,) = METHODS["gradient"](model, X[m.place : m.place + 1], target=target)
        ask.close(m.values, alone.values, rel=1e-6)
        source, logits = m.source, references.scores(network, X[m.place])
        if isinstance(target, Unit):
            activation = by_hand(network, target.layer, X[m.place], target.at)[0][target.channel]
            assert source.score == pytest.approx(activation)
            assert (source.scores, source.index, source.probability) == ("activation", None, None)
            assert source.predicted is None or source.predicted.index == logits.argmax()
            assert source.label == target.words
        else:
            assert source.score == pytest.approx(logits[source.index])
            assert source.predicted.index == logits.argmax()
            assert source.scores == "logits"


def test_what_stops_at_a_layer_is_a_model():
    """Its classes are channels, so Top() is the one with the strongest activation."""
    network = networks.pooled()
    model = seewhy.wrap(network, labels=["a", "b", "c", "d", "e"])
    part = model.upto("act2")
    for m in METHODS["gradient"](part, X):
        units, g = by_hand(network, "act2", X[m.place], "max")
        assert (m.source.index, m.source.label, m.source.predicted) == (int(units.argmax()), None, None)
        ask.close(m.channels, g[units.argmax()], rel=1e-5)
    assert part.labels is None
    assert "act2" in part.name
    assert "conv2" in part.layers(X)
    assert "fc" not in part.layers(X)
    ask.close(part.upto("act1").answer(X).scores, model.upto("act1").answer(X).scores)
    (contrast,) = METHODS["gradient"](part, X[:1], target=seewhy.Contrast(1, 3, strength=1))
    g = by_hand(network, "act2", X[0], "max")[1]
    ask.close(contrast.channels, g[1] - g[3], rel=1e-5)
    with pytest.raises(seewhy.NotApplicable, match="logits"):
        METHODS["cam"](part, X, target=0)


def test_units_and_their_models_travel():
    for unit in (Unit("act2", 1), Unit("act2", 1, "sum"), Unit("act2", 1, [1, 2])):
        assert pickle.loads(pickle.dumps(unit)) == unit
        assert hash(pickle.loads(pickle.dumps(unit))) == hash(unit)
    part = seewhy.wrap(networks.reused()).upto("act")
    part.answer(X)
    again = pickle.loads(pickle.dumps(part))
    ask.close(again.answer(X).scores, part.answer(X).scores, rel=1e-5)
    ask.close(ask.values(METHODS["gradient"](again, X, target=3)), ask.values(METHODS["gradient"](part, X, target=3)))


@pytest.mark.parametrize(
    "name", ["gradient", "deconvnet", "grad-cam", "smooth-grad", "excitation-backprop", "smooth(grad-cam)"]
)
def test_a_batch_equals_its_singles(name):
    method, targets = seewhy.methods.making.method.lookup(name), [Unit("act2", 1), Class(1), Unit("act1", 3, "sum")]
    few = {"samples": 3} if "samples" in method.defaults else {}
    x = networks.images(3, 8, 12, seed=42)
    layer = "act1" if method.layered else None
    together = ask.values(method(seewhy.wrap(networks.pooled()), x, target=targets, layer=layer, **few))
    split = ask.values(method(seewhy.wrap(networks.pooled(), batch_size=1), x, target=targets, layer=layer, **few))
    ask.close(split, together, rel=1e-5)
