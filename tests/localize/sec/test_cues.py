"""From maps to labels of pixels: by hand, and on images whose edges are known."""

import numpy as np

from seewhy.localize.sec.cues import by_cells, crf_grid, refined, refined_labels, strongest, sure_labels
from seewhy.objects.refine.crf import Tie, kernels, label_costs, mean_field
from seewhy.pictures.label_map import VOID


def test_means_over_cells_that_divide_the_image_and_that_do_not():
    values = np.random.default_rng(0).random((6, 8))
    np.testing.assert_allclose(by_cells(values, (3, 4)), values.reshape(3, 2, 4, 2).mean((1, 3)))
    np.testing.assert_allclose(by_cells(values, (1, 1)), [[values.mean()]])
    uneven = by_cells(np.array([[1.0, 2.0, 6.0]]), (1, 2))  # the middle pixel is shared
    np.testing.assert_allclose(uneven, [[(1 + 0.5 * 2) / 1.5, (0.5 * 2 + 6) / 1.5]])
    np.testing.assert_allclose(by_cells(np.full((5, 7, 3), 2.5), (2, 3)), np.full((2, 3, 3), 2.5))


def test_the_strongest_class_above_the_background():
    maps = np.array([[[0.9, 0.2, 0.4]], [[0.3, 0.1, 0.5]]], np.float32)
    assert strongest(maps, 0.25).tolist() == [[1, 0, 2]]
    assert strongest(maps[:0], 0.25).tolist() == [[0, 0, 0]]


def halves(side: int = 24):
    """A photo, dark at its left and bright at its right, and a soft map of what is bright that reaches over the edge."""
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[:, side // 2 :] = 200
    across = np.clip((np.arange(side) - side / 4) / (side / 2), 0, 1)
    return pixels, np.broadcast_to(across, (1, side, side)).astype(np.float32)


def test_refined_is_the_mean_field_of_the_labels():
    pixels, maps = halves(12)
    costs = label_costs(np.where(maps[0] > 0.3, 1, 0), 2, 0.7)
    tied = kernels(pixels, (Tie(10, 5, 13), Tie(3, 12 * 3 / 96)))
    found, lower = refined(maps, pixels, 0.3, 0.1)
    np.testing.assert_allclose(found, mean_field(costs, tied).reshape(2, 12, 12), rtol=1e-5)
    assert lower[1].sum() > found[1].sum()
    assert (refined(maps[:0], pixels, 0.3)[0] == 1).all()  # no class: all is background


def test_labels_snap_to_the_edge_of_the_photo():
    pixels, maps = halves()
    truth = np.repeat([[0] * 12 + [1] * 12], 24, 0)
    assert (strongest(maps, 0.3) != truth).mean() > 0.08
    np.testing.assert_array_equal(refined_labels(maps, pixels, 0.3)[3:-3], truth[3:-3])  # a corner has few neighbours


def test_what_is_sure_lies_within_what_is_labelled():
    pixels, maps = halves()
    sure = sure_labels(maps, pixels, 0.5, 0.2, (24, 24))
    assert set(np.unique(sure)) <= {0, 1, VOID}
    assert (sure[:, :10] == 0).all()
    assert (sure[:, 14:] == 1).all()
    assert (sure_labels(maps[:0], pixels, 0.5, 0.2, (6, 6)) == 0).all()


def test_the_grid_of_the_crf_is_small():
    assert crf_grid((96, 96)) == (32, 32)
    assert crf_grid((20, 10)) == (20, 10)
    assert crf_grid((3000, 10)) == (32, 1)
