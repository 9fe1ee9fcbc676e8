"""What the maths promises, in float64: methods.md 2.1, without a reference between."""

import numpy as np
import pytest
import torch

import seewhy
from support import ask, networks
from support.references import cams as references

GAP = {"pooled": "act2", "inplace": "act2", "relu6": "act2", "dead_channels": "act2", "signed_features": "act2",
       "bn_dropout": "act2", "pointwise_head": "act2", "reused": "act#3"}  # fmt: skip
ALL = list(range(networks.CLASSES))


def gap_case(toy, h=7, w=10):
    network, x = getattr(networks, toy)(), networks.images(3, h, w, seed=5)
    asked = ask.case(network, x, ALL, [GAP[toy]])
    cam = ask.run("cam", asked)[GAP[toy]]  # (t, n, h, w)
    return network, x, asked, cam


def space(m):
    """(t, n, h, w) -> (t, n): what it sums to."""
    return m.sum((2, 3))


def logits(network, x):
    return np.stack([references.scores(network, image) for image in x], 1)  # (t, n)


@pytest.mark.parametrize("toy", GAP)
def test_behind_pooling_four_methods_are_one(toy):
    """CAM = Z Grad-CAM = Z HiResCAM = Z XGrad-CAM, before the ReLU."""
    _, _, asked, cam = gap_case(toy)
    z = cam[0, 0].size
    for method in ("grad-cam", "hires-cam", "xgrad-cam"):
        ask.close(z * ask.run(method, asked)[GAP[toy]], cam)


@pytest.mark.parametrize("toy", GAP)
def test_the_mean_of_cam_is_the_score_without_its_bias(toy):
    network, x, _, cam = gap_case(toy)
    bias = network.fc.bias.detach().numpy()[:, None]
    ask.close(cam.mean((2, 3)) + bias, logits(network, x))


@pytest.mark.parametrize("toy", ["flat_head", "linear_flat_head", "lstm_head", "tokens"])
def test_elsewhere_they_are_not(toy):
    network, x = getattr(networks, toy)(), networks.images(2, seed=5)
    layer = {"lstm_head": "act1", "tokens": "block1"}.get(toy, "act2")
    asked = ask.case(network, x, ALL, [layer])
    grad, hires, xgrad = (ask.run(method, asked)[layer] for method in ("grad-cam", "hires-cam", "xgrad-cam"))
    for one, other in ((grad, hires), (grad, xgrad), (xgrad, hires)):
        ask.far(one, other, rel=0.2)
    with pytest.raises(seewhy.NotApplicable):
        ask.run("cam", asked)


def test_before_the_relu_hires_cam_is_still_cam_and_grad_cam_is_not():
    """The gradient of relu(a) a is relu(a)'s own map; its mean over space belongs to no map of a."""
    asked = ask.case(networks.functional(), networks.images(2, 7, 10), ALL, ["conv2"])
    cam, hires, grad = (ask.run(method, asked)["conv2"] for method in ("cam", "hires-cam", "grad-cam"))
    z = cam[0, 0].size
    ask.close(z * hires, cam)
    ask.far(z * grad, cam, rel=0.1)


def test_hires_cam_sums_to_the_score_of_an_affine_head():
    network, x = networks.linear_flat_head(), networks.images(3, seed=6)
    hires = ask.maps(network, "hires-cam", x, ALL, ["act2"])["act2"]
    ask.close(space(hires), logits(network, x) - network.fc.bias.detach().numpy()[:, None])


def score_and_bias_parts(network, image, index, later):
    """y, and the sum of b dy/db over the biases of these layers."""
    y = network(torch.tensor(image[None]))[0, index]
    biases = [getattr(network, name).bias for name in later]
    return y.item(), sum(float((b * g).sum().detach()) for b, g in zip(biases, torch.autograd.grad(y, biases), strict=True))


@pytest.mark.parametrize(
    ("layer", "later"), [("act2", ["fc1", "fc2"]), ("conv2", ["fc1", "fc2"]), ("act1", ["conv2", "fc1", "fc2"])]
)
def test_hires_cam_sums_to_the_score_of_a_relu_head_without_its_biases(layer, later):
    network, x = networks.flat_head(), networks.images(2, seed=7)
    hires = space(ask.maps(network, "hires-cam", x, ALL, [layer])[layer])
    for t in ALL:
        for i, image in enumerate(x):
            y, biases = score_and_bias_parts(network, image, t, later)
            ask.close(hires[t, i], y - biases)
            ask.far(hires[t, i], y, rel=1e-3)  # the biases do count


def test_the_clamp_at_6_is_a_bias_too():
    """ReLU6: the score is only complete with 6 dy/dout where a unit is at 6.  methods.md 0, point 2."""
    network, x = networks.relu6(), networks.images(2, seed=7)
    hires = space(ask.maps(network, "hires-cam", x, ALL, ["conv1"])["conv1"])
    for t in ALL:
        for i, image in enumerate(x):
            y, biases = score_and_bias_parts(network, image, t, ["conv2", "fc"])
            clamp = 0.0
            for layer in ("act1", "act2"):
                a, g = references.evidence(network, layer, image, np.eye(networks.CLASSES)[t])
                clamp += float((6 * g * (a == 6)).sum())
            assert abs(clamp) > 1e-3
            ask.close(hires[t, i], y - biases - clamp)


