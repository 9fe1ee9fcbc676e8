"""Tiles: how an image is cut, which question is put to each tile, and what is kept when the work ends early."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import seewhy
from seewhy.progress import stoppable
from support.ask import close
from support.embedders import Towers, ids
from support.tiling import HIRES, WINDOWS, Summed, both, dense, lie_alike, noise, same


def test_tiles_step_by_whole_cells_and_the_last_ends_with_the_image() -> None:
    _, joined = both(dense(2), noise(101, 96), "hires-cam", "3", tile=48, overlap=25)
    assert joined.source.tile["tile"] == (47, 48)  # not 48: cells are two pixels apart, and so the last tile begins on one
    assert joined.source.tile["overlap"] == (25, 26)  # nor 25
    assert joined.source.measured["tiles"] == 4 * 4  # begin at 0, 22, 44, and 54 or 48
    assert joined.values.shape == (51, 48)


def strided(d: int, strides: int) -> nn.Sequential:
    """Halved so many times; the layer before the sum is the last."""
    conv: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[d - 1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(d)
        halves = [m for _ in range(strides) for m in (conv(5, 5, 3, stride=2, padding=1), nn.Softplus())]
        return nn.Sequential(conv(3, 5, 3, padding=1), nn.ReLU(), *halves, conv(5, 4, 1), Summed()).double().eval()


@pytest.mark.parametrize("method", [HIRES, "gradient"])
@pytest.mark.parametrize(
    ("strides", "space", "tile", "overlap"),
    [
        (3, (1001,), 303, 200), (4, (2049,), 517, 400), (2, (131, 117), (96, 80), (72, 64)),
        (3, (259, 301), (200, 208), (160, 160)), (2, (63, 16, 71), (48, 16, 56), (40, 0, 40)),
    ],
)  # fmt: skip
def test_whatever_the_sizes_cells_of_all_tiles_lie_as_in_the_whole(
    strides: int, space: tuple[int, ...], tile: Any, overlap: Any, method: Any
) -> None:
    """Also of a map by pixels: a gradient shows between which pixels a strided convolution steps."""
    layer = None if method == "gradient" else str(2 + 2 * strides)
    plain, joined = both(strided(len(space), strides), noise(*space), method, layer, tile=tile, overlap=overlap)
    assert joined.source.measured["tiles"] > 7
    lie_alike(joined, plain)
    same(joined.values, plain.values)


def test_what_pools_over_the_whole_image_is_no_grid_to_step_by() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    for side, width, fits in ((64, 125, 61), (900, 1797, 893)):  # that is, looked at as a whole, and in a corner
        x = np.ones((1, 3, side, width), np.float32)
        (joined,) = seewhy.explain(seewhy.wrap(network), x, "gradient", 1, tile=side)
        assert joined.source.tile["tile"] == (side, fits)
        assert (width - fits) % 8 == 0


def test_a_network_of_one_size_gets_tiles_of_that_size() -> None:
    class Fixed(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            if x.shape[2:] != (32, 32):
                raise ValueError("of 32 pixels only")
            return super().forward(x)

    for head in ([Summed()], [nn.Flatten(), nn.Linear(4 * 64, 3)]):
        model = seewhy.wrap(Fixed(nn.Conv2d(3, 4, 4, stride=4), nn.ReLU(), *head).eval())
        for method in ("gradient", "hires-cam"):
            (joined,) = seewhy.explain(model, noise(70, 49).astype(np.float32), method, 1, tile=32)
            assert joined.source.tile["tile"] == (32, 32)


def test_large_tiles_go_one_by_one_unless_a_person_says_how_many() -> None:
    seen: list[int] = []
    network = nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.ReLU(), Summed()).eval()
    network.register_forward_hook(lambda _m, inputs, _out: seen.append(len(inputs[0])))
    x = np.zeros((1, 3, 800, 1600), np.float32)
    for batch_size, most in ((None, 1), (3, 3)):
        seewhy.explain(seewhy.wrap(network, batch_size=batch_size), x, "hires-cam", 1, "1", tile=800)
        assert seen[-1] == most
        seen.clear()


class Bright(nn.Module):
    """Two classes: how much red there is, squared, and how much green."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        self.conv.weight.data = torch.eye(3)[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        red, green, _ = self.conv(x).mean((2, 3)).unbind(1)
        return torch.stack([4 * red, green], 1)


