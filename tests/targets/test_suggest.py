"""What suits a network that gives boxes or a map, in words, and the numbers that rest on all of its output."""

import numpy as np
import pytest
import torch

from seewhy.images.places import Extent
from seewhy.targets.aim import ImageView
from seewhy.targets.suggest import overall, suggestion

VIEW = ImageView((12, 16), None, Extent(0, 0, 16, 12), ["sky", "road", "tree"])
EDGES, SCORES = np.array([[0.0, 0, 4, 4], [1, 1, 9, 9], [2, 2, 8, 8], [0, 5, 3, 9]]), np.array([0.4, 0.9, 0.8, 0.1])
BOXES = [{"boxes": EDGES, "scores": SCORES, "labels": np.array([0, 2, 2, 1])}]


def segmented(counts: dict[int, int]) -> np.ndarray:
    """A map (1, 3, 3, 4) in which each class wins in so many cells."""
    winners = np.concatenate([np.full(count, k) for k, count in counts.items()])
    return np.eye(3)[winners].T.reshape(1, 3, 3, 4)


def test_boxes_are_named_by_the_best_of_each_label():
    text = suggestion(BOXES, VIEW)
    assert text == (
        'gives boxes. Explain one of them, a Box: target="box:tree:0" (score 0.90) or target="box:sky:0" (score 0.40) or '
        'target="box:road:0" (score 0.10); seewhy.detections(model, image) lists them all'
    )
    none = {"boxes": np.zeros((0, 4)), "scores": np.zeros(0), "labels": np.zeros(0)}
    assert "a Box: it finds none here;" in suggestion([none], VIEW)


def test_what_boxes_lack_is_said_instead():
    text = suggestion({"pred_boxes": np.zeros((1, 2, 4)), "logits": np.zeros((1, 2, 9))}, VIEW)
    assert text.startswith("gives boxes. The detector gives 9 logits for a box and there are 3 labels")
    assert text.endswith("wrap(labels=...)")


def test_a_map_is_named_by_the_classes_that_cover_most_of_it():
    text = suggestion(segmented({1: 6, 0: 4, 2: 2}), VIEW)
    assert text.startswith("gives a map (3x4) of each of 3 classes. ")
    assert 'here target="region:road" or target="region:sky" or target="region:tree";' in text
    assert 'here target="region:2" or target="region:0";' in suggestion(segmented({2: 7, 0: 5}), VIEW._replace(labels=None))
    assert suggestion(np.zeros((1, 3, 4)), VIEW).startswith("gives a map (3x4). Explain a place in it: Point(y, x)")


@pytest.mark.parametrize(
    "output",
    [
        np.zeros((1, 3)),
        np.zeros((1, 3, 1, 1)),  # a point is no map
        np.zeros((1, 3, 12, 4)),  # not of the image's proportions
        {"logits": np.zeros((1, 3))},
        "text",
    ],
    ids=lambda output: str(getattr(output, "shape", output)),
)
def test_other_outputs_are_neither_boxes_nor_a_map(output):
    assert suggestion(output, VIEW) is None


def test_the_proportions_hold_to_the_rounding_of_a_cell():
    view = VIEW._replace(space=(65, 97))
    assert suggestion(np.zeros((1, 3, 9, 13)), view) is not None  # strides of 8, rounded up
    assert suggestion(np.zeros((1, 3, 9, 16)), view) is None


def test_numbers_that_rest_on_all_of_the_output():
    assert overall(BOXES * 2, VIEW).tolist() == [[pytest.approx(2.2)], [pytest.approx(2.2)]]
    scores = np.random.default_rng(0).normal(size=(2, 3, 6, 8))
    np.testing.assert_allclose(overall(scores, VIEW), scores.mean((2, 3)), rtol=1e-12)
    yolo = np.random.default_rng(0).uniform(size=(2, 7, 50))  # of 3 labels: four edges and three classes
    np.testing.assert_allclose(overall((yolo, None), VIEW), yolo.mean((1, 2))[:, None], rtol=1e-12)


def test_every_part_of_the_output_has_a_gradient():
    scores = torch.rand(1, 3, 6, 8, requires_grad=True)
    [g] = torch.autograd.grad(overall({"out": scores}, VIEW).sum(), scores)
    np.testing.assert_allclose(g, np.full((1, 3, 6, 8), 1 / 48), rtol=1e-6)
