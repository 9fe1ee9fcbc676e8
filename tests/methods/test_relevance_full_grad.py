"""FullGrad: input and biases together are the score, to the last bias; each of them against differences and autograd."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from seewhy import Class, Contrast
from seewhy.models.model import INPUT
from support import ask, networks, real
from support.references import relevance as plain

X = networks.images(2, 6, 8)
TOYS = dict(plain.TOYS)
ACTIVATIONS = {"ReLU6": nn.ReLU6, "Hardtanh": lambda: nn.Hardtanh(-0.2, 0.5), "LeakyReLU": nn.LeakyReLU, "ELU": nn.ELU,
               "SiLU": nn.SiLU, "GELU": nn.GELU, "Hardswish": nn.Hardswish, "Tanh": nn.Tanh, "Sigmoid": nn.Sigmoid,
               "Softplus": nn.Softplus}  # fmt: skip
for name, activation in ACTIVATIONS.items():
    TOYS[name] = lambda act=activation: [plain.conv(3, 6), plain.N(6), act(), plain.conv(6, 8, stride=2), act(), *plain.head()]


def parts(network, x, targets, **params):
    """The map (t, n, h, w), and what was measured: (t, n) each."""
    found = seewhy.full_grad.using(**params).outcome(ask.case(network, x, targets))
    return found.cores[INPUT], found.measured


def logits(network, x):
    with torch.no_grad():
        return network(torch.tensor(x)).numpy()


def complete(network, x, rel=1e-12):
    """Pixels and biases are the score, and the signed map holds all of it that has a place."""
    score = logits(network, x).T[:3]
    signed, measured = parts(network, x, [0, 1, 2], signed=True)
    assert abs(measured["completeness_gap"]).max() < rel * abs(score).max()
    ask.close(signed.sum((2, 3)) + measured["placeless"], score, rel)
    return signed


@pytest.mark.parametrize("toy", TOYS)
def test_pixels_and_biases_are_the_score(toy):
    network = plain.built(TOYS[toy])
    complete(network, X)
    pixels = ask.run("input-x-gradient", ask.case(network, X, [0, 1, 2], pixels=True))[INPUT].sum((2, 3, 4))
    ask.far(pixels, logits(network, X).T[:3])  # the biases do count


@pytest.mark.parametrize("toy", TOYS)
def test_every_bias_by_differences(toy):
    """Of convolutions, effective ones of norms, of linear layers, clamps and curves: each at its place."""
    network = plain.built(TOYS[toy])
    _, found = seewhy.wrap(network).biases(X, [Class(1), Class(3)])
    for own, index in zip(found, (1, 3), strict=True):
        for i, image in enumerate(X):
            _, terms = plain.bias_terms(network, image, np.eye(5)[index])
            ours = [(b.placeless[i] + (0 if b.signed is None else b.signed[i].sum()), b) for b in own]
            ours = sorted((pair for pair in ours if abs(pair[0]) > 1e-9), key=lambda pair: pair[0])
            theirs = sorted((term for term in terms.values() if abs(term.sum()) > 1e-9), key=lambda term: term.sum())
            ask.close([float(total) for total, _ in ours], [term.sum() for term in theirs], rel=1e-6)
            for (_, b), term in zip(ours, theirs, strict=True):
                if term.ndim == 3:
                    ask.close(b.signed[i], term.sum(0), rel=1e-6)
                    ask.close(b.size[i], abs(term).sum(0), rel=1e-6)


@pytest.mark.parametrize("toy", ["plain", "norm", "average", "residual", "squeezed", "relu6", "smooth"])
@pytest.mark.parametrize("params", [{}, {"scaled": False}, {"signed": True}], ids=str)
def test_the_map_is_the_papers_sum(toy, params):
    """psi of pixels and of each bias, summed over layers and channels; psi as in the authors' code, or less of it."""
    network = plain.built(TOYS[toy])
    found, measured = parts(network, X, [1], **params)
    for i, image in enumerate(X):
        pixels, terms = plain.bias_terms(network, image, np.eye(5)[1])
        here = [pixels, *(term for term in terms.values() if term.ndim == 3)]
        if not params:
            expected = sum(plain.psi(term, 6, 8) for term in here)
        else:
            sizes = here if "signed" in params else [abs(term) for term in here]
            expected = sum(plain.spread(term.sum(0), 6, 8) for term in sizes)
        ask.close(found[0, i], expected, rel=1e-6)
        ask.close(measured["placeless"][0, i], sum(term.sum() for term in terms.values() if term.ndim == 1), rel=1e-6)


