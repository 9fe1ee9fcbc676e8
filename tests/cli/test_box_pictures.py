"""Photos with their boxes are written under the name of the map, and over nothing else."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seewhy import Heatmap, Heatmaps
from seewhy.cli.box_pictures import BoxPictures
from seewhy.cli.localization_scores import ScoredPhoto
from seewhy.cli.question import PhotoMaps
from seewhy.cli.truth import KnownPhoto
from seewhy.errors import NotWritten
from seewhy.maps.made_here import made_here
from seewhy.truth.given import ObjectMark

SPOT = [[0, 0, 0, 0], [0, 0, 0, 1]]


@pytest.fixture
def found(made_heatmap):
    def make(**facts):
        heatmap = made_heatmap(SPOT, (120, 90), **facts)
        (boxes,) = Heatmaps((heatmap,)).boxes()
        return PhotoMaps("cat.jpg", None, [heatmap], None, KnownPhoto()), boxes

    return make


def test_the_picture_is_the_one_of_the_library_and_is_known_as_made_here(found, tmp_path):
    maps, boxes = found()
    pictures = BoxPictures(tmp_path / "drawn")
    pictures.open()
    path = pictures.put(maps, boxes, ScoredPhoto())
    assert path == tmp_path / "drawn" / "cat.top-1-tabby.layer4.grad-cam.boxes.png"
    with Image.open(path) as picture:
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), np.asarray(boxes.outlined(legend=True)))
    assert made_here(path)
    assert Heatmap.source_of(path).image == "cat.jpg"


def test_true_boxes_are_drawn_beside(found, tmp_path):
    maps, boxes = found()
    pictures = BoxPictures(tmp_path)
    true = ScoredPhoto((), ObjectMark("the box", [(5.0, 5.0, 50.0, 60.0)]))
    with Image.open(pictures.put(maps, boxes, true)) as picture:
        expected = boxes.outlined([(5.0, 5.0, 50.0, 60.0)], legend=True)
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), np.asarray(expected))


def test_the_same_again_takes_its_place_and_another_gets_a_name_of_its_own(found, tmp_path):
    maps, boxes = found()
    first = BoxPictures(tmp_path).put(maps, boxes, ScoredPhoto())
    again = BoxPictures(tmp_path)
    assert again.put(maps, boxes, ScoredPhoto()) == first
    assert "made again" in next(iter(again.folder.remarks()))
    other = BoxPictures(tmp_path).put(*found(weights="others"), ScoredPhoto())
    assert other != first
    assert sorted(tmp_path.iterdir()) == sorted([first, other])


def test_of_what_is_no_photo_there_is_no_picture(found, tmp_path, made_heatmap):
    heatmap = made_heatmap(SPOT, photo=None, box=(0, 0, 4, 2))
    (boxes,) = Heatmaps((heatmap,)).boxes()
    assert BoxPictures(tmp_path).put(PhotoMaps("x", None, [heatmap], None, KnownPhoto()), boxes, ScoredPhoto()) is None


def test_a_folder_that_cannot_be_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(NotWritten, match="is no folder"):
        BoxPictures(Path(tmp_path / "file" / "drawn"))
