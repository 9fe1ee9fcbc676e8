"""The rows of a photo."""

from types import SimpleNamespace

import numpy as np
import pytest

import seewhy
from seewhy.dataset.rows import BestTrue, failed_row, photo_rows_of
from seewhy.inside.embeddings.looking import PhotoAnswer
from seewhy.photo_sets.ahead import ReadPhoto
from seewhy.photo_sets.items import Item
from seewhy.truth.given import GroundTruth

LABELS = ["red", "not red", "neither"]
SCORES = np.array([0.5, 2.0, 1.0])
CHANCES = np.exp(SCORES) / np.exp(SCORES).sum()


def rows_of(truth, maps=(), targets=("top", "true"), scores=SCORES, chances=CHANCES, a=None, marks=None):
    photo = ReadPhoto(Item(3, "a.png", truth), {"width": 8, "height": 6})
    return photo_rows_of(photo, PhotoAnswer(scores, chances, a), maps, targets, LABELS, marks or GroundTruth())


@pytest.fixture
def maps(made_heatmap):
    def make(*indices, method="grad-cam", target=None):
        return [
            made_heatmap([[1, 2], [3, i]], index=index, method=method, target=target or f"top {i + 1}")
            for i, index in enumerate(indices)
        ]

    return make


def test_what_the_network_said_is_in_every_row(maps):
    top, true = rows_of((2, 0), maps(1, 2))
    for row in (top, true):
        assert (row["item"], row["path"], row["width"], row["truth"]) == (3, "a.png", 8, [2, 0])
        assert row["truth_labels"] == ["neither", "red"]
        assert (row["predicted"], row["predicted_label"], row["right"], row["true_rank"]) == (1, "not red", False, 2)
        assert row["predicted_probability"] == pytest.approx(np.e**2 / (np.e**0.5 + np.e**2 + np.e))
        assert row["true_probability"] == pytest.approx(np.e / (np.e**0.5 + np.e**2 + np.e))
        assert [each["index"] for each in row["top"]] == [1, 2, 0]
    assert [(row["target"], row["index"]) for row in (top, true)] == [("top", 1), ("true", 2)]


def test_where_both_targets_are_one_class_there_is_one_row(maps):
    (row,) = rows_of((1,), maps(1, 1))
    assert (row["target"], row["right"], row["true_rank"]) == ("top", True, 1)


def test_of_a_method_on_which_no_class_has_influence_there_is_one_row(maps):
    (row,) = rows_of((2,), maps(None, None))
    assert (row["target"], row["index"], row["right"]) == ("top", None, False)


def test_where_no_truth_is_known_there_is_the_row_of_the_answer_alone(maps):
    (row,) = rows_of((), maps(1, 1))
    assert (row["target"], row["right"], row["truth"]) == ("top", None, [])
    assert "true_rank" not in row


def test_the_true_class_alone_is_a_row_without_a_map_where_it_is_not_known(maps):
    (row,) = rows_of((), maps(1), targets=("true",))
    assert (row["predicted"], "map" in row, "error" in row) == (1, False, False)
    (row,) = rows_of((2,), maps(2), targets=("true",))
    assert row["target"] == "true"
    (row,) = rows_of((1,), maps(1), targets=("true",))
    assert row["target"] == "top"


def test_rows_stand_in_the_order_method_target(maps):
    mixed = [*maps(1), *maps(1, method="rise"), *maps(2), *maps(2, method="rise")]
    found = [(row["method"], row["target"]) for row in rows_of((2,), mixed)]
    assert found == [("grad-cam", "top"), ("grad-cam", "true"), ("rise", "top"), ("rise", "true")]


def test_a_network_without_classes_has_no_answer(maps):
    (row,) = rows_of((), maps(None), scores=None, chances=None)
    assert (row["predicted"], row["right"]) == (None, None)


def test_the_amounts_of_a_regression_are_no_answer_that_is_right_or_wrong(maps):
    rows = rows_of((2,), maps(1, 2), chances=None)
    assert [(row["target"], row["predicted"], row["right"], "true_rank" in row) for row in rows] == [
        ("top", None, None, False),
        ("true", None, None, False),
    ]


def test_scores_that_are_no_numbers_are_no_answer(maps):
    """Else each such photo of class 0 would count as answered right."""
    rows = rows_of((0,), maps(2, 0), scores=np.array([np.nan, 1, 2]), chances=np.full(3, np.nan))
    assert [(row["target"], row["index"], row["predicted"], row["right"]) for row in rows] == [
        ("top", 2, None, None),
        ("true", 0, None, None),
    ]


def test_what_it_saw_is_weighted_by_the_map(maps):
    a = np.arange(8.0).reshape(2, 2, 2)
    row, _ = rows_of((2,), maps(1, 2), a=a)
    weights = np.array([[1, 2], [3, 0]]) / 6
    assert np.frombuffer(row["embedding"], "<f2").tolist() == [1.5, 5.5]
    assert np.frombuffer(row["seen"], "<f2") == pytest.approx((a * weights).sum((1, 2)), rel=1e-3)
    assert row["embedding_size"] == 2


def test_of_boxes_those_of_the_true_class_count(maps):
    box = SimpleNamespace
    known = box(
        boxes=[box(edges=(0, 0, 20, 15), label="x"), box(edges=(20, 15, 40, 30), label="y")], on=lambda size: known.boxes
    )
    marks = GroundTruth(boxes={"a.png": known}, box_classes={"x": 2, "y": 1}, labels=LABELS)  # type: ignore[arg-type]
    rows = rows_of((2,), maps(1, 2), marks=marks)
    expected = [heatmap.evidence_in([(0, 0, 20, 15)]).share for heatmap in maps(1, 2)]
    assert [row["evidence"]["on_object"] for row in rows] == expected
    assert {row["evidence"]["object_area"] for row in rows} == {0.25}


def test_a_box_that_does_not_fit_the_photo_is_left_out_and_said(maps):
    box = SimpleNamespace
    known = box(boxes=[box(edges=(0, 0, 900, 15), label="x")], on=lambda size: known.boxes)
    (row,) = rows_of((1,), maps(1), marks=GroundTruth(boxes={"a.png": known}))  # type: ignore[arg-type]
    assert row["evidence"]["on_object"] is None
    assert row["evidence"]["border"] is not None
    assert row["warnings"][-1].startswith("its box or mask is left out: The box (0, 0, 900, 15) reaches beyond the photo")


def test_the_best_of_several_true_classes_is_the_target():
    scores = np.array([[1.0, 3.0, 2.0], [2.0, 1.0, 0.0]])
    assert BestTrue((0, 2))(scores).tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(seewhy.NoSuchName, match="0 to 2"):
        BestTrue((7,))(scores)
    with pytest.raises(seewhy.NoSuchName, match="0 to 2"):
        rows_of((7,), targets=("top",))


def test_a_map_of_several_true_classes_says_which_one_was_explained(maps):
    rows = rows_of((0, 2), maps(1, 2, target="true"))
    assert [row["source"].count('"target": "2"') for row in rows] == [0, 1]


def test_a_failure_is_a_row_with_what_is_known_and_the_reason():
    photo = ReadPhoto(Item(3, "caf\udce9.png", (1,)), {"sha256": "ab"})
    row = failed_row(photo, LABELS, seewhy.BadImage("caf\udce9.png is\nnot there."))
    assert row["path"] == "caf\ufffd.png"
    assert (row["item"], row["sha256"], row["truth_labels"]) == (3, "ab", ["not red"])
    assert row["error"] == "BadImage: caf\\udce9.png is not there."
    assert failed_row(photo, LABELS, MemoryError())["error"] == "MemoryError"
