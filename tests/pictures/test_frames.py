"""Filmstrips: each map over its frame, the strongest among those that are shown."""

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import BadParameter
from seewhy.pictures.frames import columns_of, frames, spread_out, strongest, whole
from seewhy.pictures.render import Look

HOT, BLUE = Look("inferno", 0, 1, 1), Look("blue-red", -1, 1, 1)


def film(count, size=(30, 20)):
    return [Image.new("RGB", size, (128, 128, 128)) for _ in range(count)]


def test_frames_show_each_map_over_its_frame(written):
    maps = np.zeros((4, 20, 30))
    for t, (y, x) in enumerate(((5, 5), (5, 25), (15, 5), (15, 25))):
        maps[t, y, x] = -1
    pixels = np.asarray(frames(maps, film(4), BLUE, 4)).astype(int)
    assert [text for text, *_ in written] == ["frame 0", "frame 1", "frame 2", "frame 3"]
    grey, marked = abs(pixels - 128).max(-1) < 20, (pixels[..., 2] > pixels[..., 0] + 25)
    columns = np.flatnonzero((grey | marked).sum(0) > 50)
    rows = np.flatnonzero((grey | marked).sum(1) > 50)
    across = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    down = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    assert len(across) * len(down) == 4
    for t, (y, x) in enumerate(((5, 5), (5, 25), (15, 5), (15, 25))):
        tile_x, tile_y = across[t % len(across)], down[t // len(across)]
        here = np.argwhere(marked[tile_y[0] : tile_y[-1] + 1, tile_x[0] : tile_x[-1] + 1]).mean(0) + 0.5
        assert here[1] / len(tile_x) == pytest.approx((x + 0.5) / 30, abs=0.01)
        assert here[0] / len(tile_y) == pytest.approx((y + 0.5) / 20, abs=0.01)
        assert len(tile_x) / len(tile_y) == pytest.approx(1.5, rel=0.02)


@pytest.mark.parametrize(("count", "shown"), [(1, [33]), (3, [0, 33, 99]), (5, [0, 33, 50, 74, 99]), (400, [*range(100)])])
def test_many_frames_are_sampled_and_the_strongest_is_among_them(written, count, shown):
    maps = np.zeros((100, 4, 6))
    maps[33, 1, 1], maps[80, 1, 1] = 0.9, 0.5
    picture = frames(maps, film(100), HOT, count)
    assert [int(text.split()[1]) for text, *_ in written] == shown
    assert picture.width <= 1600


def test_frames_have_one_scale_and_may_be_a_list():
    maps = [np.full((20, 30), v) for v in (1.0, 0.5)]
    pixels = np.asarray(frames(maps, film(2), HOT)).reshape(-1, 3)
    for value in (1.0, 0.5):
        assert (pixels == HOT.paint(np.array([value]))[0]).all(1).sum() > 1000
    assert frames(np.array(maps), film(2), HOT).tobytes() == frames(maps, film(2), HOT).tobytes()


def test_frames_without_a_clip_and_of_coarse_maps():
    maps = np.random.default_rng(0).random((3, 2, 3))
    assert frames(maps, None, HOT).width <= 1600
    assert frames(maps, film(3), HOT).width <= 1600
    assert frames(maps[:1], film(1, (3000, 2)), HOT).width <= 1600
    nan = np.full((3, 2, 3), np.nan)
    assert frames(nan, film(3), HOT).tobytes() == frames(0 * maps, film(3), HOT).tobytes()


def test_maps_and_frames_go_together():
    for maps, clip in ((np.zeros((3, 4, 4)), film(2)), ([], film(0)), ([], None)):
        with pytest.raises(BadParameter, match="one for each"):
            frames(maps, clip, HOT)
    with pytest.raises(BadParameter, match="count="):
        frames(np.zeros((3, 4, 4)), None, HOT, 0)


@pytest.mark.parametrize(
    ("first", "last", "count", "among", "expected"),
    [
        (0, 9, 4, 5, [0, 3, 5, 9]),
        (0, 9, 10, 5, [*range(10)]),
        (2, 4, 12, 3, [2, 3, 4]),
        (0, 9, 1, 7, [7]),
        (5, 5, 3, 5, [5]),
        (0, 9, 2, 4, [4, 9]),
    ],
)
def test_places_are_even_but_for_the_one_that_has_to_be_among_them(first, last, count, among, expected):
    assert spread_out(first, last, count, among) == expected


def test_the_strongest_map_is_judged_by_the_look():
    maps = [np.array([[0.1, 0.6]]), np.array([[-0.9, 0.0]]), np.array([[0.2, 0.3]])]
    assert strongest(maps, BLUE) == 1
    assert strongest(maps, HOT) == 0
    assert strongest([0 * values for values in maps], HOT) == 0


@pytest.mark.parametrize(("count", "aspect", "columns"), [(1, 1, 1), (12, 1, 4), (12, 16 / 9, 3), (100, 0.5, 10), (2, 0.01, 2)])
def test_columns_make_about_4_to_3(count, aspect, columns):
    assert columns_of(count, aspect) == columns


def test_a_count_is_a_whole_number():
    assert whole(np.int64(3)) == 3
    for count in (0, -1, True, 1.5, "3", None):
        with pytest.raises(BadParameter, match="count="):
            whole(count)
