"""Tiles: on networks whose untiled map is known to be the sum of local parts, joined maps are that very map."""

import tracemalloc
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import seewhy
from seewhy.explaining.tiles.joining import merged
from seewhy.explaining.tiles.seam import Seam
from seewhy.images.places import AxisCells
from seewhy.images.volume import Volume
from seewhy.progress import stoppable
from support import networks
from support.embedders import Towers, ids

LIKE = {"rtol": 0, "atol": 4e-7}  # of the largest value: heatmaps are float32


class Summed(nn.Module):
    def forward(self, a: Tensor) -> Tensor:
        return a.flatten(2).sum(2)


class Averaged(nn.Module):
    def forward(self, a: Tensor) -> Tensor:
        return a.flatten(2).mean(2)


def dense(d: int, head: type[nn.Module] = Summed, padding: int = 1, seed: int = 0) -> nn.Sequential:
    """A cell of layer 3 sees two pixels to each side, a class's gradient at a pixel depends on four; linear behind layer 3."""
    conv: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[d - 1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return (
            nn.Sequential(
                conv(3, 4, 3, padding=padding), nn.ReLU(), conv(4, 6, 3, stride=2, padding=padding), nn.ReLU(),
                conv(6, 4, 1), head(),
            ).double().eval()
        )  # fmt: skip


def noise(*space: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, 3, *space))


def both(network: nn.Module, x: Any, method: Any, layer: str | None, target: Any = 1, **cut: Any) -> tuple[Any, Any]:
    model = seewhy.wrap(network)
    (plain,), (joined,) = (seewhy.explain(model, x, method, target, layer, **more) for more in ({}, cut))
    return plain, joined


def same(joined: np.ndarray, plain: np.ndarray) -> None:
    assert plain.any()
    np.testing.assert_allclose(joined / abs(plain).max(), plain / abs(plain).max(), **LIKE)


SHAPES = {1: (128,), 2: (72, 64), 3: (48, 12, 48)}
CUT: dict[int, Any] = {1: (40, 32), 2: (40, 32), 3: ((40, 12, 40), (32, 0, 32))}
WINDOWS = seewhy.METHODS["occlusion"].using(window=4, stride=4, fill="zero", incremental=False)
SIGNED, HIRES = (seewhy.METHODS[name].using(signed=True) for name in ("grad-cam", "hires-cam"))


@pytest.mark.parametrize("d", SHAPES)
@pytest.mark.parametrize(
    ("method", "layer"),
    [(SIGNED, "3"), (HIRES, "3"), (HIRES, "1"), ("layer-cam", "1"), ("gradient", None), (WINDOWS, None)],
)
def test_a_convolutional_networks_tiled_map_is_the_untiled_one(d: int, method: Any, layer: str | None) -> None:
    """The margin, a quarter of the overlap, is wider than the receptive field and, of occlusion, the window."""
    if d == 3 and method is WINDOWS:
        method = method.using(window=(4, 12, 4), stride=(4, 12, 4))
    tile, overlap = CUT[d]
    plain, joined = both(dense(d), noise(*SHAPES[d]), method, layer, tile=tile, overlap=overlap)
    assert joined.source.measured["tiles"] > 3
    same(joined.values, plain.values)
    if plain.channels is not None:
        same(joined.channels, plain.channels)
    assert joined.cells == plain.cells
    assert joined.box == plain.box
    assert joined.source.geometry == plain.source.geometry


def test_where_the_margin_is_too_narrow_it_is_not() -> None:
    plain, joined = both(dense(2), noise(96, 80), "hires-cam", "1", tile=48, overlap=4)
    assert abs(plain.values - joined.values).max() > 1e-3 * abs(plain.values).max()


def test_cells_that_valid_convolutions_shift_are_joined_where_they_lie() -> None:
    plain, joined = both(dense(2, padding=0), noise(97, 81), "hires-cam", "3", tile=49, overlap=41)
    same(joined.values, plain.values)
    assert joined.cells == plain.cells
    assert joined.cells.first != (0, 0)


def test_behind_global_averaging_the_values_are_those_of_a_tiles_score() -> None:
    """The mean over a tile has a gradient as many times larger as the tile has fewer cells."""
    plain, joined = both(dense(2, Averaged), noise(96, 80), "hires-cam", "3", tile=48, overlap=40)
    same(joined.values, plain.values * (96 * 80) / 48**2)


