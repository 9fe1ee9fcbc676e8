"""SEC's saliency: the gradient of all scores together, by torch's own autograd and scipy's median."""

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter

import seewhy
from seewhy.errors import BadParameter, NotApplicable


@pytest.fixture(scope="module")
def model():
    return seewhy.load("demo/honest")


@pytest.fixture(scope="module")
def scene():
    return seewhy.demo.scene(0, 5)


def test_it_is_the_median_of_the_strongest_gradient_of_the_sum_of_logits(model, scene):
    found = seewhy.seed_saliency(model, scene.image, layer="body.1")
    body, x = model.network.body, torch.as_tensor(next(iter(model.batches([scene.image]))).x)
    a = body[:2](x).detach().requires_grad_()
    (g,) = torch.autograd.grad(model.network.head(model.network.pool(body[2:](a)).flatten(1)).sum(), a)
    expected = median_filter(g[0].abs().amax(0).numpy(), 3, mode="nearest")
    np.testing.assert_allclose(found.values, expected, rtol=2e-4, atol=1e-6 * expected.max())


def test_by_default_it_is_read_where_the_grid_is_twice_as_fine(model, scene):
    found = seewhy.seed_saliency(model, scene.image)
    layers = model.layers()
    assert layers[found.source.layer].shape[1:] == (24, 24)
    assert [*layers].index(found.source.layer) == max(
        place for place, layer in enumerate(layers.values()) if layer.shape[1:] == (24, 24)
    )
    assert found.full().shape == (96, 96)
    assert "seed-saliency" not in seewhy.METHODS


def test_objects_are_more_salient_than_what_is_behind_them(model):
    shares = []
    for scene in seewhy.demo.scenes(10, 11):
        saliency = seewhy.seed_saliency(model, scene.image)
        maps = seewhy.grad_cam(model, scene.image, target=[scene.label])
        found = seewhy.seeds(maps, saliency=saliency, preset="sec")
        behind = found.mask("background")
        shares.append((scene.mask[behind].mean(), scene.mask.mean()))
    on_background, anywhere = np.mean(shares, 0)
    assert on_background < 0.5 * anywhere


def test_what_has_no_finer_layer_or_no_gradients_says_so(model, scene):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 16, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    with pytest.raises(NotApplicable, match="name one"):
        seewhy.seed_saliency(seewhy.wrap(network.eval(), prepare=model.prepare), scene.image)
    with pytest.raises(BadParameter, match="one photo"):
        seewhy.seed_saliency(model, [scene.image, scene.image], layer="body.1")
    black_box = seewhy.wrap(lambda images: images.mean((1, 2)), prepare={"size": 96, "crop": 96})
    with pytest.raises(seewhy.NeedsGradients):
        seewhy.seed_saliency(black_box, scene.image)
