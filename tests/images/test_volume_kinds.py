"""Which files hold volumes, by their names or their first bytes."""

import pytest
from PIL import Image

from seewhy.images.volume_kinds import holds_volume, is_bare, is_dicom

PART_10 = bytes(128) + b"DICM\2\0\0\0UL\4\0"


@pytest.mark.parametrize(
    ("head", "dicom"),
    [
        (PART_10, True),
        (b"\x08\0\x05\0CS\x0a\0ISO_IR 100", True),  # explicit, at once
        (b"\x08\0\0\0\4\0\0\0" + bytes(4), True),  # implicit: a length of 4 bytes
        (b"\2\0\0\0UL\4\0", True),
        (b"\x08\0\x05\0XX\x0a\0", False),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), False),
        (b"", False),
    ],
)
def test_dicom_is_told_by_its_first_bytes(tmp_path, head, dicom):
    path = tmp_path / "no suffix"
    path.write_bytes(head)
    assert is_dicom(path) == holds_volume(path) == dicom
    assert is_bare(head[:132]) == (dicom and head is not PART_10)


def test_a_folder_holds_a_volume_where_a_file_in_it_is_dicom(tmp_path):
    assert not holds_volume(tmp_path)
    (tmp_path / "DICOMDIR").write_bytes(PART_10)
    assert not holds_volume(tmp_path)  # the table of contents alone
    (tmp_path / "IM1").write_bytes(PART_10)
    assert holds_volume(tmp_path)
    assert not is_dicom(tmp_path)


@pytest.mark.parametrize("name", ["scan.nii", "SCAN.NII.GZ", "a.mgz", "a.dcm"])
def test_a_name_tells_unless_a_picture_is_called_so(tmp_path, name):
    assert holds_volume(str(tmp_path / name))  # not there: whoever reads it says so
    Image.new("RGB", (2, 2)).save(tmp_path / name, "PNG")
    assert not holds_volume(tmp_path / name)


@pytest.mark.parametrize("path", [None, 3, b"a.nii", "a" * 5000 + ".nii", "a.png", "a\0.png", ""])
def test_what_is_no_path_of_a_volume_holds_none(path):
    assert not holds_volume(path)