@pytest.mark.parametrize(
    ("toy", "layer"), [("pooled", "act1"), ("dead_channels", "act2"), ("flat_head", "act2"), ("relu6", "act1")]
)
def test_xgrad_cam_sums_to_gradient_times_activation(toy, layer):
    asked = ask.case(getattr(networks, toy)(), networks.images(2, seed=8), ALL, [layer])
    ask.close(space(ask.run("xgrad-cam", asked)[layer]), space(ask.run("hires-cam", asked)[layer]))


def against(t):
    """The negative of class t's score."""
    return lambda scores: -np.eye(scores.shape[1])[np.full(len(scores), t)]


@pytest.mark.parametrize(
    ("toy", "layer"), [("pooled", "act1"), ("flat_head", "act2"), ("tokens", "block1"), ("signed_features", "act1")]
)
def test_layer_cam_for_and_against_make_hires_cam(toy, layer):
    network, x = getattr(networks, toy)(), networks.images(2, seed=9)
    for_it = ask.maps(network, "layer-cam", x, ALL, [layer])[layer]
    against_it = ask.maps(network, "layer-cam", x, [against(t) for t in ALL], [layer])[layer]
    ask.close(for_it - against_it, ask.maps(network, "hires-cam", x, ALL, [layer])[layer])
    assert np.abs(against_it).max() > 0


@pytest.mark.parametrize("toy", ["pooled", "relu6", "signed_features", "dead_channels"])
def test_behind_pooling_the_positive_methods_know_their_weights(toy):
    """LayerCAM weighs a channel by relu(w) / Z, Grad-CAM++ by relu(w) / (2 + w F) with F its mean (of a negative one: 0)."""
    network, x, asked, cam = gap_case(toy)
    w = network.fc.weight.detach().numpy()  # (t, c)
    layer = ask.run("layer-cam", asked)[GAP[toy]]
    plus = ask.run("grad-cam-pp", asked)[GAP[toy]]
    for i, image in enumerate(x):
        a = references.evidence(network, GAP[toy], image, [1, 0, 0, 0, 0])[0]
        mean = a.mean((1, 2)).clip(min=0)
        for t in ALL:
            positive = w[t].clip(min=0)
            ask.close(layer[t, i] * cam[0, 0].size, references.cam(a, positive))
            ask.close(plus[t, i], references.cam(a, positive / (2 + positive * mean)))


def test_eigen_cam_finds_the_one_pattern_of_rank_one_activations():
    rng = np.random.default_rng(0)
    pattern, mix = rng.random((2, 4, 6)), rng.normal(size=(2, 9))
    mix *= np.sign(mix.sum(1, keepdims=True))  # the channels' sum has the pattern's own sign
    found = ask.formula("eigen-cam", mix[:, :, None, None] * pattern[:, None])
    ask.close(found, pattern * np.linalg.norm(mix, axis=1)[:, None, None])


def test_eigen_cam_is_blind_to_the_class():
    found = ask.maps(networks.flat_head(), "eigen-cam", networks.images(2), ALL, ["act2"])["act2"]
    for t in ALL:
        np.testing.assert_array_equal(found[t], found[0])
    grad = ask.maps(networks.flat_head(), "eigen-grad-cam", networks.images(2), ALL, ["act2"])["act2"]
    ask.far(grad[1], grad[0])


@pytest.mark.parametrize("method", ["eigen-cam", "eigen-grad-cam"])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("shape", [(8, 3, 4), (5, 6, 7)], ids=["places <= 2 channels", "more places"])
def test_a_principal_component_has_the_sign_of_the_sum_however_it_is_computed(method, centred, shape):
    rng = np.random.default_rng(1)
    for _ in range(5):
        a = rng.normal(size=(1, *shape)) + rng.normal(0, 0.3)
        g = np.ones_like(a)
        found = ask.formula(method, a, g, centred=centred)[0]
        channels, rows = rng.permutation(shape[0]), rng.permutation(shape[1])
        ask.close(ask.formula(method, a[:, channels], g, centred=centred)[0], found, rel=1e-7)
        ask.close(ask.formula(method, a[:, :, rows], g, centred=centred)[0], found[rows], rel=1e-7)
        ask.close(ask.formula(method, -a, g, centred=centred)[0], -found, rel=1e-7)  # as its sum does
        m = a[0].reshape(shape[0], -1).T
        m = m - m.mean(0) if centred else m
        u, s, _ = np.linalg.svd(m)
        either = u[:, 0] * s[0]  # or its negative: the decomposition does not say
        ask.close(found.ravel(), either * np.sign(either @ m.sum(1)), rel=1e-7)


def test_where_the_sum_says_nothing_the_peak_is_positive():
    pattern = np.array([[1.0, -3.0, 0.5], [0.0, 1.0, 2.0]])
    a = np.stack([pattern, -pattern, 2 * pattern, -2 * pattern])[None]
    found = ask.formula("eigen-cam", a)[0]
    ask.close(found, -pattern * np.sqrt(10))
