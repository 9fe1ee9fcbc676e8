"""The sheet of a layer's filters: colours, words, and what is saved."""

import json

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.maps.made_here import is_sheet
from seewhy.pictures.kernels import kernel_tile
from support.small import small_network

FIT = {"size": 24, "crop": 24, "mean": 0.5, "std": 0.5}
FOUND = seewhy.filters(seewhy.wrap(small_network(padding=1), prepare=FIT))
DEEPER = seewhy.filters(seewhy.wrap(small_network(padding=1), prepare=FIT), "2", samples=1)


def test_a_first_filter_is_drawn_in_colour_and_where_blue_comes_first_turned():
    first = np.asarray(kernel_tile(FOUND.kernels.weights[0], 60, True))
    sheet = np.asarray(FOUND.picture(width=60))
    turned = seewhy.filters(seewhy.wrap(small_network(padding=1), prepare={**FIT, "bgr": True}))
    of_turned = np.asarray(turned.picture(width=60))
    top = next(y for y in range(sheet.shape[0]) if np.array_equal(sheet[y : y + 60, 18:78], first))
    assert np.array_equal(of_turned[top : top + 60, 18:78], first[..., ::-1])


def test_it_says_how_large_weights_are_what_is_read_and_how_far_it_sees():
    weights, sides = DEEPER.kernels.weights, DEEPER.fields.sides()
    for row, unit in zip(DEEPER.facts["filters"], DEEPER.units, strict=True):
        assert row["largest_weight"] == abs(weights[unit]).max()
        assert row["effective_side"] == sides[unit]
    assert str(FOUND).splitlines()[1] == f"filter 0: \u00b1{abs(FOUND.kernels.weights[0]).max():.2g}"
    assert (
        str(DEEPER).splitlines()[1] == f"filter 0: \u00b1{abs(weights[0]).max():.2g}, reads 0, 1, 2, 3, sees {sides[0]:.0f} px"
    )
    json.dumps(DEEPER.facts, default=str)


def test_it_is_saved_as_a_sheet_or_as_numbers(tmp_path):
    assert is_sheet(DEEPER.save(tmp_path / "a.png", width=40))
    Image.open(tmp_path / "a.png").verify()
    with np.load(DEEPER.save(tmp_path / "a.npz")) as file:
        assert np.array_equal(file["kernels"], DEEPER.kernels.weights)
        assert np.array_equal(file["fields"], DEEPER.fields.mean)
        assert np.array_equal(file["strength"], DEEPER.fields.strength)
        assert json.loads(str(file["facts"]))["layer"] == "2"
    with pytest.raises(seewhy.BadParameter, match=r"as \.png"):
        FOUND.save(tmp_path / "a.jpg")
    with pytest.raises(seewhy.BadParameter, match="at least one column"):
        FOUND.picture(columns=0)
