"""Numbers of any depth become 8 bit by one policy, and a note says which range was taken."""

import io

import numpy as np
import pytest
from PIL import Image

from seewhy import read
from seewhy.errors import BadImage
from seewhy.images.depth import Encoding, eight_bit
from support.files.pictures import WHITE_IS_ZERO, png, tiff

RNG = np.random.default_rng(0)


FRACTIONS = RNG.random((40, 50)).astype(np.float32)


def grey(file: bytes) -> np.ndarray:
    pixels = np.asarray(read(file).pixels)
    assert (pixels[..., 0] == pixels[..., 2]).all()
    return pixels[..., 0]


@pytest.mark.parametrize("stray", [1.5, 200.0, 1e6, -3.0])
def test_a_single_stray_value_turns_no_picture_black(stray):
    values = FRACTIONS.copy()
    values[3, 4] = stray
    found = grey(tiff(values))
    expected = (FRACTIONS * 255).round()
    expected[3, 4] = 255 if stray > 0 else 0
    assert np.array_equal(found, expected)
    assert any("clipped" in note and f"{stray:g}" in note for note in read(tiff(values)).notes)


@pytest.mark.parametrize(
    ("fill", "tags"),
    [
        (-3.4e38, {}),
        (-3.4e38, {42113: ("s", b"-3.4e+38\0")}),
        (np.nan, {}),
        (np.inf, {}),
        (-9999.0, {}),
        (-9999.0, {42113: ("s", b"-9999\0")}),
        (12345.0, {42113: ("s", b"12345\0")}),
    ],
)
def test_pixels_of_no_data_are_set_apart_and_told(fill, tags):
    values = FRACTIONS.copy()
    values[:20] = fill
    photo = read(tiff(values, tags=tags))
    found = np.asarray(photo.pixels)[..., 0]
    assert np.array_equal(found[20:], (FRACTIONS[20:] * 255).round())
    assert (found[:20] == 0).all()
    assert any("1,000 pixels hold no data" in note for note in photo.notes)


def test_a_picture_of_nothing_but_nan_is_refused():
    with pytest.raises(BadImage, match="NaN"):
        read(tiff(np.full((4, 4), np.nan, np.float32)))


@pytest.mark.parametrize(
    ("values", "taken"),
    [
        (np.array([[0, 255 / 8, 255]]), (0, 255)),
        (np.array([[0, 1.08, 0.5]]), (0, 1.08)),
        (np.array([[-1, 0, 3.0]]), (-1, 3)),
        (np.array([[0, 60000.0, 30000]]), (0, 60000)),
        (np.array([[-100, 0, 100]], np.int16), (-100, 100)),
        (np.array([[-128, 0, 127]], np.int8), (-128, 127)),
        (np.array([[0, 2**31, 2**32 - 1]], np.uint32), (0, 2**32 - 1)),
        (np.array([[0, 1000, 4095]], np.uint16), (0, 65535)),
    ],
)
def test_the_range_that_is_taken_is_said(values, taken):
    photo = read(tiff(values))
    low, high = taken
    expected = ((values.astype(float) - low) / (high - low) * 255).round()
    assert np.array_equal(np.asarray(photo.pixels)[..., 0], expected)
    assert f"{low:g} is black, {high:g} white" in photo.notes[0]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("numbers", [(280, 281), (340, 341)])
def test_the_range_that_the_file_itself_says_comes_first(order, numbers):
    values = RNG.integers(0, 4096, (20, 20), dtype=np.uint16)
    low, high = numbers
    file = tiff(values, order=order, tags={low: ("H", [0]), high: ("H", [4095])})
    assert np.array_equal(grey(file), (values / 4095 * 255).round())
    assert "tags" in read(file).notes[0]
    beyond = tiff(values * 16, order=order, tags={low: ("H", [0]), high: ("H", [4095])})  # the tags lie
    assert np.array_equal(grey(beyond), (values * 16 / 65535 * 255).round())


