"""One DICOM file: its header and its pixels, however they are written; what they claim is checked first."""

import numpy as np
import pytest

from seewhy.errors import BadImage
from seewhy.images.volume_kinds import holds_volume
from seewhy.images.volumes import read_volume
from support.files.dicoms import edited, enhanced
from support.files.scans import AFFINES, dicom_series, scan

PLAIN, ROTATED = AFFINES["anisotropic"], AFFINES["rotated"]


STORED = scan(PLAIN)


def read(tmp_path, change, stored=STORED, affine=PLAIN, **tags):
    """A series whose files were changed by (place, dataset)."""
    edited(dicom_series(tmp_path / "s", stored, affine, **tags), change)
    return read_volume(tmp_path / "s")


def test_palettes_are_colours(tmp_path):
    def painted(_, one):
        one.PhotometricInterpretation = "PALETTE COLOR"

    with pytest.raises(BadImage, match=r"IM\d+ holds colours by a table \(PALETTE COLOR\), which are no volume"):
        read(tmp_path, painted)


def test_bits_beside_the_stored_ones_do_not_count(tmp_path):
    def twelve(_, one):
        values = one.pixel_array.astype("<u2") & 0xFFF
        one.BitsStored, one.HighBit = 12, 11
        one.PixelData = (values | 0xA000).tobytes()  # an overlay, as it was once kept

    assert np.array_equal(read(tmp_path, twelve, STORED - 500).values, STORED - 500)


def test_bits_that_lie_high_are_brought_down(tmp_path):
    def high(_, one):
        values = one.pixel_array.astype("<i2") << 4
        one.BitsStored, one.HighBit = 12, 15
        one.PixelData = (values.view("<u2") | 0x5).tobytes()

    assert np.array_equal(read(tmp_path, high, STORED - 500).values, STORED - 500)


def test_a_modality_lut_is_applied(tmp_path):
    from pydicom.dataset import Dataset

    def looked_up(_, one):
        lut = Dataset()
        lut.LUTDescriptor, lut.ModalityLUTType, lut.LUTData = [1001, 0, 16], "US", [5 * v % 3001 for v in range(1001)]
        lut["LUTDescriptor"].VR = lut["LUTData"].VR = "US"
        one.ModalityLUTSequence = [lut]
        del one.RescaleSlope, one.RescaleIntercept

    assert np.array_equal(read(tmp_path, looked_up).values, 5 * STORED.astype(int) % 3001)


@pytest.mark.parametrize("syntax", ["ImplicitVRLittleEndian", "ExplicitVRBigEndian", "DeflatedExplicitVRLittleEndian"])
def test_other_ways_of_writing_are_read(tmp_path, syntax):
    from pydicom import dcmread, dcmwrite, uid

    for file in dicom_series(tmp_path / "s", STORED, PLAIN):
        one = dcmread(file)
        if "Big" in syntax:
            one.PixelData = one.pixel_array.astype(">i2").tobytes()
            one["PixelData"].VR = "OW"
        assert [*one.iterall()]  # each is read, so that it can be written otherwise
        one.file_meta.TransferSyntaxUID = getattr(uid, syntax)
        dcmwrite(file, one, implicit_vr="Implicit" in syntax, little_endian="Big" not in syntax, force_encoding=True)
    volume = read_volume(tmp_path / "s")
    assert np.array_equal(volume.values, STORED)
    np.testing.assert_allclose(volume.affine, PLAIN, atol=1e-6)


@pytest.mark.parametrize("meta", [True, False])
def test_older_files_begin_at_once(tmp_path, meta):
    """Without 128 bytes and DICM, and without what goes before the tags."""
    from pydicom import dcmread

    files = dicom_series(tmp_path / "s", STORED, PLAIN)
    for file in files:
        one = dcmread(file)
        one.preamble = None
        if not meta:
            one.file_meta.clear()
        one.save_as(file, enforce_file_format=False, implicit_vr=not meta, little_endian=True)
        assert file.read_bytes()[128:132] != b"DICM"
    assert holds_volume(files[0])
    assert np.array_equal(read_volume(tmp_path / "s").values, STORED)


