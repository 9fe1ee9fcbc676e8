"""The numbers that a PNG, PPM or FITS file holds, as they were written."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from seewhy import read
from support.files.pictures import png

RNG = np.random.default_rng(0)


FRACTIONS = RNG.random((40, 50)).astype(np.float32)


def grey(file: bytes) -> np.ndarray:
    pixels = np.asarray(read(file).pixels)
    assert (pixels[..., 0] == pixels[..., 2]).all()
    return pixels[..., 0]


SPANS = {0: [1, 2, 4, 8, 16], 2: [8, 16], 4: [8, 16], 6: [8, 16]}


BANDS = {0: 1, 2: 3, 4: 2, 6: 4}


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([(colour, bits) for colour, depths in SPANS.items() for bits in depths]), st.booleans(),
       st.integers(0, 1), st.booleans(), st.integers(0, 10**6))  # fmt: skip
def test_a_png_is_read_as_it_was_written(kind, interlaced, filtered, keyed, seed):
    colour, bits = kind
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2**bits, (11, 13, BANDS[colour])).astype(np.uint16 if bits > 8 else np.uint8)
    values[0, 0, :] = values[0, 1, :]  # of the key's colour, twice
    keyed = keyed and colour in (0, 2)
    key = struct.pack(f">{BANDS[colour]}H", *map(int, values[0, 0])) if keyed else b""
    chunks = [(b"tRNS", key)] if keyed else []
    found = np.asarray(read(png(values, colour, bits, chunks=chunks, interlaced=interlaced, filtered=filtered)).pixels)
    light = values / (2.0**bits - 1)
    alpha = light[..., -1:] if colour > 2 else np.ones((11, 13, 1))
    if keyed:
        alpha = (values != values[0, 0]).any(-1, keepdims=True).astype(float)
    shown = np.broadcast_to(light[..., : 3 if colour in (2, 6) else 1], (11, 13, 3)) * alpha + 1 - alpha
    assert abs(found - shown * 255).max() <= 1.5  # colour and transparency are rounded each


@pytest.mark.parametrize("most", [256, 1023, 4095, 65535])
@pytest.mark.parametrize("plain", [False, True])
def test_netpbm_says_its_own_maximum(most, plain):
    values = RNG.integers(0, most + 1, (5, 7, 3)).astype(np.uint16)
    for kind, held in (("6", values), ("5", values[..., 0])):
        number = str(int(kind) - 3) if plain else kind
        body = " ".join(map(str, held.ravel())).encode() if plain else held.astype(">u2").tobytes()
        found = np.asarray(read(f"P{number} 7 5 {most}\n".encode() + body).pixels)
        expected = np.broadcast_to((held if held.ndim == 3 else held[..., None]) / most * 255, (5, 7, 3))
        assert abs(found - expected).max() <= 1


def fits(values: np.ndarray, bits: int, **more: float) -> bytes:
    known = {"SIMPLE": "T", "BITPIX": bits, "NAXIS": 2, "NAXIS1": values.shape[1], "NAXIS2": values.shape[0], **more}
    cards = "".join(f"{key:8}= {value:>20}".ljust(80) for key, value in known.items()) + "END".ljust(80)
    return cards.ljust(2880).encode() + values[::-1].tobytes().ljust(2880, b"\0")  # its rows go upwards


def test_fits_says_how_its_numbers_are_scaled():
    values = RNG.integers(0, 65536, (6, 7)).astype(np.int64)
    stored = (values - 32768).astype(">i2")
    assert np.array_equal(grey(fits(stored, 16, BZERO=32768)), (values / 65535 * 255).round())
    signed = (values - 32768).astype(float)
    expected = ((signed - signed.min()) / np.ptp(signed) * 255).round()
    assert np.array_equal(grey(fits(stored, 16)), expected)
    scaled = RNG.integers(0, 101, (6, 7)).astype(">i2")
    assert abs(grey(fits(scaled, 16, BSCALE=0.01)) - scaled / 100 * 255).max() <= 0.51
    assert np.array_equal(grey(fits(FRACTIONS[:6, :7].astype(">f4"), -32)), (FRACTIONS[:6, :7] * 255).round())


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I", "F"])
def test_pictures_of_pil_keep_to_the_same_policy(mode):
    values = np.array([[0, 255, 32768, 65535]], np.uint16)
    image = Image.fromarray(values if mode == "I;16" else values.astype({"I;16B": ">u2", "I": "i4", "F": "f4"}[mode]))
    assert image.mode == mode
    assert np.asarray(read(image).pixels)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_a_grey_of_sixteen_bits_may_have_a_transparent_colour():
    values = np.array([[1000, 2000, 65535]], np.uint16)
    file = png(values, 0, 16, chunks=[(b"tRNS", struct.pack(">H", 1000))])
    assert grey(file).tolist() == [[255, 8, 255]]
