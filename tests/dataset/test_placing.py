"""Maps as the store keeps them: where they lie, and their values to the rounding of float16."""

import itertools

import numpy as np
import pytest

from seewhy.dataset.placing import SIDE, coarse, half, packed, placed, places, unpacked
from seewhy.images.places import Cells, Extent
from seewhy.images.sight import Sight

EXTENT = Extent(0.125, 1 / 3, 400.5, 299.9)
CELLS = Cells((15.5, 15.5), (32.0, 32.0), (224, 224), (Sight(3.25, 100.0), Sight(1 / 7, 90.0)))


@pytest.mark.parametrize("box", [EXTENT, Extent(400.0, 0.0, 0.0, 300.0)], ids=["part", "mirrored"])
@pytest.mark.parametrize("cells", [None, CELLS, CELLS.uncut], ids=["even", "looking", "uncut"])
def test_places_come_back_exactly(box, cells):
    columns = placed(box, cells)
    assert places(columns["map_box"], columns["map_cells"]) == (box, cells)
    assert isinstance(places(columns["map_box"], columns["map_cells"])[0], type(box))


@pytest.mark.parametrize("text", ["{", "[]", '{"first": [1]}', '{"first": 3, "stride": 1, "size": 2, "sights": []}'])
def test_damaged_places_are_told(text):
    with pytest.raises(ValueError, match="does not say where its map lies"):
        places(EXTENT, text)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 7e4, 3e37])
def test_values_come_back_to_the_rounding_of_float16_whatever_their_units(scale):
    values = (np.random.default_rng(0).standard_normal((7, 5)) * scale).astype(np.float32)
    content, largest = packed(values)
    assert len(content) == 2 * values.size
    assert largest == abs(values).max()
    back = unpacked(content, values.shape, largest)
    bound = np.maximum(abs(values.astype(np.float64)) * 2**-11, largest * 2**-25) * (1 + 1e-5)
    assert back.dtype == np.float32
    assert (abs(back.astype(np.float64) - values) <= bound).all()
    assert back.ravel()[abs(values).argmax()] == values.ravel()[abs(values).argmax()]  # the largest is exact


def test_an_empty_map_comes_back_empty():
    content, largest = packed(np.zeros((2, 2), np.float32))
    assert largest == 0
    assert not unpacked(content, (2, 2), largest).any()


def test_a_small_map_is_stored_as_it_is():
    values = np.random.default_rng(0).random((64, 64), np.float32)
    kept = coarse(values, CELLS)
    assert kept.values is values
    assert kept.cells is CELLS
    assert not kept.coarse


def test_a_large_map_is_stored_as_the_means_over_blocks():
    values = np.random.default_rng(0).random((96, 64), np.float32)
    kept = coarse(values, None)
    assert kept.coarse
    assert kept.cells is None
    assert kept.values.shape == (SIDE, SIDE)
    assert np.allclose(kept.values, values.reshape(32, 3, 32, 2).mean((1, 3)), atol=1e-6)


def shares_of(count: int, blocks: int) -> np.ndarray:
    """How much of each of `count` cells lies in each of the blocks that divide them evenly: (blocks, count)."""
    edges = np.arange(blocks + 1) * count / blocks
    return np.array([[max(0, min(high, k + 1) - max(low, k)) for k in range(count)]
                     for low, high in itertools.pairwise(edges)])  # fmt: skip


def test_blocks_that_cut_cells_count_them_in_part():
    values = np.arange(65 * 80, dtype=np.float32).reshape(65, 80)
    expected = shares_of(65, 32) @ values @ shares_of(80, 32).T / (65 / 32 * 80 / 32)
    assert np.allclose(coarse(values, None).values, expected, rtol=1e-6)


def test_the_cells_of_blocks_lie_in_the_middle_of_theirs():
    values, cells = np.zeros((96, 96), np.float32), Cells((1.0, 2.0), (4.0, 2.0), (400, 200))
    kept = coarse(values, cells).cells
    assert kept is not None
    for axis in (0, 1):
        blocks = cells.centres(axis, 96).reshape(32, 3).mean(1)
        assert np.allclose(kept.centres(axis, 32), blocks)


def test_numbers_beyond_float16_become_its_largest():
    assert np.frombuffer(half(np.array([1e9, -1e9, 0.5])), "<f2").tolist() == [65504.0, -65504.0, 0.5]
