"""One vector of what a layer emits for a photo."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.inside.embeddings.pooling import check_pooling, looked_at, pooled


def test_pooled_is_the_mean_the_maximum_or_all_of_it():
    a = np.random.default_rng(0).normal(size=(5, 3, 4))
    assert np.allclose(pooled(a), [channel.mean() for channel in a])
    assert pooled(a, "max").tolist() == [max(channel.ravel().tolist()) for channel in a]
    assert pooled(a, "flat").tolist() == [value for channel in a for row in channel for value in row.tolist()]


@pytest.mark.parametrize("how", ["mean", "max", "flat"])
def test_what_has_no_space_is_taken_as_it_is(how):
    assert pooled(np.array([3.0, -1.0, 2.0]), how).tolist() == [3, -1, 2]


def test_another_pooling_is_refused_with_the_ones_that_there_are():
    assert check_pooling("max") == "max"
    with pytest.raises(BadParameter, match="'mean' over space, 'max' of each channel, or 'flat'"):
        check_pooling("token")


def test_looked_at_is_the_mean_weighted_by_the_positive_part_of_the_map():
    draw = np.random.default_rng(0)
    a, values = draw.normal(size=(5, 3, 4)), draw.normal(size=(3, 4))
    weights = np.where(values > 0, values, 0)
    expected = [sum(a[c, y, x] * weights[y, x] for y in range(3) for x in range(4)) / weights.sum() for c in range(5)]
    assert np.allclose(looked_at(a, values), expected)
    assert looked_at(a, -abs(values)) is None


def test_a_map_of_finer_or_coarser_cells_weighs_by_how_they_overlap():
    draw = np.random.default_rng(0)
    a, fine = draw.normal(size=(2, 3, 2)), draw.random((6, 8))
    assert np.allclose(looked_at(a, fine), looked_at(a, fine.reshape(3, 2, 2, 4).sum((1, 3))))
    finer = draw.normal(size=(2, 4, 4))
    assert np.allclose(looked_at(finer, a[0] ** 2 @ np.eye(2)), looked_at(finer, np.repeat(overlapped(a[0] ** 2), 2, 1)))


def overlapped(values):
    """(3, 2) cells over 4 rows, each of which takes 3/4 of a cell's height."""
    v0, v1, v2 = values
    return np.stack([3 / 4 * v0, 1 / 4 * v0 + 1 / 2 * v1, 1 / 2 * v1 + 1 / 4 * v2, 3 / 4 * v2])
