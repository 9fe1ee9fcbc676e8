"""Every kind of picture comes in as the upright RGB that a person sees."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy import grad_cam, read
from seewhy.images.inputs import PreparedBatch, sort_out

RNG = np.random.default_rng(3)
UPRIGHT = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)  # every pixel its own colour
GREY = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7

# What a camera stores for an upright picture u, by the EXIF standard's table of where row 0 and column 0 lie.
STORED = {
    1: lambda u: u,
    2: lambda u: u[:, ::-1],
    3: lambda u: u[::-1, ::-1],
    4: lambda u: u[::-1],
    5: lambda u: u.swapaxes(0, 1),
    6: lambda u: u[:, ::-1].swapaxes(0, 1),
    7: lambda u: u[::-1, ::-1].swapaxes(0, 1),
    8: lambda u: u[::-1].swapaxes(0, 1),
}


def pixels(image) -> np.ndarray:
    photo = read(image)
    assert photo.pixels.mode == "RGB"
    return np.asarray(photo.pixels)


def stored(orientation: int, pixels: np.ndarray = UPRIGHT) -> tuple[Image.Image, Image.Exif]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return Image.fromarray(np.ascontiguousarray(STORED[orientation](pixels))), exif


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_every_exif_orientation_is_turned_upright(tmp_path, orientation, suffix):
    image, exif = stored(orientation)
    file = tmp_path / f"turned{suffix}"
    image.save(file, exif=exif, **({"lossless": True, "exact": True} if suffix == ".webp" else {}))
    assert np.array_equal(pixels(file), UPRIGHT)


@pytest.mark.parametrize("orientation", STORED)
def test_an_opened_pil_image_is_turned_as_its_file_is(tmp_path, orientation):
    blocks = np.kron(UPRIGHT[:2, :3], np.ones((16, 16, 1), np.uint8))  # whole JPEG blocks keep their colour
    image, exif = stored(orientation, blocks)
    image.save(tmp_path / "phone.jpg", exif=exif, quality=100, subsampling=0)
    with Image.open(tmp_path / "phone.jpg") as opened:
        upright = pixels(opened)
    assert np.array_equal(upright, pixels(tmp_path / "phone.jpg"))
    assert abs(upright.astype(int) - blocks).max() < 6


def test_an_unknown_orientation_is_left_alone(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 9
    Image.fromarray(UPRIGHT).save(tmp_path / "odd.png", exif=exif)
    assert np.array_equal(pixels(tmp_path / "odd.png"), UPRIGHT)


def test_corrupt_exif_does_not_spoil_a_good_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(UPRIGHT).save(tmp_path / "exif.png", exif=exif.tobytes()[:20])
    assert np.array_equal(pixels(tmp_path / "exif.png"), UPRIGHT)
    Image.fromarray(UPRIGHT).save(tmp_path / "exif.jpg", exif=exif.tobytes()[:20])
    assert pixels(tmp_path / "exif.jpg").shape == UPRIGHT.shape


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


def test_a_list_may_mix_every_kind(tmp_path, red_model):
    Image.new("RGB", (70, 70), "red").save(tmp_path / "file.png")
    kinds = [tmp_path / "file.png", str(tmp_path / "file.png"), Image.new("RGB", (70, 70), "red"),
             np.broadcast_to(np.array([255, 0, 0], np.uint8), (70, 70, 3)), np.zeros((70, 70), np.uint8),
             read(tmp_path / "file.png")]  # fmt: skip
    maps = grad_cam(red_model, kinds, target="red")
    assert [m.source.image for m in maps] == [str(tmp_path / "file.png")] * 2 + ["image 2", "image 3", "image 4"] + [
        str(tmp_path / "file.png")
    ]
    assert [m.source.score for m in maps] == [1.0, 1.0, 1.0, 1.0, 0.0, 1.0]
    assert len(grad_cam(red_model, tuple(kinds))) == len(grad_cam(red_model, (k for k in kinds))) == 6


def test_a_uint8_batch_is_its_pictures_one_by_one(red_model):
    batch = np.zeros((3, 64, 64, 3), np.uint8)
    batch[1, :32] = (255, 0, 0)
    maps = grad_cam(red_model, batch, target="red")
    assert [m.source.image for m in maps] == ["image 0", "image 1", "image 2"]
    assert np.array_equal(maps[1].values, grad_cam(red_model, batch[1], target="red")[0].values)
    assert [m.values.any() for m in maps] == [False, True, False]


def test_floats_of_four_axes_are_taken_as_prepared(red_model):
    torch = pytest.importorskip("torch")
    x = np.zeros((2, 3, 64, 64), np.float32)
    x[0, 0, :4, :4] = 1
    for batch in (x, torch.from_numpy(x), x.astype(np.float64), torch.from_numpy(x).requires_grad_(), x.astype(np.float16)):
        maps = grad_cam(red_model, batch, target="red")
        assert [m.image for m in maps] == [None, None]
        assert maps[0].values[0, 0] == maps[0].values.max() > 0
        assert tuple(maps[0].box) == (0, 0, 64, 64)


def test_half_precision_batches_do_not_overflow_in_the_check(red_model):
    torch = pytest.importorskip("torch")
    x = np.full((1, 3, 256, 256), 0.9, np.float16)  # its sum is beyond what float16 holds, none of its pixels is
    for batch in (x, torch.from_numpy(x)):
        assert len(grad_cam(red_model, batch)) == 1


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


def test_what_is_prepared_stays_prepared():
    x = PreparedBatch(np.zeros((1, 3, 4, 4), np.float32))
    assert sort_out(x) is x
