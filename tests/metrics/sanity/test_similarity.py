"""How alike two maps are: by hand, by a second derivation, and over photos."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from seewhy.metrics.localization.resampling import middle, resampled
from seewhy.metrics.sanity.similarity import Average, Averages, Similarity, against_noise, mean_of, similarity, ssim

RNG = np.random.default_rng(0)


def plain_ssim(a, b, side):
    """Wang et al. 2004, eq. 13, over all windows that lie inside, with sample covariances, K1 = .01, K2 = .03, L = 2."""
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    c1, c2, found = (0.01 * 2) ** 2, (0.03 * 2) ** 2, []
    for y in range(a.shape[0] - side + 1):
        for x in range(a.shape[1] - side + 1):
            p, q = (m[y : y + side, x : x + side].ravel() for m in (a, b))
            (vp, cov), (_, vq) = np.cov(p, q)
            mp, mq = p.mean(), q.mean()
            found.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    return np.mean(found)


def test_ranks_by_hand():
    a = np.array([[-4.0, -1.0], [2.0, 3.0]])
    b = np.array([[4.0, 1.0], [2.0, 3.0]])  # signed ranks 1 2 3 4 and 4 1 2 3: 1 - 6 (9 + 1 + 1 + 1) / 60
    found = similarity(a, b)
    assert found.spearman == pytest.approx(-0.2)
    assert found.absolute == pytest.approx(1)
    assert found.ssim is None  # two cells wide


def test_only_the_order_of_the_values_counts_for_ranks():
    a, b = RNG.random((2, 9, 9)) + 0.01
    assert similarity(a**3, 5 * b).spearman == pytest.approx(similarity(a, b).spearman, abs=0.02)


@pytest.mark.parametrize(("shape", "side"), [((7, 7), 7), ((12, 9), 7), ((6, 20), 5), ((4, 4), 3)], ids=str)
def test_ssim_is_that_of_the_paper(shape, side):
    pytest.importorskip("skimage")
    a, b = RNG.standard_normal((2, *shape))
    b = b + a
    assert ssim(a, b) == pytest.approx(plain_ssim(a, b, side), abs=1e-9)
    assert ssim(9 * a, b) == pytest.approx(ssim(a, b))


def test_a_map_is_like_itself_and_unlike_its_negative():
    pytest.importorskip("skimage")
    a = RNG.standard_normal((8, 8))
    assert similarity(a, a) == pytest.approx((1, 1, 1))
    inverted = similarity(a, -a)
    assert (inverted.spearman, inverted.absolute) == pytest.approx((-1, 1))
    assert inverted.ssim < 0


def test_of_a_flat_map_nothing_is_defined():
    assert similarity(np.zeros((8, 8)), RNG.random((8, 8))) == Similarity(None, None, None)
    assert similarity(np.ones(5), np.arange(5.0)) == Similarity(None, None, None)


def test_without_scikit_image_there_are_ranks_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    found = similarity(*RNG.random((2, 9, 9)))
    assert found.ssim is None
    assert found.spearman is not None


def test_signals_and_volumes_are_compared_too():
    pytest.importorskip("skimage")
    for shape in ((30,), (4, 8, 8)):
        a = RNG.standard_normal(shape)
        assert similarity(a, a + 1e-3 * RNG.standard_normal(shape)).ssim > 0.99


def test_an_average_leaves_out_what_is_not_defined_and_has_the_bootstraps_interval():
    values = [0.2, None, 0.8, 0.5]
    found = Average.of(values, seed=3)
    assert found.mean == pytest.approx(0.5)
    assert found.undefined == 1
    assert found.values == tuple(values)
    assert found.interval == middle(resampled(np.array([[0.2], [0.8], [0.5]]), 3)[:, 0] / 3, 3)
    assert found.facts["low"] == found.interval[0] < 0.5 < found.interval[1] == found.facts["high"]
    assert str(found) == f"0.500 ({found.interval[0]:.2f} to {found.interval[1]:.2f})"


def test_one_value_has_no_interval_and_none_no_mean():
    assert (Average.of([0.25]).mean, Average.of([0.25]).interval) == (0.25, None)
    assert str(Average.of([0.25, None])) == "0.250"
    assert (Average.of([None]).mean, str(Average.of([None]))) == (None, "-")
    assert mean_of([None, 1.0, 3.0]) == 2
    assert mean_of([None]) is None


def test_photos_are_averaged_over_draws_and_a_single_photo_is_left_with_its_draws():
    draws = [[Similarity(0.2, 0.4, None), Similarity(None, 1.0, 0.5)], [Similarity(0.6, 0.0, None), Similarity(0.9, 0.0, 0.7)]]
    found = Averages.of(draws)
    assert found.spearman.values == pytest.approx((0.4, 0.9))
    assert found.absolute.values == pytest.approx((0.2, 0.5))
    assert found.ssim.values == (None, pytest.approx(0.6))
    alone = Averages.of([[row[0]] for row in draws])
    assert alone.spearman.values == (0.2, 0.6)
    assert alone.spearman.interval is not None


def test_noise_is_unlike_every_map(made_heatmap):
    maps = [replace(made_heatmap(RNG.random((20, 20))), place=place) for place in range(30)]
    found = Averages.of([against_noise(maps, 0)])
    for each in found[:2]:
        assert abs(each.mean) < 4 / 20 / 30**0.5
        assert np.std(each.values) == pytest.approx(1 / 20, rel=0.5)  # of ranks without any tie: 1 / sqrt(cells - 1)
    assert against_noise(maps[3:5], 0) == against_noise(maps, 0)[3:5] != against_noise(maps[3:5], 1)
