"""The order of the cells of a dimension, from profiles that are made up: which are found, and that nothing else is."""

from itertools import permutations, product
from math import prod

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.models.torch.places.marks import Dim, Factor
from seewhy.models.torch.places.orders import CellOrder, order_of

STRIPES = 16


def seen(cells, size, stripes=STRIPES, blur=0.0, seed=0):
    """How entries that are cells of an axis change with its stripes: with those that lie in them, more or less, and a little
    with those beside them.  A cell of -1 changes with all alike, one of None not at all."""
    noise = np.random.default_rng(seed).uniform(0.7, 1.3, (stripes, len(cells)))
    middle = (np.arange(stripes) + 0.5) / stripes * size - 0.5
    profile = np.zeros((stripes, len(cells)))
    for i, cell in enumerate(cells):
        if cell is not None:
            far = np.abs(middle - cell)
            profile[:, i] = (far <= 0.5 + size / stripes / 2) + blur * (far <= 1.5) if cell >= 0 else 0.3
    return profile * noise


def laid(grid, axes=None, backwards=(), before=(), behind=(), blur=0.0):
    """The profiles of rows of all cells of a grid, and of others before and behind them."""
    axes = axes or range(len(grid))
    cells = np.unravel_index(np.arange(prod(grid)), [grid[a] for a in axes])
    along = {a: grid[a] - 1 - cell if a in backwards else cell for a, cell in zip(axes, cells, strict=True)}
    return [seen([*before, *along[a].tolist(), *behind], size, blur=blur, seed=a) for a, size in enumerate(grid)]


@pytest.mark.parametrize("grid", [*product(range(2, 6), repeat=2), (2, 8), (9, 9), (3, 12), (14, 14), (24, 32)])
def test_each_order_of_a_grid_is_found(grid):
    for axes, backwards in product(permutations(range(2)), [(), (0,), (1,), (0, 1)]):
        order = order_of(laid(grid, axes, backwards))
        assert isinstance(order, CellOrder), order
        assert order.dim == Dim(tuple(Factor(grid[a], a) for a in axes))
        assert sorted(order.backwards) == [*backwards]
        assert order.cells == grid


@pytest.mark.parametrize("axes", [*permutations(range(3))])
def test_each_order_of_a_volume_is_found(axes):
    for grid in [(2, 3, 4), (4, 4, 4), (8, 14, 14)]:
        order = order_of(laid(grid, axes, (1,), blur=0.1))
        assert isinstance(order, CellOrder), order
        assert (order.dim.factors, order.backwards) == (tuple(Factor(grid[a], a) for a in axes), (1,))


@pytest.mark.parametrize("size", [5, 7, 24, 32, 100])
def test_a_signal_is_found_either_way(size):
    for backwards in ((), (0,)):
        cells = [*range(size)][:: -1 if backwards else 1]
        order = order_of([seen([-1, *cells, -1, -1], size, 32, 0.1)])
        assert isinstance(order, CellOrder), order
        assert (order.cells, order.backwards) == ((size,), backwards)
        assert order.dim.rows == (-1, *range(size), -1, -1)


BESIDE = [((8, 8), 0, k) for k in range(10, 18)] + [((16, 16), 17, 0), ((3, 4), 1, 0), ((4, 4), 30, 30)]


@pytest.mark.parametrize("extra", [-1, None])
@pytest.mark.parametrize(("grid", "before", "behind"), BESIDE)
def test_any_number_of_others_may_stand_beside_the_cells(grid, before, behind, extra):
    order = order_of(laid(grid, before=[extra] * before, behind=[extra] * behind))
    assert isinstance(order, CellOrder), order
    assert order.cells == grid
    assert order.dim.rows == (*[-1] * before, *range(prod(grid)), *[-1] * behind)


@pytest.mark.parametrize("extra", [-1, None])
def test_a_class_token_may_stand_in_the_middle(extra):
    profiles = [np.insert(profile, 18, seen([extra], 6)[:, 0], 1) for profile in laid((6, 6))]
    order = order_of(profiles)
    assert isinstance(order, CellOrder), order
    assert order.dim.rows == (*range(18), -1, *range(18, 36))


def test_cells_that_the_network_ignores_are_cells_all_the_same():
    """A row of silent cells at the border: without them, all others would lie beside their places."""
    rows = [np.where(np.arange(14 * 14) < 14, 0, profile) for profile in laid((14, 14))]
    order = order_of(rows)
    assert isinstance(order, CellOrder), order
    assert (order.cells, order.dim.rows) == ((14, 14), None)