def test_top_is_one_class_for_all_tiles_the_one_of_the_largest_mean_score() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[..., 1] = 200
    pixels[:32, :32] = (250, 0, 0)  # the first tile alone is red: 4 * 250 / 4 > 200 * 3 / 4, though three of four say green
    model = seewhy.wrap(Bright(), prepare={"size": None, "crop": None, "mean": 0, "std": 1}, labels=["red", "green"])
    (found,) = seewhy.explain(model, pixels, "grad-cam", seewhy.Top(), tile=32, overlap=0)
    assert (found.source.index, found.source.label, found.source.target) == (0, "red", "top 1")
    assert found.source.score == pytest.approx(250 / 255)
    assert any("mean of the scores over 4 tiles" in said for said in found.warnings)
    assert found.source.predicted.index == 0
    assert (found.values[:32, :32] > 0).all()
    assert not found.values[32:].any()
    chances = np.array([1 / (1 + np.exp(-4 * 250 / 255)), *[1 / (1 + np.exp(200 / 255))] * 3])
    assert found.source.predicted.probability == pytest.approx(chances.mean())
    second, contrast = seewhy.explain(model, pixels, "grad-cam", [seewhy.Top(2), seewhy.Contrast(0, 1)], tile=32)
    assert second.source.label == "green"
    assert contrast.source.label == "red rather than green"


def test_each_image_has_its_own_target_and_its_place() -> None:
    model = seewhy.wrap(dense(2))
    x = np.concatenate([noise(64, 48), noise(64, 48, seed=1)])
    asked = seewhy.PerImage([2, 0])
    maps = seewhy.explain(model, x, ["hires-cam", "layer-cam"], asked, "3", tile=32, overlap=24)
    assert [(m.place, m.source.index, m.source.method) for m in maps] == [
        (0, 2, "hires-cam"), (0, 2, "layer-cam"), (1, 0, "hires-cam"), (1, 0, "layer-cam"),
    ]  # fmt: skip
    for m, plain in zip(maps, seewhy.explain(model, x, ["hires-cam", "layer-cam"], asked, "3"), strict=True):
        same(m.values, plain.values)
        assert m.source.image == plain.source.image


def test_an_image_within_a_tile_is_explained_plainly() -> None:
    plain, joined = both(dense(2), noise(40, 30), "grad-cam", "3", tile=64)
    np.testing.assert_array_equal(joined.values, plain.values)
    assert joined.source.tile == {}


def test_a_side_shorter_than_a_tile_is_not_cut() -> None:
    plain, joined = both(dense(2), noise(30, 96), "hires-cam", "3", tile=48, overlap=40)
    assert joined.source.tile["tile"] == (30, 48)
    same(joined.values, plain.values)


def test_a_person_may_stop_it_and_keeps_the_tiles_that_are_done() -> None:
    network, x = dense(2), noise(32, 128)
    model = seewhy.wrap(network, batch_size=16)  # else passes grow as the machine is fast
    method = WINDOWS.using(stride=4)
    asked = {"layer": None, "target": 1}
    (whole,) = seewhy.explain(model, x, [method], **asked, tile=32, overlap=16)
    ran = []
    with stoppable() as stop:

        def count(*_: Any) -> None:
            ran.append(1)
            if len(ran) > enough:
                stop.set()

        enough = 10**9
        hook = network.register_forward_hook(count)
        seewhy.explain(model, x, [method], **asked, tile=32, overlap=16)
        ran, enough = [], len(ran) * 3 // 4
        (some,) = seewhy.explain(model, x, [method], **asked, tile=32, overlap=16)
        hook.remove()
    assert any("of 7 tiles were explained" in said for said in some.warnings)
    np.testing.assert_allclose(some.values[:, :48], whole.values[:, :48], rtol=1e-4)
    assert not some.values[:, -16:].any()


def test_what_was_done_before_a_failure_is_kept() -> None:
    network, x = dense(2), noise(32, 128)
    model = seewhy.wrap(network, batch_size=1)
    ran: list[int] = []

    def fail(*_: Any) -> None:
        ran.append(1)
        if len(ran) > enough:
            raise RuntimeError("the lights went out")

    enough = 10**9
    network.register_forward_hook(fail)
    asked = (model, x, "hires-cam", 1, "3")
    (whole,) = seewhy.explain(*asked, tile=32, overlap=16)
    ran, enough = [], len(ran) - 4
    with pytest.raises(seewhy.BadNetwork, match="the lights went out") as caught:
        seewhy.explain(*asked, tile=32, overlap=16)
    (some,) = caught.value.partial
    assert any("tiles were explained" in said for said in some.warnings)
    np.testing.assert_array_equal(some.values[:, :8], whole.values[:, :8])


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        ({"overlap": 8}, "say how large they are"),
        ({"tile": 0}, "whole number from 1"),
        ({"tile": (16, 16, 16)}, "one for each of the 2 axes"),
        ({"tile": 16, "overlap": 16}, "overlap by from 0 to 15"),
        ({"tile": 16, "overlap": -1}, "from 0"),
    ],
)
def test_what_cannot_be_cut_so_is_misuse(cut: dict[str, Any], said: str) -> None:
    with pytest.raises(seewhy.BadParameter, match=said):
        seewhy.explain(seewhy.wrap(dense(2)), noise(64, 64), "grad-cam", 1, "3", **cut)


