"""A real MobileNetV2 in Keras gives the maps of timm's on real photos."""

import keras
import numpy as np
import pytest
from PIL import Image

import seewhy
from support import real

if keras.backend.backend() != "torch":
    pytest.skip("of the torch backend", allow_module_level=True)

pytestmark = real.needs_data
METHODS = ("cam", "grad-cam", "hires-cam", "layer-cam", "gradient", "guided-backprop", "lrp")


@pytest.fixture(scope="module")
def both():
    return seewhy.wrap(real.keras_mobilenet_v2(), prepare=real.HALF, labels="imagenet"), real.model("timm/mobilenetv2_100")


def test_its_maps_are_timm_s(both):
    """Every method on two photos; on two more those that read a layer, and the plain gradient."""
    rows = real.rows("imagenet-sample")[:4]
    right = 0
    for i, row in enumerate(rows):
        photo = Image.open(real.DATA / "imagenet-sample" / row["file"]).convert("RGB")
        ours, theirs = (seewhy.explain(model, photo, methods=METHODS if i < 2 else METHODS[:5]) for model in both)
        right += ours[0].source.index == int(row["class_index"])
        for found, expected in zip(ours, theirs, strict=True):
            assert found.source.index == expected.source.index
            assert found.source.label == expected.source.label
            assert found.source.probability == pytest.approx(expected.source.probability, abs=1e-3)
            assert found.box == expected.box
            off = np.linalg.norm(found.values - expected.values) / np.linalg.norm(expected.values)
            assert off < (1e-3 if found.source.layer != "input" else 3e-2)  # of pixels: single ReLUs of float32 tip over
    assert right >= 3
