"""What is no picture is told what it is and what to do; what decoders raise, warn and print is told of its photo."""

import io
import logging
import os
import struct
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from seewhy import Similar, grad_cam, integrated_gradients, read, read_clip
from seewhy.cli.app import main
from seewhy.errors import BadImage, SeewhyError
from support.files.pictures import LZW, RGB, png, tiff

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
DDS = (b"DDS " + struct.pack("<4I", 124, 0x1007, 4, 4) + bytes(56)  # of a pixel format that nobody knows
       + struct.pack("<II", 32, 4) + b"XXXX" + bytes(140))  # fmt: skip

OTHERS = {
    "phone.heic": (b"\0\0\0\x18ftypheic" + bytes(16), "pillow-heif"),
    "camera.jpg": (b"\0\0\0\x18ftypmif1" + bytes(16), "pillow-heif"),
    "new.jxl": (b"\xff\x0a" + bytes(30), "pillow-jxl"),
    "logo.svg": (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "rsvg-convert"),
    "paper.pdf": (b"%PDF-1.7\n", "pdftoppm"),
    "figure.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "not run here"),
    "raw.cr2": (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), "rawpy"),
    "raw.nef": (tiff(COLOURS), "rawpy"),
    "renamed.tif": (tiff(COLOURS, tags={50706: ("B", [1, 4, 0, 0])}), "rawpy"),
    "light.exr": (b"\x76\x2f\x31\x01" + bytes(40), "OpenEXR"),
    "cube.h5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "h5py"),
    "wind.grib": (b"GRIB\0\0\0\2" + bytes(40), "cfgrib"),
    "walk.mp4": (b"\0\0\0\x18ftypmp42" + bytes(16), "ffmpeg"),
    "array.npy": (b"\x93NUMPY\1\0" + bytes(40), "numpy.load"),
    "page.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "pointer.png": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "scan.dcm": (bytes(128) + b"DICM" + bytes(40), "extra `medical`"),
    "empty.png": (b"", "empty"),
    "letter.jpg": (b"I am a letter.", "Pillow can read."),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_kind_of_file_is_told_what_to_do(tmp_path, name):
    data, said = OTHERS[name]
    (tmp_path / name).write_bytes(data)
    for give in (read, read_clip):
        with pytest.raises(BadImage) as caught:
            give(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


def lying(**more) -> bytes:
    return tiff(COLOURS, photometric=RGB, **more)


BROKEN = {
    "no-width.tif": lying(without=[256]),
    "fractions.tif": lying(tags={273: ("f", [8.0])}),
    "unknown.dds": DDS,
    "no-offsets.tif": lying(without=[273]),
    "huge-count.tif": lying(tags={277: ("I", [4_000_000])}),
    "cut.tif": tiff(COLOURS.astype(np.uint16), planar=2)[:400],
    "bad-bits.tif": lying(tags={258: ("H", [7, 8, 9])}),
    "cut.jp2": b"",
}


@pytest.mark.parametrize("name", BROKEN)
def test_every_error_of_a_decoder_names_the_file_wherever_it_is_read(tmp_path, red_model, name):
    file, data = tmp_path / name, BROKEN[name]
    if name == "cut.jp2":
        held = io.BytesIO()
        Image.fromarray(COLOURS).save(held, "JPEG2000")
        data = held.getvalue()[:200]
    file.write_bytes(data)
    good = Image.fromarray(np.kron(COLOURS, np.ones((4, 4, 1), np.uint8)))
    ways = {
        "read": lambda: read(file),
        "list": lambda: grad_cam(red_model, [good, str(file)]),
        "clip": lambda: read_clip(file),
        "frames": lambda: read_clip([good, str(file)]),
        "tile": lambda: grad_cam(red_model, str(file), tile=32),
        "baseline": lambda: integrated_gradients(red_model, good, baseline=str(file)),
        "similar": lambda: grad_cam(red_model, good, target=Similar(to=str(file))),
    }
    for way, give in ways.items():
        with pytest.raises(SeewhyError) as caught:
            give()
        assert name in str(caught.value), way
        assert "\n" not in str(caught.value)


def test_what_a_decoder_warns_of_becomes_a_note_and_nothing_reaches_stderr(tmp_path, capfd):
    file = tmp_path / "odd.tif"
    file.write_bytes(lying(compression=LZW, tags={333: ("s", b"abc"), 296: ("H", [9]), 34665: ("I", [99_999_999])}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        photo = read(file)
    assert np.array_equal(np.asarray(photo.pixels), COLOURS)
    assert any("ResolutionUnit" in note for note in photo.notes)
    assert capfd.readouterr().err == ""


def test_what_others_say_meanwhile_is_not_lost(tmp_path, capfd):
    from seewhy.images.files import listening

    def both() -> list[str]:
        with listening(tiff=True) as heard:
            other = threading.Thread(target=lambda: warnings.warn("of another thread", UserWarning, stacklevel=1))
            other.start()
            other.join()
            os.write(2, b"a line of the person's own\n")
        return heard

    with pytest.warns(UserWarning, match="of another thread"):
        assert both() == []
    assert "a line of the person's own" in capfd.readouterr().err


def test_decoders_write_no_log_where_nobody_asked_for_one(capfd):
    for name in ("PIL", "tifffile", "rasterio"):
        logging.getLogger(f"{name}.anything").error("a word of its own")
    assert capfd.readouterr().err == ""


def test_many_threads_read_at_a_time(tmp_path):
    for place in range(4):
        (tmp_path / f"{place}.tif").write_bytes(tiff(np.full((30, 30), place * 60 + 9, np.uint8), compression=LZW))
    found: dict[int, list[int]] = {}

    def work(place: int) -> None:
        found[place] = [np.asarray(read(tmp_path / f"{place}.tif").pixels).max() for _ in range(10)]

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {place: [place * 60 + 9] * 10 for place in range(4)}


NET = """
from torch import nn
net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
"""


def test_the_bound_of_pixels_is_raised_as_its_error_says(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 64 - 1)
    (tmp_path / "large.png").write_bytes(png(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8), 2, 8))
    (tmp_path / "nets.py").write_text(NET)
    words = ["explain", str(tmp_path / "large.png"), "--model", f"{tmp_path / 'nets.py'}:net", "--out", str(tmp_path / "out"),
             "--prepare", "size=none", "--prepare", "crop=none"]  # fmt: skip
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 1
    assert "64x64" in refused.output
    assert "--max-pixels 4096 " in refused.output
    assert "PIL.Image.MAX_IMAGE_PIXELS = 4096" in refused.output
    for more in ([], ["--tile", "32"]):
        ran = CliRunner().invoke(main, [*words, "--max-pixels", "4096", *more])
        assert ran.exit_code == 0, ran.output
    assert Image.MAX_IMAGE_PIXELS == 64 * 64 - 1
    assert [*Path(tmp_path / "out").glob("*.png")]


def test_pixels_of_many_numbers_are_bounded_by_their_bytes(monkeypatch):
    file = tiff(np.zeros((16, 16, 5)), photometric=RGB, extra=(0, 0))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 16 * 16)
    with pytest.raises(BadImage, match=r"16x16 pixels of 40 bytes.* --max-pixels 640 "):
        read(file)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 640)
    assert read(file).pixels.size == (16, 16)


