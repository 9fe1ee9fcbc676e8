"""Methods made of methods, against plain loops over the copies that the network saw."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from seewhy import METHODS, Top, fuse, product, smooth
from seewhy.methods.making.method import lookup
from support import ask, networks
from support.references import cams as references
from support.references.cams import gradient_of, pinned

X = networks.images(2, 10, 12, seed=31)
FEW = {"samples": 3, "sigma": 0.4}


@contextmanager
def watched(network):
    """What runs through the network while the block does, pass by pass."""
    seen = []
    handle = network.register_forward_pre_hook(lambda _module, args: seen.append(args[0].detach().clone().numpy()))
    yield seen
    handle.remove()


def copies(x, batch_size=None, **params):
    """The noisy copies that smooth() makes of x: (samples, n, c, h, w)."""
    network = networks.pooled()
    with watched(network) as seen:
        smooth(METHODS["gradient"])(seewhy.wrap(network, batch_size=batch_size), x, target=0, **{**FEW, **params})
    if batch_size == 1:  # image after image, each with its own untouched pass
        passes = np.concatenate(seen).reshape(len(x), -1, *x.shape[1:])
        np.testing.assert_array_equal(passes[:, 0], x)
        return passes[:, 1:].swapaxes(0, 1)
    np.testing.assert_array_equal(seen[0], x)
    return np.concatenate(seen[1:]).reshape(-1, *x.shape)


def grown(map_, *space):
    return F.interpolate(torch.tensor(map_)[None, None], space, mode="bilinear", align_corners=False)[0, 0].numpy()


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("toy", ["pooled", "bn_dropout", "signed_features"])
def test_smooth_is_the_mean_of_finished_maps(toy, signed):
    """Of rectified ones where the method rectifies; the class is that of the untouched image, whatever the copies show."""
    network = getattr(networks, toy)()
    found = ask.run("smooth(grad-cam)", ask.case(network, X, [Top(), 2], ["act2"]), signed=signed, **FEW)["act2"]
    noisy = copies(X)
    taken = {int(references.scores(network, image).argmax()) for images in noisy for image in images[:1]}
    assert taken != {int(references.scores(network, X[0]).argmax())}, "the copies look alike, so nothing is pinned"
    for t, target in enumerate(("top", 2)):
        for i, row in enumerate(pinned(network, X, target)):
            each = [references.grad_cam(*references.evidence(network, "act2", images[i], row)) for images in noisy]
            ask.close(found[t, i], np.mean(each if signed else np.clip(each, 0, None), axis=0))


MOMENTS = {
    "smooth-grad": lambda g: g.mean(0),
    "smooth-grad-squared": lambda g: (g**2).mean(0),
    "var-grad": lambda g: (g**2).mean(0) - g.mean(0) ** 2,
}


@pytest.mark.parametrize(("name", "moment"), MOMENTS.items())
def test_moments_of_gradients(name, moment):
    """Smilkov et al. 2017; Hooker et al. 2019; Adebayo et al. 2018: of each channel, joined afterwards."""
    network = networks.flat_head(h=10, w=12)
    found = ask.maps(network, name, X, [Top(), 2], [None], **FEW)["input"]
    for t, target in enumerate(("top", 2)):
        for i, row in enumerate(pinned(network, X, target)):
            ask.close(found[t, i], moment(np.stack([gradient_of(network, images[i], row) for images in copies(X)])))
    (first, *_) = METHODS[name](seewhy.wrap(network), X, target=[Top(), 2], **FEW)
    ask.close(first.values, abs(found[0, 0]).max(0), rel=1e-5)


@pytest.mark.parametrize("name", ["smooth-grad", "smooth(grad-cam)", "smooth(input-x-gradient)", "smooth(eigen-cam)"])
def test_without_noise_smooth_is_the_method_itself(name):
    model, inner = seewhy.wrap(networks.pooled()), {"smooth-grad": "gradient"}.get(name, name[7:-1])
    still = lookup(name)(model, X, target=[0, 3], samples=2, sigma=0)
    ask.close(ask.values(still), ask.values(lookup(inner)(model, X, target=[0, 3])), rel=1e-5)


def test_the_noise_is_gaussian_a_share_of_the_images_own_range():
    x = networks.images(3, 40, 50, seed=1) * np.array([1, 5, 0.2]).reshape(3, 1, 1, 1)
    noise = copies(x, sigma=0.15) - x
    for i, image in enumerate(x):
        units = noise[:, i] / (0.15 * (image.max() - image.min()))
        assert abs(units.mean()) < 0.03
        assert abs(units.std() - 1) < 0.02
        assert abs((units**4).mean() - 3) < 0.3
        assert abs(np.corrcoef(units.reshape(3, -1)) - np.eye(3)).max() < 0.06  # one copy and the next
    assert abs(np.corrcoef(noise[0].reshape(3, -1)) - np.eye(3)).max() < 0.06  # one image and the next
    assert abs(np.corrcoef(noise[:, 0].swapaxes(0, 1).reshape(3, -1)) - np.eye(3)).max() < 0.06  # one channel and the next


def test_the_noise_of_an_image_does_not_know_its_batch():
    x = networks.images(4, 6, 8, seed=5)
    together = copies(x)
    for i in range(4):
        np.testing.assert_array_equal(copies(x[i : i + 1])[:, 0], together[:, i])
    np.testing.assert_array_equal(copies(x[::-1])[:, ::-1], together)
    np.testing.assert_array_equal(copies(x, batch_size=1), together)
    np.testing.assert_array_equal(copies(x, samples=5)[:3], together)
    twins = copies(np.stack([x[0], x[1], x[0]]))
    np.testing.assert_array_equal(twins[:, 0], twins[:, 2])
    ask.far(copies(x, seed=1), together)


@pytest.mark.parametrize("inner", ["grad-cam", "hires-cam", "eigen-cam", "full-grad", "excitation-backprop"])
def test_a_product_with_pixels_keeps_their_channels(inner):
    """Each channel times the map, drawn out linearly; rectified as the method has it."""
    network = networks.flat_head(h=10, w=12)
    found = ask.run(f"product(gradient, {inner})", ask.case(network, X, [0, 2], ["act2"], pixels=True))
    (layer,) = found
    assert layer == "input" if inner == "full-grad" else layer == "act2"
    maps = ask.run(inner, ask.case(network, X, [0, 2], ["act2"]))[layer]
    rectified = METHODS[inner].rectified
    for t, target in enumerate((0, 2)):
        for i, row in enumerate(pinned(network, X, target)):
            map_ = grown(maps[t, i].clip(min=0) if rectified else maps[t, i], 10, 12)
            ask.close(found[layer][t, i], gradient_of(network, X[i], row) * map_)
            assert not found[layer][t, i][:, map_ == 0].any()


def test_a_product_of_maps_is_taken_layer_by_layer():
    network = networks.pooled()
    found = ask.run("product(hires-cam, layer-cam)", ask.case(network, X, [1], ["conv1", "act2"]), signed=True)
    assert [*found] == ["conv1", "act2"]
    for layer in found:
        for i in range(2):
            a, g = references.evidence(network, layer, X[i], np.eye(networks.CLASSES)[1])
            ask.close(found[layer][0, i], references.hires_cam(a, g) * references.layer_cam(a, g))


def test_a_product_of_pixels_goes_channel_by_channel():
    """gradient times input x gradient: x g^2."""
    joined = product(METHODS["gradient"].using(reduce="sum"), "input-x-gradient")
    found = ask.run(joined, ask.case(networks.pooled(), X, [2], pixels=True))["input"]
    g = np.stack([gradient_of(networks.pooled(), image, np.eye(networks.CLASSES)[2]) for image in X])
    ask.close(found[0], X * g**2)


@pytest.mark.parametrize("toy", ["pooled", "flat_head", "bn_dropout", "linear_flat_head"])
def test_guided_grad_cam_is_captums_with_bilinear_growing(toy):
    attr = pytest.importorskip("captum.attr")
    network = getattr(networks, toy)(**({"h": 10, "w": 12} if "flat" in toy else {}))
    found = ask.maps(network, "guided-grad-cam", X, [0, 3], ["act2"])["act2"]
    for t, target in enumerate((0, 3)):
        with pytest.warns(UserWarning, match="backward hooks"):
            theirs = attr.GuidedGradCam(network, network.act2).attribute(
                torch.tensor(X, requires_grad=True), target, interpolate_mode="bilinear"
            )
        ask.close(found[t], theirs.detach().numpy(), rel=1e-8)


def test_fused_products_are_flat_maps():
    model = seewhy.wrap(networks.pooled())
    fine, coarse = METHODS["guided-grad-cam"](model, X[:1], target=1, layer=["act1", "act2"])
    assert fine.channels.shape == coarse.channels.shape == (3, 10, 12)
    assert fine.cells is None, "it has the cells of the image, as many as the layer has"
    assert coarse.cells is None
    (fused,) = fuse([fine, coarse])
    assert fused.channels is None
    ask.close(fused.values, (fine.values / fine.values.max() + coarse.values / coarse.values.max()) / 2, rel=1e-5)


def test_linear_networks_need_no_smoothing():
    """Every copy has the same gradient: its mean is the gradient, its variance nothing."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 10 * 12, networks.CLASSES)).double()
    w = network[1].weight.detach().numpy()[4].reshape(3, 10, 12)
    ask.close(ask.maps(network, "smooth-grad", X, [4], [None], **FEW)["input"][0, 1], w)
    ask.close(ask.maps(network, "smooth-grad-squared", X, [4], [None], **FEW)["input"][0, 1], w**2)
    assert abs(ask.maps(network, "var-grad", X, [4], [None], **FEW)["input"]).max() < 1e-25
