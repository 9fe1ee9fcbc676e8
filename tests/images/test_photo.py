"""Every kind of picture comes in as the upright RGB that a person sees."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy import grad_cam, read
from seewhy.errors import BadImage
from seewhy.images.photo import opened

RNG = np.random.default_rng(3)


UPRIGHT = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)  # every pixel its own colour


GREY = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7


def pixels(image) -> np.ndarray:
    photo = read(image)
    assert photo.pixels.mode == "RGB"
    return np.asarray(photo.pixels)


@pytest.mark.parametrize("kind", [str, Path, Path.read_bytes])
def test_a_path_a_string_and_the_bytes_of_a_file_are_the_same_picture(tmp_path, kind):
    Image.fromarray(UPRIGHT).save(tmp_path / "a.png")
    assert np.array_equal(pixels(kind(tmp_path / "a.png")), UPRIGHT)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (UPRIGHT, UPRIGHT),
        (GREY, np.stack([GREY] * 3, -1)),
        (GREY[..., None], np.stack([GREY] * 3, -1)),
        (GREY > 100, np.stack([(GREY > 100) * 255] * 3, -1)),
        (np.concatenate([UPRIGHT, np.full((5, 7, 1), 255, np.uint8)], -1), UPRIGHT),
        (np.concatenate([UPRIGHT, np.zeros((5, 7, 1), np.uint8)], -1), np.full_like(UPRIGHT, 255)),
        (UPRIGHT[:, ::-1], UPRIGHT[:, ::-1]),  # not contiguous
        (UPRIGHT[:, :3], UPRIGHT[:, :3]),  # three wide: still (h, w, 3)
    ],
    ids=["rgb", "grey", "grey-1", "bool", "opaque", "clear", "strided", "narrow"],
)
def test_arrays_are_pictures(array, expected):
    assert np.array_equal(pixels(array), expected)


def test_a_uint8_tensor_is_a_picture():
    torch = pytest.importorskip("torch")
    assert np.array_equal(pixels(torch.from_numpy(UPRIGHT)), UPRIGHT)


def on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return (colour * (alpha / 255) + 255 * (1 - alpha / 255)).round().astype(int)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_lies_on_white(tmp_path, mode, suffix):
    if (mode, suffix) == ("LA", ".webp"):
        pytest.skip("WebP has no grey with alpha")
    alpha = (np.arange(35, dtype=np.uint8) * 7).reshape(5, 7, 1)  # from clear through half to nearly opaque
    colour = UPRIGHT if mode == "RGBA" else GREY[..., None]
    image = Image.fromarray(np.concatenate([colour, alpha], -1))
    assert image.mode == mode
    image.save(tmp_path / f"clear{suffix}", **({"lossless": True, "exact": True} if suffix == ".webp" else {}))
    for picture in (tmp_path / f"clear{suffix}", image):
        assert abs(pixels(picture) - on_white(np.broadcast_to(colour, UPRIGHT.shape), alpha)).max() <= 1


PALETTE = [255, 0, 0, 0, 255, 0, 0, 0, 255]


def paletted() -> Image.Image:
    image = Image.fromarray(np.array([[0, 1, 2], [2, 1, 0]], np.uint8), "L").convert("L")
    image = Image.frombytes("P", (3, 2), image.tobytes())
    image.putpalette(PALETTE)
    return image


@pytest.mark.parametrize("suffix", [".png", ".gif", ".bmp"])
def test_a_palette_is_looked_up(tmp_path, suffix):
    paletted().save(tmp_path / f"p{suffix}")
    expected = np.eye(3)[[[0, 1, 2], [2, 1, 0]]] * 255
    assert np.array_equal(pixels(tmp_path / f"p{suffix}"), expected)


@pytest.mark.parametrize(
    ("suffix", "transparency", "expected"),
    [
        (".png", b"\xff\x80\x00", [(255, 0, 0), (127, 255, 127), (255, 255, 255)]),
        (".png", 1, [(255, 0, 0), (255, 255, 255), (0, 0, 255)]),
        (".gif", 1, [(255, 0, 0), (255, 255, 255), (0, 0, 255)]),
    ],
)
def test_a_palette_may_be_transparent(tmp_path, suffix, transparency, expected):
    paletted().save(tmp_path / f"p{suffix}", transparency=transparency)
    assert abs(pixels(tmp_path / f"p{suffix}")[0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("mode", "key", "clear"), [("RGB", (255, 0, 0), 0), ("L", 0, 1)])
def test_a_transparent_colour_without_alpha_lies_on_white(tmp_path, mode, key, clear):
    image = Image.new(mode, (2, 1), 200 if mode == "L" else (0, 0, 9))
    image.putpixel((clear, 0), key)
    image.save(tmp_path / "key.png", transparency=key)
    seen = pixels(tmp_path / "key.png")[0]
    assert tuple(seen[clear]) == (255, 255, 255)
    assert tuple(seen[1 - clear]) == ((200,) * 3 if mode == "L" else (0, 0, 9))


@pytest.mark.parametrize(
    ("ink", "seen"), [((0, 255, 255, 0), (255, 0, 0)), ((0, 0, 0, 255), (0, 0, 0)), ((0, 0, 0, 0), (255,) * 3)]
)
def test_cmyk_is_ink_not_light(tmp_path, ink, seen):
    image = Image.new("CMYK", (16, 16), ink)
    image.save(tmp_path / "print.jpg", quality=100)
    image.save(tmp_path / "print.tif")
    for file in ("print.jpg", "print.tif"):
        assert abs(pixels(tmp_path / file).astype(int) - seen).max() <= 3


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_greys_use_their_whole_range(tmp_path, suffix):
    deep = np.array([[0, 255, 256, 32768], [257 * 100, 65279, 65535, 1]], np.uint16)
    Image.fromarray(deep).save(tmp_path / f"deep{suffix}")
    expected = np.array([[round(v * 255 / 65535) for v in row] for row in deep.tolist()])
    assert np.array_equal(pixels(tmp_path / f"deep{suffix}"), np.stack([expected] * 3, -1))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[0.0, 0.5, 1.0]], [0, 128, 255]),
        ([[0.0, 17.0, 254.6]], [0, 17, 255]),
        ([[-10.0, 0.0, 10.0]], [0, 128, 255]),
        ([[0.0, 1000.0, 4000.0]], [0, 64, 255]),
    ],
    ids=["unit", "bytes", "signed", "wide"],
)
def test_a_float_tiff_is_scaled_by_what_it_holds(tmp_path, values, expected):
    Image.fromarray(np.array(values, np.float32)).save(tmp_path / "f.tif")
    assert np.array_equal(pixels(tmp_path / "f.tif")[0, :, 0], expected)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_one_bit_is_black_and_white(tmp_path, suffix):
    Image.fromarray(GREY > 100).convert("1").save(tmp_path / f"fax{suffix}")
    assert np.array_equal(pixels(tmp_path / f"fax{suffix}")[..., 0], (GREY > 100) * 255)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
def test_of_many_frames_the_first_is_taken_and_noted(tmp_path, red_model, suffix):
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue")]
    file = tmp_path / f"moves{suffix}"
    frames[0].save(file, save_all=True, append_images=frames[1:], **({"lossless": True} if suffix == ".webp" else {}))
    assert np.array_equal(pixels(file), np.broadcast_to([255, 0, 0], (30, 40, 3)))
    (heatmap,) = grad_cam(red_model, file)
    assert any("3 frames" in warning and "first" in warning for warning in heatmap.warnings)
    with Image.open(file) as opened:
        opened.seek(2)
        assert read(opened).notes == read(file).notes


def test_a_still_picture_has_no_note(tmp_path):
    Image.fromarray(UPRIGHT).save(tmp_path / "still.png")
    assert read(tmp_path / "still.png").notes == ()


def test_reading_does_not_touch_the_picture_given(tmp_path):
    image = Image.fromarray(np.concatenate([UPRIGHT, UPRIGHT[..., :1]], -1))
    before = image.tobytes()
    read(image)
    assert (image.tobytes(), image.mode) == (before, "RGBA")


def test_a_photo_keeps_its_name():
    file = io.BytesIO()
    Image.fromarray(UPRIGHT).save(file, "PNG")
    assert read(file.getvalue(), "from the web").name == "from the web"
    assert read(UPRIGHT).name == "image"
    assert seewhy.Photo(Image.new("RGB", (1, 1)), "mine") == read(seewhy.Photo(read(UPRIGHT).pixels, "mine"))._replace(
        pixels=Image.new("RGB", (1, 1))
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "ICO", "WEBP"])
def test_what_is_opened_here_is_decoded_in_another_thread(tmp_path, noise, kind):
    path = tmp_path / f"photo.{kind.lower()}"
    noise((32, 24), seed=1).save(path)
    decode = opened(path)
    path.with_suffix(".not").write_bytes(b"no picture")
    with ThreadPoolExecutor(1) as pool, warnings.catch_warnings():
        warnings.simplefilter("error")
        filters = [*warnings.filters]
        photo = pool.submit(decode).result()
        assert warnings.filters == filters
    assert (photo.pixels.tobytes(), photo[1:]) == (read(path).pixels.tobytes(), read(path)[1:])
    with pytest.raises(BadImage, match="is not an image that Pillow can read"):
        opened(path.with_suffix(".not"))
    with pytest.raises(BadImage, match="The name of the image is empty"):
        opened(" ")
