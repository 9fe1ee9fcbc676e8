"""How photos are prepared, as far as a file tells."""

import json

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadParameter
from seewhy.models.onnx.ending import EXPORTED
from seewhy.models.onnx.graph import OnnxGraph
from seewhy.models.onnx.image_input import image_input
from seewhy.models.onnx.preparing import FileFacts, facts_of
from seewhy.prepare.fit import Fit
from seewhy.prepare.unscaled import Unscaled
from support.onnx_graphs import FLOAT, UINT8, classifier, model, node

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8))


def facts(metadata, **changes):
    graph = OnnxGraph(classifier(**changes))
    return facts_of(metadata, image_input(graph, "made", None, None))


def numbers(fit):
    return fit.size, fit.crop, fit.mean, fit.std


OWN = {"prepare": {"kind": "Fit", "size": 18, "crop": [12, 16], "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]},
       "labels": ["a", "b\x1b[0m", "c", "d", "e"]}  # fmt: skip
YOLO = {"author": "Ultralytics", "task": "classify", "imgsz": "[224, 224]", "names": "{1: 'dog', 0: 'cat'}"}


def test_what_seewhy_wrote_is_read():
    found = facts({EXPORTED: json.dumps(OWN)})
    assert numbers(found.fitted(None)) == (18, (12, 16), (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    assert found.labels == ["a", "b\\x1b[0m", "c", "d", "e"]


@pytest.mark.parametrize("text", ['{"prepare": 3, "labels": 4}', '{"prepare": {"kind": "code", "size": 3}}', "{}"])
def test_what_is_not_said_there_is_not_known(text):
    assert (facts({EXPORTED: text}).prepare, facts({EXPORTED: text}).labels) == (None, None)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100])
def test_what_cannot_be_read_there_is_said(text):
    with pytest.raises(BadParameter, match="The metadata that the model carries under 'seewhy' cannot be read"):
        facts({EXPORTED: text})


def test_ultralytics_says_its_names_and_its_size():
    found = facts(YOLO)
    assert numbers(found.fitted(None)) == (224, 224, 0.0, 1.0)
    assert found.labels == ["cat", "dog"]
    assert numbers(facts({**YOLO, "task": "detect", "imgsz": "[480, 640]"}).fitted(None))[:2] == ((480, 640), None)
    assert facts({**YOLO, "author": "me"}).prepare is None
    assert facts({**YOLO, "names": "{0: [[[1]]]}"}).labels is None
    assert facts({**YOLO, "names": "__import__('os')"}).labels is None


def test_sizes_come_from_the_graph_and_the_scale_from_the_person():
    found = facts({}).fitted(None)
    assert isinstance(found, Unscaled)
    with pytest.raises(BadParameter, match="Give the mean and std"):
        found(PHOTO)
    told = facts({}).fitted({"mean": 0.5, "std": 0.5})
    assert numbers(told) == ((12, 16), None, 0.5, 0.5)
    np.testing.assert_array_equal(told(PHOTO), Fit((12, 16), None, 0.5, 0.5)(PHOTO))
    assert numbers(facts({}).fitted({"size": 18, "mean": 0.5, "std": 0.5})) == (18, (12, 16), 0.5, 0.5)
    assert numbers(facts({}, image=("n", 3, "h", "w")).fitted({"mean": 0.5, "std": 0.5})) == (256, 224, 0.5, 0.5)


def test_anything_else_is_the_persons_own():
    def own(photo):
        return np.zeros((3, 12, 16), np.float32)

    assert facts({}).fitted(own) is own
    assert facts({}).fitted({"window": (0, 1)}) == {"window": (0, 1)}
    assert FileFacts(channels=None).fitted(None) is None


def test_pixels_are_taken_as_they_are():
    nodes = [node("Cast", ["image"], ["a"], "a", to=FLOAT), node("ReduceMean", ["a"], ["s"], axes=[2, 3], keepdims=0)]
    proto = model(nodes, kind=UINT8, out=FLOAT, outputs={"s": ["n", 3]})
    net = seewhy.wrap(proto, name="made", task="regression")
    assert numbers(net.prepare) == ((12, 16), None, 0.0, 1 / 255)
    (batch,) = net.batches([PHOTO])
    expected = np.asarray(PHOTO.resize((16, 12), Image.Resampling.BILINEAR), np.float64).mean((0, 1))
    np.testing.assert_allclose(net.answer(batch.x).scores[0], expected, atol=0.5)


def test_grey_photos_for_one_channel():
    nodes = [node("Relu", ["image"], ["a"], "a"), node("ReduceMean", ["a"], ["s"], axes=[2, 3], keepdims=0)]
    net = seewhy.wrap(model(nodes, ("n", 1, 12, 16), outputs={"s": ["n", 1]}), name="made", prepare={"mean": 0.0, "std": 1.0})
    (batch,) = net.batches([PHOTO])
    assert batch.x.shape == (1, 1, 12, 16)
