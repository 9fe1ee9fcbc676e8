"""Folders and patterns: all photos below, each once, none that seewhy made, in one order."""

import os

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from seewhy.errors import BadImage, BadParameter
from seewhy.maps.made_here import CHUNK
from seewhy.photo_sets.folders import folder_place, in_folder, of_pattern


@pytest.fixture
def photos(tmp_path):
    for name in ("b.jpg", "cats/2.png", "cats/10.png", "cats/deep/1.webp", ".hidden/a.jpg", "cats/._2.png", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"photo")
    return tmp_path


def test_all_photos_below_a_folder_are_found(photos):
    assert in_folder(str(photos)).names == ["b.jpg", "cats/10.png", "cats/2.png", "cats/deep/1.webp"]


def test_paths_do_not_depend_on_where_they_are_read(photos, monkeypatch):
    monkeypatch.chdir(photos)
    assert folder_place("cats").path("2.png") == str(photos / "cats" / "2.png")
    assert folder_place("/").path("2.png") == "/2.png"


def test_a_folder_that_links_lead_back_to_is_looked_into_once(photos):
    (photos / "cats" / "up").symlink_to(photos, target_is_directory=True)
    (photos / "again").symlink_to(photos / "cats", target_is_directory=True)
    (photos / "circle").symlink_to(photos / "circle")
    (photos / "gone.jpg").symlink_to(photos / "nowhere.jpg")  # whoever reads it says that it is not there
    assert in_folder(str(photos)).names == ["again/10.png", "again/2.png", "again/deep/1.webp", "b.jpg", "gone.jpg"]


def test_maps_and_runs_are_no_photos(photos):
    text = PngImagePlugin.PngInfo()
    text.add_itxt(CHUNK, "{}")
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(photos / "map.png", pnginfo=text)
    (photos / "runs" / "x").mkdir(parents=True)
    (photos / "runs" / "x" / "run.json").write_text("{}")
    (photos / "runs" / "x" / "thumbnail.jpg").write_bytes(b"")
    found = in_folder(str(photos))
    assert found.names == ["b.jpg", "cats/10.png", "cats/2.png", "cats/deep/1.webp"]
    assert found.remarks == [
        "left out: 1 folder (runs/x): runs of seewhy lie there",
        "left out: 1 picture (map.png): seewhy made them",
    ]


def test_an_empty_folder_is_an_error_that_says_what_is_read(tmp_path):
    (tmp_path / "scan.nii").write_bytes(b"")
    with pytest.raises(BadParameter, match=r"holds no photos \(\.jpg.*1 volume \(scan\.nii\)"):
        in_folder(str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_may_not_be_read_is_named(photos):
    (photos / "cats").chmod(0)
    try:
        assert "cats" in in_folder(str(photos)).remarks[0]
    finally:
        (photos / "cats").chmod(0o700)


def test_a_folder_that_is_not_there_cannot_be_read(tmp_path):
    with pytest.raises(BadImage, match="cannot be read: No such file"):
        in_folder(str(tmp_path / "nowhere"))


def test_a_pattern_stands_for_photos(photos, monkeypatch):
    monkeypatch.chdir(photos)
    place, found = of_pattern("cats/**/*")
    assert found.names == ["10.png", "2.png", "deep/1.webp"]
    assert place.path("2.png") == str(photos / "cats" / "2.png")
    assert of_pattern(str(photos / "c?ts" / "*.png"))[1].names == ["cats/10.png", "cats/2.png"]
    assert of_pattern("*")[1].names == ["b.jpg"]


def test_a_pattern_that_stands_for_no_photos_says_for_what(photos, monkeypatch):
    monkeypatch.chdir(photos)
    with pytest.raises(BadParameter, match=r"stands for nothing"):
        of_pattern("dogs/*.jpg")
    with pytest.raises(BadParameter, match=r"stands for 1 files or folders, none of which is a photo; .*\*\*/\*\.jpg"):
        of_pattern("cat*")