def test_the_middle_one_of_few_cells_is_no_class_token():
    """Where cells are blurred, those at the border change least with other places."""
    profile = np.stack([np.repeat([1, 0], 8), np.ones(16), np.repeat([0, 1], 8)], 1).astype(float)
    assert order_of([profile]) == "2 of 3 entries belong to places, but not in the order of cells one behind the other"
    profile[4:12, 1] = 1.5
    assert order_of([profile]) == "2 of 3 entries belong to places, but not in the order of cells one behind the other"


def test_cells_in_another_order_are_refused_with_the_reason():
    profiles = laid((4, 6))
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(24)
        why = order_of([profile[:, order] for profile in profiles])
        assert why == (
            "24 of 24 entries belong to places, but not in the order of a grid, row by row or column by column "
            "(windows come first, say)"
        )
    windows = np.arange(24).reshape(2, 2, 3, 2).transpose(0, 2, 1, 3).ravel()
    assert isinstance(order_of([profile[:, windows] for profile in profiles]), str)
    assert isinstance(order_of([np.roll(profile, 5, 1) for profile in profiles]), str)


def test_cells_of_several_places_are_refused():
    profiles = [profile + profile[:, ::-1] for profile in laid((4, 4))]
    assert not isinstance(order_of(profiles), CellOrder)
    shifted = [np.roll(profile, 2, 0) for profile in laid((4, 4))]  # the last window holds the first and the last places
    assert order_of(shifted) == "7 of 16 entries change with several places each"


def test_places_along_one_axis_alone_are_no_grid():
    rows, _ = laid((6, 6))
    assert order_of([rows, np.ones((STRIPES, 36))]) == "36 of 36 entries belong to places, but along axis 0 of the image alone"


def test_what_changes_alike_has_no_order():
    assert order_of([np.ones((STRIPES, 30))] * 2) is None
    assert order_of([seen([0], 4)] * 2) is None


def test_two_cells_need_many_stripes():
    few = "its 2 x 2 cells follow so few bright stripes that this may be chance"
    cells = [[0, 0, 1, 1], [0, 1, 0, 1]]
    assert order_of([seen(along, 2, 8) for along in cells]) == few
    assert isinstance(order_of([seen(along, 2, 16) for along in cells]), CellOrder)


def test_chance_shows_no_order():
    """Neither entries that change by chance, nor entries that each belong to a place at chance."""
    random = np.random.default_rng(0)
    for _ in range(400):
        d, entries = random.integers(1, 4), random.integers(2, 30)
        shape = float(random.choice([0.05, 0.3, 1, 5]))
        assert not isinstance(order_of([random.gamma(shape, 1, (STRIPES, entries)) for _ in range(d)]), CellOrder)
    for _ in range(400):
        entries, size = random.choice([6, 8, 9, 12, 16]), int(random.integers(2, 6))
        profiles = [seen(random.uniform(0, size - 1, entries).tolist(), size) for _ in range(2)]
        assert not isinstance(order_of(profiles), CellOrder)


def test_a_grid_decides_what_is_left_open_and_nothing_else():
    profiles = laid((3, 4), before=[-1])
    assert isinstance(order_of(profiles, (3, 4)), CellOrder)
    assert order_of(profiles, (4, 3)) == (
        "grid=(4, 3) is not true of it: 12 of 13 entries belong to places; grid=(3, 4) may be"
    )
    other = order_of(profiles, (2, 2))  # rows of four cells are others than these
    assert isinstance(other, CellOrder)
    assert other.cells == (3, 4)
    with pytest.raises(BadParameter, match="2 axes of space"):
        order_of(profiles, (12,))


def test_a_grid_tells_cells_that_are_ignored_from_tokens_of_no_place():
    size, half = 200, 100
    left_open = [seen([*range(half), None, *range(half, size)], size, 32)]
    assert order_of(left_open) == "200 of 201 entries belong to places, which may be 200 (axis 0) or 201 (axis 0)"
    why = order_of(left_open, (12,))
    assert why == "grid=(12,) is not true of it: 200 of 201 entries belong to places; grid=(200,) or grid=(201,) may be"
    for cells, rows in ((size, (*range(half), -1, *range(half, size))), (size + 1, None)):
        order = order_of(left_open, (cells,))
        assert isinstance(order, CellOrder), order
        assert (order.cells, order.dim.rows) == ((cells,), rows)