class Written(nn.Module):
    """The toy `ReLU6`, weight for weight, with functions, clamps and writing in place."""

    def __init__(self, modules: nn.Sequential, clamp) -> None:
        super().__init__()
        self.modules_, self.clamp = modules, clamp

    def forward(self, x: Tensor) -> Tensor:
        conv1, norm, _, conv2, _, _, _, fc = self.modules_
        x = F.conv2d(x, conv1.weight, bias=conv1.bias, padding=1)
        x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        x = self.clamp(F.conv2d(self.clamp(x), conv2.weight, conv2.bias, 2, 1))
        return F.linear(x.mean((2, 3)), fc.weight, fc.bias)


CLAMPS = {
    "relu6": F.relu6,
    "relu6 in place": lambda x: F.relu6(x, True),
    "hardtanh_": lambda x: F.hardtanh_(x, 0.0, 6.0),
    "clamp": lambda x: x.clamp(0, 6),
    "clamp_": lambda x: torch.clamp_(x, min=0, max=6),
    "two clamps": lambda x: x.clamp_min(0).clamp(max=6),
    "statements": lambda x: (x.clamp_(min=0), x.clamp_(max=6))[0],
}


@pytest.mark.parametrize("clamp", CLAMPS)
def test_a_clamp_however_it_is_written(clamp):
    network = plain.built(TOYS["ReLU6"])
    with torch.no_grad():
        network[3].weight.mul_(20)
        behind = network[:5](torch.tensor(X))
    assert 0.01 < (behind == 6).double().mean() < 0.9, "some units are clamped"
    ask.close(complete(Written(network, CLAMPS[clamp]), X), complete(network, X))


def test_writing_in_place_changes_nothing():
    for toy in ("residual", "relu6", "leaky", "SiLU"):
        network = plain.built(TOYS[toy])
        twin = copy.deepcopy(network)
        for module in twin.modules():
            if hasattr(module, "inplace"):
                module.inplace = True
        ask.close(complete(twin, X), complete(network, X))
        ask.close(parts(twin, X, [1])[0], parts(network, X, [1])[0])


class Blocks(nn.Module):
    """Patches, then `mix` of them, then their mean."""

    def __init__(self, mix) -> None:
        super().__init__()
        self.patch, self.mlp, self.act, self.mix = nn.Conv2d(3, 6, 2, stride=2), nn.Linear(6, 6), nn.GELU(), mix
        self.gain, self.shift, self.fc = nn.Parameter(torch.rand(6) + 0.5), nn.Parameter(torch.rand(6)), nn.Linear(6, 5)
        self.conv = plain.conv(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.mix(self, self.patch(x)).reshape(len(x), -1, 6).mean(1))


def windows(net: Blocks, a: Tensor) -> Tensor:
    """Two halves of each image, side by side in the batch, as windows of Swin are."""
    halves = a.unflatten(3, (2, 2)).permute(0, 3, 2, 4, 1).flatten(0, 1)  # (2 n, h, w / 2, c)
    return net.act(net.mlp(halves))


MIXES = {
    "tokens": lambda net, a: net.act(net.mlp(a.flatten(2).transpose(1, 2))),
    "channels last": lambda net, a: net.act(net.mlp(a.movedim(1, -1))),
    "rows in a batch": lambda net, a: net.act(net.mlp(a.movedim(1, -1).reshape(-1, 6))),
    "windows in a batch": windows,
    "twice": lambda net, a: net.act(net.conv(net.act(net.conv(a)))).movedim(1, -1),
    "gated": lambda net, a: (net.conv(a) * net.conv(a.relu()).sigmoid()).movedim(1, -1),
    "gain": lambda net, a: (net.act(a) * net.gain[:, None, None]).movedim(1, -1),
    "made gain": lambda net, a: (net.act(a) * (1 + net.gain.exp())[:, None, None]).movedim(1, -1),
    "shift": lambda net, a: net.act(a.movedim(1, -1) + net.shift),
    "shifts": lambda net, a: net.act(0.3 - (2 * a - 1).movedim(1, -1)) - net.shift + 1,
    "minimum": lambda net, a: torch.minimum(a, torch.tensor(0.2, dtype=a.dtype)).movedim(1, -1),
    "in part of a tensor": lambda net, a: (F.hardtanh(a[:, :3], -0.2, 0.4, inplace=True), a)[1].movedim(1, -1),
}
INCOMPLETE = ("minimum", "in part of a tensor")


@pytest.mark.parametrize("mix", MIXES)
def test_layouts_and_ways_to_write_a_layer(mix):
    """Each is complete; or, where a bias is of another kind, the gap is measured and said, in a batch as alone."""
    network = plain.built(lambda: [Blocks(MIXES[mix])])
    if mix not in INCOMPLETE:
        complete(network, X)
    maps = seewhy.full_grad(seewhy.wrap(network), X, target=1, signed=True)
    for i, (m, score) in enumerate(zip(maps, logits(network, X)[:, 1], strict=True)):
        measured = m.source.measured
        ask.close(m.values.sum() + measured["placeless"] + measured["completeness_gap"], score, rel=1e-5)
        assert any("miss the score" in said for said in m.warnings) == (mix in INCOMPLETE)
        (alone,) = seewhy.full_grad(seewhy.wrap(network), X[i : i + 1], target=1, signed=True)
        ask.close(alone.values, m.values, rel=1e-6)


