"""Every TIFF that a writer can write is read as it was written, or refused: never anything else."""

import warnings
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seewhy import read
from seewhy.errors import BadImage
from support.files.pictures import BLACK_IS_ZERO, DEFLATE, LZW, NONE, PACKBITS, PALETTE, RGB, SEPARATED, WHITE_IS_ZERO, tiff

DEPTHS = [("u", 1), ("u", 2), ("u", 4), ("u", 8), ("i", 8), ("u", 10), ("u", 12), ("u", 14), ("u", 16), ("i", 16), ("u", 32),
          ("i", 32), ("f", 16), ("f", 32), ("f", 64), ("u", 64), ("i", 64)]  # fmt: skip
LAYOUTS = [(1, WHITE_IS_ZERO, ()), (1, BLACK_IS_ZERO, ()), (2, BLACK_IS_ZERO, (0,)), (2, BLACK_IS_ZERO, (1,)),
           (2, BLACK_IS_ZERO, (2,)), (2, WHITE_IS_ZERO, (2,)), (3, RGB, ()), (4, RGB, (0,)), (4, RGB, (1,)), (4, RGB, (2,)),
           (4, RGB, ()),
           (5, RGB, (2, 0)), (5, RGB, (0, 2)), (4, SEPARATED, ()), (5, SEPARATED, (2,)), (3, BLACK_IS_ZERO, (0, 0)),
           (3, BLACK_IS_ZERO, ()), (4, BLACK_IS_ZERO, (0, 0, 2)), (7, BLACK_IS_ZERO, (0,) * 6)]  # fmt: skip
CUTS = [{}, {"rows": 5}, {"tile": (16, 16)}]


def numbers(kind: str, bits: int, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "f":
        return rng.random((13, 21, count)).astype(f"f{bits // 8}")
    low, high = (0, 2**bits) if kind == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    dtype = f"{kind}{max(1, (1 << (bits - 1).bit_length()) // 8)}"
    values = rng.integers(low, high, (13, 21, count), dtype=dtype, endpoint=False)
    values[0, 0] = high - 1  # that a one-bit picture is not of one colour
    values[0, 1] = low
    return values


def light(values: np.ndarray, kind: str, bits: int) -> np.ndarray:
    """From 0 to 1: fractions as they are, unsigned numbers by their bits, others by what they reach."""
    wide = values.astype(np.float64)
    if kind == "f":
        return wide
    if kind == "u" and bits <= 16:
        return wide / (2**bits - 1)
    return (wide - wide.min()) / (wide.max() - wide.min())


def over_white(colour: np.ndarray, alpha: np.ndarray, kind: str, bits: int) -> np.ndarray:
    share = alpha.astype(np.float64) / (1 if kind == "f" else 2.0**bits - 1)
    return colour * share + 255 * (1 - share)


def seen(values: np.ndarray, kind: str, bits: int, photometric: int, extra: tuple[int, ...]) -> np.ndarray | None:
    """What a person sees of it (h, w, 3), from 0 to 255; None where nobody can say."""
    count = values.shape[-1]
    if photometric == SEPARATED:
        ink = light(values[..., :4], kind, bits)
        drawn = 255 * (1 - ink[..., :3]) * (1 - ink[..., 3:])
        return drawn if 2 not in extra else None if kind == "i" else over_white(drawn, values[..., 4:5], kind, bits)
    if not extra and count == 4:
        extra = (2,)  # as everybody reads RGB of four bands
    alphas = [count - len(extra) + place for place, kind_ in enumerate(extra) if kind_ in (1, 2)]
    others = [place for place in range(count) if place not in alphas]
    if photometric != RGB and len(others) > 3:
        return None
    places = others[:3] if len(others) > 2 else others[:1]
    if alphas and kind == "i":
        return None
    colour = light(values[..., places], kind, bits) if 1 not in extra or kind != "u" else values[..., places] / (2.0**bits - 1)
    colour = 1 - colour if photometric == WHITE_IS_ZERO else colour
    if alphas:
        alpha = values[..., alphas[:1]].astype(np.float64) / (1 if kind == "f" else 2.0**bits - 1)
        colour = np.minimum(colour, alpha) + 1 - alpha if 1 in extra else colour * alpha + 1 - alpha
    return 255 * np.broadcast_to(colour, (*colour.shape[:2], 3))


def outcome(depth, layout, order, planar, compression, cut, seed=0) -> str:
    """Read or refused; an AssertionError where it is read otherwise than it was written."""
    (kind, bits), (count, photometric, extra) = depth, layout
    values = numbers(kind, bits, count, seed)
    file = tiff(
        values, bits=bits, order=order, photometric=photometric, planar=planar, compression=compression, extra=extra, **cut
    )
    try:
        photo = read(file)
    except BadImage as error:
        return str(error)
    expected = seen(values, kind, bits, photometric, extra)
    assert expected is not None
    assert abs(np.asarray(photo.pixels, np.float64) - expected).max() < 2.01
    told = kind != "u" or bits > 8
    assert any("is black" in note or "is white" in note for note in photo.notes) == told
    return "read"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(DEPTHS), st.sampled_from(LAYOUTS), st.sampled_from("<>"), st.sampled_from((1, 2)),
       st.sampled_from((NONE, DEFLATE, PACKBITS, LZW)), st.sampled_from(CUTS), st.integers(0, 99))  # fmt: skip
def test_what_is_read_is_what_was_written(depth, layout, order, planar, compression, cut, seed):
    said = outcome(depth, layout, order, planar, compression, cut, seed)
    assert said == "read" or said.startswith("bytes ")


def test_a_table_of_colours_of_8_bit_is_no_black_picture():
    values = np.arange(64, dtype=np.uint8).reshape(8, 8)
    table = np.random.default_rng(0).integers(0, 256, (3, 256))
    for factor, told in ((1, 1), (256, 0), (257, 0)):
        photo = read(tiff(values, photometric=PALETTE, tags={320: ("H", (table * factor).ravel().tolist())}))
        assert np.array_equal(np.asarray(photo.pixels), table.T[values])
        assert sum("its table of colours holds numbers of 8 bit" in note for note in photo.notes) == told


def test_the_other_order_of_bits_is_read_by_others():
    values = numbers("u", 8, 1, 0)
    turned = np.packbits(np.unpackbits(values), bitorder="little").reshape(values.shape)  # each byte the other way round
    for photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO):
        photo = read(tiff(turned, photometric=photometric, tags={266: ("H", [2])}))
        expected = 255 - values if photometric == WHITE_IS_ZERO else values
        assert np.array_equal(np.asarray(photo.pixels)[..., :1], expected)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("order", "<>")
def test_large_files_are_read_in_both_orders_of_bytes(dtype, order):
    tifffile = pytest.importorskip("tifffile")
    values = numbers("u", int(dtype[1]) * 8, 3, 0)
    file = BytesIO()
    tifffile.imwrite(file, values, bigtiff=True, byteorder=order, photometric="rgb")
    expected = values.astype(float) * 255 / np.iinfo(values.dtype).max
    assert abs(np.asarray(read(file.getvalue()).pixels) - expected).max() <= 1


def test_nothing_is_noted_of_a_photo_that_lies_nowhere_on_the_earth():
    rasterio = pytest.importorskip("rasterio")
    values = np.random.default_rng(0).random((1, 16, 16)).astype("f4")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the writer says it, too
        held = rasterio.MemoryFile()
        with held.open(driver="GTiff", width=16, height=16, count=1, dtype="float32", compress="deflate", predictor=3) as file:
            file.write(values)
    with held:
        photo = read(held.read())
    assert not any("geotransform" in note for note in photo.notes)
