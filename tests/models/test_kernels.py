"""Kernels in one order: filters first, whatever convolution they are of."""

import numpy as np
import torch
from torch.nn import functional as F

from seewhy.models.kernels import Kernels


def test_each_filter_reads_the_channels_of_its_group():
    """Convolved with an image of one channel that is not zero, only the filters that read it answer."""
    weights, draw = torch.randn(6, 2, 3, 3, generator=torch.Generator().manual_seed(0)), Kernels
    kernels = draw(weights.numpy(), 3, False)
    for channel in range(6):
        x = torch.zeros(1, 6, 3, 3)
        x[0, channel] = 1
        answers = F.conv2d(x, weights, groups=3)[0].abs().sum((1, 2)) > 0
        assert [channel in kernels.read(k) for k in range(6)] == answers.tolist()


def test_a_transposed_filter_is_what_one_cell_paints():
    weights = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    kernels = Kernels.transposed(weights.numpy(), 2)
    assert kernels.weights.shape == (6, 2, 2, 2)
    for channel in range(4):
        x = torch.zeros(1, 4, 1, 1)
        x[0, channel] = 1
        painted = F.conv_transpose2d(x, weights, groups=2)[0].numpy()
        for k in range(6):
            slices = dict(zip(kernels.read(k).tolist(), kernels.weights[k], strict=True))
            np.testing.assert_allclose(painted[k], slices.get(channel, np.zeros((2, 2))), atol=1e-7)


def test_norms():
    weights = np.random.default_rng(0).standard_normal((3, 2, 4))
    np.testing.assert_allclose(Kernels(weights, 1, True).norms(), np.linalg.norm(weights, axis=2))
