"""The part behind a layer, against the whole graph on edited images or with edits in place."""

import numpy as np
import pytest
import torch
from onnx import helper
from torch import nn

import seewhy
from seewhy.errors import NotApplicable
from seewhy.models.onnx.graph import OnnxGraph
from seewhy.models.onnx.tail import edge, same
from support.onnx_graphs import classifier, drawn, exported, model, node


class Skips(nn.Module):
    """Two branches, a skip over both, a size that is read of the image, and a batch that is read of a shape."""

    def __init__(self):
        super().__init__()
        self.first, self.left, self.right = (
            nn.Conv2d(3, 4, 3, padding=1),
            nn.Conv2d(4, 4, 3, 2, 1),
            nn.Conv2d(8, 6, 3, padding=1),
        )
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        a = self.first(x).relu()
        b = self.left(a).relu()
        up = nn.functional.interpolate(b, size=x.shape[2:], mode="nearest")
        c = self.right(torch.cat([a, up], 1)).relu() * 1.5
        return self.fc(c.mean((2, 3)).reshape(c.shape[0], -1))


@pytest.fixture(scope="module")
def skips(tmp_path_factory):
    torch.manual_seed(0)
    network, x = Skips().eval(), drawn(2, 3, 12, 16)
    path = exported(network, x, tmp_path_factory.mktemp("skips") / "skips.onnx")
    return seewhy.wrap(network), seewhy.load(path), x


@pytest.mark.parametrize("method", ["ablation-cam", "recipro-cam"])
@pytest.mark.parametrize("layer", ["first", "left", "right"])
def test_edits_beside_a_skip_score_as_in_torch(skips, layer, method):
    plain, ours, x = skips
    expected = seewhy.explain(plain, x, method, layer=layer, target=2)
    found = seewhy.explain(ours, x, method, layer=layer, target=2)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-4, atol=1e-4 * abs(b.values).max())


def test_the_other_side_is_computed_once():
    nodes = [node("Relu", ["image"], ["a"]), node("Neg", ["image"], ["b"]), node("Add", ["a", "b"], ["c"]),
             node("Mul", ["c", "a"], ["d"])]  # fmt: skip
    graph = OnnxGraph(model(nodes))
    on_image = graph.depending("image")
    assert edge(graph, ["d"], "a", on_image) == ["b"]
    assert edge(graph, ["d"], "c", on_image) == ["a"]
    assert edge(graph, ["d"], "d", on_image) == []
    with pytest.raises(NotApplicable, match="nothing of d reaches"):
        edge(graph, ["c"], "d", on_image)


@pytest.mark.parametrize("batch", ["n", 1, 2])
def test_edits_run_whatever_the_batch(batch):
    proto = classifier(image=(batch, 3, 12, 16))
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("scores", 1, [batch, 5]))
    net, free = seewhy.wrap(proto, name="made"), seewhy.wrap(classifier(), name="made")
    x = drawn(1, 3, 12, 16)
    behind, other = net.backend.behind(x[0], "act1"), free.backend.behind(x[0], "act1")
    edits = behind.a * drawn(5, 6, 1, 1)
    np.testing.assert_allclose(behind.run(edits), other.run(edits), rtol=1e-5, atol=1e-5)


def test_a_batch_that_the_graph_holds_on_to_runs_one_by_one():
    nodes = [node("Relu", ["image"], ["act"], "act"), node("Reshape", ["act", "row"], ["flat"]),
             node("MatMul", ["flat", "w"], ["scores"])]  # fmt: skip
    proto = model(nodes, constants={"row": np.array([1, 576]), "w": drawn(576, 5)}, outputs={"scores": [None, 5]})
    net, x = seewhy.wrap(proto, name="made"), drawn(3, 3, 12, 16)
    expected = np.maximum(x, 0).reshape(3, -1) @ drawn(576, 5)
    np.testing.assert_allclose(net.answer(x).scores, expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(net.backend.behind(x[0], "act").run(np.maximum(x, 0)), expected, rtol=1e-3, atol=1e-3)


def test_runs_are_compared_up_to_rounding():
    assert same({"a": np.array([1.0, 2])}, {"a": np.array([1.0, 2.0001])})
    assert not same(np.array([1.0, 2]), np.array([1.0, 2.1]))
    assert not same(np.array([1.0, 2]), np.array([1.0]))
