"""The demo's panel on segmenting: the pictures show the labels that are said, the table is the one that was measured."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")

import seewhy
from seewhy.demo import KINDS, SEGMENTER, scene
from seewhy.demo.train import HELD_OUT
from seewhy.localize.sec.scenes import LEARNED, REPORTED, TUNED, with_truth
from seewhy.pictures.label_map import class_colours
from seewhy.report import demo
from seewhy.report.segmenting import SEED, scored_ways, segmented_scenes


def test_each_way_is_better_than_the_one_before():
    """The trained network even without being told what is in a scene, which the others are."""
    scored = scored_ways()
    ious = {row["name"]: row["iou"] for row in scored.rows}
    ways = ["raw maps", "seeds", "refined seeds", "trained network"]
    rising = [ious[way] for way in ways]
    assert rising == sorted(set(rising))
    assert all(row["low"] < row["iou"] < row["high"] for row in scored.rows)


def test_the_shipped_network_is_small_and_says_how_it_was_made():
    assert (SEGMENTER / "weights.safetensors").stat().st_size < 320_000
    made = json.loads((SEGMENTER / "segmenter.json").read_text("utf-8"))
    assert made["classifier"] == {"spec": "demo/honest"}
    assert made["labels"] == ["background", *KINDS]
    model = seewhy.load("demo/segmenter")
    assert model.labels == made["labels"]
    assert model.origin.recipe == {"spec": "demo/segmenter"}


def test_the_scenes_that_are_shown_are_of_no_other_use():
    others = {LEARNED, REPORTED, *TUNED, 1, 1 + HELD_OUT, *range(demo.SEED, demo.SEED + 4)}
    assert SEED not in others


def test_the_pictures_show_the_labels():
    (shown,) = segmented_scenes(1, 2)
    drawn = with_truth(scene(0, SEED, pair=True))
    assert [*shown.pictures] == ["scene", "raw maps", "seeds", "refined seeds", "trained network", "truth"]
    assert shown.names == drawn.names
    plain, truth = (np.asarray(shown.pictures[way]).astype(float) for way in ("scene", "truth"))
    changed = (abs(truth - plain).max(2) > 1)[::2, ::2]
    assert ((drawn.mask > 0) >= changed).all()
    number = KINDS.index(drawn.names[0]) + 1
    inside = np.kron(drawn.mask == number, np.ones((2, 2))) > 0
    expected = plain[inside] + 0.6 * (class_colours([number])[0] - plain[inside])
    assert abs(truth[inside] - expected).max() <= 1
