"""Cells lie where they look, in networks drawn by chance: measured pixel by pixel against what the library says."""

from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
from torch import nn

import seewhy
from support.planted.chance import layers_of, network_of
from support.planted.judge import REFUSED, RIGHT, WRONG
from support.planted.measured import UNTOLD, farthest, judged_all, told_along

SEEDS = range(60)


@lru_cache(None)
def verdicts(seed: int) -> dict[str, tuple[str, str]]:
    network, space = network_of(seed)
    return judged_all(seewhy.wrap(network), layers_of(network), space)


@pytest.mark.parametrize("seed", SEEDS)
def test_cells_lie_where_they_look(seed):
    wrong = {layer: words for layer, (kind, words) in verdicts(seed).items() if kind not in (RIGHT, REFUSED, UNTOLD)}
    assert wrong == {}


def test_nearly_all_layers_are_followed():
    """All that these networks do is known where it leads; only what tokens are mixed by may be refused."""
    counts = Counter(kind for seed in SEEDS for kind, _ in verdicts(seed).values())
    assert counts[REFUSED] <= 0.03 * counts.total()
    assert counts[UNTOLD] <= 0.1 * counts.total()
    assert counts[RIGHT] > 250


def seen_by(stride: int, field: int, pixels: int, first: int = 0) -> np.ndarray:
    """(cells, 1, pixels, 1): how cells of such a field, `stride` apart, look at a line of pixels."""
    at = np.arange(pixels)
    cells = range(first, pixels, stride)
    return np.array([abs(at - cell) <= field // 2 for cell in cells], float)[:, None, :, None]


def test_the_middle_of_what_cells_see_is_measured_away_from_the_border():
    (line,) = told_along(seen_by(2, 3, 12), 0)
    assert line == {2.0: [1], 4.0: [2], 6.0: [3], 8.0: [4]}
    assert farthest(line, 0, 2, 6) == 0
    assert farthest(line, 1, 2, 6) == 0.5
    assert farthest(line, 10, -2, 6) == 3


def test_cells_side_by_side_that_see_the_same_are_told_together():
    (line,) = told_along(seen_by(4, 1, 24, 2).repeat(4, 0), 0)
    assert line[10.0] == [8, 9, 10, 11]
    assert farthest(line, 0.5, 1, 24) == 0
    assert farthest(line, 2.5, 1, 24) == 0.5  # of the four
    assert farthest({6.0: [4, 5]}, 1.5, 1, 12) == 0
    assert farthest({6.0: [0, 1, 2, 3]}, 0.5, 1, 4) == 5.5  # a whole line that sees one place is no line of places


def test_networks_are_the_same_for_the_same_seed():
    first, second = network_of(3)[0], network_of(3)[0]
    assert layers_of(first) == layers_of(second)
    assert all(np.array_equal(a.detach(), b.detach()) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert isinstance(next(first.children()), nn.Conv2d)


def test_most_kinds_of_change_are_drawn():
    kinds = {layer.partition("_")[2] for seed in SEEDS for layer in layers_of(network_of(seed)[0])}
    assert len(kinds) > 40
    assert WRONG not in kinds
