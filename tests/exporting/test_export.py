"""A model that explains itself: the file gives what the library gives, and what was derived a second time."""

import json
import os

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import seewhy
from seewhy import BadNetwork, BadParameter, NeedsGradients, NoSuchName, NotApplicable, NotWritten
from seewhy.models.torch.exporting.graph import TorchGraph
from support import networks
from support.ask import close
from support.references import perturb as by_hand


def wrapped(name, **more):
    return seewhy.wrap(getattr(networks, name)(), name=name, **more)


def ran(path, x):
    """(scores, maps) by the file alone."""
    if path.suffix == ".pt2":
        return tuple(part.numpy() for part in torch.export.load(path).module()(torch.tensor(x, dtype=torch.float32)))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["images"]
    assert [each.name for each in session.get_outputs()] == ["scores", "maps"]
    return tuple(session.run(None, {"images": np.asarray(x, np.float32)}))


NETS = {  # the network, the layer; how that lies over the image, its grid, and what is written
    "conv": ("pooled", "act2", "first", (6, 8), ".onnx"),
    "fully connected": ("flat_head", "conv1", "first", (12, 16), ".pt2"),
    "tokens behind a class token": ("tokens", "block1", "tokens", (3, 4), ".onnx"),
    "channels last, around a residual": ("nhwc", "block2", "last", (6, 8), ".pt2"),
}


@pytest.mark.parametrize("net", NETS)
def test_recipro_cam_is_what_was_derived_a_second_time(net, tmp_path):
    name, layer, layout, grid, ending = NETS[net]
    x = networks.images(3)
    path = tmp_path / f"file{ending}"
    done = seewhy.export(wrapped(name), path, layer=layer, images=x)
    assert (done.layer, done.grid, done.single) == (layer, grid, "")
    network = getattr(networks, name)()
    expected = network(torch.tensor(x)).detach().numpy()
    for rows in ([0], [2], [0, 1, 2]):
        scores, maps = ran(path, x[rows])
        close(scores, expected[rows], rel=1e-5)
        for i, found in zip(rows, maps, strict=True):
            reference = by_hand.recipro_cam(network, layer, x[i], layout, grid)[expected[i].argmax()]
            close(found, reference, rel=1e-4)


@pytest.mark.parametrize(("method", "ending"), [("grad-cam", ".pt2"), ("eigen-cam", ".onnx")])
def test_other_methods_are_what_the_library_gives(method, ending, tmp_path):
    x, model = networks.images(4), wrapped("functional")  # whose ReLU lies behind the layer
    seewhy.export(model, tmp_path / f"file{ending}", method, "conv2", images=x[:2])
    _, maps = ran(tmp_path / f"file{ending}", x)
    close(maps, np.stack([each.values for each in seewhy.explain(model, x, method, layer="conv2")]), rel=1e-4)


class FixesBatch(nn.Module):
    """Its Python takes the number of images for a number."""

    def __init__(self):
        super().__init__()
        self.body = networks.pooled()

    def forward(self, x):
        return self.body(x).reshape(int(x.shape[0]), 5)


def test_a_network_that_fixes_its_batch_takes_one_image_at_a_time_and_the_file_says_so(tmp_path):
    x = networks.images(3)
    done = seewhy.export(seewhy.wrap(FixesBatch()), tmp_path / "file.onnx", "recipro-cam", "body.conv1", images=x)
    assert done.single
    assert "one image at a time: its batch cannot vary (" in str(done)
    assert onnxruntime.InferenceSession(tmp_path / "file.onnx").get_inputs()[0].shape[0] == 1


class Chooses(nn.Module):
    """Python looks at the numbers."""

    def __init__(self):
        super().__init__()
        self.body = networks.pooled()

    def forward(self, x):
        return self.body(x) if float(x.mean()) > -100 else self.body(-x)


