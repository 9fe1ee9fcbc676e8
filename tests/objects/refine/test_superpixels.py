"""The vote of superpixels."""

import numpy as np
from skimage.segmentation import slic

from seewhy.objects.refine import superpixels as module
from seewhy.objects.refine.superpixels import superpixels


def test_each_piece_votes_by_the_mean_of_the_map():
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 256, (4, 5, 3), np.uint8), np.ones((6, 6, 1), np.uint8))
    values = rng.random((24, 30)).astype(np.float32)
    pieces = slic(pixels.astype(np.float32) / np.float32(255), n_segments=20, compactness=1.0, start_label=0)
    assert len(np.unique(pieces)) > 10
    mask = superpixels(values, 0.5, pixels, segments=20, compactness=1.0)
    for piece in np.unique(pieces):
        members = values[pieces == piece].astype(float)
        assert (mask[pieces == piece] == (members.mean() > 0.5)).all()
    assert 0 < mask.mean() < 1


def test_a_patch_that_the_map_half_covers_is_taken_whole():
    pixels = np.zeros((20, 20, 3), np.uint8)
    pixels[5:15, 5:15] = 220
    values = np.zeros((20, 20), np.float32)
    values[5:15, 5:11] = 1  # 60 % of the patch
    np.testing.assert_array_equal(superpixels(values, 0.5, pixels, segments=4, compactness=0.1), pixels[..., 0] > 0)


def test_pieces_of_a_large_photo_are_drawn_over_whole_cells(monkeypatch):
    monkeypatch.setattr(module, "MOST", 20**2)
    pixels = np.zeros((60, 60, 3), np.uint8)
    pixels[15:45, 15:45] = 220
    values = np.zeros((60, 60), np.float32)
    values[15:45, 15:33] = 1
    np.testing.assert_array_equal(superpixels(values, 0.5, pixels, segments=4, compactness=0.1), pixels[..., 0] > 0)
