"""Windows and pieces: which pixels each hides, and the mean and error of what they lose."""

import numpy as np
import pytest

from seewhy.methods.making.windows import Pieces, Windows, mean_drop
from support import ask
from support.references import perturb as by_hand

SPACE = (7, 9)


@pytest.mark.parametrize("shape", ["box", "gaussian"])
def test_totals_are_sums_over_the_windows_that_hide_a_pixel(shape):
    windows = Windows(SPACE, (3, 4), (2, 3), shape)
    masks = np.array(by_hand.window_masks(SPACE, (3, 4), (2, 3), shape == "gaussian"))
    each = np.random.default_rng(0).normal(size=(2, windows.count))
    assert windows.count == len(masks)
    ask.close(windows.total(each), np.tensordot(each, masks, 1))
    ask.close(windows.squares(each), np.tensordot(each, masks**2, 1))
    part = np.zeros(SPACE, bool)
    part[3, 4:6] = True
    assert windows.touching(part).tolist() == [bool((mask[part] > 0).any()) for mask in masks]


@pytest.mark.parametrize("by", ["labels", "masks"])
def test_totals_of_pieces(by):
    labels = np.arange(63).reshape(SPACE) % 5 - 1  # below 0: no piece
    masks = np.stack([labels == k for k in range(4)])
    pieces = Pieces(labels) if by == "labels" else Pieces(masks=masks)
    each = np.random.default_rng(0).normal(size=(2, 4))
    ask.close(pieces.total(each), np.tensordot(each, masks.astype(float), 1))
    np.testing.assert_array_equal(pieces.at(np.array([2, 0])), masks[[2, 0]])
    assert pieces.touching(labels == 1).tolist() == [False, True, False, False]


@pytest.mark.parametrize("shape", ["box", "gaussian"])
def test_the_mean_of_all_has_no_error_and_that_of_none_is_not_known(shape):
    windows = Windows(SPACE, (3, 3), (1, 2), shape)
    drops = np.random.default_rng(0).normal(size=(windows.count, 2))
    mean, error = mean_drop(windows, drops)
    ask.close(mean, windows.total(drops.T) / windows.total(np.ones(windows.count)))
    assert not error.any()
    mean, error = mean_drop(windows, np.full_like(drops, np.nan))
    assert not mean.any()
    assert np.isinf(error).all()


def test_what_is_never_to_be_hidden_is_not_waited_for():
    windows = Windows((8,), (2,), (2,))
    drops = np.array([[1.0], [2.0], [np.nan], [np.nan]])
    mean, error = mean_drop(windows, drops, np.array([True, True, False, False]))
    np.testing.assert_array_equal(mean, [[1, 1, 2, 2, 0, 0, 0, 0]])
    np.testing.assert_array_equal(error, [[0, 0, 0, 0, *[np.inf] * 4]])
