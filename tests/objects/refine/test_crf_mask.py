"""Masks by the random field."""

import numpy as np

from seewhy.objects.refine import crf_mask as module
from seewhy.objects.refine.crf import Tie, kernels, mean_field
from seewhy.objects.refine.crf_mask import crf


def test_it_begins_from_how_likely_each_cell_is():
    rng = np.random.default_rng(0)
    values, pixels = rng.random((8, 10)).astype(np.float32), rng.integers(0, 256, (8, 10, 3), np.uint8)
    costs = np.zeros((2, 80))
    for at, value in enumerate(values.ravel().tolist()):
        likely = min(max(value / (value + 0.3), 0.001), 0.999)
        costs[:, at] = -np.log(1 - likely), -np.log(likely)
    tied = kernels(pixels / 255, [Tie(4, 0.2 * 10, 0.3), Tie(2, 1)], dtype=np.float64)
    expected = mean_field(costs, tied, 3)[1].reshape(8, 10)
    assert (abs(expected - 0.5) > 1e-4).all()
    mask = crf(values, 0.3, pixels, weight=4, xy=0.2, rgb=0.3, smooth=2, iterations=3)
    np.testing.assert_array_equal(mask, expected > 0.5)
    assert 0 < mask.mean() < 1


def test_without_ties_it_is_the_map_above_the_cut():
    rng = np.random.default_rng(0)
    values, pixels = rng.random((8, 10)).astype(np.float32), rng.integers(0, 256, (8, 10, 3), np.uint8)
    np.testing.assert_array_equal(crf(values, 0.3, pixels, weight=0, smooth=0), values > 0.3)


def test_a_mask_reaches_to_the_colour_edge():
    pixels = np.full((24, 24, 3), 30, np.uint8)
    pixels[6:18, 4:20] = 200
    values = np.zeros((24, 24), np.float32)
    values[6:18, 7:19] = 1
    np.testing.assert_array_equal(crf(values, 0.3, pixels, smooth=0), pixels[..., 0] == 200)


def test_a_large_photo_is_worked_on_smaller(monkeypatch):
    monkeypatch.setattr(module, "MOST", 20**2)
    pixels = np.full((60, 60, 3), 30, np.uint8)
    pixels[15:45, 12:48] = 200
    values = np.zeros((60, 60), np.float32)
    values[15:45, 18:48] = 1
    wrong = crf(values, 0.3, pixels, smooth=0) != (pixels[..., 0] == 200)
    assert set(map(tuple, np.argwhere(wrong))) <= {(15, 12), (15, 47), (44, 12), (44, 47)}  # its corners are rounded


def test_of_one_colour_all_is_what_most_of_it_is():
    """Where nothing tells cells apart, the ties make one of them all: said in the docs."""
    values, pixels = np.zeros((20, 20), np.float32), np.full((20, 20, 3), 90, np.uint8)
    values[4:10, 4:10] = 1
    assert not crf(values, 0.3, pixels, xy=1).any()
    values[2:18, 2:20] = 1
    assert crf(values, 0.3, pixels, xy=1).all()
