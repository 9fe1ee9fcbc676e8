"""Whatever is no picture is one clear error that names it: never Pillow's or numpy's own, never a Python warning."""

import gc
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seewhy import grad_cam, read
from seewhy.errors import BadImage, SeewhyError

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def cut(path: Path, share: float, **how) -> None:
    """A picture whose file ends too early."""
    Image.fromarray(NOISE).save(path, **how)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])


BROKEN = {
    "missing.jpg": (lambda p: None, "not there"),
    "folder": (lambda p: p.mkdir(), "a folder"),
    "folder.png": (lambda p: p.mkdir(), "a folder"),
    "half.jpg": (lambda p: cut(p, 0.5), "truncated"),
    "half.png": (lambda p: cut(p, 0.5), "truncated"),
    "half.gif": (lambda p: cut(p, 0.5), "cannot be read"),
    "half.webp": (lambda p: cut(p, 0.5), "cannot be read"),
    "half.tif": (lambda p: cut(p, 0.5), "truncated"),
    "half.bmp": (lambda p: cut(p, 0.5), "truncated"),
    "head.png": (lambda p: cut(p, 0.002), "cannot be read"),
    "text.jpg": (lambda p: p.write_text("I am a letter, not a picture."), "not an image"),
    "empty.png": (lambda p: p.write_bytes(b""), "not an image"),
    "zeros.jpg": (lambda p: p.write_bytes(bytes(4096)), "not an image"),
    "nan.tif": (lambda p: Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(p), "NaN"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named(tmp_path, red_model, name):
    make, said = BROKEN[name]
    make(tmp_path / name)
    for give in (lambda f: read(f), lambda f: grad_cam(red_model, [Image.new("RGB", (8, 8)), str(f)])):
        with pytest.raises(BadImage) as caught:
            give(tmp_path / name)
        assert name in str(caught.value)
        assert said in str(caught.value)
        assert str(caught.value).count(f"{name} ") == 1, "said once"
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("limit", [1, 60, 64 * 64 // 2, 64 * 64 - 1])
def test_a_decompression_bomb_is_refused_without_a_warning(tmp_path, monkeypatch, limit):
    Image.fromarray(NOISE).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with pytest.raises(BadImage) as caught:
            read(tmp_path / "bomb.png")
    assert [str(w.message) for w in said] == []
    assert str(caught.value).startswith(f"{tmp_path / 'bomb.png'} is too large")
    assert "MAX_IMAGE_PIXELS" in str(caught.value)


def test_a_bomb_given_as_a_pil_image_is_refused(monkeypatch):
    image = Image.fromarray(NOISE)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 64 - 1)
    with pytest.raises(BadImage, match="64x64"):
        read(image)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 64)
    assert read(image).pixels.size == (64, 64)


def test_a_limit_lifted_by_hand_is_lifted(tmp_path, monkeypatch):
    Image.fromarray(NOISE).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert np.array_equal(read(tmp_path / "large.png").pixels, NOISE)


def opened(path: Path) -> Image.Image:
    cut(path, 0.5)
    return Image.open(path)


def closed(path: Path) -> Image.Image:
    Image.fromarray(NOISE).save(path)
    image = Image.open(path)
    image.close()
    return image


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: opened(folder / "bad.jpg"),
        lambda folder: closed(folder / "bad.png"),
        lambda folder: Image.fromarray(np.full((4, 4), np.nan, np.float32)),
        lambda folder: Image.new("RGB", (0, 0)),
        lambda folder: Image.new("RGB", (0, 5)),
        lambda folder: "data:image/png;base64," + "A" * 5000,
    ],
    ids=["truncated", "closed", "nan", "no-pixels", "no-width", "base64"],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broken_pil_image_or_name_is_a_bad_image(tmp_path, red_model, make):
    given = make(tmp_path)
    with pytest.raises(BadImage):
        grad_cam(red_model, given)
    if isinstance(given, Image.Image):
        given.close()  # else its file is missed while another test runs
    del given
    gc.collect()


FLOATS = np.zeros((16, 16, 3), np.float32)
UNFIT = {
    "float photo": (FLOATS, "uint8"),
    "float grey": (FLOATS[..., 0], "uint8"),
    "list of float arrays": ([FLOATS.transpose(2, 0, 1)] * 2, "[Ss]tack"),
    "list of numbers": ([0.1, 0.2], "image 0"),
    "nothing": ([], "No images"),
    "no batch": (np.zeros((0, 3, 16, 16), np.float32), "empty"),
    "no photos": (np.zeros((0, 16, 16, 3), np.uint8), "No images|empty"),
    "no pixels": (np.zeros((0, 5, 3), np.uint8), "no pixels"),
    "nan": (np.full((2, 3, 16, 16), np.nan, np.float32), "image 0, image 1.*NaN"),
    "one nan": (np.stack([np.zeros((3, 8, 8)), np.full((3, 8, 8), np.inf)]), "image 1: .*NaN or inf"),
    "uint16": (np.zeros((16, 16, 3), np.uint16), "uint16"),
    "int64": (np.zeros((16, 16, 3), np.int64), "int64"),
    "complex": (np.zeros((16, 16), complex), "complex"),
    "five channels": (np.zeros((16, 16, 5), np.uint8), r"\(16, 16, 5\)"),
    "channels first": (np.zeros((3, 16, 16), np.uint8), r"\(3, 16, 16\)"),
    "flat": (np.zeros(16, np.uint8), r"\(16,\)"),
    "None": (None, "NoneType"),
    "int": (5, "int"),
    "bool": (True, "bool"),
    "object": (object(), "object"),
    "list with None": ([NOISE, None], "image 1"),
    "list with a float": ([NOISE, FLOATS], "image 1"),
    "float image without batch": (FLOATS.transpose(2, 0, 1), r"x\[None\]|batch axis"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_is_no_picture_is_told_what_would_be(red_model, name):
    given, said = UNFIT[name]
    with pytest.raises(BadImage, match=said) as caught:
        grad_cam(red_model, given)
    assert "\n" not in str(caught.value)


def test_an_error_of_ours_is_also_a_value_error():
    with pytest.raises(ValueError, match="not there"):
        read("nowhere.png")
    assert issubclass(BadImage, SeewhyError)
