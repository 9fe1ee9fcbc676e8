"""What of a person's files concerns which photo and which class."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seewhy import Volume
from seewhy.errors import BadParameter
from seewhy.truth.given import GivenTruth, GroundTruth

LABELS = ["tench", "tabby, tabby cat", "crane"]
PHOTOS = ["photos/a.jpg", "photos/b.jpg", "photos/c.jpg"]


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("boxes.csv").write_text(
        "file,x0,y0,x1,y1,label\na.jpg,1,2,3,4,tabby\na.jpg,5,5,9,9,0\na.jpg,2,2,4,4,unicorn\nb.jpg,,,,,\n"
    )
    Path("sized.json").write_text('[{"file": "a.jpg", "width": 30, "height": 20, "boxes": [[1, 2, 3, 4]]}]')
    Path("labels.csv").write_text("file,label\na.jpg,tabby\n")
    Path("masks").mkdir()
    Image.fromarray(np.eye(8, dtype=np.uint8)).save("masks/b.png")


def photo(size=(30, 20)):
    return Image.new("RGB", size)


def test_nothing_given_is_nothing_known():
    assert GivenTruth.read().of(PHOTOS, LABELS) == GroundTruth(labels=LABELS)


def test_all_at_once():
    known = GivenTruth.read("labels.csv", Path("boxes.csv"), Path("masks")).of(PHOTOS, LABELS)
    assert known.classes == {"photos/a.jpg": (1,)}
    assert {photo: len(boxes.boxes) for photo, boxes in known.boxes.items()} == {"photos/a.jpg": 3, "photos/b.jpg": 0}
    assert known.masks == {"photos/b.jpg": Path("masks/b.png")}
    assert known.box_classes == {"tabby": 1, "0": 0}
    assert known.remarks == ("boxes have labels that are not the model's ('unicorn'): they count where no other box does",)
    assert GivenTruth.read("folders").of(["tench/1.jpg"], LABELS).classes == {"tench/1.jpg": (0,)}


@pytest.mark.parametrize(
    ("explained", "words", "count"),
    [
        ([1], "the box of tabby, tabby cat", 1),
        ([0], "the box of tench", 1),
        ([0, 1], "the 2 boxes of tabby, tabby cat, tench", 2),
        ([2], "the 3 boxes of tabby, tabby cat, tench, unicorn", 3),  # none of its own
        ([], "the 3 boxes of tabby, tabby cat, tench, unicorn", 3),
    ],
)
def test_boxes_of_the_explained_classes_or_else_all(explained, words, count):
    known = GivenTruth.read(boxes=Path("boxes.csv")).of(PHOTOS, LABELS)
    mark = known.box_mark("photos/a.jpg", photo(), explained)
    assert (mark.words, len(mark.boxes), mark.mask) == (words, count, None)


def test_photos_without_an_object_or_of_which_nothing_is_known_have_no_mark():
    known = GivenTruth.read(boxes=Path("boxes.csv"), masks=Path("masks")).of(PHOTOS, LABELS)
    assert known.box_mark("photos/b.jpg", photo(), []) is None
    assert known.box_mark("photos/c.jpg", photo(), []) is None
    assert known.mask_mark("photos/a.jpg", photo()) is None
    assert known.mask_mark("photos/b.jpg", photo((8, 8))).mask.inside.tolist() == np.eye(8, dtype=bool).tolist()


def test_an_empty_mask_marks_no_object():
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("masks/c.png")
    known = GivenTruth.read(masks=Path("masks")).of(PHOTOS, LABELS)
    assert known.masks["photos/c.jpg"] == Path("masks/c.png")
    assert known.mask_mark("photos/c.jpg", photo((8, 8))).empty
    assert not known.mask_mark("photos/b.jpg", photo((8, 8))).empty


def test_boxes_drawn_on_another_size_are_refused():
    known = GivenTruth.read(boxes=Path("sized.json")).of(PHOTOS, LABELS)
    assert known.box_mark("photos/a.jpg", photo(), []).boxes == [(1, 2, 3, 4)]
    with pytest.raises(BadParameter, match="drawn on 30 x 20 pixels, and the photo has 20 x 30: was it resized or turned"):
        known.box_mark("photos/a.jpg", photo((20, 30)), [])
    volume = Volume(np.zeros((2, 2, 2), np.float32), np.eye(4))
    assert known.box_mark("photos/a.jpg", volume, []).words == "the box"


def test_one_mask_is_of_one_photo():
    given = GivenTruth.read(masks=Path("masks/b.png"))
    assert given.of(["x.jpg"], None).masks == {"x.jpg": Path("masks/b.png")}
    with pytest.raises(BadParameter, match="is one mask for 3 images"):
        given.of(PHOTOS, None)


@pytest.mark.parametrize(("what", "file"), [("boxes", "boxes.csv"), ("masks", "masks")])
def test_a_file_that_says_nothing_of_any_photo_is_refused(what, file):
    given = GivenTruth.read(**{what: Path(file)})
    what_of = "photos" if what == "boxes" else "images"
    with pytest.raises(BadParameter, match=rf"{file} has {what} of none of the {what_of}: it .*, and the {what_of} are z.jpg"):
        given.of(["z.jpg"], LABELS)


def test_a_file_of_labels_that_names_photos_that_are_not_there():
    known = GivenTruth.read(boxes=Path("boxes.csv")).of(PHOTOS[:1], ["tabby", "x", "unicorn"])
    assert known.remarks == ("boxes.csv also names a photo that is not among those given: b.jpg",)


def test_masks_in_a_file_of_labels():
    square = '<polygon label="x" points="0,0;2,0;2,2;0,2"/>'
    images = "".join(f'<image name="{name}" width="3" height="2">{square}</image>' for name in ("a.jpg", "z.jpg"))
    Path("cvat.xml").write_text(f"<annotations>{images}</annotations>")
    known = GivenTruth.read(masks=Path("cvat.xml")).of(PHOTOS, None)
    assert list(known.masks) == ["photos/a.jpg"]
    assert known.remarks == ("cvat.xml also names a photo that is not among those given: z.jpg",)
    mark = known.mask_mark("photos/a.jpg", photo((3, 2)))
    assert (mark.words, mark.mask.inside.tolist()) == ("the mask", [[True, True, False]] * 2)
    with pytest.raises(BadParameter, match=r"cvat.xml has masks of none of the photos: it has a.jpg, z.jpg"):
        GivenTruth.read(masks=Path("cvat.xml")).of(["q.jpg"], None)


def test_shares_of_a_photo_become_its_pixels():
    Path("yolo").mkdir()
    Path("yolo", "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    known = GivenTruth.read(boxes=Path("yolo")).of(PHOTOS, LABELS)
    assert known.box_mark("photos/a.jpg", photo((40, 20)), [0]).boxes == [(10, 5, 30, 15)]
    assert known.box_classes == {"0": 0}


def test_a_table_that_names_photos_that_are_not_there():
    Path("table.csv").write_text("file,label\na.jpg,tabby\nz.jpg,x\n")
    known = GivenTruth.read(labels="table.csv").of(PHOTOS[:1], ["tabby", "x"])
    assert known.classes == {"photos/a.jpg": (0,)}
    assert known.remarks == ("table.csv also names a photo that is not among those given: z.jpg",)
