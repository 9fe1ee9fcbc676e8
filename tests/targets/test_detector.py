"""What detectors of every family give, in one form; and the list of what is found."""

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms, box_iou

import seewhy
from seewhy.errors import BadNetwork, NotApplicable
from seewhy.images.places import Extent
from seewhy.targets.aim import ImageView
from seewhy.targets.detector import Detections, detections_of, overlap, ranking
from support import detectors as nets
from support.detectors import KINDS, Blobs, picture, scene


@pytest.fixture
def rng():
    """Drawn anew for each test, so that none depends on those that ran before."""
    return np.random.default_rng(0)


def view(labels=KINDS, h=48, w=64, model=None):
    return ImageView((h, w), None, Extent(0, 0, w, h), labels, model)


def corners(rng, count):
    start = rng.uniform(0, 30, (count, 2))
    return np.concatenate([start, start + rng.uniform(4, 30, (count, 2))], 1)


def test_iou_is_torchvisions(rng):
    a, b = corners(rng, 40), corners(rng, 1)[0]
    np.testing.assert_allclose(overlap(a, b), box_iou(torch.tensor(a), torch.tensor(b)[None])[:, 0], rtol=1e-12)


def test_of_raw_boxes_torchvisions_nms_keeps_the_same(rng):
    found = Detections(corners(rng, 120), rng.integers(0, 3, 120), rng.random(120), raw=True)
    kept = batched_nms(torch.tensor(found.boxes), torch.tensor(found.chances), torch.tensor(found.labels), 0.5)
    assert 3 < len(kept) < 100
    assert ranking(found) == kept.tolist()
    assert ranking(found._replace(raw=False)) == np.argsort(-found.chances).tolist()


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_logits_are_softmaxed_where_there_is_one_more_than_labels_and_sigmoids_otherwise(kind, rng):
    as_kind = torch.tensor if kind == "torch" else np.asarray
    boxes = rng.random((2, 5, 4))
    logits = rng.normal(size=(2, 5, 4))
    given = {"pred_logits": as_kind(logits), "pred_boxes": as_kind(boxes)}
    soft, sigmoids = detections_of(given, view())[1], detections_of(given, view([*KINDS, "black"]))[1]
    e = np.exp(logits[1])
    np.testing.assert_allclose(soft.chances, (e / e.sum(1, keepdims=True))[:, :3], rtol=1e-12)
    np.testing.assert_allclose(sigmoids.chances, 1 / (1 + np.exp(-logits[1])), rtol=1e-12)
    cx, cy, w, h = boxes[1].T * np.array([64, 48, 64, 48])[:, None]
    np.testing.assert_allclose(soft.boxes, np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1), rtol=1e-12)
    assert (soft.labels == logits[1, :, :3].argmax(1)).all()


@pytest.mark.parametrize("labels", [None, KINDS[:2]])
def test_logits_for_which_the_labels_do_not_tell_are_refused(labels):
    given = {"logits": np.zeros((1, 5, 4)), "pred_boxes": np.zeros((1, 5, 4))}
    with pytest.raises(NotApplicable, match=r"4 logits for a box and .*wrap\(labels="):
        detections_of(given, view(labels))


@pytest.mark.parametrize(
    ("shape", "labels", "family"),
    [
        ((1, 7, 60), KINDS, 8), ((1, 60, 8), KINDS, 5), ((1, 7, 8), KINDS, None), ((1, 9, 60), KINDS, None),
        ((1, 84, 8400), None, 8), ((1, 25200, 85), None, 5), ((1, 84, 84), None, None), ((1, 300, 6), None, None),
        ((1, 84, 200), None, None), ((1, 60, 7), KINDS, None), ((1, 60, 6), KINDS[:1], 5),
    ],
)  # fmt: skip
def test_which_yolo_it_is(shape, labels, family, rng):
    given = rng.random(shape)
    if family is None:
        with pytest.raises(NotApplicable, match="does not tell itself"):
            detections_of(given, view(labels))
        return
    rows = given[0].T if family == 8 else given[0]
    (found,) = detections_of((given, "and what else it gives"), view(labels))
    cx, cy, w, h = rows[:, :4].T
    np.testing.assert_allclose(found.boxes, np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1))
    np.testing.assert_allclose(found.chances, rows[:, 4:] if family == 8 else rows[:, 4:5] * rows[:, 5:])
    assert found.raw


def test_scores_of_a_yolo_that_are_no_probabilities_are_refused(rng):
    with pytest.raises(NotApplicable, match="lie from 0 to 1, and these from"):
        detections_of(rng.normal(size=(1, 7, 60)), view())


