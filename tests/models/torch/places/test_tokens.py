"""How rows of tokens lie over images and volumes: found out where it can be, and else refused."""

import numpy as np
import pytest
import timm
import torch
from torch import nn

import seewhy
from seewhy.models.torch.places.layout import TOKENS, Layout
from seewhy.models.torch.places.tokens import MOVED, PLACES, candidates, judged, probes
from support import ask
from support.dimensions import Transformer, bold
from support.signals import by_hand

X = np.random.default_rng(0).standard_normal((2, 3, 64, 64))


def default(model, x=X):
    return next((name, layer) for name, layer in model.layers(x).items() if layer.default)


class Reordered(nn.Module):
    """Patches in raster order, then window by window, as Hiera has them; the mean of all is read."""

    def __init__(self, windows: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.windows, self.patch, self.flat = windows, nn.Conv2d(3, 8, 8, 8), nn.Identity()
        self.norm, self.mlp, self.fc = (
            nn.LayerNorm(8),
            nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8)),
            nn.Linear(8, 4),
        )

    def forward(self, x):
        x = self.flat(self.patch(x).flatten(2).transpose(1, 2))
        if self.windows:
            x = x.reshape(len(x), 4, 2, 4, 2, 8).permute(0, 2, 4, 1, 3, 5).reshape(len(x), 64, 8)
        return self.fc((x + self.mlp(self.norm(x))).mean(1))


def test_tokens_that_were_put_in_another_order_are_refused():
    name, layer = default(seewhy.wrap(Reordered(False).double()))
    assert (name, layer.shape) == ("mlp", (8, 8, 8))
    model = seewhy.wrap(Reordered(True).double())
    name, layer = default(model)
    assert name == "patch"
    assert "not known how their tokens lie" in layer.why
    with pytest.raises(seewhy.NotApplicable, match="not in the order of the image"):
        seewhy.grad_cam(model, X, layer="mlp")
    with pytest.raises(seewhy.NotApplicable, match="not in the order of the image"):
        seewhy.grad_cam(seewhy.wrap(Reordered(True).double(), grid=(8, 8)), X, layer="mlp")


def test_hiera_is_found_out():
    network = timm.create_model(
        "hiera_tiny_224", img_size=224, embed_dim=16, num_heads=1, stages=(1, 1, 1, 1), num_classes=4
    ).eval()
    model = seewhy.wrap(network)
    x = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype("f")
    assert default(model, x)[0] == "patch_embed.proj"
    with pytest.raises(seewhy.NotApplicable, match="not in the order of the image"):
        seewhy.grad_cam(model, x, layer="blocks.0")


def test_an_asked_grid_is_that_of_the_rows_that_it_fits():
    """Others, as of a pyramid's other stages, are found as ever, and never cut to it."""
    network = timm.create_model("pvt_v2_b0", num_classes=4).eval()
    for grid in (None, (2, 2)):
        layers = seewhy.wrap(network, grid=grid).layers(X.astype("f"))
        assert {layers[f"stages.{i}"].shape[1:] for i in range(4)} == {(16, 16), (8, 8), (4, 4), (2, 2)}
        rows = [layer for name, layer in layers.items() if name.endswith("blocks.0.norm1")]
        assert [row.shape[1:] for row in rows] == [(16, 16), (8, 8), (4, 4), (2, 2)]
        assert not any(row.tokens for row in rows)


def test_a_coarse_row_is_not_a_smaller_grid_with_many_tokens_beside_it():
    """LeViT halves 14x14 to 7x7 and to 4x4, which nobody shall read as 3x3 and seven tokens of no place."""
    torch.manual_seed(0)
    network = timm.create_model("levit_128s", num_classes=4).eval()
    (_, layer) = default(seewhy.wrap(network), np.zeros((1, 3, 224, 224), "f"))
    assert (layer.shape[1:], layer.tokens) == ((4, 4), 0)


