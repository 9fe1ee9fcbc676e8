"""detections(): what a detector gives for each image, each of it a target that can be explained."""

import numpy as np
import pytest

import seewhy
from seewhy import detections
from seewhy.errors import BadParameter, NotApplicable
from support import networks
from support.detectors import KINDS, Blobs, scene

MODEL = seewhy.wrap(Blobs(), labels=KINDS)


def test_the_list_of_each_image_falls_in_score():
    both = np.concatenate([scene(), scene()[..., ::-1]])
    first, mirrored = detections(MODEL, both)
    facts = [(each.label, each.index, round(each.score, 6)) for each in first]
    assert facts == [("red", 0, 0.9), ("green", 0, 0.8), ("red", 1, 0.6)]
    assert [tuple(each.box) for each in first] == [(4, 4, 8, 8), (20, 0, 24, 4), (16, 8, 20, 12)]
    assert [tuple(each.box) for each in mirrored] == [(16, 4, 20, 8), (0, 0, 4, 4), (4, 8, 8, 12)]


def test_images_together_and_alone_have_the_same():
    both = np.concatenate([scene(), scene()[..., ::-1]])
    assert detections(MODEL, both) == [detections(MODEL, both[i : i + 1])[0] for i in range(2)]


def test_an_image_without_any_has_an_empty_list():
    assert detections(MODEL, np.zeros((1, 3, 16, 24))) == [[]]


def test_each_is_a_target_whose_map_lies_in_its_box():
    for each in detections(MODEL, scene())[0]:
        (m,) = seewhy.gradient(MODEL, scene(), target=seewhy.Box(each.label, each.index))
        rows, columns = m.values.nonzero()
        left, top, right, bottom = each.box
        assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (top, bottom, left, right)
        assert m.source.score == pytest.approx(each.score)


def test_a_classifier_detects_nothing():
    with pytest.raises(NotApplicable):
        detections(seewhy.wrap(networks.pooled()), networks.images(1))


def test_what_is_no_model_is_told_how_to_make_one():
    with pytest.raises(BadParameter, match=r"^Blobs is no model\. Make one: seewhy\.wrap"):
        detections(Blobs(), scene())  # type: ignore[arg-type]