def test_tiles_that_the_networks_crop_would_leave_gaps_between_are_misuse() -> None:
    model = seewhy.wrap(dense(2), prepare={"size": 64, "crop": 32})
    with pytest.raises(seewhy.BadParameter, match=r"the network sees 32; .* from 32 to 63"):
        seewhy.explain(model, np.zeros((100, 200, 3), np.uint8), "grad-cam", 1, "3", tile=64, overlap=16)


@pytest.mark.parametrize(
    ("tile", "said"), [(16, "tiles of 16x16 pixels .*, 32x32: each is enlarged 2.5 times"), (32, ""), (64, "")]
)
def test_tiles_smaller_than_what_the_network_takes_are_doubted(tile: int, said: str) -> None:
    model = seewhy.wrap(dense(2), prepare={"size": 40, "crop": 32})
    (heatmap,) = seewhy.explain(model, np.full((100, 200, 3), 99, np.uint8), "grad-cam", 1, "3", tile=tile)
    doubts = [warning for warning in heatmap.warnings if "smaller than what the network was trained to see" in warning]
    assert len(doubts) == bool(said)
    assert not said or re.match(said, doubts[0])


def test_tiles_that_go_in_as_they_are_are_not_doubted() -> None:
    for prepare in (None, {"size": None, "crop": None}):
        images = noise(64, 64) if prepare is None else np.full((100, 200, 3), 99, np.uint8)
        (heatmap,) = seewhy.explain(seewhy.wrap(dense(2), prepare=prepare), images, "grad-cam", 1, "3", tile=24)
        assert not any("smaller than" in warning for warning in heatmap.warnings)


def floats(photo: Any) -> Any:
    return np.asarray(photo, np.float32).transpose(2, 0, 1) / 255


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda photo: floats(photo) * np.float32(1 + np.random.rand()), "draws random numbers, for each tile others"),
        (lambda photo: floats(photo.rotate(90)), "turns the photo; tiles of it cannot be joined"),
        (lambda photo: floats(photo)[..., ::-1].copy(), "mirrors the photo; tiles of it cannot be joined"),
    ],
)
def test_tiles_that_are_seen_in_other_ways_are_not_joined(prepare: Any, said: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    with pytest.raises(seewhy.NotApplicable, match=said):
        seewhy.explain(seewhy.wrap(Bright(), prepare=prepare), pixels, "grad-cam", 0, tile=32)


def test_a_text_and_what_an_image_is_like_are_asked_of_every_tile() -> None:
    """Each cell of the joined map, where one tile counts alone, is what that tile says of itself."""
    fit = {"size": None, "crop": None, "mean": 0.0, "std": 1.0}
    model = seewhy.wrap(Towers().double(), prepare=fit, tokenizer=ids)
    photo = np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)
    asked = [seewhy.Text("red", against=["green"]), seewhy.Similar(photo[:8, :8])]
    for target in asked:
        (joined,) = seewhy.explain(model, photo, "gradient", target, tile=32)
        (corner,) = seewhy.explain(model, photo[:32, :32], "gradient", target)
        close(joined.values[:20, :20], corner.values[:20, :20], rel=1e-5)
        tiles = [photo[y : y + 32, x : x + 32] for y in (0, 16) for x in (0, 16, 32, 48)]
        scores = [m.source.score for m in seewhy.explain(model, tiles, "gradient", target)]
        assert joined.source.score == pytest.approx(np.mean(scores))
        assert joined.source.target == corner.source.target


def test_a_network_whose_tiles_cannot_be_a_cell_smaller_gets_them_as_asked() -> None:
    """The layers of a corner can be looked at; a U-Net takes multiples of its stride alone."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down, self.up = nn.Conv2d(3, 4, 2, stride=2), nn.ConvTranspose2d(4, 3, 2, stride=2)

        def forward(self, x: Tensor) -> Tensor:
            return (self.up(self.down(x)) + x).mean((2, 3))

    model = seewhy.wrap(Net().eval())
    (joined,) = seewhy.explain(model, np.ones((1, 3, 301, 400), np.float32), "gradient", 1, tile=300)
    assert joined.source.tile["tile"] == (300, 300)


def test_what_is_pinned_on_one_whole_image_is_no_question_to_tiles() -> None:
    model = seewhy.wrap(dense(2))
    for target in (seewhy.Unit("3", 1, (2, 2)), "region:1"):
        with pytest.raises(seewhy.NotApplicable, match="is asked of one whole image"):
            seewhy.explain(model, noise(64, 64), "gradient", target, tile=32)


def test_a_method_is_called_with_tiles_too() -> None:
    model = seewhy.wrap(dense(2))
    (own,) = seewhy.METHODS["hires-cam"](model, noise(64, 48), 1, "3", tile=32, overlap=24)
    (asked,) = seewhy.explain(model, noise(64, 48), "hires-cam", 1, "3", tile=32, overlap=24)
    np.testing.assert_array_equal(own.values, asked.values)
