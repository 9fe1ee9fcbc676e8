"""What is written in any format is read again: by `--boxes`, and by `--masks` where it holds masks."""

import numpy as np
import pytest
from PIL import Image

from seewhy.localize.labels.formats import FORMATS, open_writer
from seewhy.truth.given import GivenTruth
from support.labelled import blobs, labelled, labelled_object, whole

ODD = "a, <b> & 'c'"
PHOTOS = ["one/a.jpg", "two/a.jpg", "two/ü 1.png"]
RING = np.pad(np.zeros((2, 3), bool), 2, constant_values=True)
IMAGES = [
    labelled(
        PHOTOS[0], (30, 20), labelled_object(RING, (3, 4), "tabby", 1), labelled_object(np.ones((4, 2), bool), (12, 20), ODD)
    ),
    labelled(PHOTOS[1], (40, 30), labelled_object(np.ones((9, 7), bool), (5, 6), "dog", 0)),
    labelled(PHOTOS[2], (30, 20), why="no value of the map is positive"),
]
EXACT = ("coco", "coco-rle", "cvat-masks", "label-studio-brush")
NEARLY = ("yolo-segments", "cvat-polygons", "label-studio-polygons")
BOXES = [name for name in FORMATS if name not in ("png", "nifti", "geotiff")]


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(name, images=IMAGES):
        path = tmp_path / f"labels{FORMATS[name].suffix}"
        writer = open_writer(name, path, ["dog", "tabby"])
        for image in images:
            writer.add(image)
        writer.close()
        return path

    return write


def photo(at):
    return Image.new("RGB", IMAGES[at].size)


@pytest.mark.parametrize("name", BOXES)
def test_boxes(written, name):
    known = GivenTruth.read(boxes=written(name)).of(PHOTOS, ["dog", "tabby"])
    for at, image in enumerate(IMAGES):
        mark = known.box_mark(PHOTOS[at], photo(at), [])
        if not image.objects:
            assert mark is None
            continue
        expected = [one.found.edges for one in image.objects]
        near = 1.0 if name in NEARLY else 1e-5
        assert mark is not None
        assert mark.boxes == [pytest.approx(edges, abs=near) for edges in expected]
    assert sorted(known.box_classes) == ["dog", "tabby"]
    labels = [box.label for box in known.boxes[PHOTOS[0]].boxes]
    assert labels == ["tabby", ODD]


@pytest.mark.parametrize("name", [*EXACT, *NEARLY[1:]])
def test_masks(written, name):
    known = GivenTruth.read(masks=written(name)).of(PHOTOS, None)
    for at, image in enumerate(IMAGES):
        mask = known.mask_mark(PHOTOS[at], photo(at)).mask.inside
        expected = np.any([whole(image, k) for k in range(len(image.objects))] or [np.zeros(mask.shape, bool)], axis=0)
        assert (mask == expected).all(), image.file


@pytest.mark.parametrize("name", NEARLY[1:])
def test_outlines_to_a_pixel(written, name):
    y, x = np.mgrid[:25, :25]
    disc = labelled(PHOTOS[1], (40, 30), labelled_object((x - 12) ** 2 + (y - 12) ** 2 < 130, (2, 3)))
    known = GivenTruth.read(masks=written(name, [disc])).of(PHOTOS, None)
    mask = known.mask_mark(PHOTOS[1], photo(1)).mask.inside
    off = mask != whole(disc)
    assert 0 < off.sum() < 0.1 * whole(disc).sum()


def test_label_maps(written):
    known = GivenTruth.read(masks=written("png", [labelled(PHOTOS[1], (40, 30), labelled_object(blobs(0), (0, 0)))])).of(
        PHOTOS[1:], None
    )
    assert (known.mask_mark(PHOTOS[1], photo(1)).mask.inside == blobs(0)).all()


@pytest.mark.parametrize("name", ["csv", "coco", "voc", "cvat", "label-studio"])
def test_a_photo_of_another_size_is_refused_in_words(written, name):
    from seewhy.errors import BadParameter

    known = GivenTruth.read(boxes=written(name)).of(PHOTOS, None)
    with pytest.raises(BadParameter, match="drawn on 30 x 20 pixels, and the photo has 20 x 30"):
        known.box_mark(PHOTOS[0], Image.new("RGB", (20, 30)), [])


def test_photos_that_are_not_there_are_said(written):
    known = GivenTruth.read(boxes=written("coco")).of(PHOTOS[:1], None)
    assert known.remarks[-1].endswith("labels.json also names 2 photos that are not among those given: two/a.jpg, two/ü 1.png")
