"""Effective receptive fields: of a linear network the composition of its kernels, exactly."""

import numpy as np
import pytest
import torch
from scipy.signal import convolve
from torch import nn

import seewhy
from seewhy.inside.fields import EffectiveFields, effective_fields
from seewhy.progress import stoppable
from support import networks

DRAW = np.random.default_rng(0)
IMAGES = [*DRAW.standard_normal((3, 3, 17, 17))]


def linear_net() -> nn.Module:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, (3, 5)))
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2)).double().eval()


def test_of_two_convolutions_it_is_their_kernels_convolved():
    """Cross-correlating with w1, then w2, is cross-correlating with w1 convolved with w2, summed over what lies between."""
    network = linear_net()
    w1, w2 = (network[i].weight.detach().numpy() for i in (0, 1))
    found = effective_fields(seewhy.wrap(network), "1", None, IMAGES, 99)
    assert (found.units, found.at, found.images) == ((0, 1, 2, 3, 4), (6, 5), 3)  # 13 x 11 cells
    assert found.window() == (slice(6, 11), slice(5, 12))  # 5 x 7 pixels from the cell's own place on
    for k in range(5):
        for c in range(3):
            composed = sum(convolve(w1[j, c], w2[k, j]) for j in range(4))
            np.testing.assert_allclose(found.mean[k, c][found.window()], composed, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(found.strength, np.sqrt((found.mean**2).sum(1)), rtol=1e-10)  # every image has this gradient


class TwoSizes(nn.Module):
    """One activation that runs on 8x8 cells of four channels, then on 4x4 of six, as those of a residual network do."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.act, self.head = nn.Softplus(), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.act(self.second(self.act(self.first(x)))).mean((2, 3)))


def test_of_a_layer_that_runs_several_times_the_last_run_counts():
    torch.manual_seed(0)
    model, images = seewhy.wrap(TwoSizes().eval()), [*DRAW.standard_normal((1, 3, 8, 8)).astype(np.float32)]
    found, last = (effective_fields(model, layer, None, images, 9) for layer in ("act", "act#2"))
    assert (found.units, found.at) == ((0, 1, 2, 3, 4, 5), (2, 2))
    assert np.array_equal(found.mean, last.mean)
    assert effective_fields(model, "act#1", None, images, 9).at == (4, 4)


@pytest.mark.parametrize("last", [0, 2])
def test_ctrl_c_leaves_the_mean_of_the_images_until_then(last):
    """Asked for during the last image it changes nothing."""
    model = seewhy.wrap(networks.pooled())
    images = [*networks.images(3)]
    with stoppable() as stop:

        def given():
            for place, image in enumerate(images):
                yield image
                if place == last:
                    stop.set()

        found = effective_fields(model, "act2", [2], given(), 99)
    expected = effective_fields(model, "act2", [2], images[: last + 1], 99)
    assert (found.images, found.stopped) == (last + 1, last == 0)
    assert np.array_equal(found.mean, expected.mean)


def test_mean_and_strength_over_images_are_those_of_each_gradient():
    network = networks.pooled()
    images = [*networks.images(3)]
    found = effective_fields(seewhy.wrap(network), "act2", [2, 0], images, 99)
    layer, gradients = dict(network.named_modules())["act2"], []
    for image in images:
        x, seen = torch.tensor(image[None]).requires_grad_(), []
        handle = layer.register_forward_hook(lambda _m, _a, out, seen=seen: seen.append(out))
        network(x)
        handle.remove()
        a = seen[0][0, :, found.at[0], found.at[1]]
        gradients.append([torch.autograd.grad(a[k], x, retain_graph=True)[0][0].numpy() for k in (2, 0)])
    g = np.array(gradients)
    np.testing.assert_allclose(found.mean, g.mean(0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.strength, np.sqrt((g**2).sum(2).mean(0)), rtol=1e-9, atol=1e-12)


def test_the_effective_side_counts_pixels_above_a_share_of_the_greatest():
    strength = np.zeros((2, 5, 5))
    strength[0, 1:4, 1:4], strength[0, 2, 2], strength[0, 0, 0] = 0.05, 1.0, 0.045
    found = EffectiveFields((0, 1), (2, 2), 1, np.zeros((2, 3, 5, 5)), strength)
    assert found.sides().tolist() == [3, 0]
    assert found.window() == (slice(0, 4), slice(0, 4))


def test_a_layer_without_space_has_a_field_too():
    network = linear_net()
    found = effective_fields(seewhy.wrap(network), "4", [1], IMAGES[:1], 99)
    x = torch.tensor(IMAGES[0][None]).requires_grad_()
    (g,) = torch.autograd.grad(network(x)[0, 1], x)
    np.testing.assert_allclose(found.mean[0], g[0].numpy(), rtol=1e-10, atol=1e-14)
    assert found.at == ()


def test_advice():
    model = seewhy.wrap(linear_net())
    with pytest.raises(seewhy.BadParameter, match="no filter 9; 1 has filters 0 to 4"):
        effective_fields(model, "1", [9], IMAGES, 99)
    with pytest.raises(seewhy.BadParameter, match="images of one size"):
        effective_fields(model, "1", None, [IMAGES[0], IMAGES[1][:, 1:]], 99)
    with pytest.raises(seewhy.NotApplicable, match="no image"):
        effective_fields(model, "1", None, [], 99)
