"""Joining: maps of tiles add up to the untiled map; errors, warnings and numbers are joined, too."""

import tracemalloc
from collections import Counter
from typing import Any

import numpy as np
import pytest
from torch import nn

import seewhy
from seewhy.explaining.tiles.joining import merged
from support.tiling import HIRES, SIGNED, WINDOWS, Averaged, both, dense, lie_alike, noise, same

SHAPES = {1: (128,), 2: (72, 64), 3: (48, 12, 48)}

CUT: dict[int, Any] = {1: (40, 32), 2: (40, 32), 3: ((40, 12, 40), (32, 0, 32))}


@pytest.mark.parametrize("d", SHAPES)
@pytest.mark.parametrize(
    ("method", "layer"),
    [(SIGNED, "3"), (HIRES, "3"), (HIRES, "1"), ("layer-cam", "1"), ("gradient", None), (WINDOWS, None)],
)
def test_a_convolutional_networks_tiled_map_is_the_untiled_one(d: int, method: Any, layer: str | None) -> None:
    """The margin, a quarter of the overlap, is wider than the receptive field and, of occlusion, the window."""
    if d == 3 and method is WINDOWS:
        method = method.using(window=(8, 12, 8), stride=(8, 12, 8))
    tile, overlap = CUT[d]
    plain, joined = both(dense(d), noise(*SHAPES[d]), method, layer, tile=tile, overlap=overlap)
    assert joined.source.measured["tiles"] > 3
    same(joined.values, plain.values)
    if plain.channels is not None:
        same(joined.channels, plain.channels)
    lie_alike(joined, plain)
    assert joined.box == plain.box
    assert joined.source.geometry == plain.source.geometry


def test_where_the_margin_is_too_narrow_it_is_not() -> None:
    plain, joined = both(dense(2), noise(96, 80), "hires-cam", "1", tile=48, overlap=4)
    assert abs(plain.values - joined.values).max() > 1e-3 * abs(plain.values).max()


def test_cells_that_valid_convolutions_shift_are_joined_where_they_lie() -> None:
    plain, joined = both(dense(2, padding=0), noise(97, 81), "hires-cam", "3", tile=49, overlap=41)
    same(joined.values, plain.values)
    lie_alike(joined, plain)
    assert joined.cells.first != (0, 0)


def test_behind_global_averaging_the_values_are_those_of_a_tiles_score() -> None:
    """The mean over a tile has a gradient as many times larger as the tile has fewer cells."""
    plain, joined = both(dense(2, Averaged), noise(96, 80), "hires-cam", "3", tile=48, overlap=40)
    same(joined.values, plain.values * (96 * 80) / 48**2)


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


def test_warnings_that_differ_in_numbers_alone_are_one() -> None:
    pytest.importorskip("skimage")
    model = seewhy.wrap(dense(2), prepare={"size": None, "crop": None})
    photo = np.random.default_rng(0).integers(0, 256, (48, 96, 3), dtype=np.uint8)
    method = seewhy.METHODS["lime"].using(budget=9)
    (joined,) = seewhy.explain(model, photo, [method], 1, tile=48)
    said = [warning for warning in joined.warnings if "are too few" in warning]  # 9 samples for so many segments
    assert len(said) == 1
    assert "(in 3 of 3 tiles, with other numbers in some)" in said[0]


def test_numbers_of_other_tiles_are_said_to_differ() -> None:
    alike = Counter({"after 3 of 5": 2, "after 3 of 6": 1})
    assert merged(alike, 4) == "after 3 of 5 (in 3 of 4 tiles, with other numbers in some)"
    assert merged(Counter({"flat": 4}), 4) == "flat"
    assert merged(Counter({"flat": 3}), 4) == "flat (in 3 of 4 tiles)"


def test_a_units_sum_over_the_image_is_that_over_the_tiles() -> None:
    plain, joined = both(dense(2), noise(96, 80), "gradient", None, seewhy.Unit("3", 2, "sum"), tile=48, overlap=40)
    same(joined.values, plain.values)
    assert joined.source.target == plain.source.target
    assert joined.source.label == plain.source.label
