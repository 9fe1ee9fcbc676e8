"""A network behind a shift says of shifted images what it says of the images, and shares its weights with nobody's harm."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy

X = np.random.default_rng(1).standard_normal((2, 3, 9, 9)).astype(np.float32)
M = np.array([0.5, -1.25, 2.0])


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4)
    ).eval()


def test_scores_of_shifted_images_are_those_of_the_images_also_at_a_padded_border():
    own = network()
    before = {name: value.clone() for name, value in own.state_dict().items()}
    model = seewhy.wrap(own)
    shifted = model.behind_shift(M, X)
    moved = (X + M[:, None, None]).astype(np.float32)
    np.testing.assert_allclose(shifted.answer(moved).scores, model.answer(X).scores, atol=1e-6)
    assert np.abs(shifted.answer(X).scores - model.answer(X).scores).max() > 0.01
    assert all(torch.equal(before[name], value) for name, value in own.state_dict().items())


def test_without_a_border_it_is_the_shift_folded_into_the_first_bias():
    own = network()
    own[0].padding = (0, 0)
    folded = network()
    folded[0].padding = (0, 0)
    with torch.no_grad():
        folded[0].bias -= (folded[0].weight.sum((2, 3)) * torch.as_tensor(M, dtype=torch.float32)).sum(1)
    moved = (X + M[:, None, None]).astype(np.float32)
    shifted = seewhy.wrap(own).behind_shift(M, X)
    np.testing.assert_allclose(shifted.answer(moved).scores, seewhy.wrap(folded).answer(moved).scores, atol=1e-5)


def test_signals_and_volumes_are_shifted_too():
    for dims, conv, pool in ((1, nn.Conv1d, nn.AdaptiveAvgPool1d), (3, nn.Conv3d, nn.AdaptiveAvgPool3d)):
        torch.manual_seed(dims)
        model = seewhy.wrap(nn.Sequential(conv(2, 3, 3, padding=1), nn.ReLU(), pool(1), nn.Flatten(), nn.Linear(3, 2)).eval())
        x = np.random.default_rng(2).standard_normal((1, 2, *[6] * dims)).astype(np.float32)
        shifted = model.behind_shift(np.array([1.0, -0.5]), x)
        moved = x + np.array([1.0, -0.5], np.float32).reshape(2, *[1] * dims)
        np.testing.assert_allclose(shifted.answer(moved).scores, model.answer(x).scores, atol=1e-6)


def test_what_cannot_be_shifted_says_why():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, x, factor):
            return self.inner(x) * factor

    model = seewhy.wrap(Two(), inputs=(seewhy.IMAGE, seewhy.Fixed(torch.tensor(2.0))))
    with pytest.raises(seewhy.NotApplicable, match="called with images alone"):
        model.behind_shift(M, X)
    with pytest.raises(seewhy.BadParameter, match="3 channels"):
        seewhy.wrap(network()).behind_shift(np.zeros(2), X)