@pytest.mark.parametrize("limit", [100, 300])
@pytest.mark.parametrize("reader", [read, pytest.param("scene", id="by tiles")])
def test_the_bound_that_an_error_names_is_enough(monkeypatch, tmp_path, limit, reader):
    file = tmp_path / "deep.tif"
    file.write_bytes(tiff(RNG.random((16, 16, 5)), photometric=RGB, extra=(0, 0)))
    if reader == "scene":
        pytest.importorskip("rasterio")
        from seewhy.explaining.tiles.scene import scene as reader
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(BadImage, match=r"--max-pixels 640 "):
        reader(file)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 640)
    reader(file)


@pytest.mark.parametrize("kind", [1, 2], ids=["icon", "cursor"])
@pytest.mark.parametrize("bits", [24, 32])
def test_what_is_transparent_of_icons_and_cursors_lies_on_white(kind, bits):
    pixels, clear = RNG.integers(0, 256, (16, 16, bits // 8), dtype=np.uint8), RNG.integers(0, 2, (16, 16))
    mask = b"".join(np.packbits(row).tobytes() + b"\0\0" for row in clear[::-1])
    body = struct.pack("<IiiHHIIiiII", 40, 16, 32, 1, bits, *[0] * 6) + pixels[::-1].tobytes() + mask
    told = (1, bits) if kind == 1 else (3, 4)  # of a cursor, where it points
    file = struct.pack("<3H4B2H2I", 0, kind, 1, 16, 16, 0, 0, *told, len(body), 22) + body
    cover = pixels[..., 3:] / 255 if bits == 32 else 1 - clear[..., None]
    expected = pixels[..., 2::-1] * cover + 255 * (1 - cover)
    assert abs(np.asarray(read(file).pixels) - expected).max() <= 1


def test_inks_of_which_nobody_says_how_they_are_meant_are_noted():
    file = io.BytesIO()
    Image.merge("CMYK", [Image.linear_gradient("L")] * 4).save(file, "JPEG")
    held = file.getvalue()
    at = held.index(b"\xff\xee")
    bare = held[:at] + held[at + 2 + int.from_bytes(held[at + 2 : at + 4], "big") :]
    assert [sum("inverted" in note for note in read(one).notes) for one in (held, bare)] == [0, 1]
