"""COCO's JSON, loaded by pycocotools."""

import contextlib
import io
import json

import numpy as np
import pytest

from seewhy.errors import NotApplicable
from seewhy.localize.labels.coco import CocoWriter
from seewhy.truth.boxes import read_boxes
from support.labelled import blobs, labelled, labelled_object, whole

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools, in numpy 2

RING = np.pad(np.zeros((1, 1), bool), 1, constant_values=True)
IMAGES = [
    labelled("photos/a.jpg", (8, 6), labelled_object(score=0.7), labelled_object(RING, (1, 2), "dog", score=0.2)),
    labelled("caf\udce9 猫.jpg", (8, 6), why="no value of the map is positive"),
    labelled("b.jpg", (40, 30), labelled_object(blobs(0), (0, 0)), layer="layer3"),
]


def written(path, images=IMAGES, **how):
    writer = CocoWriter(path, **how)
    for image in images:
        writer.add(image)
    writer.close()
    return json.loads(path.read_text("ascii"))


def coco(path):
    tools = pytest.importorskip("pycocotools.coco")
    with contextlib.redirect_stdout(io.StringIO()):
        return tools.COCO(str(path))


@pytest.mark.parametrize("rle", [False, True])
def test_pycocotools_finds_the_same_masks(tmp_path, rle):
    content = written(tmp_path / "coco.json", rle=rle)
    loaded = coco(tmp_path / "coco.json")
    marks = loaded.loadAnns(loaded.getAnnIds())
    masks = [whole(IMAGES[0], 0), whole(IMAGES[0], 1), whole(IMAGES[2])]
    assert [mark["image_id"] for mark in marks] == [1, 1, 3]
    from pycocotools import mask as tools

    for mark, mask in zip(marks, masks, strict=True):
        assert (loaded.annToMask(mark) == mask).all()
        runs = loaded.annToRLE(mark)
        assert tools.area(runs) == mark["area"] == mask.sum()
        if mask.shape != (30, 40):  # whose box was not drawn around it
            assert tools.toBbox(runs).tolist() == mark["bbox"]
    with contextlib.redirect_stdout(io.StringIO()):
        results = loaded.loadRes(content["annotations"])
    assert [mark["score"] for mark in results.loadAnns(results.getAnnIds())] == [0.7, 0.2, 0.5]


def test_evaluated_against_itself_it_is_right(tmp_path):
    tools = pytest.importorskip("pycocotools.cocoeval")
    content = written(tmp_path / "coco.json", [IMAGES[0]], rle=True)
    truth = coco(tmp_path / "coco.json")
    for kind in ("bbox", "segm"):
        with contextlib.redirect_stdout(io.StringIO()):
            judged = tools.COCOeval(truth, truth.loadRes(content["annotations"]), kind)
            judged.evaluate(), judged.accumulate(), judged.summarize()
        assert judged.stats[0] == pytest.approx(1)


def test_what_the_file_says(tmp_path):
    content = written(tmp_path / "coco.json")
    assert [image["file_name"] for image in content["images"]] == ["photos/a.jpg", "caf\ufffd 猫.jpg", "b.jpg"]
    assert [image["id"] for image in content["images"]] == [1, 2, 3]
    assert content["images"][0] == {"id": 1, "file_name": "photos/a.jpg", "width": 8, "height": 6}
    assert content["images"][1]["seewhy"] == {"why": "no value of the map is positive"}
    assert content["images"][2]["seewhy"] == {"layer": "layer3"}  # what is other than of the first
    assert content["info"]["seewhy"]["threshold"] == 0.15
    assert content["annotations"][0] == {
        "id": 1, "image_id": 1, "category_id": 1, "bbox": [3, 2, 2, 2], "area": 3, "iscrowd": 0, "score": 0.7,
        "segmentation": [[3, 2, 4, 2, 4, 3, 5, 3, 5, 4, 3, 4]],
        "seewhy": {"probability": 0.625, "box_score": 0.8, "evidence": 0.6},
    }  # fmt: skip
    assert [(kind["id"], kind["name"]) for kind in content["categories"]] == [(1, "tabby"), (2, "dog")]


def test_ids_of_a_models_labels(tmp_path):
    images = [labelled("a.jpg", (8, 6), labelled_object(category="dog", index=2))]
    content = written(tmp_path / "coco.json", images, labels=["cat", "tram", "dog"])
    assert content["categories"] == [{"id": 3, "name": "dog", "supercategory": ""}]
    assert content["annotations"][0]["category_id"] == 3


def test_read_again_as_boxes(tmp_path):
    written(tmp_path / "coco.json")
    found = read_boxes(tmp_path / "coco.json")
    assert [(box.edges, box.label) for box in found["photos/a.jpg"].boxes] == [((3, 2, 5, 4), "tabby"), ((2, 1, 5, 4), "dog")]
    assert found["b.jpg"].size == (40, 30)
    assert len(found) == 3


def test_what_was_done_is_left_where_an_image_is_refused(tmp_path):
    writer = CocoWriter(tmp_path / "coco.json")
    writer.add(IMAGES[0])
    with pytest.raises(NotApplicable, match="no photo"):
        writer.add(labelled("scan.nii", (9, 9, 9)))
    writer.add(IMAGES[2])
    writer.close()
    assert len(coco(tmp_path / "coco.json").getImgIds()) == 2


def test_no_image_no_file(tmp_path):
    CocoWriter(tmp_path / "coco.json").close()
    assert not (tmp_path / "coco.json").exists()


def test_images_without_objects_alone(tmp_path):
    content = written(tmp_path / "coco.json", [IMAGES[1], IMAGES[1]])
    assert (content["annotations"], content["categories"], len(content["images"])) == ([], [], 2)


def test_notes_of_one_photo_stand_at_it(tmp_path):
    images = [
        labelled("a.jpg", (8, 6), labelled_object(), notes=["cat was left out"]),
        labelled("b.jpg", (8, 6), labelled_object()),
    ]
    said = written(tmp_path / "labels.json", images)
    assert "notes" not in said["info"]["seewhy"]
    assert [image.get("seewhy") for image in said["images"]] == [{"notes": ["cat was left out"]}, None]
