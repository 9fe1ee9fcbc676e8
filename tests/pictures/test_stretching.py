"""Pictures are drawn some rows at a time: the same as at once, to the last bit, in little more memory than they take."""

import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import seewhy
from seewhy.images.places import Cells
from seewhy.maps.regions import Regions
from seewhy.pictures import stretching
from seewhy.pictures.render import Look
from seewhy.pictures.stretching import bands, stretch

BANDS = (1, 700, 1 << 30)  # pixels at a time: a row, some that do not divide the picture, all
BOXES = [(0, 0, 61, 47), (5.5, 0, 50.2, 47), (10, 13, 20, 30), (61, 47, 0, 0), (-20, -20, 30, 90), (70, 0, 90, 47)]


@pytest.fixture(params=BANDS)
def band(request, monkeypatch) -> None:
    monkeypatch.setattr(stretching, "BAND", request.param)


def drawn_at_once(heatmap: seewhy.Heatmap, look: Look) -> np.ndarray:
    """The overlay by its formula, of the whole picture."""
    photo, (width, height) = heatmap.image.convert("RGB"), heatmap.image.size
    grey = photo.convert("L").convert("RGB")
    under = Image.blend(photo, grey, min(1, 2 * look.alpha)) if look.centred else photo
    mixed = Image.blend(under, Image.fromarray(look.paint(heatmap.full())), look.alpha)
    if look.by_value:
        share = 0.7 * abs(heatmap.full()) / look.high
        under = between(photo, grey, np.minimum(1, 2 * share)) if look.centred else photo
        mixed = between(under, look.paint(heatmap.full()), share)
    pale = Image.blend(grey, Image.new("RGB", photo.size, "white"), 0.45)
    x, y = np.arange(width), np.arange(height)[:, None]
    (left, right), (top, bottom) = (sorted(map(round, edges)) for edges in (heatmap.box[0::2], heatmap.box[1::2]))
    return np.where(((x >= left) & (x < right) & (y >= top) & (y < bottom))[..., None], mixed, pale)


def between(first, second, share: np.ndarray) -> np.ndarray:
    """The mean of two pictures, of the second as large a share."""
    share = (share * 255).round()[..., None] / 255
    return np.round((1 - share) * np.asarray(first) + share * np.asarray(second))


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("signed", [False, True])
def test_an_overlay_is_drawn_as_at_once(band, made_heatmap, noise, box, signed):
    values = np.random.default_rng(0).normal(size=(5, 7))
    heatmap = made_heatmap(values if signed else abs(values), photo=noise((61, 47)), box=box)
    picture = heatmap.overlay(alpha=0.4)
    assert np.array_equal(picture, drawn_at_once(heatmap, Look.of(heatmap.values, 0.4, None, None)))
    by_value = drawn_at_once(heatmap, Look.of(heatmap.values, "value", None, None))
    assert abs(np.asarray(heatmap.overlay()).astype(int) - by_value).max() <= 1, "Pillow may round halves otherwise"
    below = heatmap.overlay(alpha=0.4, legend=True)
    left = (below.width - 61) // 2
    assert below.crop((left, 0, left + 61, 47)).tobytes() == picture.tobytes()


def test_a_map_without_a_photo_is_drawn_as_at_once(band, made_heatmap):
    heatmap = made_heatmap(np.arange(12).reshape(3, 4), (61, 47), photo=None)
    assert np.array_equal(heatmap.overlay(), Look.of(heatmap.values, "value", None, None).paint(heatmap.full()))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "I;16"])
def test_photos_of_any_mode_are_drawn_as_at_once(band, made_heatmap, noise, mode):
    photo = noise((61, 47)).convert("L").convert(mode) if mode == "I;16" else noise((61, 47)).convert(mode)
    heatmap = made_heatmap([[0, 1], [2, 1]], photo=photo, box=(0, 5, 61, 30))
    assert np.array_equal(heatmap.overlay(alpha=0.5), drawn_at_once(heatmap, Look.of(heatmap.values, 0.5, None, None)))


@settings(max_examples=60, deadline=None)
@given(
    cells=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    box=st.tuples(*[st.floats(-20, 60)] * 4).filter(lambda box: min(abs(box[2] - box[0]), abs(box[3] - box[1])) > 0.01),
    placed=st.booleans(),
    seed=st.integers(0, 9),
)
def test_values_are_the_matrix_product_of_both_axes_weights(cells, size, box, placed, seed):
    values = np.random.default_rng(seed).normal(size=cells).astype(np.float32)
    at = Cells((1.5, 0.25), (7.0, 9.5), (60, 70)) if placed else None
    down = weights(size[1], box[1::2], cells[0], at, 0)
    across = weights(size[0], box[0::2], cells[1], at, 1)
    full = stretch(values, seewhy.Extent(*box), size, at)
    np.testing.assert_allclose(full, down @ values.astype(float) @ across.T, rtol=1e-5, atol=1e-6)
    assert not np.signbit(full[full == 0]).any(), "no -0"


def weights(pixels, ends, cells, placed, axis):
    """(pixels, cells): a tent around the centre of each cell, in the box."""
    weight = np.zeros((pixels, cells))
    for pixel in range(pixels):
        at = (pixel + 0.5 - ends[0]) / (ends[1] - ends[0])
        place = at * cells - 0.5
        if placed is not None:
            place = (at * placed.size[axis] - 0.5 - placed.first[axis]) / placed.stride[axis]
        for cell in range(cells):
            tent = max(0.0, 1 - abs(min(max(place, 0), cells - 1) - cell))
            weight[pixel, cell] = tent if 0 <= at <= 1 else 0
    return weight


