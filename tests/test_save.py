"""A map that was saved can answer for itself, whatever its names and parameters hold."""

import io
import json

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from seewhy import Heatmap, Source, grad_cam
from seewhy.errors import BadImage, BadParameter

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
