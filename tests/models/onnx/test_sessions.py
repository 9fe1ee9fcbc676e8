"""Sessions: which tensors run, what is kept, what failures say."""

import numpy as np
import pytest
from onnx import TensorProto, helper

import seewhy
from seewhy.errors import BadNetwork, BadParameter
from seewhy.models.onnx.graph import OnnxGraph
from seewhy.models.onnx.sessions import KEPT, GraphSessions, provider_of, reason, unreadable
from support.onnx_graphs import classifier, drawn, model, node, run

KINDS = {"image": TensorProto.FLOAT}


def sessions(proto=None):
    return GraphSessions(OnnxGraph(proto or classifier()), "made", provider_of(None))


def test_any_tensors_can_be_asked_for():
    x = drawn(2, 3, 12, 16)
    found = sessions().run(["act1", "scores"], {"image": x}, KINDS)
    for name, expected in zip(("act1", "scores"), run(classifier_with("act1"), x, ["act1", "scores"]), strict=True):
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-4)


def classifier_with(name):
    proto = classifier()
    proto.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return proto


def test_a_session_is_made_once_and_few_are_kept():
    runner, x = sessions(), drawn(1, 3, 12, 16)
    for _ in range(2):
        for name in ("conv1", "act1", "conv2", "act2", "pool", "flat", "scores"):
            runner.run([name], {"image": x}, KINDS)
    assert len(runner.recent) == KEPT
    kept = runner.recent.get((("scores",), (("image", TensorProto.FLOAT),)))
    runner.run(["scores"], {"image": x}, KINDS)
    assert runner.recent.get((("scores",), (("image", TensorProto.FLOAT),))) is kept


def test_what_fails_says_what_it_was_given(capfd):
    with pytest.raises(
        BadNetwork, match=r"onnxruntime failed on made, given image float32 \(1, 4, 12, 16\): .*Got invalid dim"
    ):
        sessions().run(["scores"], {"image": drawn(1, 4, 12, 16)}, KINDS)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("device", "provider", "options"), [
    (None, "CPUExecutionProvider", {}), ("cpu", "CPUExecutionProvider", {}),
    ("CPUExecutionProvider", "CPUExecutionProvider", {}),
])  # fmt: skip
def test_a_device_names_a_provider(device, provider, options):
    assert provider_of(device) == (provider, options)


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "cpu:1x"])
def test_other_devices_are_refused_with_those_that_exist(device):
    with pytest.raises(BadParameter, match=r"this onnxruntime runs on .*CPUExecutionProvider"):
        provider_of(device)


def broken(**changes):
    return seewhy.wrap(model([node("Relu", ["image"], ["a"])], **changes), name="made")


@pytest.mark.parametrize(("make", "words"), [
    (lambda: broken(opset=99), r"cannot read made: .*opset 99.*version_converter"),
    (lambda: seewhy.wrap(model([helper.make_node("Strange", ["image"], ["a"], domain="mine")], domains=["mine"]), name="made"),
     r"operators that this onnxruntime does not know \(of mine\).*seewhy.wrap\(function"),
    (lambda: seewhy.wrap(model([node("Relu", ["nowhere"], ["a"])]), name="made"), r"cannot read made.*checker"),
])  # fmt: skip
def test_a_graph_that_cannot_be_read_says_why_and_what_to_do(make, words, capfd):
    with pytest.raises(BadNetwork, match=words):
        make()
    assert capfd.readouterr() == ("", "")


def test_a_newer_ir_version_is_told():
    proto = classifier()
    proto.ir_version = 99
    with pytest.raises(BadNetwork, match="IR version 99"):
        seewhy.wrap(proto, name="made")


def test_memory_that_runs_out_is_no_broken_model():
    assert isinstance(unreadable("made", RuntimeError("std::bad_alloc"), classifier()), MemoryError)


def test_where_in_its_code_onnxruntime_failed_is_left_out():
    words = "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions\n for input: image"
    assert reason(words) == "Got invalid dimensions for input: image."
