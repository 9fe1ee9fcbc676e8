"""A graph as a network of torch: the same scores, and gradients."""

import numpy as np
import pytest
import torch
from onnx import helper
from torch import nn

import seewhy
from seewhy.errors import BadNetwork
from seewhy.models.onnx.as_torch import as_torch
from seewhy.models.onnx.graph import OnnxGraph
from support import networks
from support.onnx_graphs import classifier, drawn, exported, model, node

X = drawn(2, 3, 12, 16)


def converted(proto=None, **more):
    ours = seewhy.wrap(proto or classifier(), name="made", **more)
    return ours, *as_torch(ours.backend)


@pytest.mark.parametrize("dynamo", [False, True])
def test_the_gradients_are_those_of_the_network_that_was_exported(dynamo, tmp_path):
    network = networks.pooled().float().eval()
    path = exported(network, X, tmp_path / "net.onnx", dynamo)
    plain, turned = seewhy.wrap(network), seewhy.load(path, options={"gradients": True})
    for name in ("gradient", "guided-backprop", "integrated-gradients", "lrp"):
        for a, b in zip(seewhy.explain(turned, X, name, target=1), seewhy.explain(plain, X, name, target=1), strict=True):
            np.testing.assert_allclose(a.values, b.values, rtol=1e-3, atol=1e-4 * abs(b.values).max())


@pytest.mark.parametrize("batch", ["n", 1, 2])
def test_any_number_of_images_goes_through(batch):
    ours, network, gap = converted(classifier(image=(batch, 3, 12, 16)))
    assert gap < 1e-5
    x = drawn(3, 3, 12, 16)
    np.testing.assert_allclose(network(torch.from_numpy(x)), ours.backend.output(x), rtol=1e-4, atol=1e-4)


def test_channels_at_the_end_come_in_as_torch_has_them():
    nodes = [node("Transpose", ["image"], ["t"], perm=[0, 3, 1, 2]), node("Conv", ["t", "w"], ["c"], "c"),
             node("ReduceMean", ["c"], ["s"], axes=[2, 3], keepdims=0)]  # fmt: skip
    ours, network, _ = converted(model(nodes, ("n", 12, 16, 3), {"w": drawn(4, 3, 3, 3)}, {"s": ["n", 4]}))
    np.testing.assert_allclose(network(torch.from_numpy(X)), ours.backend.output(X), rtol=1e-4, atol=1e-4)


def test_several_outputs_keep_their_names():
    proto = classifier()
    proto.graph.output.append(helper.make_tensor_value_info("flat", 1, ["n", 8]))
    ours, network, _ = converted(proto, output=None)
    assert {*network(torch.from_numpy(X))} == {*ours.backend.output(X)} == {"scores", "flat"}


def test_what_onnx2torch_lacks_is_said():
    proto = model([node("Shrink", ["image"], ["a"], "a"), node("ReduceMean", ["a"], ["s"], axes=[2, 3], keepdims=0)],
                  outputs={"s": ["n", 3]})  # fmt: skip
    with pytest.raises(
        BadNetwork, match=r"cannot be turned into torch by onnx2torch: NotImplementedError.*Leave gradients out"
    ):
        converted(proto)


def test_other_scores_are_refused(monkeypatch):
    class Wrong(nn.Module):
        def forward(self, x):
            return torch.ones(len(x), 5)

    monkeypatch.setattr("onnx2torch.convert", lambda _: Wrong())
    with pytest.raises(BadNetwork, match="gives other scores than by onnxruntime: they differ by"):
        converted()
    monkeypatch.setattr("onnx2torch.convert", lambda _: nn.Linear(3, 3))
    with pytest.raises(BadNetwork, match=r"turned into torch by onnx2torch, fails"):
        converted()
    assert OnnxGraph(classifier()).weights
