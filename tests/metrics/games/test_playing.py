"""The grid pointing game: the sums by hand, a perfect map, class-blind maps at chance, networks of one size, real weights."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import metrics
from seewhy.metrics.games.playing import cell_shares
from support import real


def test_shares_by_hand():
    values = np.array([[1.0, -9.0], [2.0, 1.0]])
    assert cell_shares(values, 2).tolist() == [0.25, 0, 0.5, 0.25]
    assert cell_shares(-np.ones((4, 4)), 2).tolist() == [0] * 4
    for side in (2, 3, 5, 7):  # a cell of the map in several cells of the grid counts in each by its area
        assert cell_shares(np.full((side, side + 1), 0.3), 2) == pytest.approx([0.25] * 4)
        assert cell_shares(np.ones((side, side)), 3) == pytest.approx([1 / 9] * 9)
    three = np.zeros((3, 3))
    three[0, 1] = 1.0
    assert cell_shares(three, 2) == pytest.approx([0.5, 0.5, 0, 0])


def test_a_perfect_map_an_inverted_one_and_scale():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(9, 9))
    values[3:6, 6:9] = abs(values[3:6, 6:9])
    inside = np.where(np.kron(np.arange(9).reshape(3, 3) == 5, np.ones((3, 3))), values, -1)
    assert cell_shares(inside, 3)[5] == pytest.approx(1)
    outside = np.where(inside == -1, abs(values), 0)
    assert cell_shares(outside, 3)[5] == 0
    assert cell_shares(values * 7, 3) == pytest.approx(cell_shares(values, 3), abs=1e-12)


def slow_share(values, size, cell, times):
    """The definition of the paper, pixel by pixel of the enlarged map."""
    large = np.kron(np.maximum(values, 0), np.ones((times, times)))
    height, width = (side // size for side in large.shape)
    top, left = cell // size * height, cell % size * width
    return large[top : top + height, left : left + width].sum() / large.sum()


def test_the_values_are_those_of_maps_of_grids_laid_by_hand(channel_model, channel_photos):
    noisy = channel_photos + np.random.default_rng(1).random(channel_photos.shape, np.float32) / 8
    found = metrics.grid_pointing_game(channel_model, noisy, ["grad-cam", "gradient", "input_x_gradient"], grids=5, seed=2)
    assert (len(found), found.chance, found.asked) == (3, 0.25, (0, 1, 2, 3))
    for g, photos in enumerate(found.grids):
        image = np.zeros((1, 6, 32, 32), np.float32)
        for j, photo in enumerate(photos):
            image[0, :, j // 2 * 16 : j // 2 * 16 + 16, j % 2 * 16 : j % 2 * 16 + 16] = noisy[photo]
        for j, photo in enumerate(photos):
            for row, method in zip(found, (seewhy.grad_cam, seewhy.gradient, seewhy.input_x_gradient), strict=True):
                (heatmap,) = method(channel_model, image, target=int(photo) % 6)
                assert row.values[g, j] == pytest.approx(slow_share(heatmap.values, 2, j, 4), abs=1e-6)
    assert found[0].mean == pytest.approx(found[0].values.sum() / 20)


def test_maps_that_are_right_have_all_and_class_blind_ones_are_at_chance_in_every_grid(channel_model, channel_photos):
    methods = ["cam", "grad-cam", "layer-cam", "eigen-cam", "random-map", "centre"]
    found = metrics.grid_pointing_game(channel_model, channel_photos, methods, grids=7)
    for name in methods[:3]:
        assert (found.of(name).values == 1).all()
        assert found.of(name).interval == (1, 1)
    for name in methods[3:5]:
        assert found.of(name).by_grid == pytest.approx(np.full(7, 0.25))
        assert found.of(name).interval == pytest.approx((0.25, 0.25))
        assert found.of(name).values.std() > 0.01
    assert found.of("centre").values == pytest.approx(np.full((7, 4), 0.25))
    three = metrics.grid_pointing_game(channel_model, channel_photos, "eigen-cam", size=2, grids=2, seed=9)
    assert three.of("eigen_cam").mean == pytest.approx(0.25)


def test_a_network_of_one_size_is_given_smaller_grids_and_it_is_said(channel_photos):
    weigh = nn.Linear(6 * 16 * 16, 6, bias=False)
    with torch.no_grad():
        weigh.weight.copy_(torch.kron(torch.eye(6), torch.ones(1, 256)))
    model = seewhy.wrap(nn.Sequential(nn.Flatten(), weigh).eval())
    found = metrics.grid_pointing_game(model, channel_photos, "input-x-gradient", grids=3)
    assert "takes no image of 32 x 32: each grid is reduced to 16 x 16" in found.notes[0]
    assert (found[0].values == 1).all()
    large = metrics.grid_pointing_game(seewhy.wrap(nn.Sequential(nn.AdaptiveAvgPool2d(16), nn.Flatten(), weigh).eval()),
                                       channel_photos, "input-x-gradient", grids=3)  # fmt: skip
    assert not any("reduced" in note for note in large.notes)


def test_a_network_that_takes_channels_last_is_given_grids_so(channel_model, channel_photos):
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = channel_model.network

        def forward(self, x):
            return self.network(x.permute(0, 3, 1, 2))

    model = seewhy.wrap(Last().eval(), channels=-1)
    noisy = channel_photos + np.random.default_rng(1).random(channel_photos.shape, np.float32) / 8
    turned = np.moveaxis(noisy, 1, -1)
    for game in (metrics.grid_pointing_game, metrics.di_full, metrics.di_part):
        last = game(model, turned, ["input-x-gradient"], grids=2)
        first = game(channel_model, noisy, ["input-x-gradient"], grids=2)
        assert last[0].values == pytest.approx(first[0].values, abs=1e-6)


def test_photos_that_stand_in_several_grids_are_said(channel_model, channel_photos):
    few = metrics.grid_pointing_game(channel_model, channel_photos, grids=3)
    assert few.notes == ()
    assert few[0].independent == 3
    many = metrics.grid_pointing_game(channel_model, channel_photos[:6], grids=3)
    assert many[0].independent == 1
    assert many[0].interval is None
    assert many.notes[0].startswith("6 of 6 photos have a class of 0.99 or more: each stands in several grids")


def test_one_method_with_two_settings_has_two_rows(channel_model, channel_photos):
    methods = [seewhy.grad_cam, seewhy.grad_cam.using(signed=True)]
    found = metrics.grid_pointing_game(channel_model, channel_photos, methods, grids=2)
    assert [row.method for row in found] == ["grad-cam(signed=False)", "grad-cam(signed=True)"]
    assert np.array_equal(found[0].values, found[1].values)


def test_what_is_refused_is_left_out_or_raised(channel_model, channel_photos):
    head = nn.Linear(6, 6, bias=False)
    with torch.no_grad():
        head.weight.copy_(20 * torch.eye(6))
    model = seewhy.wrap(nn.Sequential(nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), head).eval())
    found = metrics.grid_pointing_game(model, channel_photos, ["cam", "grad-cam"], grids=5, layer="0", on_error="skip")
    assert [row.method for row in found] == ["grad-cam"]
    assert [left.method for left in found.refused] == ["cam"]
    with pytest.raises(seewhy.NotApplicable):
        metrics.grid_pointing_game(model, channel_photos, ["cam", "grad-cam"], grids=5, layer="0")
    for wrong, text in (({"size": 1}, "size is a whole number"), ({"grids": 0}, "grids is"), ({"method": []}, "names none")):
        with pytest.raises(seewhy.BadParameter, match=text):
            metrics.grid_pointing_game(channel_model, channel_photos, **wrong)


@real.needs_data
def test_on_real_weights_cam_is_far_above_chance_and_class_blind_maps_are_at_it():
    files = [real.DATA / "imagenet-sample" / row["file"] for row in real.rows("imagenet-sample")[:16]]
    methods = ["cam", "layer-cam", "eigen-cam"]
    found = metrics.grid_pointing_game(real.model("timm/mobilenetv2_100"), files, methods, grids=2, confidence=0.8)
    assert found.of("cam").mean > 0.6
    assert 0.3 < found.of("layer-cam").mean < 0.55
    assert found.of("eigen-cam").by_grid == pytest.approx(np.full(2, 0.25), abs=1e-6)
