"""How many rows go through at once, and tensors as maps."""

import numpy as np
import pytest

from seewhy.errors import BadNetwork
from seewhy.models.onnx.batches import RowBatches, as_floats, maps_of, repeated, rows_of, tensor_of
from seewhy.models.onnx.dims import CHANNELS, IMAGES, whole
from seewhy.models.onnx.views import TensorView, at_input
from support.onnx_graphs import drawn


def taking(sizes, most=None):
    def at_once(rows):
        sizes.append(len(rows))
        if most is not None and len(rows) != most:
            raise BadNetwork("no")
        return {"double": rows_of(rows * 2, len(rows))}

    return at_once


@pytest.mark.parametrize(("fixed", "most", "expected"), [
    (None, None, [5]), (None, 1, [5, 1, 1, 1, 1, 1, 1]), (1, 1, [1] * 5), (2, 2, [2, 2, 2]), (7, 7, [7]),
])  # fmt: skip
def test_rows_go_through_as_the_graph_takes_them(fixed, most, expected):
    sizes, rows = [], drawn(5, 2)
    np.testing.assert_array_equal(RowBatches(fixed, "made").run(rows, taking(sizes, most))["double"], rows * 2)
    assert sizes == expected


def test_a_graph_that_refuses_several_is_asked_once():
    sizes, batches = [], RowBatches(None, "made")
    for _ in range(2):
        batches.run(drawn(2, 2), taking(sizes, 1))
    assert sizes == [2, 1, 1, 1, 1, 1]


def test_what_fails_alone_fails():
    with pytest.raises(BadNetwork, match="no"):
        RowBatches(None, "made").run(drawn(3, 2), taking([], 4))
    with pytest.raises(BadNetwork, match="takes 3 images at once, and does not give as many answers"):
        RowBatches(3, "made").run(drawn(3, 2), lambda rows: {"a": rows_of(rows[:1], len(rows))})


@pytest.mark.parametrize("channels", [1, 3])
def test_maps_and_back(channels):
    shape = (1, 3, 4, 5) if channels == 1 else (1, 4, 5, 3)
    view, maps = at_input(shape, channels), drawn(2, 3, 4, 5)
    tensor = tensor_of(maps, view, np.float16)
    assert tensor.dtype == np.float16
    np.testing.assert_array_equal(tensor, np.moveaxis(maps.astype(np.float16), 1, channels))
    found = maps_of(tensor, view, 2)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, maps.astype(np.float16).astype(np.float32))


def test_images_may_lie_along_another_dimension_or_none():
    view = TensorView((4, 5, 1, 3), (whole(0, 4), whole(1, 5), whole(IMAGES, 1), whole(CHANNELS, 3)), (None, None))
    maps = drawn(2, 3, 4, 5)
    tensor = tensor_of(maps, view, np.float32)
    assert tensor.shape == (4, 5, 2, 3)
    np.testing.assert_array_equal(maps_of(tensor, view, 2), maps)
    alone = TensorView((3, 4, 5), (whole(CHANNELS, 3), whole(0, 4), whole(1, 5)), (None, None))
    np.testing.assert_array_equal(maps_of(maps[0], alone, 1), maps[:1])
    np.testing.assert_array_equal(tensor_of(maps[:1], alone, np.float32), maps[0])
    with pytest.raises(ValueError, match="not of 2 images"):
        maps_of(maps[0], alone, 2)
    with pytest.raises(ValueError, match="is of one image"):
        tensor_of(maps, alone, np.float32)


def test_the_only_dimension_that_is_left_holds_the_images():
    view = TensorView((1, 4, 5, 3), ((), whole(0, 4), whole(1, 5), whole(CHANNELS, 3)), (None, None))
    maps = drawn(2, 3, 4, 5)
    tensor = tensor_of(maps, view, np.float32)
    np.testing.assert_array_equal(tensor, np.moveaxis(maps, 1, -1))
    np.testing.assert_array_equal(maps_of(tensor, view, 2), maps)
    two = TensorView((1, 1, 4, 5, 3), ((), (), whole(0, 4), whole(1, 5), whole(CHANNELS, 3)), (None, None))
    with pytest.raises(ValueError, match="not of 2 images"):
        maps_of(tensor[:, None], two, 2)


def test_rows():
    assert rows_of(drawn(5), 1).shape == (1, 5)
    with pytest.raises(ValueError, match="not of 2 images"):
        rows_of(drawn(5), 2)
    assert as_floats(np.zeros(2, np.int8)).dtype == np.int8
    shapes = {name: array.shape for name, array in repeated({"a": drawn(1, 2), "b": drawn(3, 2), "c": np.array(1)}, 4).items()}
    assert shapes == {"a": (4, 2), "b": (3, 2), "c": ()}