def test_tiles_step_by_whole_cells_and_the_last_ends_with_the_image() -> None:
    _, joined = both(dense(2), noise(101, 96), "hires-cam", "3", tile=48, overlap=25)
    assert joined.source.params["tile"] == (47, 48)  # not 48: cells are two pixels apart, and so the last tile begins on one
    assert joined.source.params["overlap"] == (25, 26)  # nor 25
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
        (3, (259, 301), (200, 208), (160, 160)), (2, (63, 40, 71), (48, 40, 56), (40, 0, 40)),
    ],
)  # fmt: skip
def test_whatever_the_sizes_cells_of_all_tiles_lie_as_in_the_whole(
    strides: int, space: tuple[int, ...], tile: Any, overlap: Any, method: Any
) -> None:
    """Also of a map by pixels: a gradient shows between which pixels a strided convolution steps."""
    layer = None if method == "gradient" else str(2 + 2 * strides)
    plain, joined = both(strided(len(space), strides), noise(*space), method, layer, tile=tile, overlap=overlap)
    assert joined.source.measured["tiles"] > 7
    assert joined.cells == plain.cells
    same(joined.values, plain.values)


def test_what_pools_over_the_whole_image_is_no_grid_to_step_by() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    for side, width, fits in ((64, 125, 61), (900, 1797, 893)):  # that is, looked at as a whole, and in a corner
        x = np.ones((1, 3, side, width), np.float32)
        (joined,) = seewhy.explain(seewhy.wrap(network), x, "gradient", 1, tile=side)
        assert joined.source.params["tile"] == (side, fits)
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
            assert joined.source.params["tile"] == (32, 32)


def test_large_tiles_go_one_by_one_unless_a_person_says_how_many() -> None:
    seen: list[int] = []
    network = nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.ReLU(), Summed()).eval()
    network.register_forward_hook(lambda _m, inputs, _out: seen.append(len(inputs[0])))
    x = np.zeros((1, 3, 800, 1600), np.float32)
    for batch_size, most in ((None, 1), (3, 3)):
        seewhy.explain(seewhy.wrap(network, batch_size=batch_size), x, "hires-cam", 1, "1", tile=800)
        assert seen[-1] == most
        seen.clear()


def test_an_uneven_rest_is_drawn_onto_the_grid_linearly() -> None:
    """An image that is linear in space gives a map that is: whatever the last tile's phase, it stays linear."""
    seam = Seam(AxisCells(0.5, 2, 8), [0, 8, 13], (0.0, 16.0))
    joined = np.zeros(seam.count)
    for k, start in enumerate(seam.starts):
        joined[seam.part(k)] += seam.share(k) * seam.drawn(k, start + 0.5 + 2.0 * np.arange(8), 0)
    np.testing.assert_allclose(joined[:-1], seam.at[:-1], atol=1e-12)
    assert joined[-1] == pytest.approx(min(seam.at[-1], 13 + 14.5))


