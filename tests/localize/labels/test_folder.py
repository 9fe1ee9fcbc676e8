"""A file for each image: its name, what is never written over, what is told apart."""

import os

import pytest

from seewhy.errors import NotWritten
from seewhy.localize.labels.folder import LabelFolder
from seewhy.truth.files import matched


def put(folder, *images, suffix=".txt", over=True):
    made = LabelFolder(folder, suffix, over)
    return [made.put(image, image.encode(errors="surrogateescape")).relative_to(folder).as_posix() for image in images]


def test_names_are_those_of_images(tmp_path):
    assert put(tmp_path, "photos/cat.jpg", "scan.nii.gz", "no_suffix", "ü 猫.png") == [
        "cat.txt", "scan.txt", "no_suffix.txt", "ü 猫.txt",
    ]  # fmt: skip
    assert (tmp_path / "cat.txt").read_text() == "photos/cat.jpg"


def test_images_of_one_name_are_told_apart_and_found_again(tmp_path):
    images = ["a/cat.jpg", "b/cat.jpg", "b/cat.png", "a/CAT.jpg", "../c/d/cat.jpg", "./cat.jpg", "x/cat.jpg", "x/cat.jpg"]
    names = put(tmp_path, *images)
    assert names == [
        "cat.txt", "b/cat.txt", "b/cat.png.txt", "CAT.jpg.txt", "d/cat.txt", "cat-2.txt", "x/cat.txt", "x/cat.jpg.txt",
    ]  # fmt: skip
    images = ["a/cat.jpg", "a/cat.png", "b/cat.png", "b/cat.jpg", "c/cat.jpg", "c/d/cat.jpg", "e/d/cat.jpg"]
    names = [name.removesuffix(".txt") for name in put(tmp_path / "two", *images)]
    assert matched(names, images, tmp_path, "labels") == dict(zip(images, names, strict=True))


def test_no_name_leads_out_of_the_folder_or_is_too_long(tmp_path):
    names = put(tmp_path / "in", "../../etc/passwd", "..", "", "/", "a" * 250 + ".jpg", "a" * 250 + "b.jpg", "..\\..\\win.jpg")
    assert all(".." not in name and len(name) < 255 for name in names)
    assert len({*names}) == len(names) == 7
    assert os.listdir(tmp_path) == ["in"]


def test_the_image_itself_is_never_written_over(tmp_path):
    (tmp_path / "cat.png").write_bytes(b"photo")
    with pytest.raises(NotWritten, match="the image itself"):
        put(tmp_path, str(tmp_path / "cat.png"), suffix=".png")
    assert (tmp_path / "cat.png").read_bytes() == b"photo"


def test_files_that_are_there(tmp_path):
    (tmp_path / "cat.txt").write_text("old")
    with pytest.raises(NotWritten, match=r"cat\.txt"):
        put(tmp_path, "cat.jpg", over=False)
    assert (tmp_path / "cat.txt").read_text() == "old"
    put(tmp_path, "cat.jpg")
    assert (tmp_path / "cat.txt").read_text() == "cat.jpg"


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritten, match="cannot be made"):
        put(tmp_path / "file" / "in", "cat.jpg")