@pytest.mark.parametrize("given", [np.zeros((2, 5)), {"a": 1}, [1, 2], "boxes", np.zeros((1, 3, 8, 8))])
def test_what_is_no_form_of_boxes_is_refused_with_those_that_are(given):
    with pytest.raises(NotApplicable, match=r"a list of dicts .* wrap\(output="):
        detections_of(given, view())


def test_lists_that_do_not_fit_together_are_refused(rng):
    with pytest.raises(NotApplicable, match="3 boxes with 2 scores and 3 labels"):
        detections_of([{"boxes": corners(rng, 3), "scores": np.ones(2), "labels": np.ones(3)}], view())
    with pytest.raises(NotApplicable, match="there must be scores"):
        detections_of([{"boxes": corners(rng, 3), "labels": np.ones(3)}], view())


def test_an_output_is_made_boxes_by_a_function():
    class Corner(torch.nn.Module):
        def forward(self, x):
            return x.mean((1, 2, 3))

    def made(y):
        boxes = torch.tensor([[[0.0, 0, 8, 8]]]).expand(len(y), 1, 4)
        return {"boxes": boxes, "scores": y[:, None], "labels": torch.ones(len(y), 1)}

    model = seewhy.wrap(Corner(), labels=["no", "yes"], output=made)
    assert [str(one) for one in seewhy.detections(model, np.full((1, 3, 8, 8), 0.5))[0]] == ["yes 0 (0.50) at 0, 0, 8, 8"]
    (found,) = seewhy.gradient(model, np.full((1, 3, 8, 8), 0.5), target="box:yes")
    np.testing.assert_allclose(found.values, 1 / 192, rtol=1e-6)


def test_detections_are_sorted_counted_by_label_and_of_each_image():
    x = np.concatenate([scene(), np.zeros((1, 3, 16, 24)), scene()[..., ::-1]])
    found = seewhy.detections(seewhy.wrap(Blobs(), labels=KINDS), x)
    rows = [("red", 0, 0.9, (4, 4, 8, 8)), ("green", 0, 0.8, (20, 0, 24, 4)), ("red", 1, 0.6, (16, 8, 20, 12))]
    assert [(one.label, one.index, round(one.score, 6), one.box) for one in found[0]] == rows
    assert found[1] == []
    assert [one.box for one in found[2]] == [(16, 4, 20, 8), (0, 0, 4, 4), (4, 8, 8, 12)]


def test_a_network_without_boxes_has_no_detections():
    model = seewhy.wrap(torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()))
    with pytest.raises(NotApplicable, match="lies in the output of a detector"):
        seewhy.detections(model, picture())


@pytest.mark.parametrize("family", ["list", "yolo8", "detr", "fasterrcnn"])
def test_asked_for_a_class_a_detector_answers_what_can_be_asked(family):
    made = {"detr": nets.queries, "fasterrcnn": nets.torchvision_detector}.get(family, Blobs)
    network = made(family)
    x = scene() if isinstance(network, Blobs) else picture()
    model = seewhy.wrap(network, labels=None if family == "fasterrcnn" else KINDS)
    first = seewhy.detections(model, x)[0][0]
    with pytest.raises(BadNetwork, match=rf'gives boxes. .*target="{first.target}" \(score {first.score:.2f}\)'):
        seewhy.gradient(model, x)
    assert sum(layer.default for layer in model.layers(x).values()) == 1 or isinstance(network, Blobs)


@pytest.mark.parametrize("form", [lambda boxes, scores: {"boxes": boxes[None], "scores": scores[None]},
                                  lambda boxes, scores: [{"boxes": boxes, "scores": scores}]])  # fmt: skip
def test_boxes_that_are_shares_of_the_image_become_pixels(form, rng):
    pixels = corners(rng, 6)
    scores = rng.random((6, 3))
    (found,) = detections_of(form(pixels / np.array([64, 48, 64, 48]), scores), view())
    np.testing.assert_allclose(found.boxes, pixels)
    (same,) = detections_of(form(pixels, scores), view())
    np.testing.assert_allclose(same.boxes, pixels)


def test_of_boxes_by_the_thousand_the_best_is_still_to_be_chosen(rng):
    scores = rng.random((1200, 3))
    (many,) = detections_of({"boxes": corners(rng, 1200)[None], "scores": scores[None]}, view())
    (few,) = detections_of({"boxes": corners(rng, 12)[None], "scores": scores[None, :12]}, view())
    assert (many.raw, few.raw) == (True, False)
