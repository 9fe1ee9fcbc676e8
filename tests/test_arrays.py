"""What numpy arrays and torch tensors have in common."""

from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from seewhy.arrays import described, filled, numbers

torch = pytest.importorskip("torch")


def test_a_numpy_array_is_itself():
    x = np.arange(3)
    assert numbers(x) is x
    assert numbers([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]


def test_a_tensor_leaves_its_graph_without_a_copy():
    x = torch.tensor([1.5, -2.0], requires_grad=True)
    out = numbers(x)
    assert out.dtype == np.float32
    assert out.tolist() == [1.5, -2]
    assert np.shares_memory(out, x.detach().numpy())


def test_bfloat16_keeps_its_values_in_float32():
    x = torch.tensor([1 / 3, 2.0**100, -0.0], dtype=torch.bfloat16)
    assert numbers(x).dtype == np.float32
    assert np.array_equal(numbers(x), x.float().numpy())
    assert numbers(torch.tensor([1, 2], dtype=torch.int64)).dtype == np.int64


def test_small_values_are_described_as_they_are():
    assert described((1, "a", [2.5, None])) == (1, "a", (2.5, None))
    assert described(np.sort) == "sort"
    assert described(np.float32(2)) == 2


def test_long_arrays_and_pictures_are_described_by_their_hash():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    said = f"array (2, 3) sha256:{sha256(x.tobytes()).hexdigest()[:16]}"
    assert described(x) == said
    assert described(torch.from_numpy(x)) == said
    assert described(np.asfortranarray(x)) == said
    assert described(x + 1) != said
    red = Image.new("RGB", (2, 1), "red")
    pixels = bytes([255, 0, 0, 255, 0, 0])
    assert described(red) == f"image (2, 1) sha256:{sha256(pixels).hexdigest()[:16]}"


@pytest.mark.parametrize("kind", [np.array, torch.tensor], ids=["numpy", "torch"])
def test_a_part_is_filled_by_anything_but_zero_also_by_nan_and_what_is_negative(kind):
    nothing, negative, nan, inf = [0.0, -0.0], [0.0, -1e-300], [float("nan"), 0.0], [0.0, float("-inf")]
    x = kind(np.array([[nothing, negative], [nan, inf]]))
    assert filled(x, 2).tolist() == [[False, True], [True, True]]
    assert filled(x, 1).tolist() == [True, True]
    assert filled(x)
    assert not filled(x[0, 0])
    assert not filled(x[:, :, :0])
    assert filled(x[:, :, :0], 2).tolist() == [[False, False], [False, False]]
    assert filled(x != 0, 2).tolist() == [[False, True], [True, True]]
