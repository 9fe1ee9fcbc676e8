"""Where cells lie, against what each of them sees: pixels are changed one by one, and what moves is looked at."""

import numpy as np
import pytest
from onnx import TensorProto

import seewhy
from support.onnx_graphs import drawn, model, node

SIDE = 20
ONES = np.ones((1, 1, 3, 3), np.float32)


def positive(*shape):
    return abs(drawn(*shape)) + 0.1


def conv(name="conv", given="image", k=3, **more):
    return node("Conv", [given, f"w{k}"], [name], name, **more)


CASES = {
    "conv": [conv(pads=[1, 1, 1, 1])],
    "stride": [conv(pads=[1, 1, 1, 1], strides=[2, 2])],
    "no pad": [conv(strides=[3, 3])],
    "uneven": [conv(k=2, auto_pad="SAME_UPPER", strides=[2, 2])],
    "same upper": [conv(auto_pad="SAME_UPPER", strides=[2, 2])],
    "same lower": [conv(auto_pad="SAME_LOWER", strides=[2, 2])],
    "valid": [conv(auto_pad="VALID")],
    "dilated": [conv(dilations=[2, 2], pads=[2, 2, 2, 2])],
    "two": [conv("a", pads=[1, 1, 1, 1], strides=[2, 2]), conv("b", "a", pads=[0, 0, 2, 2])],
    "max": [conv("a", pads=[1, 1, 1, 1]), node("MaxPool", ["a"], ["b"], "b", kernel_shape=[2, 2], strides=[2, 2])],
    "average": [node("AveragePool", ["image"], ["b"], "b", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])],
    "pad": [node("Pad", ["image", "pads"], ["a"], "a"), conv("b", "a")],
    "slice": [node("Slice", ["image", "three", "far", "axes", "two"], ["a"], "a"), conv("b", "a", pads=[1, 1, 1, 1])],
    "residual": [conv("a", pads=[1, 1, 1, 1]), node("Add", ["a", "image"], ["b"], "b")],
    "shortcut": [
        conv("a", pads=[1, 1, 1, 1], strides=[2, 2]), node("Conv", ["image", "w1"], ["c"], "c", strides=[2, 2]),
        node("Add", ["c", "a"], ["b"], "b"),
    ],
    "concat": [conv("a", pads=[1, 1, 1, 1]), node("Concat", ["image", "a"], ["b"], "b", axis=1)],
    "up": [conv("a", strides=[2, 2], pads=[1, 1, 1, 1]), node("Resize", ["a", "", "scales"], ["b"], "b")],
    "up pixels": [
        conv("a", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Resize", ["a", "", "scales"], ["b"], "b", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    ],
    "linear": [conv("a", strides=[2, 2], pads=[1, 1, 1, 1]), node("Resize", ["a", "", "scales"], ["b"], "b", mode="linear")],
    "transposed": [
        conv("a", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("ConvTranspose", ["a", "w3"], ["b"], "b", strides=[2, 2], pads=[1, 1, 1, 1]),
    ],
    "to depth": [node("SpaceToDepth", ["image"], ["a"], "a", blocksize=2), node("Relu", ["a"], ["b"], "b")],
    "turned": [node("Transpose", ["image"], ["a"], "a", perm=[0, 2, 3, 1]),
               node("Transpose", ["a"], ["t"], "t", perm=[0, 3, 1, 2]), conv("b", "t", strides=[2, 2])],
}  # fmt: skip
CONSTANTS = {
    "w3": positive(1, 1, 3, 3), "w2": positive(1, 1, 2, 2), "w1": positive(1, 1, 1, 1),
    "pads": np.array([0, 0, 2, 3, 0, 0, 1, 0]),
    "scales": np.array([1, 1, 2, 2], np.float32), "three": np.array([3, 2]), "far": np.array([100, 100]),
    "axes": np.array([2, 3]), "two": np.array([2, 1]),
}  # fmt: skip


def adapted(nodes, **more):
    return seewhy.wrap(model(nodes, ("n", 1, SIDE, SIDE), CONSTANTS, **more), name="made")


@pytest.mark.parametrize("case", CASES)
def test_cells_lie_in_the_middle_of_what_they_see(case):
    nodes = CASES[case]
    layer = nodes[-1].name
    adapter = adapted(nodes)
    rng = np.random.default_rng(0)
    image = rng.uniform(1, 2, (1, 1, SIDE, SIDE)).astype(np.float32)
    place = adapter.backend.survey(image)[layer].cells
    assert place is not None
    before = adapter.backend.emitted(image, [layer]).layers[layer]
    for axis in (0, 1):
        stripes = np.repeat(image, SIDE, 0)
        for pixel in range(SIDE):
            stripes[pixel, 0][(slice(None), pixel) if axis else pixel] += 50
        moved = (adapter.backend.emitted(stripes, [layer]).layers[layer] != before).any((1, 3 - axis))  # (pixel, cell)
        for cell in range(moved.shape[1]):
            (seen,) = np.nonzero(moved[:, cell])
            if len(seen) < moved.sum(0).max() or seen[0] == 0 or seen[-1] == SIDE - 1 or case == "max":
                continue  # a border cuts it, or pixels that do not win are not seen to count
            centre = place.first[axis] + place.stride[axis] * cell
            wide = 0.5 * place.stride[axis] if case in ("up", "up pixels", "linear", "transposed", "to depth") else 0
            assert abs(centre - (seen[0] + seen[-1]) / 2) <= wide + 1e-9, (axis, cell)
            assert seen[-1] - seen[0] + 1 <= place.field[axis] + 1e-9
            assert case in ("up", "up pixels", "linear", "transposed", "average") or seen[-1] - seen[0] + 1 == place.field[axis]


def test_the_stride_of_a_pool_is_its_own():
    place = adapted(CASES["max"]).backend.survey(np.zeros((1, 1, SIDE, SIDE), np.float32))["b"].cells
    assert place is not None
    assert (place.stride, place.first, place.field) == ((2, 2), (0.5, 0.5), (4, 4))


@pytest.mark.parametrize(("nodes", "why"), [
    ([node("Reshape", ["image", "shape"], ["a"], "a"), node("Relu", ["a"], ["b"], "b")], "rows and columns are exchanged"),
    ([node("Slice", ["image", "ten", "far", "rows"], ["a"]), node("Slice", ["image", "none", "ten", "rows"], ["c"]),
      node("Concat", ["a", "c"], ["b"], "b", axis=2)], "the map was rolled"),
    ([node("Gather", ["image", "ten"], ["b"], "b", axis=2)], "rows were picked"),
    ([node("TopK", ["image", "ten"], ["b", "i"], "b", axis=-1)], "an operator that is not known"),
])  # fmt: skip
def test_what_lies_nowhere_is_no_layer(nodes, why):
    constants = {"shape": np.array([0, 1, SIDE * 2, SIDE // 2]), "ten": np.array([10]), "none": np.array([0]),
                 "far": np.array([99]), "rows": np.array([2])}  # fmt: skip
    adapter = seewhy.wrap(model(nodes, ("n", 1, SIDE, SIDE), constants), name="made")
    assert "b" not in adapter.backend.survey(np.zeros((1, 1, SIDE, SIDE), np.float32)), why


def test_channels_may_be_shuffled_split_and_gathered():
    nodes = [
        node("Reshape", ["image", "apart"], ["a"]), node("Transpose", ["a"], ["t"], perm=[0, 2, 1, 3, 4]),
        node("Reshape", ["t", "back"], ["b"], "b"), node("Split", ["b"], ["c", "d"], axis=1),
        node("Gather", ["d", "three"], ["e"], "e", axis=1),
    ]  # fmt: skip
    constants = {"apart": np.array([0, 2, 4, 6, 7]), "back": np.array([0, 8, 6, 7]), "three": np.array([2, 0, 1])}
    adapter = seewhy.wrap(model(nodes, ("n", 8, 6, 7), constants), name="made", task="regression")
    x = drawn(2, 8, 6, 7)
    layers = adapter.backend.survey(x)
    assert [layers[name].shape for name in ("b", "c", "d", "e")] == [(8, 6, 7), (4, 6, 7), (4, 6, 7), (3, 6, 7)]
    shuffled = x.reshape(2, 2, 4, 6, 7).transpose(0, 2, 1, 3, 4).reshape(2, 8, 6, 7)
    np.testing.assert_array_equal(adapter.backend.emitted(x, ["e"]).layers["e"], shuffled[:, 4:][:, [2, 0, 1]])


def test_tokens_that_become_a_map_again_lie_where_they_lay():
    nodes = [
        node("Conv", ["image", "w"], ["patches"], "patches", strides=[4, 4]), node("Reshape", ["patches", "flat"], ["f"]),
        node("Transpose", ["f"], ["tokens"], perm=[0, 2, 1]), node("MatMul", ["tokens", "m"], ["mixed"]),
        node("Transpose", ["mixed"], ["t"], perm=[0, 2, 1]), node("Reshape", ["t", "map"], ["b"], "b"),
    ]  # fmt: skip
    constants = {"w": drawn(6, 3, 4, 4), "m": drawn(6, 5), "flat": np.array([0, 6, -1]), "map": np.array([0, 5, 3, 4])}
    adapter = seewhy.wrap(model(nodes, ("n", 3, 12, 16), constants), name="made")
    sight = adapter.backend.survey(drawn(1, 3, 12, 16))["b"]
    assert sight.shape == (5, 3, 4)
    assert sight.cells == ((4, 4), (1.5, 1.5), (4, 4))


def test_a_gate_of_the_whole_image_leaves_cells_where_they_are():
    nodes = [
        node("Conv", ["image", "w"], ["a"], "a", strides=[2, 2]), node("GlobalAveragePool", ["a"], ["p"]),
        node("Sigmoid", ["p"], ["s"]), node("Mul", ["a", "s"], ["b"], "b"),
    ]  # fmt: skip
    adapter = seewhy.wrap(model(nodes, constants={"w": drawn(4, 3, 3, 3)}), name="made")
    cells = adapter.backend.survey(drawn(1, 3, 12, 16))["b"].cells
    assert cells is not None
    assert (cells.stride, cells.first) == ((2, 2), (1, 1))
    assert cells.field == (np.inf, np.inf)


def test_numbers_that_are_no_floats_are_no_layers():
    nodes = [node("Cast", ["image"], ["a"], "a", to=TensorProto.INT32), node("Cast", ["a"], ["b"], "b", to=TensorProto.FLOAT)]
    adapter = seewhy.wrap(model(nodes), name="made")
    assert [*adapter.backend.survey(drawn(1, 3, 12, 16))] == ["b"]
