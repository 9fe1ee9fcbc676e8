"""Boxes beside the true ones: what is said of each photo, and the scores with their intervals and controls."""

import numpy as np
import pytest
from PIL import Image

from seewhy.cli.finding_options import BoxRule
from seewhy.cli.localization_scores import LocalizationScores
from seewhy.cli.question import PhotoMaps
from seewhy.cli.truth import KnownPhoto, TruthAsked
from seewhy.maps.source import Predicted
from seewhy.truth.accuracy import Judgement
from seewhy.truth.boxes import MarkedBox, PhotoBoxes
from seewhy.truth.given import GivenTruth, GroundTruth

SPOT = [[0, 0, 0, 0], [0, 0, 0, 1]]
RULE = BoxRule(0.15, "max", None, "largest", 8, None, None, 0.5)


@pytest.fixture
def scores(tmp_path):
    """Scores of photos with these boxes; labelled: is it known what they show?"""

    def make(boxes, labelled=True, masks=None):
        given = GivenTruth(boxes=boxes or None, masks=masks, folders=labelled)
        truth = TruthAsked(given, ["truth"], usual=False)
        truth.known = GroundTruth(dict.fromkeys(boxes, (281,)) if labelled else {}, boxes, masks or {}, {"tabby": 281})
        return LocalizationScores(truth, RULE)

    return make


@pytest.fixture
def found(made_heatmap):
    def make(answer=281, rank=None, **facts):
        maps = [made_heatmap(SPOT, **{"index": 282, "label": "tiger cat", **facts}), made_heatmap(SPOT, **facts)]
        judgement = Judgement((281,), answer, rank)
        return PhotoMaps("cat.jpg", None, maps, None, KnownPhoto((281,), judgement))

    return make


def marked(*boxes, label="tabby", size=(40, 30)):
    return PhotoBoxes(tuple(MarkedBox(box, label) for box in boxes), size)


def iou(one, other):
    """By counting pixels."""
    area = np.zeros((2, 30, 40), bool)
    for place, (x0, y0, x1, y1) in enumerate((one, other)):
        area[place, int(y0) : int(y1), int(x0) : int(x1)] = True
    return (area[0] & area[1]).sum() / (area[0] | area[1]).sum()


def test_the_box_of_the_known_class_is_held_against_the_true_one(scores, found):
    maps, true = found(), (20.0, 10.0, 40.0, 30.0)
    told = scores({"cat.jpg": marked(true)}).add("cat.jpg", maps)
    (box,) = maps.maps[1].boxes()
    assert told.said == (f"IoU {iou(box.edges, true):.2f} with the box of tabby",)
    assert told.boxes.boxes == [true]
    assert told.mask is None


def test_top_1_counts_right_answers_alone_and_every_score_has_its_controls(scores, found):
    (box,) = found().maps[1].boxes()
    files = {f"{place}.jpg": marked(tuple(map(float, box.edges))) for place in range(4)}
    scoring = scores(files)
    for place, file in enumerate(files):
        scoring.add(file, found() if place < 3 else found(answer=7, rank=4))
    lines = [*scoring.lines()]
    said = {line.partition(":")[0]: line for line in lines}
    assert said["GT-known"].startswith("GT-known: 100.0 %")
    assert said["top-1 localization"].startswith("top-1 localization: 75.0 %")
    assert said["top-5 localization"].startswith("top-5 localization: 100.0 %")
    assert "threshold=0.15" in said["GT-known"]
    assert all("random" in line and "centre" in line and "4 photos" in line for line in lines)
    assert any("these very photos" in line for line in lines)  # too few to choose a threshold on others


def test_without_known_classes_it_is_not_called_gt_known(scores, found):
    scoring = scores({"cat.jpg": marked((0.0, 0.0, 20.0, 20.0))}, labelled=False)
    maps = found()._replace(known=KnownPhoto())
    assert len(scoring.add("cat.jpg", maps).said) == 1
    first, *rest = scoring.lines()
    assert first.startswith("IoU 0.5 of the answer's box: ")
    assert not any(line.startswith("top-") for line in rest)


def test_the_map_of_the_class_that_the_true_boxes_are_of_is_scored(scores, made_heatmap):
    true = (20.0, 10.0, 40.0, 30.0)
    scoring = scores({"cat.jpg": marked(true)}, labelled=False)
    other = made_heatmap([[1, 0, 0, 0], [0, 0, 0, 0]], index=282, label="tiger cat")
    maps = [other, made_heatmap(SPOT)]
    told = scoring.add("cat.jpg", PhotoMaps("cat.jpg", Predicted(282, "tiger cat", 0.9), maps, None, KnownPhoto()))
    (box,) = maps[1].boxes()
    assert told.said == (f"IoU {iou(box.edges, true):.2f} with the box of tabby",)
    assert next(scoring.lines()).startswith("IoU 0.5 of the box of a class asked for: ")


def test_a_mask_that_marks_nothing_is_said(scores, found, tmp_path):
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(tmp_path / "cat.png")
    scoring = scores({}, masks={"cat.jpg": tmp_path / "cat.png"})
    assert scoring.add("cat.jpg", found()).said == ("its mask marks nothing",)


def test_boxes_that_do_not_fit_are_said_and_the_photo_is_not_scored(scores, found):
    scoring = scores({"cat.jpg": marked((0.0, 0.0, 20.0, 20.0), size=(80, 60)), "b.jpg": marked()})
    scoring.truth.told = 2
    (said,) = scoring.add("cat.jpg", found()).said
    assert said.startswith("! the true boxes: the boxes were drawn on 80 x 60 pixels, and the photo has 40 x 30")
    assert scoring.add("b.jpg", found()).said == ()
    assert [*scoring.lines()] == ["not scored, as no true object is known or fits: 2 of 2 photos"]


def test_masks_are_scored_pixel_by_pixel(scores, found, tmp_path):
    mask = np.zeros((30, 40), np.uint8)
    (box,) = found().maps[1].boxes()
    mask[box.slices] = 255
    Image.fromarray(mask).save(tmp_path / "cat.png")
    scoring = scores({}, masks={"cat.jpg": tmp_path / "cat.png"})
    told = scoring.add("cat.jpg", found())
    assert told.boxes is None
    np.testing.assert_array_equal(told.mask.mask.inside, mask > 0)
    names = [line.partition(":")[0] for line in scoring.lines()]
    assert names == ["PxAP", "pixel IoU"]


def test_where_no_object_is_known_nothing_is_said(scores, found):
    scoring = LocalizationScores(TruthAsked(GivenTruth(), [], usual=True), RULE)
    assert scoring.add("cat.jpg", found()) == ((), None, None)
    assert [*scoring.lines()] == []
