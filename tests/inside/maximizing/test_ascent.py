"""The ascent: where it ends on a linear unit, what it draws, and what ends it."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.errors import BadNetwork, NotApplicable
from seewhy.inside.maximizing.ascent import Ascent
from seewhy.inside.maximizing.network_input import network_input
from seewhy.inside.maximizing.objectives import objective_of
from seewhy.inside.maximizing.parametrisations import PixelLogits
from seewhy.inside.maximizing.transformations import NONE, Transformations
from seewhy.progress import stoppable

SHAPE = (2, 5, 4)


def network_of(*layers):
    torch.manual_seed(0)
    return seewhy.wrap(nn.Sequential(*layers).double(), scores="logits")


def ascent_of(model, aim=0, looks=NONE, **more):
    place = network_input(model, SHAPE, (0, 1))
    return Ascent(model, objective_of(aim, None), place, PixelLogits(place.channels, place.space), looks, **more)


@pytest.fixture(scope="module")
def linear():
    return network_of(nn.Flatten(), nn.Linear(40, 3))


def test_a_linear_unit_is_maximised_by_its_weight(linear):
    ascent = ascent_of(linear, aim=1, against={"l2": 40.0})
    weight = linear.network[1].weight[1].detach().numpy().reshape(SHAPE)
    image = ascent.climb(1, 150, 0.1, 0).images[0]
    # <w, x> - 40 mean (x - 0.5)^2, mean over 40 values, is greatest at x = 0.5 + w / 2
    np.testing.assert_allclose(image, 0.5 + weight / 2, atol=2e-3)


def test_without_a_bound_it_ends_at_the_corner_that_the_weight_points_to(linear):
    weight = linear.network[1].weight[0].detach().numpy().reshape(SHAPE)
    climbed = ascent_of(linear).climb(1, 60, 0.5, 0)
    far = abs(weight) > 0.01
    np.testing.assert_allclose(climbed.images[0][far], weight[far] > 0, atol=0.01)
    bias = linear.network[1].bias[0].item()
    assert climbed.after[0] == pytest.approx(np.clip(weight, 0, None).sum() + bias, abs=0.05)
    assert climbed.trajectory.shape == (60, 1)
    assert (np.diff(climbed.trajectory[:20, 0]) > 0).all()
    assert climbed.before[0] == pytest.approx(climbed.trajectory[0, 0])


def test_a_batch_is_what_each_image_is_alone_and_a_seed_is_repeatable():
    model = network_of(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(24, 3))
    ascent = ascent_of(model, looks=Transformations(noise=0.02), views=2, against={"tv": 0.1})
    several, again = (ascent.climb(3, 5, 0.1, 7) for _ in range(2))
    np.testing.assert_array_equal(several.images, again.images)
    for i in range(3):
        alone = ascent.climb(1, 5, 0.1, 7 + i)
        np.testing.assert_allclose(alone.images[0], several.images[i], atol=1e-6)
        np.testing.assert_allclose(alone.trajectory[:, 0], several.trajectory[:, i], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(alone.moved[0], several.moved[i], atol=1e-5)
    assert not np.allclose(several.images[0], several.images[1], atol=1e-3)


def test_the_gradient_of_a_step_is_that_of_what_is_seen():
    model = network_of(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(24, 3))
    ascent = ascent_of(model, looks=Transformations(noise=0.02), views=3)
    image = np.random.default_rng(0).uniform(size=(1, *SHAPE))
    seen = lambda x: ascent._seen(x, [np.random.default_rng(5)])  # noqa: E731
    g = seen(image).g
    for at in ((0, 0, 2, 2), (0, 1, 4, 0), (0, 1, 1, 3)):
        there, here = image.copy(), image.copy()
        there[at] += 1e-5
        here[at] -= 1e-5
        assert g[at] == pytest.approx((seen(there).values - seen(here).values)[0] / 2e-5, rel=1e-4, abs=1e-8)


class Asleep(nn.Module):
    """One score: how far the contrast of an image exceeds a threshold."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold, self.scale = threshold, nn.Parameter(torch.ones(()))

    def forward(self, x):
        return torch.relu((self.scale * x).flatten(1).std(1, keepdim=True) - self.threshold)


def test_a_unit_that_sleeps_is_woken_by_a_stronger_start():
    climbed = ascent_of(network_of(Asleep(0.05))).climb(2, 20, 0.1, 0)
    assert (climbed.trajectory[0] > 0).all()
    assert (climbed.after > climbed.before).all()


def test_a_dead_unit_is_said_to_be_dead():
    with pytest.raises(NotApplicable, match=r"no gradient at any of 6 random images; it is 0 there\. The unit is dead"):
        ascent_of(network_of(Asleep(100.0))).climb(1, 20, 0.1, 0)


class Broken(nn.Module):
    """It emits NaN after some passes."""

    passes = 0

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x):
        Broken.passes += 1
        return self.weight * x * (float("nan") if Broken.passes > 40 else 1)


def test_numbers_that_are_not_finite_end_it(monkeypatch):
    monkeypatch.setattr(Broken, "passes", 0)
    with pytest.raises(BadNetwork, match="NaN or infinite at step"):
        ascent_of(network_of(Broken(), nn.Flatten(), nn.Linear(40, 2)), seewhy.Unit("0", 1, "sum")).climb(1, 100, 0.1, 0)


def test_ctrl_c_keeps_the_images_so_far(linear):
    def interrupted(step, image, values):
        if step == 4:
            raise KeyboardInterrupt

    whole, cut = ascent_of(linear).climb(1, 4, 0.1, 0), ascent_of(linear).climb(1, 50, 0.1, 0, interrupted)
    assert (whole.stopped, cut.stopped) == (False, True)
    np.testing.assert_array_equal(cut.images, whole.images)
    with stoppable() as asked:
        by_signal = ascent_of(linear).climb(1, 50, 0.1, 0, lambda step, image, values: asked.set() if step == 4 else None)
    assert by_signal.stopped
    np.testing.assert_array_equal(by_signal.images, whole.images)
