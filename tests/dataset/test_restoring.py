"""Maps as rows, and back."""

from dataclasses import replace

import numpy as np
import pytest

import seewhy
from seewhy.dataset.restoring import LEFT_OUT, heatmap_of, map_columns, source_of_row, values_of


@pytest.fixture
def heatmap(red_model, red_dot) -> seewhy.Heatmap:
    photo = red_dot((90, 70), 60, 30)
    return seewhy.grad_cam(red_model, photo, target=1, layer="cells", signed=True)[0]


def test_a_map_comes_back_where_it_lay_and_as_it_was(heatmap):
    row = {"item": 5, **map_columns(heatmap)}
    back = heatmap_of(row, heatmap.image)
    assert (back.box, back.cells, back.place) == (heatmap.box, heatmap.cells, 5)
    largest = abs(heatmap.values).max()
    assert largest > 0
    assert abs(back.values - heatmap.values).max() <= largest * 2**-11
    assert abs(back.full() - heatmap.full()).max() <= largest * 2**-10
    assert np.array_equal(values_of(row), back.values)


def test_its_source_says_all_but_the_maps_own_numbers(heatmap):
    source = source_of_row(map_columns(heatmap))
    mine = {name: value for name, value in heatmap.source.comparable.items() if name != "values"}
    assert {name: value for name, value in source.comparable.items() if name != "values"} == mine
    assert source.host == {name: value for name, value in heatmap.source.host.items() if name != "images_together"}
    assert [getattr(source, name) for name in LEFT_OUT] == [{}, None]


def test_what_maps_of_one_model_and_method_share_is_one_text(red_model, red_dot):
    photos = [red_dot((90, 70), 60, 30), red_dot((70, 70), 20, 30)]
    rows = [map_columns(each) for each in seewhy.grad_cam(red_model, photos, target=[0, 1], layer="cells")]
    assert len({row["made_by"] for row in rows}) == 1
    assert len({row["source"] for row in rows}) == 4


def test_of_a_map_at_the_images_pixels_means_over_blocks_are_kept_and_it_says_so(red_model, red_dot):
    heatmap = seewhy.gradient(red_model, red_dot((64, 64), 30, 30), target=1)[0]
    large = replace(heatmap, values=np.kron(heatmap.values, np.ones((2, 2), np.float32)))
    row = {"item": 0, **map_columns(large)}
    back = heatmap_of(row, heatmap.image)
    blocks = heatmap.values.reshape(32, 2, 32, 2).mean((1, 3))
    assert np.allclose(back.values, blocks, atol=abs(blocks).max() * 2**-10)
    assert back.warnings[-1] == "of a larger map these are the means over 32 x 32 blocks"
    whole = heatmap_of(row, heatmap.image, full=large.values)
    assert whole.values is large.values
    assert whole.warnings == heatmap.warnings


@pytest.mark.parametrize("column", ["source", "made_by", "map_cells"])
def test_a_damaged_row_is_told(heatmap, column):
    with pytest.raises(ValueError, match=r"object|does not say where"):
        heatmap_of({"item": 0, **map_columns(heatmap), column: "[1]"}, heatmap.image)
