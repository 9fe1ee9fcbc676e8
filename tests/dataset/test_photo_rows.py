"""Rows of a run, photo by photo."""

import numpy as np

from seewhy.dataset.photo_rows import photo_rows
from seewhy.dataset.placing import half, packed
from seewhy.dataset.store import rows_table
from seewhy.images.places import Extent
from seewhy.maps.source import Predicted

VALUES = np.array([[1, 2], [3, 4]], np.float32)
FACTS = {
    "path": "a.jpg", "sha256": "ab", "width": 8, "height": 6, "format": "PNG", "file_bytes": 99, "truth": [2],
    "truth_labels": ["cow"], "predicted": 1, "predicted_label": "ox", "predicted_probability": 0.75, "right": False,
    "top": [{"index": 1, "label": "ox", "probability": 0.75}, {"index": 2, "label": "cow", "probability": 0.25}],
    "true_rank": 2, "true_probability": 0.25, "photo": {"brightness": 0.5}, "embedding": half(np.array([1.0, 2.0])),
    "embedding_size": 2,
}  # fmt: skip


def row_of(target: str, scale: float, **other):
    content, largest = packed(VALUES * np.float32(scale))
    shown = {"map": content, "map_shape": [2, 2], "map_scale": largest, "map_coarse": False, "seen": half(np.array([scale, 0]))}
    return {"item": 4, **FACTS, "method": "grad-cam", "target": target, "evidence": {"border": 0.25}, **shown, **other}


def test_the_rows_of_a_photo_are_one_record_with_its_maps():
    failed = {"item": 5, "path": "b.jpg", "error": "BadImage: b.jpg is not there."}
    rows = rows_table([row_of("top", 1, warnings=["odd"]), row_of("true", 2, index=2, label="cow"), failed]).to_pylist()
    photo, broken = photo_rows(rows)
    assert (photo.item, photo.path, photo.size, photo.truth, photo.truth_labels) == (4, "a.jpg", (8, 6), (2,), ("cow",))
    assert photo.predicted == Predicted(1, "ox", 0.75)
    assert photo.top == (Predicted(1, "ox", 0.75), Predicted(2, "cow", 0.25))
    assert photo.embedding is not None
    assert photo.embedding.tolist() == [1, 2]
    assert photo.photo["brightness"] == 0.5
    top, true = photo.maps
    assert np.array_equal(top.values, VALUES)
    assert np.array_equal(true.values, 2 * VALUES)
    assert top.warnings == ("odd",)
    assert true.label == "cow"
    assert true.seen is not None
    assert true.seen.tolist() == [2, 0]
    assert top.evidence["border"] == 0.25
    assert top.evidence["on_object"] is None
    assert (broken.item, broken.error, broken.maps, broken.size) == (5, "BadImage: b.jpg is not there.", (), None)


def test_a_map_is_found_by_target_and_method():
    photo = next(photo_rows([*rows_table([row_of("top", 1), row_of("true", 2), row_of("top", 3, method="other")]).to_pylist()]))
    assert photo.map() is photo.maps[0]
    assert photo.map("true") is photo.maps[1]
    assert photo.map("top", "other") is photo.maps[2]
    assert photo.map("true", "other") is None


def test_of_a_photo_taken_for_what_it_shows_both_targets_are_one_map():
    photo = next(photo_rows(rows_table([row_of("top", 1, right=True)]).to_pylist()))
    assert photo.map("true") is photo.maps[0]


def test_a_map_says_where_it_lies_and_what_is_no_evidence():
    where = {"map_box": [0.0, 1.0, 8.0, 5.0], "map_cells": "{}"}
    mean_scores = {"source": '{"measured": {"mean_score": 0.5}}'}
    rows = rows_table([row_of("top", 1, **where), row_of("true", 1, **where, **mean_scores)]).to_pylist()
    (photo,) = photo_rows(rows)
    top, true = photo.maps
    assert top.box == Extent(0, 1, 8, 5)
    assert np.array_equal(top.positive, VALUES)
    assert np.array_equal(true.positive, VALUES - 1)  # of mean scores the least says nothing
