"""DICOM of every kind: read right, with what is to be said, or refused with the reason."""

import numpy as np
import pytest

from seewhy.errors import BadImage
from seewhy.images.volume_kinds import holds_volume
from seewhy.images.volumes import read_volume
from support.files.dicoms import edited, enhanced, single
from support.files.scans import AFFINES, SHAPE, dicom_series, mm, scan

PLAIN, ROTATED = AFFINES["anisotropic"], AFFINES["rotated"]
STORED = scan(PLAIN)


def read(tmp_path, change, stored=STORED, affine=PLAIN, **tags):
    """A series whose files were changed by (place, dataset)."""
    edited(dicom_series(tmp_path / "s", stored, affine, **tags), change)
    return read_volume(tmp_path / "s")


def dose(path, affine=ROTATED, offsets=None, **tags):
    """A dose: frames without places of their own, but how far each is from the first."""
    step = np.linalg.norm(affine[:3, 2])
    offsets = [step * k for k in range(SHAPE[2])] if offsets is None else offsets
    tags = {"Modality": "RTDOSE", "DoseGridScaling": "0.002", "DoseUnits": "GY", **tags}
    one = single(path, scan(affine), affine, **tags)
    one.GridFrameOffsetVector, one.FrameIncrementPointer = [f"{v:.10g}" for v in offsets], 0x3004000C
    one.PixelRepresentation = 0
    for name in ("RescaleSlope", "RescaleIntercept"):
        delattr(one, name)
    one.save_as(path, enforce_file_format=True)
    return path


def test_a_dose_is_scaled_and_lies_where_its_offsets_say(tmp_path):
    volume = read_volume(dose(tmp_path / "a.dcm"))
    np.testing.assert_allclose(volume.values, scan(ROTATED) * 0.002, rtol=1e-6)
    np.testing.assert_allclose(volume.affine, ROTATED, atol=1e-6)
    assert volume.notes == ("doses, in Gy",)


@pytest.mark.parametrize("upwards", [True, False])
@pytest.mark.parametrize("axes", ["along z", "against z"])
def test_offsets_of_a_dose_may_be_places_along_z(tmp_path, upwards, axes):
    affine = PLAIN if axes == "along z" else AFFINES["flipped"] @ np.diag([-1, 1, 1, 1])
    backwards = np.linalg.det(affine[:3, :3]) < 0
    z = 80.0 + 2.5 * np.arange(SHAPE[2]) * (1 if upwards else -1)
    volume = read_volume(dose(tmp_path / "a.dcm", affine, z))
    at = volume.mm((0, 0, 0))[2], volume.mm((0, 0, SHAPE[2] - 1))[2]
    assert sorted(at) == pytest.approx(sorted((z[0], z[-1])))
    first = 0 if at[0] == pytest.approx(z[0]) else SHAPE[2] - 1  # of the volume's slices, which run along their normal
    np.testing.assert_allclose(volume.values[:, :, first], scan(affine)[:, :, 0] * 0.002, rtol=1e-6)
    assert backwards == (axes == "against z")


def test_offsets_that_cannot_be_are_refused(tmp_path):
    for offsets, said in (([7.0 + k for k in range(SHAPE[2])], "neither 0 nor the z"), ([0.0, 2.5], "2 numbers for 17 frames")):
        with pytest.raises(BadImage, match=rf"a\.dcm cannot be read: .*{said}"):
            read_volume(dose(tmp_path / "a.dcm", offsets=offsets))
    with pytest.raises(BadImage, match="do not lie evenly"):
        read_volume(dose(tmp_path / "a.dcm", offsets=[0, 2.5, *(2.5 * k + 5 for k in range(2, SHAPE[2]))]))
    with pytest.raises(BadImage, match="without DoseGridScaling"):
        read_volume(dose(tmp_path / "b.dcm", DoseGridScaling=None))


@pytest.mark.parametrize("sense", [1, -1])
def test_nuclear_medicine_stacks_along_or_against_the_normal(tmp_path, sense):
    from pydicom.dataset import Dataset

    one, detector = single(tmp_path / "a.dcm", STORED, PLAIN, Modality="NM"), Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = one.ImagePositionPatient, one.ImageOrientationPatient
    del one.ImagePositionPatient, one.ImageOrientationPatient
    one.DetectorInformationSequence, one.ImageType = [detector], ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    one.SpacingBetweenSlices, one.SliceVector = str(2.5 * sense), [*range(1, SHAPE[2] + 1)]
    one.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    volume = read_volume(tmp_path / "a.dcm")
    assert np.array_equal(volume.values, STORED[:, :, ::sense])
    first = mm(PLAIN, (0, 0, 0 if sense > 0 else 1 - SHAPE[2]))
    np.testing.assert_allclose(volume.mm((0, 0, 0)), first, atol=1e-6)


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


