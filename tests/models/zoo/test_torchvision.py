"""Networks of torchvision by name: labels, preprocessing, and what detectors and segmenters can be asked."""

import socket

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

import seewhy
from seewhy import load
from seewhy.errors import BadNetwork, NoSuchName

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8))


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    def refused(*_, **__):
        raise OSError("there is no network here")

    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refused)


@pytest.mark.parametrize("name", ["ssdlite320_mobilenet_v3_large", "lraspp_mobilenet_v3_large"])
def test_photos_are_prepared_and_classes_named_as_the_weights_have_it(name):
    model = seewhy.load(f"torchvision/{name}", weights="random")
    tag = models.get_model_weights(name).DEFAULT
    ours, theirs = model.prepare(PHOTO), tag.transforms()(PHOTO).numpy()
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1.01 / 255 / 0.22)  # a level, as resizing rounds it
    assert model.labels == tag.meta["categories"]
    assert model.weights == "random, seed 0"


def test_every_detector_and_segmenter_of_torchvision_can_be_asked_for_by_name(monkeypatch):
    asked = []
    monkeypatch.setattr(models, "get_model", lambda name, **options: asked.append(options) or torch.nn.Conv2d(3, 2, 1))
    for module in (models.detection, models.segmentation):
        for name in models.list_models(module=module):
            model = seewhy.load(f"torchvision/{name}", weights="random")
            assert asked[-1] == {"weights": None, "weights_backbone": None}  # nothing is fetched, not for a part of it
            assert len(model.labels) > 1
    seewhy.load("torchvision/resnet18", weights="random")
    assert asked[-1] == {"weights": None}
    with pytest.raises(NoSuchName, match="fasterrcnn_resnet50_fpn"):
        seewhy.load("torchvision/fasterrcnn_resnet50")


def test_of_another_number_of_classes_the_labels_are_not_known():
    model = seewhy.load("torchvision/ssdlite320_mobilenet_v3_large", weights="random", options={"num_classes": 4})
    assert model.labels is None


def test_a_segmenter_by_name_is_asked_for_a_region():
    small = {"prepare": {"size": 64, "crop": None}}
    model = seewhy.load("torchvision/lraspp_mobilenet_v3_large", weights="random", **small)
    with pytest.raises(BadNetwork, match=r'gives a map \(64x96\) of each of 21 classes. .*target="region:') as caught:
        seewhy.grad_cam(model, PHOTO)
    target = str(caught.value).split('target="')[1].split('"')[0]
    (found,) = seewhy.grad_cam(model, PHOTO, target=target, signed=True)
    assert found.source.label == target.removeprefix("region:")
    assert found.source.layer == "backbone.16"
    assert found.values.any()


@pytest.fixture(scope="module")
def squeezed(tmp_path_factory):
    path = tmp_path_factory.mktemp("squeezed") / "squeeze.pth"
    torch.save(models.squeezenet1_1().state_dict(), path)
    return path


def test_torchvisions_preprocessing_and_labels_travel(squeezed, noise):
    model = load("torchvision/squeezenet1_1", weights=squeezed)
    preset = models.SqueezeNet1_1_Weights.DEFAULT
    for size in ((500, 375), (123, 321)):
        np.testing.assert_allclose(model.prepare(noise(size)), preset.transforms()(noise(size)).numpy(), atol=1e-6)
    assert model.prepare.box((512, 256)) == (144, 16, 368, 240)
    assert model.labels == preset.meta["categories"]
    assert model.name == "torchvision/squeezenet1_1"