def test_values_do_not_hang_on_the_rows_asked_for(band, made_heatmap):
    values = np.random.default_rng(0).normal(size=(33, 40)).astype(np.float32)
    found = stretch(values, seewhy.Extent(3, 4, 50, 44), (61, 47))
    rows = stretching.stretched(values, seewhy.Extent(3, 4, 50, 44), (61, 47))
    assert found.tobytes() == rows(0, 47).tobytes()
    assert found[13:14].tobytes() == rows(13, 14).tobytes()


def test_bands_are_all_rows_once(band):
    for size in ((61, 47), (1, 1), (5000, 3)):
        for least in (1, 5, 100):
            parts = [*bands(size, least)]
            assert [row for top, bottom in parts for row in range(top, bottom)] == [*range(size[1])]
            assert all(bottom - top >= least for top, bottom in parts[:-1])


@pytest.mark.parametrize("kind", ["colour", "grey", "positive", "negative", "signed"])
def test_pictures_of_channels_do_not_hang_on_the_band(kind, monkeypatch):
    channels = np.random.default_rng(0).normal(size=(3, 47, 61)).astype(np.float32)
    drawn = set()
    for pixels in BANDS:
        monkeypatch.setattr(stretching, "BAND", pixels)
        drawn.add(seewhy.pictures.render.picture(channels, kind, 90)[0].tobytes())
    assert len(drawn) == 1


@pytest.mark.parametrize("size", [(61, 47), (960, 930)])  # lines of one pixel, and of three
def test_lines_between_regions_do_not_hang_on_the_band(size, noise, monkeypatch):
    segments = np.random.default_rng(0).integers(0, 6, (9, 8))
    regions = Regions(segments, np.array([3.0, -2, 1, -1, 2, 0.5]), np.ones(6), None, None, None, 9)
    ways = {
        "all": regions.boundaries,
        "top": regions.draw,
        "both": partial(regions.draw, positive=None, hide_rest=True, n=3),
    }
    drawn = {name: set() for name in ways}
    for pixels in BANDS:
        monkeypatch.setattr(stretching, "BAND", pixels)
        for name, draw in ways.items():
            drawn[name].add(draw(noise(size)).tobytes())
    assert {name: len(pictures) for name, pictures in drawn.items()} == {"all": 1, "top": 1, "both": 1}
    assert len({*drawn["all"], *drawn["top"], *drawn["both"]}) == 3


MEMORY = """
import resource, sys
import numpy as np
import seewhy
from PIL import Image
from seewhy.maps.regions import Regions

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)

def of(side):
    source = seewhy.Source("", "", "", "grad-cam", {{}}, "", "", 0, "", "", 0, 0, None, 0, {{}})
    box = seewhy.Extent(side / 8, 0, side * 7 / 8, side)
    return seewhy.Heatmap(np.eye(7, dtype=np.float32) - 0.1, Image.new("RGB", (side, side)), box, source)

def draw(heatmap):
    return {draw}

draw(of(64))
heatmap = of({side})
before = most()
kept = draw(heatmap)
print(most() - before)
"""
SIDE = 4000  # 61 MB as RGB
REGIONS = "Regions(np.arange(64).reshape(8, 8), np.ones(64), np.ones(64), None, None, None, 9)"


@pytest.mark.parametrize(
    ("draw", "pictures"),  # how many such pictures it may take: its own one, and what Pillow copies
    [
        ("heatmap.overlay()", 1),
        ("heatmap.overlay(legend=True)", 1.7),  # with the strip below, twice
        ("heatmap.full()", 1),
        (f"{REGIONS}.boundaries(heatmap.image)", 1),
        (f"{REGIONS}.draw(heatmap.image, positive=None, hide_rest=True)", 1),
        ("seewhy.Heatmaps((heatmap,) * 5).strip()", 2.2),
    ],
)
def test_large_pictures_take_little_more_memory_than_they_are(draw, pictures):
    pytest.importorskip("resource")
    code = MEMORY.format(draw=draw, side=SIDE)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < pictures * SIDE**2 * 4 / 2**20 + 24


DRAW = """
import time
import numpy as np
from PIL import Image
from seewhy import Extent, Heatmap, Source
values = np.random.default_rng(0).normal(size=(14, 14)).astype(np.float32)
heatmap = Heatmap(values, Image.new("RGB", (1200, 900)), Extent(0, 0, 1200, 900), Source(**{source!r}))
{draw}
start, alone = time.process_time(), time.thread_time()
for _ in range(5):
    {draw}
alone = time.thread_time() - alone
print((time.process_time() - start - alone) / alone)
"""


@pytest.mark.parametrize("draw", ["overlay(legend=True)", "overlay(colours='inferno')", "full()"])
def test_drawing_keeps_no_other_thread_at_work(draw, made_source):
    """Threads of BLAS, to which numpy gives products of matrices, wait for more in a loop, on the cores that networks need."""
    code = DRAW.format(draw=f"heatmap.{draw}", source=made_source().facts)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert float(said.stdout) < 0.1