@pytest.mark.parametrize(("space", "side"), [((4, 6, 8), 2), ((8, 8, 8), 2), ((8, 12, 16), 4)])
def test_the_class_token_of_a_volume_stands_before_its_tokens(space, side):
    """Patches are as small as what is put on them to look: the cell beside may move more."""
    for seed in (3, 4, 9):
        network = bold(lambda seed=seed: Transformer(space, side, True), seed)
        x = np.random.default_rng(seed).normal(size=(2, 2, *space))
        grid = [size // side for size in space]
        found = ask.values(seewhy.grad_cam(seewhy.wrap(network), x, target=3, layer="block1"))
        ask.close(found, by_hand(network, "block1", x, True, slice(1, None)).reshape(2, *grid), 1e-6)


def test_a_row_is_read_as_a_grid_of_the_network_before_halves_and_proportions():
    kinds = candidates(17, (64, 64), [(4, 4)], None)
    assert [near for near, _ in kinds] == sorted((near for near, _ in kinds), reverse=True)
    assert kinds[0][1] == [Layout(TOKENS, 0, (4, 4), 1), Layout(TOKENS, 0, (4, 4), 0, 1)]
    assert candidates(16, (64, 64), [], None)[0][1][0].space == (4, 4)
    assert candidates(3, (64, 64), [(4, 4)], None) == []


def test_the_asked_grid_is_the_only_one_where_it_fits():
    assert candidates(9, (64, 64), [(4, 2)], (2, 4)) == [
        (float("inf"), [Layout(TOKENS, 0, (2, 4), 1), Layout(TOKENS, 0, (2, 4), 0, 1)])
    ]
    assert candidates(9, (64, 64), [(4, 2)], (5, 5))[0][1][0].space == (4, 2)
    with pytest.raises(seewhy.BadParameter, match="2 axes of space"):
        candidates(9, (64, 64), [], (9,))


def test_probes_are_quiet_but_for_a_patch_each():
    x = torch.tensor(X[:1])
    rows = probes(x)
    assert len(rows) == 1 + len(PLACES)
    torch.testing.assert_close(rows[:1], x * 0.1)
    for row, (y, x_) in zip(rows[1:], PLACES, strict=True):
        bright = (row - rows[0]).abs().sum(0).nonzero()
        np.testing.assert_allclose(bright.double().mean(0) + 0.5, [64 * y, 64 * x_], atol=1)


def lit(grid, order=lambda tokens: tokens):
    """How a class token and tokens over the grid move as the patch lies on each of the places: (places, count, 1)."""
    rows = torch.zeros(len(PLACES), grid[0] * grid[1], 1)
    for row, (y, x) in zip(rows, PLACES, strict=True):
        row[int(y * grid[0]) * grid[1] + int(x * grid[1])] = 1
    return torch.cat([torch.zeros(len(PLACES), 1, 1), order(rows)], 1)


def test_the_one_reading_that_puts_the_change_where_the_patch_was():
    kinds = candidates(13, (48, 64), [(3, 4), (4, 3)], None)
    assert judged(13, (48, 64), kinds, lit((3, 4))) == Layout(TOKENS, 0, (3, 4), 1)
    assert judged(13, (48, 64), kinds, lit((4, 3))) == Layout(TOKENS, 0, (4, 3), 1)


def test_tokens_in_another_order_have_no_reading_and_the_person_is_asked():
    kinds = candidates(13, (48, 64), [(3, 4), (4, 3)], None)[:1]
    why = judged(13, (48, 64), kinds, lit((3, 4), lambda rows: rows.flip(1)))
    assert isinstance(why, str)
    assert "13 tokens, which may be 3x4 or 4x3" in why
    assert "wrap(grid=(3, 4))" in why
    later = [lit((3, 4), lambda rows: rows.roll(5, 1))]
    assert judged(13, (48, 64), kinds, lit((3, 4)), later) == MOVED.format(13)