REFUSED = {
    "no pooled head": (
        lambda: wrapped("flat_head"),
        {"method": "grad-cam"},
        "In flat_head something else does. recipro-cam needs",
    ),
    "no head for CAM": (lambda: wrapped("flat_head"), {"method": "cam"}, "recipro-cam, as a graph, needs no such head, either"),
    "many changed images": (lambda: wrapped("pooled"), {"method": "score-cam"}, "score-cam has no form as a graph"),
    "several calls": (
        lambda: wrapped("reused"),
        {"layer": "act"},
        "act runs several times, and a graph reads one: act#1, act#2",
    ),
    "the way depends on numbers": (lambda: seewhy.wrap(Chooses()), {}, "torch.export cannot trace Chooses: "),
    "a unit": (lambda: wrapped("pooled"), {"target": seewhy.Unit("act2", 1)}, "is no single class of the whole image"),
    "several targets": (lambda: wrapped("pooled"), {"target": [1, 2]}, "A graph explains one target"),
    "look-alikes": (lambda: wrapped("pooled"), {"target": seewhy.Contrast(1)}, "chooses classes by the scores of each image"),
    "the image": (lambda: wrapped("pooled"), {"layer": "input"}, "one layer inside the network"),
    "no images": (lambda: wrapped("pooled"), {"images": None}, "was wrapped without `prepare`: give images="),
    "another ending": (lambda: wrapped("pooled"), {"path": "file.tflite"}, "a graph is written as .onnx or .pt2"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_exported_is_refused_with_the_reason(why, tmp_path):
    make, question, words = REFUSED[why]
    given = {"images": networks.images(2), "path": "file.onnx", **question}
    with pytest.raises(seewhy.Misuse) as refused:
        seewhy.export(make(), tmp_path / given.pop("path"), **given)
    assert words in str(refused.value)
    assert isinstance(refused.value, NotApplicable | BadParameter)
    assert os.listdir(tmp_path) == []


def test_a_layer_that_does_not_exist_and_a_model_of_scores_alone(tmp_path):
    with pytest.raises(NoSuchName, match=r"No layer 'act3'. Closest: act2, act1"):
        seewhy.export(wrapped("pooled"), tmp_path / "file.onnx", layer="act3", images=networks.images(2))
    with pytest.raises(NeedsGradients, match="recipro-cam as a graph reads the inside of a network"):
        seewhy.export(seewhy.wrap(lambda x: x.mean((1, 2)), takes="uint8"), tmp_path / "file.onnx")


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    with pytest.raises(NotWritten, match="There is no folder"):
        seewhy.export(wrapped("pooled"), tmp_path / "no" / "file.onnx", images=networks.images(2))
    (tmp_path / "file.onnx").mkdir()
    with pytest.raises(NotWritten, match="it is a folder"):
        seewhy.export(wrapped("pooled"), tmp_path / "file.onnx", images=networks.images(2))


def test_a_file_that_is_not_the_network_is_not_kept(tmp_path, monkeypatch):
    (tmp_path / "file.onnx").write_text("what was there")
    writes = TorchGraph.write

    def tampered(self, path, facts):
        told = writes(self, path, facts)
        model = onnx.load(path)
        weight = next(each for each in model.graph.initializer if len(each.dims) == 4)
        values = onnx.numpy_helper.to_array(weight).copy()
        values *= 1.001
        weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
        onnx.save(model, path)
        return told

    monkeypatch.setattr(TorchGraph, "write", tampered)
    with pytest.raises(BadNetwork, match="differ from the library's by"):
        seewhy.export(wrapped("flat_head"), tmp_path / "file.onnx", images=networks.images(2))
    assert os.listdir(tmp_path) == ["file.onnx"]
    assert (tmp_path / "file.onnx").read_text() == "what was there"


def test_the_model_is_as_it_was(tmp_path):
    network = networks.bn_dropout().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    seewhy.export(seewhy.wrap(network), tmp_path / "file.pt2", images=networks.images(2))
    assert network.training
    assert all(parameter.requires_grad and parameter.dtype == torch.float64 for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_file_tells_how_it_is_used_and_what_made_it(tmp_path, noise, red_model):
    photo = noise((70, 64))
    done = seewhy.export(red_model, tmp_path / "file.onnx", "grad-cam", target="red", images=[photo])
    session = onnxruntime.InferenceSession(done.path)
    facts = json.loads(session.get_modelmeta().custom_metadata_map["seewhy"])
    assert facts["labels"] == ["red", "not red", "neither"]
    assert (facts["model"], facts["method"], facts["layer"], facts["class"], facts["class_label"]) == (
        "red",
        "grad-cam",
        "cells",
        0,
        "red",
    )
    assert facts["prepare"]["crop"] == 64
    assert facts["maps"]["shape"] == ["n", 16, 16]
    close(facts["maps"]["centres"], np.tile(1.5 + 4 * np.arange(16), (2, 1)), rel=1e-12)
    assert session.get_inputs()[0].shape == ["n", 3, 64, 64]
    assert done.opset == onnx.load(done.path).opset_import[0].version
    extra = {"seewhy.json": ""}
    done = seewhy.export(red_model, tmp_path / "file.pt2", "grad-cam", target="red", images=[photo])
    torch.export.load(done.path, extra_files=extra)
    assert json.loads(extra["seewhy.json"]) == facts
    assert done.size == done.path.stat().st_size
    assert "for red at cells" in str(done)
    assert json.dumps(done.facts)
