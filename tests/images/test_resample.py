"""Maps at another size, against torch and Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from seewhy.images.resample import blurred, overlaps, resized, spread
from support import ask

SIZES = [
    ((5, 8), (5, 8)),
    ((5, 8), (11, 24)),
    ((5, 8), (3, 4)),
    ((9, 7), (4, 13)),
    ((3, 4), (1, 1)),
    ((1, 1), (4, 6)),
    ((6, 2), (6, 5)),
]


def drawn(*shape):
    return np.random.default_rng(shape).normal(size=shape)


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_resized_as_torch_does_with_antialiasing(old, new):
    x = drawn(2, 3, *old)
    expected = F.interpolate(torch.tensor(x), new, mode="bilinear", align_corners=False, antialias=True)
    ask.close(resized(x, new), expected.numpy())


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_resized_as_pillow_does(old, new):
    x = drawn(*old).astype(np.float32)
    expected = Image.fromarray(x).resize(new[::-1], Image.Resampling.BILINEAR)
    ask.close(resized(x, new), np.asarray(expected), rel=1e-5)


def test_growing_is_plainly_bilinear():
    x = drawn(1, 2, 4, 5)
    ask.close(resized(x, (9, 10)), F.interpolate(torch.tensor(x), (9, 10), mode="bilinear", align_corners=False).numpy())


def test_a_ramp_stays_a_ramp():
    """Cell centres at half steps: what lies in the middle of the old cells lies in the middle of the new ones."""
    old, new = (np.arange(n)[None] / n + 0.5 / n for n in (6, 18))
    ask.close(resized(old, (1, 18))[:, 3:-3], new[:, 3:-3])


@pytest.mark.parametrize("new", [(11, 24), (5, 8), (3, 13)])
def test_spread_keeps_the_sum_and_the_shape(new):
    x = drawn(2, 5, 8)
    ask.close(spread(x, new).sum((1, 2)), x.sum((1, 2)))
    one = np.zeros((5, 8))
    one[2, 3] = 1
    assert spread(one, new).min() >= 0
    top, left = np.unravel_index(spread(one, new).argmax(), new)
    assert abs((top + 0.5) / new[0] - 2.5 / 5) <= 0.5 / min(new[0], 5)
    assert abs((left + 0.5) / new[1] - 3.5 / 8) <= 0.5 / min(new[1], 8)


def test_lines_and_volumes_too():
    line, volume = drawn(2, 3, 7), drawn(1, 2, 3, 4, 5)
    ask.close(resized(line, (12,)), F.interpolate(torch.tensor(line), 12, mode="linear").numpy())
    ask.close(resized(volume, (6, 5, 5)), F.interpolate(torch.tensor(volume), (6, 5, 5), mode="trilinear").numpy())


def test_blurred_is_a_gaussian_with_the_edge_drawn_out():
    """One pixel after the other: every other one weighs exp(-d^2 / 2 s^2), s in shares of each side."""
    x, sigma = drawn(1, 1, 5, 7), 0.2
    far, expected = 40, np.zeros((5, 7))
    padded = np.pad(x[0, 0], far, mode="edge")
    for i in range(5):
        for j in range(7):
            down, across = (np.arange(n + 2 * far) - far - at for n, at in ((5, i), (7, j)))
            weight = np.exp(-(down[:, None] ** 2) / (2 * (5 * sigma) ** 2) - across**2 / (2 * (7 * sigma) ** 2))
            expected[i, j] = (weight * padded).sum() / weight.sum()
    ask.close(blurred(x, sigma)[0, 0], expected, rel=1e-6)
    np.testing.assert_allclose(blurred(np.full((1, 3, 5, 7), 2.5), 0.1), 2.5)


def test_the_kind_of_number_stays():
    for kind in (np.float32, np.float64):
        x = drawn(1, 1, 4, 4).astype(kind)
        assert {resized(x, (7, 7)).dtype, spread(x, (7, 7)).dtype, blurred(x, 0.1).dtype} == {np.dtype(kind)}


@pytest.mark.parametrize(("count", "blocks"), [(6, 3), (5, 3), (3, 5), (1, 4)])
def test_cells_lie_in_blocks_as_far_as_they_overlap(count, blocks):
    fine = 840  # parts of each cell
    block = (np.arange(count * fine) + 0.5) * blocks // (count * fine)  # in which each of the parts lies
    expected = [[(block[i * fine : (i + 1) * fine] == k).mean() for i in range(count)] for k in range(blocks)]
    np.testing.assert_allclose(overlaps(count, blocks), expected, atol=1e-12)
