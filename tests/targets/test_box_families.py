"""Boxes of real families of detectors: the gradient is that of the score, and maps lie where the network looked."""

import numpy as np
import pytest
import torch

import seewhy
from seewhy import Box
from seewhy.errors import NotApplicable
from support import detectors as nets
from support.ask import close
from support.detectors import KINDS, aimed, gradients, picture

DETECTORS = ("fasterrcnn", "maskrcnn", "retinanet", "fcos", "ssd")
QUERIES = {"detr": "softmax", "yolos": "softmax", "deformable": "sigmoid"}


@pytest.mark.parametrize("family", DETECTORS)
def test_the_gradient_of_torchvisions_detectors_is_that_of_the_score(family):
    network, image = nets.torchvision_detector(family), picture()
    x = torch.tensor(image, requires_grad=True)
    (given,) = network([x[0]])
    places = [0, 1, len(given["scores"]) // 2, len(given["scores"]) - 1]
    places = [*dict.fromkeys(places)]
    own = [torch.autograd.grad(given["scores"][j], x, retain_graph=True)[0][0].numpy() for j in places]
    boxes = [given["boxes"][j].tolist() for j in places]
    asked = [Box(int(given["labels"][j]), int((given["labels"][:j] == given["labels"][j]).sum())) for j in places]
    scores, found = gradients(seewhy.wrap(network), image, *asked)
    np.testing.assert_allclose(scores, given["scores"][places].detach(), rtol=1e-10)
    assert all(abs(g).max() > 0 for g in own)
    np.testing.assert_allclose(found, own, rtol=1e-8, atol=1e-14)
    _, pinned = aimed(seewhy.wrap(network), image, *asked)
    for one, box in zip(pinned, boxes, strict=True):
        np.testing.assert_allclose([float(edge) for edge in one.target.split(":")[2].split(",")], box, atol=0.006)


@pytest.mark.parametrize("family", QUERIES)
def test_the_gradient_of_queries_is_that_of_the_probability(family):
    network, image = nets.queries(family), picture()
    x = torch.tensor(image, requires_grad=True)
    given = network(x)
    chances = (given.logits.softmax(-1)[..., :3] if QUERIES[family] == "softmax" else given.logits.sigmoid())[0]
    top = chances.amax(1).argsort(descending=True)[[0, 2]]
    label = chances[top].argmax(1)
    values = chances[top, label]
    own = [torch.autograd.grad(value, x, retain_graph=True)[0][0].numpy() for value in values]
    scores, found = gradients(seewhy.wrap(network, labels=KINDS), image, Box(None, 0), Box(None, 2))
    np.testing.assert_allclose(scores, values.detach(), rtol=1e-10)
    np.testing.assert_allclose(found, own, rtol=1e-7, atol=1e-13)
    first = seewhy.detections(seewhy.wrap(network, labels=KINDS), image)[0][0]
    cx, cy, w, h = given.pred_boxes[0, top[0]].detach().numpy() * [64, 48, 64, 48]
    np.testing.assert_allclose(first.box, [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], rtol=1e-9)
    assert (first.label, first.index) == (KINDS[int(label[0])], 0)


def test_maps_lie_right_though_the_detector_resizes_and_pads():
    """48 x 64 pixels become 64 x 85 and are padded to 64 x 96: cell j of the first layer, behind a 3x3 convolution of stride 2,
    is centred at pixel 2 j of that, which is (2 j + 0.5) * 48 / 64 - 0.5 of the image downwards and * 64 / 85 across.
    """
    model, x = seewhy.wrap(nets.torchvision_detector("fasterrcnn")), picture()
    (found,) = seewhy.grad_cam(model, x, target=Box(), layer="backbone.1")
    assert found.values.shape == (32, 48)
    np.testing.assert_allclose(found.cells.stride, (2 * 48 / 64, 2 * 64 / 85), rtol=1e-9)
    place = model.cells("backbone.1", x)[1]
    np.testing.assert_allclose(place.first, (0.5 * 48 / 64 - 0.5, 0.5 * 64 / 85 - 0.5), atol=1e-9)
    np.testing.assert_allclose(found.cells.first, place.first, atol=0.5)  # where its weights lie in its window


def test_the_cells_that_answer_to_a_bright_spot_are_drawn_over_it():
    network, x = nets.torchvision_detector("retinanet"), np.zeros((1, 3, 48, 64))
    model = seewhy.wrap(network)
    (found,) = seewhy.grad_cam(model, picture(), target=Box(), layer="backbone.0")
    spot = x.copy()
    spot[..., 20:23, 50:53] = 5
    view = [model.activations(one, ["backbone.0"])[0]["backbone.0"].numpy() for one in (x, spot)]
    rows, columns = np.nonzero(abs(view[1] - view[0])[0].sum(0) > 1e-6)
    middle = np.array([rows.mean(), columns.mean()]) * found.cells.stride + found.cells.first
    np.testing.assert_allclose(middle, (21, 51), atol=1.0)


@pytest.mark.parametrize("count", [1, 5])
def test_layers_of_proposals_are_no_maps_not_even_of_a_single_one(count):
    network = nets.torchvision_detector("maskrcnn")
    network.rpn._post_nms_top_n["testing"] = count
    network.roi_heads.detections_per_img = 1
    model, x = seewhy.wrap(network), picture()
    for layer in ("roi_heads.box_roi_pool", "roi_heads.box_head.fc6", "roi_heads.mask_head.0.0"):
        with pytest.raises(NotApplicable, match="rows are proposals, not images"):
            seewhy.grad_cam(model, x, target=Box(), layer=layer)
    assert not any(layer.default for name, layer in model.layers(x).items() if name.startswith("roi_heads"))


@pytest.mark.parametrize(
    ("family", "layer"),
    [
        ("fasterrcnn", "backbone.3"), ("retinanet", "backbone.3"), ("fcos", "backbone.5"), ("ssd", "backbone.3"),
        ("detr", "model.backbone"), ("deformable", "model.backbone.model.encoder.stages.3"),
        ("yolos", "vit.encoder.layer.1.layernorm_before"),
    ],
)  # fmt: skip
def test_the_default_is_the_backbones_last_wide_map_or_the_last_tokens_of_the_image(family, layer):
    network = nets.queries(family) if family in QUERIES else nets.torchvision_detector(family)
    model = seewhy.wrap(network, labels=KINDS if family in QUERIES else None)
    (found,) = seewhy.grad_cam(model, picture(), target=Box(None, 1), signed=True)
    assert found.source.layer == layer
    assert found.values.any()
    if family == "yolos":  # the class token, and six that ask for boxes
        assert model.layers(picture())[layer].tokens == 7


def test_the_target_that_is_written_down_finds_the_box_again():
    model = seewhy.wrap(nets.torchvision_detector("fcos"), labels=["a", "b: 1", "c", "d"])
    for first in seewhy.gradient(model, picture(), target=[Box(None, k) for k in range(6)]):
        (again,) = seewhy.gradient(model, picture(), target=first.source.target)
        assert again.source.target == first.source.target
        close(again.values, first.values, rel=1e-5)
