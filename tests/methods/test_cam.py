"""Every method equals its second derivation: on networks, through heatmaps, and on bare arrays."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import seewhy
from seewhy import Class, Contrast
from support import ask, networks
from support.references import cams as references

TOYS = {  # network: the layers asked in one call
    "pooled": ("input", "conv1", "act1", "act2"),
    "inplace": ("conv1", "conv2", "act2"),
    "functional": ("conv1", "conv2"),
    "relu6": ("act1", "conv2", "act2"),
    "signed_features": ("act1", "act2"),
    "dead_channels": ("conv2", "act2"),
    "bn_dropout": ("bn1", "drop1", "act2"),
    "squeezed": ("act2", "conv3", "act3"),
    "pointwise_head": ("act2",),
    "reused": ("act#1", "act#2", "act#3", "conv2"),
    "flat_head": ("conv2", "act2"),
    "linear_flat_head": ("conv2", "act2"),
    "nhwc": ("stem", "block1", "block1.1", "block2"),
    "tokens": ("patch", "block1", "block1.mlp.0", "block2.norm1"),
    "lstm_head": ("conv1", "act1"),
}
FIXED = ("flat_head", "linear_flat_head", "tokens", "lstm_head")  # made for one size
SIDES = (5, 8)  # of the images for the others: odd, and not square
TARGETS = (Class(0), Class(3), Contrast(1, [2, 4], strength=0.6))
ROWS = ((1, 0, 0, 0, 0), (0, 0, 0, 1, 0), (0, 1, -0.3, 0, -0.3))  # the same by hand
POOLED = {"pooled": "act2", "inplace": "act2", "relu6": "act2", "signed_features": "act2", "dead_channels": "act2",
          "bn_dropout": "act2", "pointwise_head": "act2", "reused": "act#3", "functional": "conv2"}  # fmt: skip


def network_of(toy):
    return getattr(networks, toy)(h=8, w=12) if toy in FIXED else getattr(networks, toy)()


def images_of(toy):
    return networks.images(2, *((8, 12) if toy in FIXED else SIDES), seed=3)


def turned(toy, layer, x):
    """What a layer emits for one image as (c, h, w)."""
    if toy == "nhwc" and layer != "stem":
        return x.transpose(2, 0, 1)
    if toy == "tokens" and layer != "patch":
        return x[1:].T.reshape(-1, 8 // networks.PATCH, 12 // networks.PATCH)
    return x


@cache
def evidence(toy):
    """{layer: the (a, g) of each target and image}, by the plain road."""
    network, found = network_of(toy), {}
    for layer in TOYS[toy]:
        name, _, call = layer.partition("#")
        found[layer] = [
            [
                [turned(toy, layer, raw) for raw in references.evidence(network, name, image, row, int(call or 0) - 1)]
                for image in images_of(toy)
            ]
            for row in ROWS
        ]
    return found


@cache
def case(toy, gradients=True):
    return ask.case(network_of(toy), images_of(toy), TARGETS, TOYS[toy], gradients=gradients)


ELSEWHERE = {  # methods that read more than one layer: the file of their second derivation
    **dict.fromkeys(
        (
            "gradient",
            "input-x-gradient",
            "guided-backprop",
            "deconvnet",
            "integrated-gradients",
            "blur-ig",
            "guided-ig",
            "gradient-shap",
        ),
        "support.references.pixels",
    ),
    **dict.fromkeys(("smooth-grad", "smooth-grad-squared", "var-grad", "guided-grad-cam"), "support.references.pixels"),
    **dict.fromkeys(("lrp", "excitation-backprop", "full-grad"), "support.references.relevance"),
    **dict.fromkeys(("occlusion", "rise", "score-cam", "ss-cam", "is-cam"), "support.references.perturb"),
    **dict.fromkeys(("ablation-cam", "recipro-cam"), "support.references.perturb"),
    **dict.fromkeys(("lime", "kernel-shap", "sobol"), "methods.making.test_surrogate"),
    **dict.fromkeys(("attention-rollout", "transformer-relevance", "le-grad"), "support.references.attention"),
    "attn-lrp": "support.references.attn_lrp",
    "deep-lift": "support.references.relevance",
}


def test_every_method_is_derived_twice():
    here = {**references.FROM_GRADIENTS, **references.FROM_HESSIANS, **references.FROM_ACTIVATIONS, **references.FROM_HEAD,
            **references.CONTROLS}  # fmt: skip
    assert {*here, *ELSEWHERE} == set(seewhy.METHODS)
    assert not here.keys() & ELSEWHERE.keys()
    tests = Path(__file__).parents[1]
    assert all((tests / f"{file.replace('.', '/')}.py").is_file() for file in ELSEWHERE.values())


@pytest.mark.parametrize("toy", TOYS)
@pytest.mark.parametrize("method", references.FROM_GRADIENTS)
def test_from_gradients(method, toy):
    found = ask.run(method, case(toy))
    for layer, of_layer in evidence(toy).items():
        for t, of_target in enumerate(of_layer):
            for i, (a, g) in enumerate(of_target):
                ask.close(found[layer][t, i], references.FROM_GRADIENTS[method](a, g), rel=1e-8)


CURVED = {  # network: what is explained, and the layers behind which that is curved
    "tokens": ("logits", "patch", "block1"), "lstm_head": ("logits", "act1"), "pooled": ("probability", "input", "act2"),
    "flat_head": ("log-probability", "act2"), "nhwc": ("probability", "block2"), "reused": ("probability", "act#3"),
}  # fmt: skip
SCORES = {"logits": lambda s: s, "probability": lambda s: s.softmax(-1), "log-probability": lambda s: s.log_softmax(-1)}


@pytest.mark.parametrize("toy", CURVED)
def test_from_hessians(toy):
    """By the derivative of each number of the gradient toward each activation, one at a time."""
    scores, *layers = CURVED[toy]
    network, images = network_of(toy), images_of(toy)[:1]
    if toy == "lstm_head":  # through which each of the many derivatives takes its time
        network, images = networks.lstm_head(h=4, w=6), networks.images(1, 4, 6, seed=3)
    found = ask.maps(network, "shapley-cam", images, TARGETS, layers, scores)
    plain = ask.maps(network, "grad-cam", images, TARGETS, layers, scores)
    for layer in layers:
        name, _, call = layer.partition("#")
        for t, row in enumerate(ROWS):
            a, g, h = references.derivatives(network, name, images[0], row, int(call or 0) - 1, SCORES[scores], second=True)
            lies = turned(toy, layer, np.arange(a.size).reshape(a.shape))  # which number of it lies where
            square = h.reshape(a.size, a.size)[np.ix_(lies.ravel(), lies.ravel())].reshape(*lies.shape, *lies.shape)
            expected = references.shapley_cam(turned(toy, layer, a), turned(toy, layer, g), square)
            ask.close(found[layer][t, 0], expected, rel=1e-8)
            ask.far(found[layer][t, 0], plain[layer][t, 0], rel=1e-4)


def test_shapley_cam_is_grad_cam_where_the_logit_is_linear_in_the_layer():
    for toy, layer in (("pooled", "act2"), ("pointwise_head", "act2"), ("linear_flat_head", "act2"), ("relu6", "act2")):
        shapley, plain = (
            ask.maps(network_of(toy), name, images_of(toy), TARGETS, [layer]) for name in ("shapley-cam", "grad-cam")
        )
        np.testing.assert_array_equal(shapley[layer], plain[layer])


@pytest.mark.parametrize("kind", ["rectified", "signed", "dead"])
def test_shapley_cam_on_arrays_and_on_tensors(kind):
    """Of a quadratic form y = b a + a' Q a / 2 it is half the sum of b and g: what a channel adds, before and after others."""
    a, b = arrays(kind)
    q = np.random.default_rng(5).normal(size=(90, 90))
    q = q + q.T
    g = b + (a.reshape(2, 90) @ q).reshape(a.shape)
    expected = np.stack([references.grad_cam(each, half) for each, half in zip(a, (b + g) / 2, strict=True)])
    by_reference = [references.shapley_cam(a[i], g[i], q.reshape(6, 3, 5, 6, 3, 5)) for i in range(2)]
    np.testing.assert_allclose(by_reference, expected, rtol=1e-9, atol=1e-10)
    kinds = [(a, g, lambda v: (v.reshape(2, 90) @ q).reshape(v.shape))]
    kinds += [(torch.tensor(a), torch.tensor(g), lambda v: (v.reshape(2, 90) @ torch.tensor(q)).reshape(v.shape))]
    for each in kinds:
        np.testing.assert_allclose(ask.formula("shapley-cam", *each[:2], hessian=each[2]), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("toy", TOYS)
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("gradients", [False, True], ids=["in a pass that stops", "beside others"])
def test_eigen_cam(toy, centred, gradients):
    found = ask.run("eigen-cam", case(toy, gradients), centred=centred)
    for layer, of_layer in evidence(toy).items():
        for t, of_target in enumerate(of_layer):
            for i, (a, _) in enumerate(of_target):
                ask.close(found[layer][t, i], references.eigen_cam(a, centred), rel=1e-7)


@pytest.mark.parametrize("toy", ["pooled", "flat_head", "tokens"])
@pytest.mark.parametrize(("method", "centred"), [("eigen-grad-cam", True), ("seg-eigen-cam", False)])
def test_components_of_gradients_where_they_are_not_usually_centred_or_are(toy, method, centred):
    found = ask.run(method, case(toy), centred=centred)
    for layer, of_layer in evidence(toy).items():
        for t, of_target in enumerate(of_layer):
            for i, (a, g) in enumerate(of_target):
                ask.close(found[layer][t, i], references.FROM_GRADIENTS[method](a, g, centred=centred), rel=1e-7)


@pytest.mark.parametrize("share", [0.2, 0.8], ids=["small", "most of the image"])
@pytest.mark.parametrize("method", ["eigen-cam", "seg-eigen-cam", "kpca-cam", "kpca-cam of rbf"])
def test_an_object_is_positive_however_large_it_is(method, share):
    """One pattern in all channels: the component is that pattern less its mean, times the length of the mixture, where the
    kernel is linear; and where it is not, it still tells the same places apart, with the same sign.  By the rule that the
    largest value is positive, as in pytorch-grad-cam, the second object would be the background."""
    pattern = (np.arange(20).reshape(4, 5) < 20 * share).astype(float)
    mix, weight = np.array([0.5, 2.0, 0.1]), np.array([[1.0, -0.5, 3.0]])
    a = (mix[:, None, None] * pattern)[None]
    name, _, kernel = method.partition(" of ")
    params = {"kernel": kernel} if kernel else {"centred": True} if name == "eigen-cam" else {}
    g = np.broadcast_to(weight[..., None, None], a.shape)
    found = ask.formula(name, a, g, **params)[0]
    assert (found[pattern == 1] > 0).all()
    assert (found[pattern == 0] < 0).all()
    if name != "kpca-cam":
        mix = abs(weight[0]) * mix if name == "seg-eigen-cam" else mix
        ask.close(found, (pattern - share) * np.linalg.norm(mix))


@pytest.mark.parametrize(("toy", "layer"), POOLED.items())
def test_cam(toy, layer):
    network, x = network_of(toy), images_of(toy)
    found = ask.maps(network, "cam", x, TARGETS, [layer])[layer]
    weights = network.fc.weight.detach().numpy().reshape(networks.CLASSES, -1)
    for t, row in enumerate(ROWS):
        w = sum(r * one for r, one in zip(row, weights, strict=True))
        for i, image in enumerate(x):
            a = references.evidence(network, layer.partition("#")[0], image, row)[0]  # of a reused module the last call
            a = a.clip(min=0) if toy == "functional" else a  # the ReLU between its conv2 and the pooling is a function
            ask.close(found[t, i], references.cam(a, w))


@pytest.mark.parametrize("toy", ["pooled", "tokens", "nhwc", "flat_head"])
@pytest.mark.parametrize("method", references.FROM_GRADIENTS)
def test_heatmaps_hold_the_map_signed_or_rectified(method, toy):
    """In the order image, target, layer; float32; and without `signed` only what speaks for the class."""
    model, x, layers = seewhy.wrap(network_of(toy)), images_of(toy), list(TOYS[toy])[-2:]
    order = [(i, t, layer) for i in (0, 1) for t in (0, 1, 2) for layer in layers]
    core = [references.FROM_GRADIENTS[method](*evidence(toy)[layer][t][i]) for i, t, layer in order]
    both = {"signed": True} if seewhy.METHODS[method].rectified else {}
    signed = seewhy.METHODS[method](model, x, target=list(TARGETS), layer=layers, **both)
    plain = seewhy.METHODS[method](model, x, target=list(TARGETS), layer=layers)
    for expected, one, other in zip(core, signed, plain, strict=True):
        assert one.values.dtype == other.values.dtype == np.float32
        ask.close(one.values, expected, rel=1e-5)
        np.testing.assert_array_equal(other.values, one.values.clip(min=0))
    assert [m.place for m in signed] == [0] * 6 + [1] * 6
    assert [m.source.layer for m in signed] == layers * 6
    assert [m.source.target for m in signed][::2] == [str(target) for target in TARGETS] * 2


def arrays(kind, seed=0):
    """Activation and gradient (2, 6, 3, 5) of one kind of layer."""
    rng = np.random.default_rng([seed, *kind.encode()])
    a, g = rng.normal(size=(2, 2, 6, 3, 5))
    if kind != "signed":
        a = a.clip(min=0)
    if kind == "dead":
        a[:, [1, 4]] = 0
    if kind == "masked":  # what the ReLU of the next layer lets through
        g *= rng.random(g.shape) < 0.5
    if kind == "negative":
        a, g = -a, -abs(g)
    if kind == "constant":
        g = np.broadcast_to(g.mean((2, 3), keepdims=True), g.shape).copy()
    return a, g


@pytest.mark.parametrize("kind", ["rectified", "signed", "dead", "masked", "negative", "constant"])
@pytest.mark.parametrize("method", references.FROM_GRADIENTS)
def test_formulas_on_arrays_and_on_tensors(method, kind):
    a, g = arrays(kind)
    reference = references.FROM_GRADIENTS[method]
    expected = np.stack([reference(*one) for one in zip(a, g, strict=True)])
    for found in (ask.formula(method, a, g), ask.formula(method, torch.tensor(a), torch.tensor(g))):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", references.FROM_GRADIENTS)
@pytest.mark.parametrize("space", [(15,), (3, 1, 5)], ids=["a line", "a volume"])
def test_formulas_do_not_mind_how_places_lie(method, space):
    a, g = arrays("rectified")
    found = ask.formula(method, a.reshape(2, 6, *space), g.reshape(2, 6, *space))
    assert found.shape == (2, *space)
    ask.close(found.reshape(2, 3, 5), ask.formula(method, a, g))
