"""`Heatmap.evidence_in`: of a photo, cropped or not, of a volume on its own grid, of RISE's mean scores."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy import Volume
from seewhy.errors import BadParameter, NotApplicable
from seewhy.images.places import Grid


def test_of_a_photo_boxes_count_in_its_own_pixels(made_heatmap):
    heatmap = made_heatmap([[0, 1], [0, 3]], size=(4, 4))
    full = heatmap.full().astype(np.float64)
    found = heatmap.evidence_in([(2, 0, 4, 3.5)])
    assert found.share == pytest.approx((full[:3, 2:].sum() + full[3, 2:].sum() / 2) / full.sum(), abs=1e-12)
    assert found.area == 7 / 16
    assert found.hit is True


def test_a_box_and_its_mask_agree(made_heatmap):
    heatmap = made_heatmap(np.random.default_rng(0).normal(size=(5, 5)), box=(3, 2, 33, 29))
    mask = np.zeros((30, 40), np.uint8)
    mask[4:20, 10:25] = 255
    assert heatmap.evidence_in(mask=mask) == heatmap.evidence_in((10, 4, 25, 20))


def test_a_box_that_was_cropped_away_was_not_seen(made_heatmap):
    found = made_heatmap(np.ones((3, 3)), box=(5, 0, 35, 30)).evidence_in([(0, 0, 10, 30)])
    assert (found.share, found.area, found.seen) == (pytest.approx(1 / 6), pytest.approx(1 / 6), 0.5)


def test_negative_evidence_counts_as_none(made_heatmap):
    heatmap = made_heatmap([[-5, 1]], size=(2, 1))
    assert heatmap.evidence_in([(1, 0, 2, 1)]).share == 1


def test_of_mean_scores_it_counts_how_far_they_lie_above_the_least(made_heatmap):
    values = np.array([[10, 10], [10, 12.0]])
    plain, rise = (made_heatmap(values, size=(2, 2), measured=known) for known in ({}, {"mean_score": 10.5}))
    corner = [(1, 1, 2, 2)]
    assert plain.evidence_in(corner).share == pytest.approx(12 / 42)
    assert rise.evidence_in(corner).share == 1


def test_of_a_volume_a_mask_on_its_own_grid_counts(made_heatmap):
    volume = Volume(np.zeros((4, 5, 6), np.float32), np.eye(4))
    values = np.random.default_rng(0).random((2, 3, 2)).astype(np.float32)
    where = Grid((2, 0, 1), (0.5, 0.5, 0.5), (3.0, 1.5, 2.0), (2, 3, 2), (4, 5, 6))
    heatmap = replace(made_heatmap(np.ones((2, 2)), photo=volume), values=values, box=where)
    full, mask = heatmap.full().astype(np.float64), np.zeros((4, 5, 6), bool)
    mask[1:3, 2:4, 3:] = True
    found = heatmap.evidence_in(mask=mask)
    assert found.share == pytest.approx(full[mask].sum() / full.sum(), abs=1e-9)
    assert found.hit is bool(mask[np.unravel_index(full.argmax(), full.shape)])
    with pytest.raises(NotApplicable, match="Give mask="):
        heatmap.evidence_in([(0, 0, 2, 2)])
    with pytest.raises(BadParameter, match=r"the image \(4, 5, 6\)"):
        heatmap.evidence_in(mask=mask[..., 0])


def test_the_share_of_a_real_map_is_that_of_its_numbers():
    pytest.importorskip("torch")
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (130, 150, 3), np.uint8))
    (heatmap,) = seewhy.grad_cam(seewhy.load("demo/honest"), photo)
    full, mask = heatmap.full().astype(np.float64), np.zeros((130, 150), bool)
    mask[20:90, 30:120] = True
    assert heatmap.evidence_in(mask=mask).share == pytest.approx(full[mask].clip(0).sum() / full.clip(0).sum(), rel=1e-6)