@pytest.mark.parametrize(("tag", "value"), [("RescaleSlope", "0"), ("RescaleSlope", "1e400"), ("RescaleIntercept", "-1e400")])
def test_a_scale_that_leaves_no_numbers_is_refused(tmp_path, tag, value):
    with pytest.raises(BadImage, match=r"IM\d+ cannot be read"):
        read(tmp_path, lambda _, one: setattr(one, tag, value))


def test_directions_that_are_none_are_refused(tmp_path):
    for way in ([2, 0, 0, 0, 1, 0], [1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0]):
        with pytest.raises(BadImage, match=r"IM\d+: its spacing .* no two directions of length 1 at right angles"):
            read(tmp_path, lambda _, one, way=way: setattr(one, "ImageOrientationPatient", way))


def test_a_distance_that_is_not_said_is(tmp_path):
    volume = read(tmp_path, lambda _, one: delattr(one, "PixelSpacing"))
    assert volume.spacing == pytest.approx((1, 1, 2.5))
    assert volume.notes == ("it does not say how far its pixels are apart (PixelSpacing): taken as 1 mm",)


def test_a_slice_that_is_turned_but_lies_nowhere_keeps_its_turn(tmp_path):
    volume = read(tmp_path, lambda _, one: delattr(one, "ImagePositionPatient"), scan(ROTATED)[:, :, :1], ROTATED)
    assert volume.notes == ("it does not say where it lies in the body: taken at 0 mm",)
    np.testing.assert_allclose(volume.affine[:3, :2], ROTATED[:3, :2], atol=1e-6)


def test_slices_that_are_there_twice_alike_are_taken_once(tmp_path):
    files = dicom_series(tmp_path / "s", STORED, PLAIN)
    for file in files[:4]:
        (tmp_path / "s" / f"copy of {file.name}").write_bytes(file.read_bytes())
    volume = read_volume(tmp_path / "s")
    assert np.array_equal(volume.values, STORED)
    np.testing.assert_allclose(volume.affine, PLAIN, atol=1e-6)
    assert volume.notes == ("4 of its slices are there twice, alike: each is taken once",)


@pytest.mark.parametrize(
    ("tag", "values"),
    [
        ("FrameOfReferenceUID", ("1.2.3", "1.2.4")),
        ("PhotometricInterpretation", ("MONOCHROME2", "MONOCHROME1")),
        ("RescaleType", ("HU", "US")),
    ],
)
def test_slices_that_do_not_mean_the_same_are_no_volume(tmp_path, tag, values):
    with pytest.raises(BadImage, match=f"differ in .*{tag}: {min(values)}, {max(values)}.*folder of their own"):
        read(tmp_path / "a", lambda k, one: setattr(one, tag, values[k > 1]))
    assert read(tmp_path / "b", lambda _k, one: setattr(one, tag, values[0])).values.shape == SHAPE


def test_slices_at_one_place_are_told_apart(tmp_path):
    for place, (echo, name) in enumerate((("2.5", "a"), ("30", "b"))):
        files = dicom_series(tmp_path / name, STORED + place, PLAIN, EchoTime=echo, SeriesInstanceUID="1.2.3")
        (tmp_path / "s").mkdir(exist_ok=True)
        for file in files:
            file.rename(tmp_path / "s" / f"{name}{file.name}")
    with pytest.raises(BadImage, match=r"several slices lie at 80\.00 mm .*differ in EchoTime \(2\.5, 30\): .* echoes"):
        read_volume(tmp_path / "s")


def test_frames_of_several_phases_are_told_apart(tmp_path):
    from pydicom.dataset import Dataset

    def in_time(k, frame):
        content = Dataset()
        content.TemporalPositionIndex, content.StackID = int(k) // 2 + 1, "1"
        frame.FrameContentSequence = [content]
        frame.PlanePositionSequence[0].ImagePositionPatient = [0, 0, float(k % 2)]

    enhanced(tmp_path / "a.dcm", STORED[:, :, 8:12], PLAIN, in_time)
    with pytest.raises(BadImage, match=r"differ in TemporalPositionIndex \(1, 2\): .*convert it to NIfTI"):
        read_volume(tmp_path / "a.dcm")


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


def test_floats_that_are_no_numbers_are_zero_and_said(tmp_path):
    def floats(k, one):
        values = one.pixel_array.astype("<f4") / 3
        values[0, 0] = np.nan
        del one.PixelData, one.RescaleSlope, one.RescaleIntercept, one.PixelRepresentation, one.BitsStored, one.HighBit
        one.BitsAllocated, one.FloatPixelData = 32, values.tobytes()

    volume = read(tmp_path, floats)
    expected = (STORED / np.float32(3)).astype(np.float32)
    expected[0, 0] = 0
    assert np.array_equal(volume.values, expected)
    assert volume.notes == ("17 voxels hold NaN: they are taken as 0",)


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
