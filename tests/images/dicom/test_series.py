"""What lies beside a series: another one, a malformed one, other files; only what is asked for has to be whole."""

import os

import numpy as np
import pytest

from seewhy.errors import BadImage
from seewhy.images.volume_kinds import holds_volume
from seewhy.images.volumes import read_volume
from support.files.dicoms import edited
from support.files.scans import AFFINES, dicom_series, scan

AFFINE = AFFINES["anisotropic"]
STORED = scan(AFFINE)


def broken(tag, value):
    """A change of one tag to bytes that are no number."""

    def change(file):
        one = edited([file], lambda _, one: setattr(one, tag, "7.25"))[0]
        one.write_bytes(one.read_bytes().replace(b"7.25", value.ljust(4)))

    return change


def cut(file):
    file.write_bytes(file.read_bytes()[:-200])


def headless(file):
    file.write_bytes(file.read_bytes()[:140] + b"\xff" * 60)


MALFORMED = {
    "a tag that is no number": broken("SliceThickness", b"1A"),
    "a scale that is no number": broken("RescaleSlope", b"x"),
    "cut off": cut,
    "frames": lambda file: edited([file], lambda _, one: one.add_new(0x00280008, "IS", "3")),
    "no position": lambda file: edited([file], lambda _, one: setattr(one, "ImagePositionPatient", [1, 2])),
    "no size": lambda file: edited([file], lambda _, one: setattr(one, "Columns", 0)),
}


def two(folder, harm=None, of=1):
    """Two series in one folder, of the second of which some files are harmed."""
    one = dicom_series(folder, STORED, AFFINE, SeriesDescription="intact")
    for file in one:
        file.rename(file.with_name(f"a{file.name}"))
    other = dicom_series(folder, STORED + 1, AFFINE, SeriesDescription="other")
    for file in other[3 : 3 + of] if harm else ():
        harm(file)
    return [file.with_name(f"a{file.name}") for file in one], other


@pytest.mark.parametrize("kind", MALFORMED)
def test_one_series_is_read_beside_a_malformed_one(tmp_path, kind):
    intact, harmed = two(tmp_path / "s", MALFORMED[kind])
    for path in (tmp_path / "s", intact[0]):
        assert np.array_equal(read_volume(path).values, STORED)
    (note,) = read_volume(tmp_path / "s").notes
    assert note.startswith("beside it lies a series that cannot be read, other (number 3) (17 files):")
    assert harmed[3].name in note
    for file in (harmed[3], harmed[5]):  # of which one slice is missing
        with pytest.raises(BadImage, match=harmed[3].name):
            read_volume(file)


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_series_with_a_malformed_file_is_refused(tmp_path, kind):
    files = dicom_series(tmp_path / "s", STORED, AFFINE)
    MALFORMED[kind](files[2])
    for path in (tmp_path / "s", files[2], files[7]):
        with pytest.raises(BadImage, match=files[2].name):
            read_volume(path)


def test_two_malformed_series_are_listed(tmp_path):
    intact, _ = two(tmp_path / "s", cut)
    cut(intact[0])
    said = r"2 series: other \(number 3\) \(17 files, such as IM\d+, malformed\); intact .*malformed\)\. Give one file"
    with pytest.raises(BadImage, match=said):
        read_volume(tmp_path / "s")


def test_files_of_which_nothing_can_be_told_are_left_out_and_said(tmp_path):
    intact, other = two(tmp_path / "s", headless)
    for file in other[4:] + other[:3]:
        file.unlink()
    for path in (tmp_path / "s", intact[3]):
        volume = read_volume(path)
        assert np.array_equal(volume.values, STORED)
        assert f"beside it, 1 DICOM files cannot be read, such as {other[3]}" in volume.notes[0]
    for file in intact:
        file.unlink()
    with pytest.raises(BadImage, match=r"no DICOM image that can be read, of 1: .*cannot be read as DICOM"):
        read_volume(tmp_path / "s")


def test_reports_pictures_pipes_and_links_to_nowhere_do_not_matter(tmp_path):
    files = dicom_series(tmp_path / "s", STORED, AFFINE)
    report = tmp_path / "s" / "report.dcm"
    report.write_bytes(files[0].read_bytes())
    edited([report], lambda _, one: [one.pop(tag) for tag in ("Rows", "Columns", "PixelData")])
    (tmp_path / "s" / "preview.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    (tmp_path / "s" / "gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "s" / "pipe")
    volume = read_volume(tmp_path / "s")
    assert np.array_equal(volume.values, STORED)
    assert not volume.notes
    assert holds_volume(tmp_path / "s")
    with pytest.raises(BadImage, match=r"report\.dcm is a DICOM file without an image \(CT\)"):
        read_volume(report)
    with pytest.raises(BadImage, match=r"pipe is no file, but a device or a pipe"):
        read_volume(tmp_path / "s" / "pipe")
    with pytest.raises(BadImage, match="gone is not there"):
        read_volume(tmp_path / "s" / "gone")


def test_text_of_strangers_obeys_nothing(tmp_path):
    two(tmp_path / "s")
    edited(sorted((tmp_path / "s").glob("a*")), lambda _, one: setattr(one, "SeriesDescription", "a\x1b[2Jb"))
    with pytest.raises(BadImage) as caught:
        read_volume(tmp_path / "s")
    assert "\x1b" not in str(caught.value)
    assert "2 series" in str(caught.value)