@pytest.mark.parametrize("most", [1, 200, 255, 256, 5000, 8190])
def test_a_dark_picture_of_sixteen_bits_is_told_whatever_its_format(most):
    values = np.full((6, 6, 3), most, np.uint16)
    values[0, 0] = 0
    ppm = b"P6 6 6 65535\n" + values.astype(">u2").tobytes()
    plain = b"P3 # maker\n6 6 65535\n" + " ".join(map(str, values.ravel())).encode()
    for file in (tiff(values), tiff(values[..., 0]), png(values, 2, 16), png(values[..., 0], 0, 16), ppm, plain):
        assert any(f"only values up to {most} are used" in note for note in read(file).notes)
    assert not any("only values" in note for note in read(tiff(values + np.uint16(9000) * (values > 0))).notes)


def test_a_flat_picture_is_told():
    assert any("from 30000 to 30200" in n for n in read(tiff(np.array([[30000, 30200]], np.uint16))).notes)


def test_white_may_be_zero():
    values = RNG.integers(0, 65536, (9, 9), dtype=np.uint16)
    assert np.array_equal(grey(tiff(values, photometric=WHITE_IS_ZERO)), 255 - (values / 65535 * 255).round())


@pytest.mark.parametrize("mode", ["La", "LA", "RGBa", "RGBA", "PA"])
def test_every_mode_with_transparency_lies_on_white(mode):
    image = Image.new("LA", (4, 3), (100, 0))
    image.putpixel((0, 0), (100, 255))
    if mode == "PA":
        image = Image.new("PA", (4, 3), (0, 0))
        image.putpalette([100] * 3)
        image.putpixel((0, 0), (0, 255))
    elif mode != "LA":
        image = image.convert(mode) if mode == "La" else image.convert("RGBA").convert(mode)
    pixels = np.asarray(read(image).pixels)
    assert abs(pixels[0, 0].astype(int) - 100).max() <= 2  # older Pillows know a palette's colours roughly
    assert pixels[2, 2].tolist() == [255] * 3


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (png(np.zeros((5, 5, 4), np.uint8), 6, 8), "wholly transparent"),
        (png(np.full((5, 5), 255, np.uint8), 0, 8), "one colour, (255, 255, 255)"),
        (tiff(np.zeros((5, 5), np.uint16)), "one colour, (0, 0, 0)"),
        (tiff(np.full((5, 5), 7.0)), "one colour"),
    ],
)
def test_a_picture_without_anything_on_it_is_told(file, said):
    assert any(said in note for note in read(file).notes)


def test_what_is_given_as_an_array_of_one_colour_is_told_and_its_tiles_are_not(red_model):
    from seewhy import grad_cam

    blank = np.full((64, 64, 3), 90, np.uint8)
    assert any("one colour" in note for note in read(blank).notes)
    half = blank.copy()
    half[:8, :8] = 200
    (found,) = grad_cam(red_model, half, target="red", tile=32)
    assert not any("one colour" in warning for warning in found.warnings)


def test_every_number_is_scaled_as_the_formula_says():
    for bits in (8, 10, 12, 16):
        values = np.arange(2**bits, dtype=np.uint16).reshape(2**4, -1)
        found, _ = eight_bit(values, Encoding(bits))
        assert np.array_equal(found, np.round(values / (2**bits - 1) * 255).astype(np.uint8))


def test_an_opened_file_is_read_as_its_path_is(tmp_path):
    deep = RNG.integers(0, 65536, (8, 9, 3), dtype=np.uint16)
    for name, data in (("planar.tif", tiff(deep, planar=2)), ("deep.png", png(deep, 2, 16))):
        (tmp_path / name).write_bytes(data)
        with Image.open(tmp_path / name) as opened:
            assert read(opened) == read(tmp_path / name) or np.array_equal(
                np.asarray(read(opened).pixels), np.asarray(read(tmp_path / name).pixels)
            )
    assert abs(np.asarray(read(tmp_path / "planar.tif").pixels) - deep / 65535 * 255).max() <= 0.51


def test_a_picture_that_was_turned_is_not_turned_again(tmp_path):
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)).save(file, "PNG", exif=exif)
    once = read(file.getvalue()).pixels
    assert once.size == read(once).pixels.size == (5, 7)
