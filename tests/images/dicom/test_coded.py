"""Compressed DICOM: what the `medical` extra decodes, equal to what was compressed; and what is said without it."""

import io

import numpy as np
import pytest

from seewhy.errors import BadImage, MissingExtra
from seewhy.images.dicom.coded import coded_size
from seewhy.images.volumes import read_volume
from support.files.dicoms import edited, jpeg_lossless
from support.files.scans import AFFINES, dicom_series, scan

AFFINE = AFFINES["anisotropic"]
STORED = np.random.default_rng(0).integers(-1000, 3000, (40, 48, 5)).astype(np.int16)
UNSIGNED = (STORED + 1000).astype(np.int16)


def coded(one, frame, syntax):
    from pydicom.encaps import encapsulate

    one.PixelData = encapsulate([frame])
    one.file_meta.TransferSyntaxUID = syntax
    one["PixelData"].is_undefined_length = True


def series(tmp_path, stored, change):
    edited(dicom_series(tmp_path / "s", stored, AFFINE), change)
    return tmp_path / "s"


@pytest.mark.parametrize("kind", ["RLELossless", "JPEGLSLossless", "JPEG2000Lossless"])
@pytest.mark.parametrize("stored", [STORED, UNSIGNED], ids=["signed", "unsigned"])
def test_what_pydicom_writes_is_read(tmp_path, kind, stored):
    pytest.importorskip("jpeg_ls" if "LS" in kind else "openjpeg", reason="needs what writes it")
    from pydicom import uid

    def change(_, one):
        if stored.min() >= 0:
            one.PixelRepresentation = 0
        one.compress(getattr(uid, kind))

    assert np.array_equal(read_volume(series(tmp_path, stored, change)).values, stored)


def test_jpeg_lossless_is_read(tmp_path):
    from pydicom.uid import JPEGLosslessSV1

    def change(_, one):
        one.PixelRepresentation = 0
        coded(one, jpeg_lossless(one.pixel_array), JPEGLosslessSV1)

    assert np.array_equal(read_volume(series(tmp_path, UNSIGNED, change)).values, UNSIGNED)


def test_jpeg_is_read_as_pillow_reads_it(tmp_path):
    from PIL import Image
    from pydicom.uid import JPEGBaseline8Bit

    eight, kept = scan(AFFINE)[:, :, 4:9] // 4, {}

    def change(k, one):
        file = io.BytesIO()
        Image.fromarray(one.pixel_array.astype(np.uint8)).save(file, "JPEG", quality=90)
        kept[k] = np.asarray(Image.open(file))
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 8, 8, 7, 0
        coded(one, file.getvalue(), JPEGBaseline8Bit)

    values = read_volume(series(tmp_path, eight, change)).values
    assert abs(values - np.stack([kept[k].T for k in range(5)], -1)).max() <= 1  # decoders round alike, but for one
    assert values.max() > 200


def test_without_a_decoder_the_extra_is_named(tmp_path, monkeypatch):
    from pydicom.pixels.decoders.base import Decoder
    from pydicom.uid import JPEG2000Lossless

    pytest.importorskip("openjpeg", reason="needs what writes it")
    folder = series(tmp_path, UNSIGNED, lambda _, one: one.compress(JPEG2000Lossless))
    monkeypatch.setattr(Decoder, "is_available", property(lambda _: False))
    said = r"IM\d+ is compressed as JPEG 2000 .*pylibjpeg, which decodes that, is not installed.*pip install '.*\[medical\]'"
    with pytest.raises(MissingExtra, match=said):
        read_volume(folder)


def test_a_film_that_nothing_decodes_is_said(tmp_path):
    from pydicom.uid import MPEG2MPML

    folder = series(tmp_path, UNSIGNED, lambda _, one: coded(one, b"\0" * 64, MPEG2MPML))
    with pytest.raises(BadImage, match=r"IM\d+ is compressed as MPEG2 .*decompress it first"):
        read_volume(folder)


@pytest.mark.parametrize("kind", ["JPEGLosslessSV1", "JPEGLSLossless", "JPEG2000Lossless"])
def test_a_frame_larger_than_the_file_tells_is_never_decoded(tmp_path, kind):
    from pydicom import dcmread, uid
    from pydicom.encaps import generate_frames

    pytest.importorskip("jpeg_ls" if "LS" in kind else "openjpeg", reason="needs what writes it")

    def change(_, one):
        one.PixelRepresentation = 0
        if kind == "JPEGLosslessSV1":
            coded(one, jpeg_lossless(one.pixel_array), uid.JPEGLosslessSV1)
        else:
            one.compress(getattr(uid, kind))

    folder = series(tmp_path, UNSIGNED, change)
    (file, *_) = sorted(folder.iterdir())
    one = dcmread(file)
    (frame,) = generate_frames(one.PixelData, number_of_frames=1)
    assert coded_size(frame) == (48, 40)
    small, large = (b"\0\0\0\x28\0\0\0\x30", b"\0\0\xff\xff" * 2) if "2000" in kind else (b"\0\x30\0\x28", b"\xff" * 4)
    larger = frame.replace(small, large, 1)
    assert coded_size(larger) == (65535, 65535)
    coded(one, larger, one.file_meta.TransferSyntaxUID)
    one.save_as(file)
    with pytest.raises(BadImage, match=rf"{file.name} cannot be read: its frame 1 is coded as 65535x65535 pixels"):
        read_volume(folder)
