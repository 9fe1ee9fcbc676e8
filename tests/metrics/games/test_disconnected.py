"""DiFull and DiPart: evidence where no information comes from is counted as such."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import metrics
from support import real


@pytest.fixture(scope="module")
def wide_model():
    """Six classes by channels, as `channel_model`, behind a convolution that looks over the borders of cells."""
    torch.manual_seed(0)
    look, blocks = nn.Conv2d(6, 6, 9, padding=4, groups=6, bias=False), nn.Conv2d(6, 6, 4, stride=4, groups=6, bias=False)
    head = nn.Linear(6, 6, bias=False)
    with torch.no_grad():
        look.weight.uniform_(0.5 / 81, 1.5 / 81)
        blocks.weight.fill_(1 / 16)
        head.weight.copy_(400 * torch.eye(6))
    return seewhy.wrap(nn.Sequential(look, blocks, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval())


METHODS = ["grad-cam", "hires-cam", "layer-cam", "gradient", "input-x-gradient", "eigen-cam"]


def test_gradients_have_all_in_the_only_cell_that_counts_and_averages_of_them_mark_the_class_twice(wide_model, channel_photos):
    found = metrics.di_full(wide_model, channel_photos, [*METHODS, "cam"], grids=4, layer="2")
    assert (found.game, found.asked, found.chance) == ("DiFull", (0, 3), 0.25)
    for name in METHODS[1:5]:
        assert found.of(name).values == pytest.approx(np.ones((4, 2)))
    for name in ("grad-cam", "cam"):
        assert found.of(name).by_grid == pytest.approx(np.full(4, 0.5))  # what it does not see in the one it sees in the other
    assert found.of("eigen-cam").by_grid.max() < 0.5 + 1e-6  # the same map for both
    kinds = found.classes[found.grids]
    assert (kinds[:, 0] == kinds[:, 3]).all()
    assert (found.grids[:, 0] != found.grids[:, 3]).all()  # two photos of the class
    assert not any("same photo" in note for note in found.notes)
    single = metrics.di_full(wide_model, channel_photos[:6], "gradient", grids=3)
    assert "in 3 of 3 grids the class that is asked for stands twice in the same photo" in single.notes[-1]


def test_behind_a_layer_of_the_whole_grid_evidence_comes_over_the_borders(wide_model, channel_photos):
    noisy = channel_photos + np.random.default_rng(0).random(channel_photos.shape, np.float32) / 8
    found = metrics.di_part(wide_model, noisy, METHODS, grids=4, confidence=0.5)
    assert {row.layer for row in found} == {"2", "input"}
    for name in ("hires-cam", "layer-cam"):
        assert found.of(name).values == pytest.approx(np.ones((4, 2)))
    for name in ("gradient", "input-x-gradient"):
        assert found.of(name).values.min() > 0.7
        assert found.of(name).values.max() < 0.99
    full = metrics.di_full(wide_model, noisy, "gradient", grids=4, confidence=0.5)
    assert full[0].values == pytest.approx(np.ones((4, 2)))
    named = metrics.di_part(wide_model, noisy, "hires-cam", grids=4, confidence=0.5, layer=["0", "2"])
    assert [row.layer for row in named] == ["0", "2"]
    assert [row.mean for row in named] == pytest.approx([1, 1])  # behind "0" nothing looks over a border


def test_what_has_no_heads_for_cells_is_refused(channel_photos):
    weigh = nn.Linear(6 * 16 * 16, 6, bias=False)
    with torch.no_grad():
        weigh.weight.copy_(torch.kron(torch.eye(6), torch.ones(1, 256)))
    flat = seewhy.wrap(nn.Sequential(nn.Flatten(), weigh).eval())
    with pytest.raises(seewhy.NotApplicable, match="does not take a grid of 32 x 32"):
        metrics.di_part(flat, channel_photos)
    with pytest.raises(seewhy.SeewhyError, match="takes a network of torch in plain modules; <lambda> is none"):
        metrics.di_part(seewhy.wrap(lambda x: x.mean((2, 3)), takes="float", scores="logits"), channel_photos, confidence=0)
    assert metrics.di_full(flat, channel_photos, "gradient", grids=1)[0].mean == pytest.approx(1)


@real.needs_data
def test_on_real_weights_layer_cam_is_right_where_grad_cam_marks_the_class_twice():
    files = [real.DATA / "imagenet-sample" / row["file"] for row in real.rows("imagenet-sample")[:12]]
    found = metrics.di_full(real.model("timm/mobilenetv2_100"), files, ["grad-cam", "layer-cam"], grids=1, confidence=0.7)
    assert found.of("layer-cam").mean == pytest.approx(1)
    assert 0.25 < found.of("grad-cam").mean < 0.6
