"""Methods averaged over mirrored and resized images, against plain loops over these images."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import seewhy
from seewhy import METHODS, Top, augment
from seewhy.methods.making.method import lookup
from support import ask, networks
from support.references import cams as references
from support.references.cams import gradient_of, pinned

X = networks.images(2, 10, 12, seed=31)


def antialiased(x, *space):
    return F.interpolate(torch.tensor(x), space, mode="bilinear", align_corners=False, antialias=True).numpy()


@pytest.mark.parametrize("flips", [False, True])
@pytest.mark.parametrize("scales", [(1,), (1.0, 0.5, 1.5), (2, 0.75), (0.5,)])
@pytest.mark.parametrize("signed", [False, True])
def test_augment_is_the_mean_of_maps_brought_back(flips, scales, signed):
    """The class is that of the untouched image; the finest of the maps gives the size."""
    network = networks.pooled()
    params = {"flips": flips, "scales": scales, "signed": signed}
    found = ask.run("augment(hires-cam)", ask.case(network, X, [Top()], ["act2"]), **params)["act2"]
    for i, row in enumerate(pinned(network, X, "top")):
        maps = []
        for scale in scales:
            image = antialiased(X[i : i + 1], round(10 * scale), round(12 * scale))[0]
            for step in (1, -1) if flips else (1,):
                a, g = references.evidence(network, "act2", image[..., ::step].copy(), row)
                map_ = references.hires_cam(a, g)[:, ::step]
                maps.append(map_ if signed else map_.clip(min=0))
        finest = max(m.shape[0] for m in maps), max(m.shape[1] for m in maps)
        ask.close(found[0, i], np.mean([antialiased(m[None, None].copy(), *finest)[0, 0] for m in maps], axis=0))


def test_augmented_pixels_come_back_to_the_image():
    network = networks.pooled()
    found = ask.run("augment(gradient)", ask.case(network, X, [1]), scales=(1.5, 0.75))["input"][0]
    row = np.eye(networks.CLASSES)[1]
    for i in range(2):
        back = []
        for h, w in ((15, 18), (8, 9)):
            image = antialiased(X[i : i + 1], h, w)[0]
            for step in (1, -1):
                g = gradient_of(network, image[..., ::step].copy(), row)[..., ::step]
                back.append(antialiased(g[None].copy(), 10, 12)[0])
        ask.close(found[i], np.mean(back, axis=0))


@pytest.mark.parametrize("name", ["augment(grad-cam)", "augment(guided-backprop)", "augment(full-grad)", "augment(lrp)"])
def test_a_mirrored_image_gives_the_mirrored_map(name):
    """Of any network; so a symmetric image gives a symmetric map."""
    model = seewhy.wrap(networks.pooled())
    for plain, mirrored in zip(
        lookup(name)(model, X, target=0), lookup(name)(model, X[..., ::-1].copy(), target=0), strict=True
    ):
        ask.close(mirrored.values, plain.values[:, ::-1], rel=1e-5)
        with pytest.raises(AssertionError):
            ask.close(plain.values, plain.values[:, ::-1], rel=1e-2)
    for one in lookup(name)(model, X + X[..., ::-1], target=0):
        ask.close(one.values, one.values[:, ::-1], rel=1e-5)


@pytest.mark.parametrize("inner", ["grad-cam", "eigen-cam", "gradient", "cam", "lrp"])
def test_augment_by_nothing_is_the_method_itself(inner):
    network = networks.pooled()
    plain = lookup(inner)(seewhy.wrap(network), X, target=[0, 3])
    same = lookup(f"augment({inner})")(seewhy.wrap(network), X, target=[0, 3], scales=(1,), flips=False)
    ask.close(ask.values(same), ask.values(plain), rel=1e-6)


def test_every_size_is_asked_for_the_untouched_images_layer():
    """At half the size act2 would be a single cell, and another layer the default."""
    model, x = seewhy.wrap(networks.pooled()), networks.images(1, 4, 4, seed=2)
    for scales in ((1, 0.5), (0.5, 1), (0.5,)):
        (default,) = augment("grad-cam")(model, x, target=0, scales=scales)
        (named,) = augment("grad-cam")(model, x, target=0, scales=scales, layer="act2")
        assert default.source.layer == "act2"
        np.testing.assert_array_equal(default.values, named.values)


def test_a_network_of_one_size_is_given_advice():
    model = seewhy.wrap(networks.flat_head(h=10, w=12))
    with pytest.raises(seewhy.NotApplicable, match=r"other sizes\? Without them: scales=\(1,\)"):
        augment(METHODS["grad-cam"])(model, X)
    assert ask.values(augment(METHODS["grad-cam"])(model, X, scales=(1,))).any()