@pytest.mark.parametrize("starts", [[0], [0, 8, 16, 24], [0, 8, 16, 19], [0, 15, 17], [0, 16, 32]])
def test_weights_sum_to_one_and_vanish_in_the_margins(starts: list[int]) -> None:
    seam = Seam(AxisCells(0.5, 1.0, 16), starts, (0.0, 16.0))
    total = np.zeros(seam.count)
    for k in range(len(starts)):
        total[seam.part(k)] += seam.share(k)
        weights = seam.share(k)
        if k > 0:
            overlap = 16 - (starts[k] - starts[k - 1])
            assert (weights[: overlap // 4] == 0).all()
        if k + 1 < len(starts):
            overlap = 16 - (starts[k + 1] - starts[k])
            assert overlap // 4 == 0 or (weights[-(overlap // 4) :] == 0).all()
    np.testing.assert_allclose(total, 1, atol=1e-15)
    assert seam.share(0)[0] == 1
    assert seam.share(len(starts) - 1)[-1] == 1


def test_no_seam_shows_where_tiles_meet() -> None:
    """On a network that averages globally, tiles differ in scale and context; the joined map's steps at their borders and in
    their ramps are no larger than elsewhere, while side by side they are.
    """
    network, x = networks.pooled(), networks.images(1, 160, 160, seed=3)
    smooth = np.stack([[np.asarray(Image.fromarray(c.astype(np.float32)).resize((160, 160), 3)) for c in x[0, :, ::12, ::12]]])
    _, joined = both(network, smooth, "grad-cam", "act2", tile=64, overlap=32)
    _, abrupt = both(network, smooth, "grad-cam", "act2", tile=64, overlap=0)
    at = {32: 0, 16: 0}
    for m, step in ((joined.values, 16), (abrupt.values, 32)):
        jump = abs(np.diff(m, axis=1)).mean(0)
        border = np.arange(step - 1, len(jump), step)
        at[step] = jump[border].mean() / np.delete(jump, border).mean()
    assert at[16] < 1.3 < at[32]


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
    assert contrast.source.label == "red vs green"


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
    assert "tile" not in joined.source.params


def test_a_side_shorter_than_a_tile_is_not_cut() -> None:
    plain, joined = both(dense(2), noise(30, 96), "hires-cam", "3", tile=48, overlap=40)
    assert joined.source.params["tile"] == (30, 48)
    same(joined.values, plain.values)


def test_photos_go_through_the_models_own_preprocessing_tile_by_tile() -> None:
    """Of each tile of 64 pixels the network sees the middle 56, at half of the size; the map lies there on the photo."""
    pixels = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    photo = Image.fromarray(pixels)
    model = seewhy.wrap(dense(2), prepare={"size": 32, "crop": 28})
    found = seewhy.explain(model, photo, "hires-cam", 1, "3", tile=64)[0]
    assert found.box == seewhy.Extent(4, 4, 196, 146)
    assert found.image is photo or np.array_equal(np.asarray(found.image), pixels)
    assert found.source.params["overlap"] == (36, 36)  # steps of 28 of 56 pixels: seven cells of four
    (alone,) = seewhy.explain(model, photo.crop((56, 0, 120, 64)), "hires-cam", 1, "3")
    part = found.values[:, 14:28][:14]
    share = np.outer(
        *(
            Seam(AxisCells(4 + 2, 4, 14), starts, (4.0, 60.0)).share(k)
            for starts, k in (([0, 28, 56, 84, 86], 0), ([0, 28, 56, 84, 112, 136], 2))
        )
    )
    core = share == 1
    assert core.any()
    np.testing.assert_allclose(part[core], alone.values[core], rtol=1e-5)


def test_infinite_errors_stay_infinite_and_others_are_joined() -> None:
    method = WINDOWS.using(window=4, stride=4, budget=20)
    plain, joined = both(dense(2), noise(32, 48), method, None, tile=32, overlap=16)
    assert joined.error.shape == joined.values.shape == plain.values.shape
    assert not np.isnan(joined.error).any()
    assert np.isinf(joined.error).any()
    assert np.isfinite(joined.error).any()
    assert joined.source.measured["forwards"] == 40
    assert any("stopped by the budget" in said for said in joined.warnings)


def test_superpixels_are_dropped_and_it_is_said() -> None:
    pytest.importorskip("skimage")
    model = seewhy.wrap(dense(2), prepare={"size": None, "crop": None})
    photo = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    method = seewhy.METHODS["lime"].using(budget=30)
    (found,) = seewhy.explain(model, photo, [method], 1, tile=48, overlap=24)
    assert found.regions is None
    assert found.values.shape == (48, 64)
    assert any("superpixels" in said for said in found.warnings)


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


def test_memory_grows_with_the_map_and_not_with_the_tiles(tmp_path: Any) -> None:
    """Sixteen times as many tiles of an image on the disk, and a coarse map: hardly more memory.  All pixels: a few maps."""
    network = nn.Sequential(nn.AvgPool2d(16), nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1), Averaged()).eval()
    model = seewhy.wrap(network, batch_size=2)

    def peak(method: str, width: int) -> int:
        x = np.memmap(tmp_path / f"{method}{width}", np.float32, "w+", shape=(1, 3, 128, width))
        x[:] = np.random.default_rng(0).normal(size=128 * 3).reshape(1, 3, 128, 1)
        tracemalloc.start()
        try:
            seewhy.explain(model, x, method, 1, tile=128)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak("grad-cam", 512)  # what is imported and found out once
    assert peak("grad-cam", 8192) < peak("grad-cam", 512) + 300_000  # all tiles' images: 25 MB, their maps by pixel: 8 MB
    peak("gradient", 512)
    more = peak("gradient", 8192) - peak("gradient", 512)
    own = 128 * (8192 - 512) * 4 * (1 + 3)  # values and channels of the joined map
    assert own < more < 1.1 * own


def test_a_function_from_images_to_scores_is_tiled_too() -> None:
    def red(x: np.ndarray) -> np.ndarray:
        return np.stack([x[..., 0].astype(float).sum((1, 2)), x[..., 1].astype(float).sum((1, 2))], 1)

    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[30:34, 50:54] = (255, 0, 0)
    model = seewhy.wrap(red)
    method = seewhy.METHODS["occlusion"].using(window=2, stride=2, fill="black")
    (found,) = seewhy.explain(model, pixels, [method], 0, tile=20, overlap=8)
    expected = np.zeros((40, 60))
    expected[30:34, 50:54] = 4 * 255
    np.testing.assert_allclose(found.values, expected, atol=1e-3)


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


def test_a_text_and_what_an_image_is_like_are_asked_of_every_tile() -> None:
    """Each cell of the joined map, where one tile counts alone, is what that tile says of itself."""
    fit = {"size": None, "crop": None, "mean": 0.0, "std": 1.0}
    model = seewhy.wrap(Towers().double(), prepare=fit, tokenizer=ids)
    photo = np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)
    asked = [seewhy.Text("red", against=["green"]), seewhy.Similar(photo[:8, :8])]
    for target in asked:
        (joined,) = seewhy.explain(model, photo, "gradient", target, tile=32)
        (corner,) = seewhy.explain(model, photo[:32, :32], "gradient", target)
        np.testing.assert_array_equal(joined.values[:20, :20], corner.values[:20, :20])
        tiles = [photo[y : y + 32, x : x + 32] for y in (0, 16) for x in (0, 16, 32, 48)]
        scores = [m.source.score for m in seewhy.explain(model, tiles, "gradient", target)]
        assert joined.source.score == pytest.approx(np.mean(scores))
        assert joined.source.target == corner.source.target