def test_the_table_of_contents_of_a_disc_says_where_to_look(tmp_path):
    (file, *_) = dicom_series(tmp_path / "disc" / "SER1", STORED, PLAIN)

    def listed(_, one):
        for tag in ("Rows", "Columns", "PixelData"):
            delattr(one, tag)
        one.DirectoryRecordSequence = []

    edited([file], listed)
    file.rename(tmp_path / "disc" / "DICOMDIR")
    with pytest.raises(BadImage, match=r"DICOMDIR is the table of contents of a disc .*: give the folder of the series"):
        read_volume(tmp_path / "disc" / "DICOMDIR")
    assert not holds_volume(tmp_path / "disc")  # but the folder in it does
    with pytest.raises(BadImage, match="It holds folders: SER1"):
        read_volume(tmp_path / "disc")


def test_too_many_voxels_are_refused_before_they_are_read(tmp_path, monkeypatch):
    dicom_series(tmp_path / "s", STORED, PLAIN)
    enhanced(tmp_path / "a.dcm", STORED, PLAIN)
    monkeypatch.setattr("seewhy.images.dicom.series.pixels", None)  # is not asked
    for path in (tmp_path / "s", tmp_path / "a.dcm"):
        with pytest.raises(BadImage, match=r"is too large: 22x30x17, 11220 voxels .* at most 11219 are read"):
            read_volume(path, most=STORED.size - 1)


def test_a_deflated_file_that_would_become_too_much_is_refused(tmp_path):
    import zlib

    from pydicom import dcmread
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    (file, *_) = dicom_series(tmp_path / "s", STORED, PLAIN)
    one = dcmread(file)
    one.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    one.save_as(file, enforce_file_format=True)
    pack = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = file.read_bytes()
    start = 132 + 12 + int.from_bytes(data[140:144], "little")
    head = zlib.decompress(data[start:], -zlib.MAX_WBITS)
    more = pack.compress(head + b"\x09\0\x10\0OB\0\0\0\0\0\x10") + pack.compress(bytes(1 << 28)) + pack.flush()
    file.write_bytes(data[:start] + more)
    assert len(file.read_bytes()) < 1 << 19
    with pytest.raises(BadImage, match=r"too large: unpacked \(it is deflated\) it has more than 4000000 bytes"):
        read_volume(file, most=10**6)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    ("allocated", "stored", "high"), [(8, 8, 7), (8, 6, 5), (16, 12, 11), (16, 12, 15), (16, 10, 12), (32, 24, 23)]
)
def test_numbers_of_every_width_are_what_was_written(tmp_path, allocated, stored, high, signed, big):
    """Beside an independent reading: the stored bits of each pixel, by Python's own integers; the others are noise."""
    from pydicom import dcmread, dcmwrite
    from pydicom.uid import ExplicitVRBigEndian

    draw = np.random.default_rng(allocated * stored + high)
    files = dicom_series(tmp_path / "s", STORED[:8, :6, :2], PLAIN)
    expected = np.zeros((8, 6, 2))
    for k, file in enumerate(files):
        one = dcmread(file)
        raw = draw.integers(0, 1 << allocated, (6, 8), dtype=np.uint64)
        for row, column in np.ndindex(6, 8):
            number = (int(raw[row, column]) >> (high + 1 - stored)) & ((1 << stored) - 1)
            expected[column, row, k] = number - (1 << stored) * (signed and number >> (stored - 1))
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = allocated, stored, high, int(signed)
        one.PixelData = raw.astype(f"{'>' if big else '<'}u{allocated // 8}").tobytes()
        one["PixelData"].VR = "OW" if allocated > 8 else "OB"
        one.RescaleSlope, one.RescaleIntercept = "0.5", "-7"
        if big:
            assert [*one.iterall()]
            one.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        dcmwrite(file, one, implicit_vr=False, little_endian=not big, force_encoding=True)
    assert np.array_equal(read_volume(tmp_path / "s").values, (expected * 0.5 - 7).astype(np.float32))