@pytest.mark.parametrize("toy", ["tokens", "nhwc", "lstm_head"])
def test_what_has_another_kind_of_bias_leaves_a_gap_and_says_so(toy):
    network, x = getattr(networks, toy)(), networks.images(2)
    score = logits(network, x)[:, 1]
    for i, m in enumerate(seewhy.full_grad(seewhy.wrap(network), x, target=1, signed=True)):
        gap = m.source.measured["completeness_gap"]
        ask.close(gap, score[i] - m.values.astype(float).sum() - m.source.measured["placeless"], rel=1e-4)
        assert abs(gap) > 0.01 * abs(score[i])
        (said,) = (warning for warning in m.warnings if "miss the score" in warning)
        assert f"{gap:.2g}" in said


@pytest.mark.parametrize("scores", ["log-probability", "probability"])
def test_what_is_no_sum_of_biases_is_refused(scores):
    model = seewhy.wrap(plain.built(TOYS["plain"]), scores=scores)
    with pytest.raises(seewhy.NotApplicable, match=f"this model explains {scores}"):
        seewhy.full_grad(model, X[:1], target=1)


@pytest.mark.parametrize("toy", ["norm", "squeezed", "relu6", "smooth"])
def test_images_and_targets_do_not_see_each_other(toy):
    network = plain.built(TOYS[toy])
    for params in ({}, {"signed": True}, {"scaled": False}):
        together, measured = parts(network, X, [0, 3, 1], **params)
        for t, index in enumerate((0, 3, 1)):
            for i in range(len(X)):
                alone, own = parts(network, X[i : i + 1], [index], **params)
                ask.close(together[t, i], alone[0, 0])
                ask.close(measured["placeless"][t, i], own["placeless"][0, 0])


def test_a_contrast_is_a_difference():
    network = plain.built(TOYS["relu6"])
    one, other, both = parts(network, X, [1, 3, Contrast(1, 3, strength=0.5)], signed=True)[0]
    ask.close(both, one - 0.5 * other)
    pixels, terms = plain.bias_terms(network, X[0], np.eye(5)[1] - 0.5 * np.eye(5)[3])
    found = parts(network, X, [Contrast(1, 3, strength=0.5)])[0]
    ask.close(found[0, 0], sum(plain.psi(t, 6, 8) for t in (pixels, *terms.values()) if t.ndim == 3), rel=1e-6)


@pytest.mark.parametrize("at", ["max", "sum", (1, 2)])
def test_a_unit_is_complete_too(at):
    network = plain.built(TOYS["ReLU6"])
    for m in seewhy.full_grad(seewhy.wrap(network), X, target=seewhy.Unit("3", 2, at), signed=True):
        ask.close(m.values.astype(float).sum(), m.source.score, rel=1e-5)


def clamped(network, x, index):
    """What the clamps at 6 add to the score of each image: 6 dy/dout where a ReLU6 is at 6.  methods.md 0, point 2."""
    kept = []

    def keep(_module, _args, output):
        kept.append(output.clone())
        return kept[-1].clone()

    handles = [module.register_forward_hook(keep) for module in network.modules() if isinstance(module, nn.ReLU6)]
    score = network(torch.tensor(x, requires_grad=True))[range(len(x)), index].sum()
    for handle in handles:
        handle.remove()
    grads = torch.autograd.grad(score, kept)
    return sum((6 * g * (a == 6)).flatten(1).sum(1) for a, g in zip(kept, grads, strict=True)).detach().numpy()


@real.needs_data
def test_mobilenet_is_complete_and_without_its_clamps_far_from_it():
    model = real.model("timm/mobilenetv2_100")
    photos = [real.DATA / "imagenet-sample" / row["file"] for row in real.rows("imagenet-sample")[:4]]
    maps = seewhy.full_grad(model, photos, signed=True)
    scores = np.array([m.source.score for m in maps])
    for m in maps:
        measured = m.source.measured
        assert abs(measured["completeness_gap"]) < 1e-4 * m.source.score
        ask.close(m.values.astype(float).sum() + measured["placeless"], m.source.score, rel=1e-3)
        assert m.warnings == ()
    (batch,) = model.batches(photos)
    share = clamped(model.network, batch.x, [m.source.index for m in maps])
    assert abs(share.sum()) > 0.1 * scores.sum()