def test_warnings_that_differ_in_numbers_alone_are_one() -> None:
    pytest.importorskip("skimage")
    model = seewhy.wrap(dense(2), prepare={"size": None, "crop": None})
    photo = np.random.default_rng(0).integers(0, 256, (48, 96, 3), dtype=np.uint8)
    method = seewhy.METHODS["lime"].using(budget=9)
    (joined,) = seewhy.explain(model, photo, [method], 1, tile=48)
    said = [warning for warning in joined.warnings if "are too few" in warning]  # 9 samples for so many segments
    assert len(said) == 1
    assert "(in 3 of 3 tiles, with other numbers in some)" in said[0]


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
    assert joined.source.params["tile"] == (300, 300)


def test_numbers_of_other_tiles_are_said_to_differ() -> None:
    alike = Counter({"after 3 of 5": 2, "after 3 of 6": 1})
    assert merged(alike, 4) == "after 3 of 5 (in 3 of 4 tiles, with other numbers in some)"
    assert merged(Counter({"flat": 4}), 4) == "flat"
    assert merged(Counter({"flat": 3}), 4) == "flat (in 3 of 4 tiles)"


def test_what_is_pinned_on_one_whole_image_is_no_question_to_tiles() -> None:
    model = seewhy.wrap(dense(2))
    for target in (seewhy.Unit("3", 1, (2, 2)), "region:1"):
        with pytest.raises(seewhy.NotApplicable, match="is asked of one whole image"):
            seewhy.explain(model, noise(64, 64), "gradient", target, tile=32)


def test_a_units_sum_over_the_image_is_that_over_the_tiles() -> None:
    plain, joined = both(dense(2), noise(96, 80), "gradient", None, seewhy.Unit("3", 2, "sum"), tile=48, overlap=40)
    same(joined.values, plain.values)
    assert joined.source.target == plain.source.target
    assert joined.source.label == plain.source.label


def test_a_method_is_called_with_tiles_too() -> None:
    model = seewhy.wrap(dense(2))
    (own,) = seewhy.METHODS["hires-cam"](model, noise(64, 48), 1, "3", tile=32, overlap=24)
    (asked,) = seewhy.explain(model, noise(64, 48), "hires-cam", 1, "3", tile=32, overlap=24)
    np.testing.assert_array_equal(own.values, asked.values)


def test_a_volume_is_tiled_as_the_network_gets_it_and_its_map_lies_in_the_file() -> None:
    affine = np.array([[0, -1.2, 0, 10], [-0.9, 0, 0, 5], [0, 0, 2.5, -7], [0, 0, 0, 1.0]])
    volume = Volume(np.random.default_rng(0).normal(size=(48, 12, 48, 3)).astype(np.float32), affine, "scan")
    model = seewhy.wrap(dense(3), prepare={"orientation": "RAS", "axes": "kji", "channels": True})
    plain, joined = (
        seewhy.explain(model, volume, HIRES, 1, "3", **cut)[0] for cut in ({}, {"tile": (40, 40, 12), "overlap": (32, 32, 0)})
    )
    assert joined.source.measured["tiles"] == 4
    assert joined.image is volume
    assert joined.box == plain.box
    same(joined.full(), plain.full())
