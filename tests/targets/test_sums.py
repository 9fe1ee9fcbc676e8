"""Sums of what an image can be made for: their terms, their texts, and what is refused."""

import numpy as np
import pytest

from seewhy import Class, Contrast, Unit
from seewhy.errors import BadParameter
from seewhy.targets.sums import Direction, Diversity, WeightedSum, WholeLayer, terms_of


def test_operators_make_weighted_terms():
    total = 2 * Unit("conv", 3) - Class(1) * 0.5 + (Contrast(1, 2) + WholeLayer("conv")) * -3 - Diversity("conv")
    weights = [2, -0.5, -3, -3, -1]
    assert terms_of(total) == tuple(
        zip(weights, [Unit("conv", 3), Class(1), Contrast(1, 2), WholeLayer("conv"), Diversity("conv")], strict=True)
    )
    assert -Unit("conv", 3) == WeightedSum(((-1.0, Unit("conv", 3)),))
    assert terms_of(Class(1)) == ((1.0, Class(1)),)


def test_texts_are_read_as_they_are_meant():
    total = -1 * Class(1) + 0.5 * Unit("conv", 3, "sum") - 2 * WholeLayer("a:b") + Diversity("conv")
    assert str(total) == '-1 + 0.5*unit:conv:3:sum - 2*layer:"a:b" + diversity:conv'
    assert str(Direction("conv", np.ones(3), 2, (0, 1))) == "direction:conv:0,1 of 3 numbers, cosine to the power of 2"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Direction("conv", [0.0, 0.0]), "not all 0"),
        (lambda: Direction("conv", [[1.0]]), "number for each channel"),
        (lambda: Direction("conv", [np.nan]), "finite"),
        (lambda: Direction("conv", [1.0], cosine=-1), "cosine"),
        (lambda: Direction("conv", [1.0], at=(-1,)), "no cell"),
        (lambda: Direction("", [1.0]), "layer"),
        (lambda: WholeLayer(3), "layer"),
        (lambda: Diversity(" "), "layer"),
        (lambda: float("nan") * Class(1), "NaN"),
        (lambda: WeightedSum(((1.0, Class(1)),) * 101), "101 terms"),
    ],
    ids=["zero", "table", "NaN", "cosine", "cell", "empty name", "number", "blank name", "NaN weight", "many"],
)
def test_what_makes_no_sense_is_refused(make, why):
    with pytest.raises(BadParameter, match=why):
        make()


@pytest.mark.parametrize("other", [1, "unit:conv:3", None, True], ids=str)
def test_only_what_can_be_added_is_added(other):
    with pytest.raises(TypeError):
        Class(1) + other
    if not isinstance(other, int) or isinstance(other, bool):
        with pytest.raises(TypeError):
            Class(1) * other
