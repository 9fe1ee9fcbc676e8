"""Which entry of a file of ground truth belongs to which photo."""

from pathlib import Path

import pytest

from seewhy.errors import BadParameter
from seewhy.truth.files import matched, stem_of


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def found(keys, photos, folder="."):
    return matched(keys, photos, Path(folder), "labels.csv")


@pytest.mark.parametrize(
    ("key", "photo"),
    [
        ("photos/a.jpg", "photos/a.jpg"),  # as given
        ("./photos//a.jpg", "photos/a.jpg"),
        ("photos\\a.jpg", "photos/a.jpg"),
        ("a.jpg", "photos/a.jpg"),  # by name
        ("photos/a.jpg", "/elsewhere/photos/a.jpg"),  # by the end of the path
        ("/home/other/train/a.jpg", "photos/a.jpg"),
        ("a", "photos/a.jpg"),  # without suffix
        ("scan", "scans/scan.nii.gz"),
        ("scan.nii.gz", "scans/scan.nii.gz"),
        ("series", "scans/series"),
        ("Ärger 1.jpg", "photos/Ärger 1.jpg"),
    ],
)
def test_an_entry_is_found(key, photo):
    assert found([key, "other.jpg"], [photo]) == {photo: key}


def test_paths_begin_in_the_folder_of_the_table_before_the_one_worked_in():
    photos = ["../data/1.jpg", "1.jpg"]
    assert found(["1.jpg"], photos, "../data") == {"../data/1.jpg": "1.jpg"}
    assert found(["1.jpg", "../work/1.jpg"], photos, "../data") == {"../data/1.jpg": "1.jpg", "1.jpg": "../work/1.jpg"}


def test_names_that_folders_share_are_told_apart_by_the_folders():
    photos = ["data/cats/1.jpg", "data/dogs/1.jpg"]
    keys = ["dogs/1.jpg", "cats/1.jpg"]
    assert found(keys, photos, "/other") == dict(zip(photos, keys[::-1], strict=True))
    assert found(keys[:1], photos, "/other") == {photos[1]: keys[0]}


def test_an_entry_that_could_be_of_two_photos_is_refused():
    with pytest.raises(BadParameter, match=r"labels.csv has an entry '1.jpg', which could be of 2 photos, x/1.jpg and y/1.jpg"):
        found(["1.jpg"], ["x/1.jpg", "y/1.jpg"])
    with pytest.raises(BadParameter, match="could be of 2 photos"):
        found(["/far/1.jpg"], ["x/1.jpg", "y/1.jpg"])


def test_a_photo_that_two_entries_could_be_of_has_none():
    assert found(["far/1.jpg", "farther/1.jpg"], ["x/1.jpg"]) == {}


def test_photos_without_an_entry_are_left_out_and_the_order_is_theirs():
    assert [*found(["c.jpg", "a.jpg"], ["a.jpg", "b.jpg", "c.jpg"])] == ["a.jpg", "c.jpg"]
    assert found([], ["a.jpg"]) == {}
    assert found(["", "/"], ["a.jpg"]) == {}


def test_suffixes():
    assert [stem_of(name) for name in ("a.jpg", "a.nii.gz", "a.b.png", "A.NII.GZ", "a")] == ["a", "a", "a.b", "A", "a"]
