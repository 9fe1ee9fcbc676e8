"""Prepared images in the order in which a network is given them."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy import metrics
from seewhy.metrics.given import as_given


class Last(nn.Module):
    """A network that takes channels last."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
        self.network = nn.Sequential(*layers)

    def forward(self, x):
        return self.network(x.permute(0, 3, 1, 2))


FIT = {"size": 16, "crop": 16, "mean": 0.5, "std": 0.5}


@pytest.mark.parametrize(("channels", "space"), [(1, (16, 12)), (-1, (16, 12)), (-1, (3, 3))])
def test_what_is_given_so_is_read_as_it_was(channels, space):
    model = seewhy.wrap(Last().eval(), prepare=FIT, channels=channels)
    x = np.random.default_rng(0).standard_normal((2, 3, *space)).astype(np.float32)
    given = as_given(model, x)
    assert given.shape == ((2, 3, *space) if channels == 1 else (2, *space, 3))
    (batch,) = model.batches(given)
    assert np.array_equal(batch.x, x)


def test_metrics_that_ask_a_method_again_work_for_networks_with_channels_last():
    last, first = Last().eval(), Last().eval()
    models = seewhy.wrap(last, prepare=FIT, channels=-1), seewhy.wrap(first.network, prepare=FIT)
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8))
    moved = []
    for model in models:
        (heatmap,) = seewhy.input_x_gradient(model, photo, target=1)
        (found,) = metrics.stability(model, [photo], [heatmap], changes=["noise"])
        moved.append([each.moved for each in found.changes])
    assert moved[0] == pytest.approx(moved[1], abs=1e-5)
    assert min(moved[0]) > 0
