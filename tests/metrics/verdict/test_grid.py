"""Grids of the photos of a comparison: who stands where, the shares by hand, and what takes no grid."""

import numpy as np
import pytest

import seewhy
from seewhy.images.inputs import PreparedBatch
from seewhy.methods.making.method import lookup
from seewhy.metrics.verdict.compare import compare
from seewhy.metrics.verdict.grid import GRIDS, PhotoGrids

METHODS = [lookup(name) for name in ("grad-cam", "gradient", "centre")]


def grids_of(model, photos, most=GRIDS, seed=0):
    return PhotoGrids(model, lambda place: PreparedBatch(photos[place : place + 1]), None, most, seed)


@pytest.fixture(scope="module")
def played(channel_model, channel_photos):
    """All twelve photos in turn, and after which of them which were asked about."""
    noisy = channel_photos + np.random.default_rng(1).random(channel_photos.shape, np.float32) / 8
    grids, shares, when = grids_of(channel_model, noisy), {}, {}
    for place in range(len(noisy)):
        grids.see(place)
        found = grids.play(METHODS)
        shares |= found
        when[place] = [*found]
    return noisy, grids, shares, when


def test_each_sure_photo_is_asked_about_once_as_soon_as_others_are_there(played):
    _, grids, shares, when = played
    assert [*when.values()] == [[], [], [], [0, 1, 2, 3], *([place] for place in range(4, 12))]
    assert sorted(shares) == [*range(12)]
    for place, grid in grids.grids.items():
        assert grid.photos[grid.cell] == place
        assert len({photo % 6 for photo in grid.photos}) == 4
        assert max(grid.photos) <= max(3, place)  # of those that were seen
    assert {grid.cell for grid in grids.grids.values()} == {0, 1, 2, 3}


def test_the_shares_are_those_of_grids_laid_by_hand(channel_model, played):
    noisy, grids, shares, _ = played
    for place, grid in grids.grids.items():
        upper, lower = (np.concatenate([noisy[photo] for photo in row], 2) for row in (grid.photos[:2], grid.photos[2:]))
        image = np.concatenate([upper, lower], 1)[None]
        top, left = grid.cell // 2, grid.cell % 2
        for name, make in (("grad-cam", seewhy.grad_cam), ("gradient", seewhy.gradient)):
            values = np.maximum(make(channel_model, image, target=place % 6)[0].values, 0)
            half = len(values) // 2
            own = values[top * half : (top + 1) * half, left * half : (left + 1) * half]
            assert shares[place][name] == pytest.approx(own.sum() / values.sum(), abs=1e-6)
        assert shares[place]["centre"] == pytest.approx(0.25)


def test_the_seed_draws_the_grids(channel_model, channel_photos, played):
    def drawn(seed):
        grids = grids_of(channel_model, channel_photos, seed=seed)
        for place in range(6):
            grids.see(place)
        grids.play(METHODS[2:])
        return grids.grids

    assert drawn(3) == drawn(3) != drawn(4)


def test_no_more_are_asked_about_than_was_said(channel_model, channel_photos):
    grids = grids_of(channel_model, channel_photos, most=2)
    for place in range(6):
        grids.see(place)
    assert len(grids.play(METHODS)) == 2
    assert grids.play(METHODS) == {}
    assert grids.notes == []
    none = grids_of(channel_model, channel_photos, most=0)
    none.see(0)
    assert (none.classes, none.notes) == ({}, [])


def test_photos_that_the_network_is_not_sure_of_are_left_out(channel_model, channel_photos):
    grids = grids_of(channel_model, channel_photos * np.float32(1e-3))
    for place in range(6):
        grids.see(place)
    assert grids.play(METHODS) == {}
    assert grids.notes == ["grid: of 0 photos a class has 50 % or more, and a grid takes 4 classes"]


def test_what_makes_no_grid_says_so():
    model = seewhy.wrap(lambda x: x.mean((2, 3)), name="mean", takes="float", prepare={"size": 8, "crop": 8})
    photos = [np.random.default_rng(i).integers(0, 256, (8, 8, 3), dtype=np.uint8) for i in range(2)]
    found = compare(model, photos, [seewhy.occlusion.using(window=4, stride=4)])
    assert "grid" not in found.rankings
    assert "grid: photos are chosen by the probability of their class, and this model gives none" in found.notes
