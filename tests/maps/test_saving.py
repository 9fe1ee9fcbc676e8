"""A map that was saved can answer for itself, whatever its names and parameters hold."""

import io
import os
import resource
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from seewhy import Heatmap, Source, grad_cam
from seewhy.errors import BadParameter, NotWritten

SOURCES = {
    "plain": {},
    "unicode": {"label": "katė ねこ 🐈 “q” \n\t", "image": "фото/кошка.jpg", "target": "ねこ"},
    "undecodable": {"image": "photo-\udcff.jpg"},
    "tuples": {"params": {"window": (3, 5), "deep": ((1, 2), "x"), "none": None, "flag": True}},
    "numpy": {"params": {"sigma": np.float32(0.5), "count": np.int64(3)}},
    "silent": {
        "index": None,
        "label": None,
        "score": None,
        "probability": None,
        "predicted": None,
        "weights": None,
        "warnings": (),
    },
    "long": {"caveat": "so it goes " * 3000, "warnings": tuple(f"warning {i}" for i in range(200))},
}


@pytest.mark.parametrize("suffix", [".png", ".npz", ".PNG", ".NPZ"])
@pytest.mark.parametrize("name", SOURCES)
def test_the_source_comes_back_equal(tmp_path, made_heatmap, name, suffix):
    heatmap = made_heatmap([[0, 1], [2, 3]], **SOURCES[name])
    path = tmp_path / f"map{suffix}"
    assert heatmap.save(path) == path
    assert path.exists()
    assert Heatmap.source_of(path) == heatmap.source
    assert Heatmap.source_of(str(path)).warnings == heatmap.warnings


def test_a_real_map_comes_back(tmp_path, red_model, red_dot):
    (heatmap,) = grad_cam(red_model, red_dot((90, 64), 20, 30))
    heatmap.save(tmp_path / "a.png", alpha=0.7, colours="viridis", legend=True)
    assert Heatmap.source_of(tmp_path / "a.png") == heatmap.source
    with Image.open(tmp_path / "a.png") as png:
        assert png.convert("RGB").tobytes() == heatmap.overlay(alpha=0.7, colours="viridis", legend=True).tobytes()


def test_the_numbers_are_kept(tmp_path, made_heatmap):
    heatmap = made_heatmap(np.random.default_rng(0).normal(size=(4, 6)), (40, 30), (1.5, 2, 38.25, 29))
    heatmap.save(tmp_path / "a.npy")
    assert np.array_equal(np.load(tmp_path / "a.npy"), heatmap.values)
    heatmap.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as kept:
        assert np.array_equal(kept["values"], heatmap.values)
        assert kept["values"].dtype == np.float32
        assert np.array_equal(kept["box"], heatmap.box)


@pytest.mark.parametrize("name", ["map.jpg", "map", ".png2"])
def test_other_formats_are_misuse(tmp_path, made_heatmap, name):
    with pytest.raises(BadParameter, match=r"\.png, \.npz or \.npy"):
        made_heatmap([[1]]).save(tmp_path / name)
    assert [*tmp_path.iterdir()] == []


def test_a_notebook_shows_the_overlay_with_its_legend(made_heatmap):
    heatmap = made_heatmap([[0, 1], [2, 3]], (300, 200))
    with Image.open(io.BytesIO(heatmap._repr_png_())) as png:
        assert png.convert("RGB").tobytes() == heatmap.overlay(legend=True).tobytes()
        assert png.height > 200
        assert Source.from_json(png.info["seewhy"]) == heatmap.source


@contextmanager
def files_of_at_most(most: int):
    """As on a full disk: in here no file grows beyond so many bytes."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # numpy 1.26 leaves its zip open
@pytest.mark.parametrize("ending", [".png", ".npz", ".npy", ".nii", ".nii.gz", ".tif"])
def test_where_a_disk_is_full_the_older_map_or_none_is_left(tmp_path, of_any_format, ending):
    heatmap, path, new = of_any_format(ending), tmp_path / f"old{ending}", tmp_path / f"new{ending}"
    heatmap.save(path)
    old, there = path.read_bytes(), sorted(os.listdir(tmp_path))
    assert len(old) > 2000
    for most in (0, 1, 1000, len(old) // 2, len(old) - 1):
        for file in (path, new):
            with files_of_at_most(most), pytest.raises(NotWritten, match="too large") as said:
                heatmap.save(file)
            assert str(file) in str(said.value)
            assert heatmap.source.image in str(said.value)
            assert sorted(os.listdir(tmp_path)) == there
            assert path.read_bytes() == old


@pytest.mark.parametrize("ending", [".png", ".npz", ".nii", ".nii.gz", ".tif"])
def test_every_format_but_the_bare_numbers_tells_its_source(tmp_path, of_any_format, ending):
    heatmap = of_any_format(ending)
    heatmap.save(tmp_path / f"map{ending}")
    assert Heatmap.source_of(tmp_path / f"map{ending}") == heatmap.source


@pytest.mark.parametrize("ending", [".png", ".npz", ".npy", ".nii", ".nii.gz", ".tif"])
def test_a_map_is_one_file_and_nothing_beside_it(tmp_path, of_any_format, ending):
    heatmap, before = of_any_format(ending), {*os.listdir(tmp_path)}
    for _ in range(2):
        heatmap.save(tmp_path / f"map{ending}")
        assert {*os.listdir(tmp_path)} - before == {f"map{ending}"}


def test_a_png_is_compressed_fast_and_has_the_pixels(tmp_path, made_heatmap):
    """The usual level takes four times as long, half of all the time that the command line spends on a photo."""
    path = made_heatmap(np.random.default_rng(0).random((5, 7))).save(tmp_path / "map.png")
    content = path.read_bytes()
    compressed = content[content.index(b"IDAT") + 4 :]
    assert compressed[1] >> 6 == 1  # how the head of a zlib stream names the levels 2 to 5
    with Image.open(path) as picture:
        assert picture.tobytes() == made_heatmap(np.random.default_rng(0).random((5, 7))).overlay().tobytes()
