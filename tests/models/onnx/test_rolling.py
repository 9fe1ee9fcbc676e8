"""Maps that are rolled, and back."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from support.onnx_graphs import drawn, exported, model, node

X = drawn(2, 3, 12, 16)
CONSTANTS = {"w": drawn(4, 3, 3, 3), "zero": np.array([0]), "far": np.array([2**62]), "axis": np.array([2]),
             "three": np.array([3]), "minus": np.array([-3])}  # fmt: skip


def roll(given, name, shift):
    """x[shift:] before x[:shift]"""
    return [
        node("Slice", [given, shift, "far", "axis"], [f"{name}b"]), node("Slice", [given, "zero", shift, "axis"], [f"{name}f"]),
        node("Concat", [f"{name}b", f"{name}f"], [name], name, axis=2),
    ]  # fmt: skip


def layers(*nodes):
    first = node("Conv", ["image", "w"], ["c"], "c", pads=[1, 1, 1, 1])
    adapter = seewhy.wrap(model([first, *nodes], constants=CONSTANTS), name="made")
    return adapter.backend.survey(X[:1])


def test_a_rolled_map_lies_nowhere_and_rolled_back_where_it_lay():
    there, back = roll("c", "a", "three"), roll("a", "b", "minus")
    found = layers(*there, *back, node("Relu", ["b"], ["d"], "d"))
    assert "a" not in found
    assert found["d"].cells == found["c"].cells


@pytest.mark.parametrize("nodes", [
    [*roll("c", "a", "three"), *roll("a", "b", "three")],  # on, and not back
    [node("Slice", ["c", "three", "far", "axis"], ["x"]), node("Slice", ["c", "zero", "far", "axis"], ["y"]),
     node("Concat", ["x", "y"], ["b"], "b", axis=2)],  # more than the map
    [node("Slice", ["c", "three", "far", "axis"], ["x"]), node("Relu", ["c"], ["r"]),
     node("Slice", ["r", "zero", "three", "axis"], ["y"]), node("Concat", ["x", "y"], ["b"], "b", axis=2)],  # of two maps
])  # fmt: skip
def test_what_is_no_roll_back_lies_nowhere(nodes):
    assert "b" not in layers(*nodes)


class Shifted(nn.Module):
    """Windows of 2 x 2 that attend inside of themselves, over a map that is shifted by one cell: as in Swin."""

    def __init__(self):
        super().__init__()
        self.patches, self.mix, self.fc = nn.Conv2d(3, 8, 2, 2), nn.Linear(8, 8), nn.Linear(8, 5)

    def forward(self, x):
        a = torch.roll(self.patches(x).permute(0, 2, 3, 1), (-1, -1), (1, 2))
        n, h, w, c = a.shape
        t = a.reshape(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)
        t = t + (t @ t.transpose(1, 2)).softmax(-1) @ self.mix(t)
        a = t.reshape(n, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        a = torch.roll(a, (1, 1), (1, 2)).relu()
        return self.fc(a.mean((1, 2)))


@pytest.mark.parametrize("dynamo", [False, True])
def test_shifted_windows_lie_where_torch_finds_them(tmp_path, dynamo):
    torch.manual_seed(0)
    network = Shifted().eval()
    ours, plain = seewhy.load(exported(network, X, tmp_path / "net.onnx", dynamo)), seewhy.wrap(network)
    name, layer = ours.default(X)
    assert layer.shape == (8, 6, 8)
    place = ours.cells(name, X)[1]
    assert (place.stride, place.first, place.field) == ((2, 2), (0.5, 0.5), (np.inf, np.inf))
    assert plain.default(torch.from_numpy(X)) is not None
    emitted = ours.activations(X, [name])[0][name]
    with torch.no_grad():
        scores = network(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(emitted.mean((2, 3)) @ network.fc.weight.detach().numpy().T + network.fc.bias.detach().numpy(),
                               scores, rtol=1e-3, atol=1e-4)  # fmt: skip
