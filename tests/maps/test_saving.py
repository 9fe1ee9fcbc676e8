"""A map that was saved can answer for itself, whatever its names and parameters hold."""

import io
import json
import os
import resource
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from seewhy import Heatmap, Source, Volume, grad_cam
from seewhy.errors import BadImage, BadParameter, NotWritten
from seewhy.images.places import Grid
from seewhy.maps.made_here import made_here

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


def test_json_is_json_for_everyone(made_source):
    def never(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    facts = json.loads(made_source(score=float("nan"), probability=float("inf")).to_json(), parse_constant=never)
    assert facts["method"] == "grad-cam"


def test_a_source_of_a_later_version_is_still_read(made_source):
    facts = {**json.loads(made_source().to_json()), "new in 9.0": [1, 2]}
    assert Source.from_json(json.dumps(facts)) == made_source()


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


def chunked(text: str) -> bytes:
    note, file = PngImagePlugin.PngInfo(), io.BytesIO()
    note.add_itxt("seewhy", text)
    Image.new("RGB", (2, 2)).save(file, "PNG", pnginfo=note)
    return file.getvalue()


def saved(save, *args, **how) -> bytes:
    file = io.BytesIO()
    save(file, *args, **how)
    return file.getvalue()


PHOTO = Image.new("RGB", (4, 4))
STRANGERS = {
    "photo.png": saved(PHOTO.save, "PNG"),
    "photo.jpg": saved(PHOTO.save, "JPEG"),
    "other.npz": saved(np.savez, x=np.zeros(3)),
    "array.npz": saved(np.save, np.zeros(3)),
    "words.png": chunked("cheese"),
    "list.png": chunked("[1, 2]"),
    "number.png": chunked("3"),
    "part.png": chunked('{"warnings": [], "predicted": null}'),
    "guess.png": chunked('{"warnings": [], "predicted": {"who": 3}}'),
    "text.png": b"hello",
    "empty.png": b"",
    "empty.npz": b"",
    "broken.npz": b"PK\x03\x04 and no more",
    "text.npz": b"hello",
}


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_strangers_file_is_a_bad_image_that_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(STRANGERS[name])
    with pytest.raises(BadImage, match=name.replace(".", r"\.")):
        Heatmap.source_of(tmp_path / name)


@pytest.mark.parametrize("name", ["nowhere.png", "nowhere.npz", "."])
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(BadImage, match="cannot be read"):
        Heatmap.source_of(tmp_path / name)


def test_a_notebook_shows_the_overlay_with_its_legend(made_heatmap):
    heatmap = made_heatmap([[0, 1], [2, 3]], (300, 200))
    with Image.open(io.BytesIO(heatmap._repr_png_())) as png:
        assert png.convert("RGB").tobytes() == heatmap.overlay(legend=True).tobytes()
        assert png.height > 200
        assert Source.from_json(png.info["seewhy"]) == heatmap.source


@pytest.fixture
def of_any_format(tmp_path, made_heatmap):
    """A map of noise that can be saved as a file with that ending, thousands of bytes long."""

    def make(ending: str):
        values = np.random.default_rng(0).normal(size=(64, 64))
        if ending.startswith(".nii"):
            pytest.importorskip("nibabel")
            volume = Volume(np.zeros((64, 64, 2), np.float32), np.eye(4))
            flat = made_heatmap(values, photo=volume)
            return replace(flat, values=np.stack([flat.values] * 2, -1), box=Grid.whole((64, 64, 2)))
        if ending == ".tif":
            rasterio = pytest.importorskip("rasterio")
            place = {"crs": "EPSG:32632", "transform": rasterio.Affine(0.5, 0, 10, 0, -0.5, 20)}
            shape = {"height": 30, "width": 40, "count": 1, "dtype": "uint8"}
            with rasterio.open(tmp_path / "scene.tiff", "w", "GTiff", **shape, **place) as file:
                file.write(np.zeros((1, 30, 40), np.uint8))
            return made_heatmap(values, image=str(tmp_path / "scene.tiff"))
        return made_heatmap(values)

    return make


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


@pytest.mark.parametrize("content", [b"", b"II*\0", b"II*\0\x08\0\0\0", saved(PHOTO.save, "TIFF")])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_tiff_without_a_source_is_said(tmp_path, content):
    pytest.importorskip("rasterio")
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(BadImage, match=r"a\.tif"):
        Heatmap.source_of(tmp_path / "a.tif")


@pytest.mark.parametrize("ending", [".png", ".npz", ".npy", ".nii", ".nii.gz", ".tif"])
def test_a_map_is_one_file_and_nothing_beside_it(tmp_path, of_any_format, ending):
    heatmap, before = of_any_format(ending), {*os.listdir(tmp_path)}
    for _ in range(2):
        heatmap.save(tmp_path / f"map{ending}")
        assert {*os.listdir(tmp_path)} - before == {f"map{ending}"}


@pytest.mark.parametrize("ending", [".png", ".PNG", ".nii", ".nii.gz", ".tif"])
def test_seewhys_own_maps_are_known_from_their_heads(tmp_path, of_any_format, ending):
    of_any_format(ending.lower()).save(tmp_path / f"map{ending}")
    assert made_here(tmp_path / f"map{ending}")
    assert not made_here(tmp_path / f"nowhere{ending}")
    whole = (tmp_path / f"map{ending}").read_bytes()
    for length in (0, 4, 8, 20, 40, len(whole) // 2):
        (tmp_path / f"cut{ending}").write_bytes(whole[:length])
        made_here(tmp_path / f"cut{ending}")  # true or not: it does not fail


@pytest.mark.parametrize("name", STRANGERS)
def test_a_strangers_file_is_not_seewhys(tmp_path, name):
    (tmp_path / name).write_bytes(STRANGERS[name])
    own = name in ("words.png", "list.png", "number.png", "part.png", "guess.png")  # with a chunk of ours
    assert made_here(tmp_path / name) is own


def test_a_photo_may_speak_of_seewhy(tmp_path):
    note = PngImagePlugin.PngInfo()
    note.add_text("Comment", "seewhy\0 made it")
    note.add_itxt("Title", "seewhy")
    PHOTO.save(tmp_path / "photo.png", pnginfo=note)
    assert not made_here(tmp_path / "photo.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert not made_here(tmp_path / "pipe.png")
