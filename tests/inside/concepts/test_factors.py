"""Non-negative factors: planted ones come back, amounts are the best there are, and signs are neither cut off nor shifted."""

import sys
from itertools import combinations

import numpy as np
import pytest

from seewhy.errors import SEEDS, BadParameter, MissingExtra, NotApplicable
from seewhy.inside.concepts import factors
from seewhy.inside.concepts.factors import cells_of, coefficients, concepts_in, factorised
from support.planted_patches import PATCHES, amounts, unit, which

SIGNED = np.array([[4.0, 0, -1, 0], [0, -3, 2, 0], [0, 0, 1, 5]])


def rows(patches, n: int = 6):
    """Cells that hold one patch each.  Since each patch also has a channel of its own, there are no other factors but for order
    and scale: in A = (U M)(W with M undone) neither M nor its inverse can have a sign (Donoho & Stodden 2003).
    """
    return amounts(n).transpose(0, 2, 3, 1).reshape(-1, 3) @ patches


def test_planted_patches_are_the_concepts_up_to_order_and_scale():
    bank = factorised(rows(PATCHES), 3, 0)
    order = which(bank.directions)
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(bank.directions[order], unit(PATCHES), atol=0.01)
    np.testing.assert_allclose(np.linalg.norm(bank.directions, axis=1), 1)
    assert not bank.signed
    assert bank.notes == ()


def test_patches_with_signs_come_back_with_their_signs():
    bank = factorised(rows(SIGNED), 3, 0)
    order = which(bank.directions, SIGNED)
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(bank.directions[order], unit(SIGNED), atol=0.01)
    assert bank.signed


def test_the_same_seed_gives_the_same_factors():
    noisy = rows(PATCHES) + np.random.default_rng(1).random((96, 4))
    np.testing.assert_array_equal(factorised(noisy, 3, 5).directions, factorised(noisy, 3, 5).directions)
    assert np.isfinite(factorised(noisy, 3, SEEDS).directions).all()  # beyond those that scikit-learn takes


def least(row, directions):
    """The best amounts without signs, by trying every set of concepts: plain least squares on it, if none is below zero."""
    best = (float(row @ row), np.zeros(len(directions)))
    for size in range(1, len(directions) + 1):
        for chosen in combinations(range(len(directions)), size):
            u = np.linalg.lstsq(directions[[*chosen]].T, row, rcond=None)[0]
            missed = ((row - u @ directions[[*chosen]]) ** 2).sum()
            if (u >= 0).all() and missed < best[0]:
                best = (missed, np.zeros(len(directions)))
                best[1][[*chosen]] = u
    return best[1]


@pytest.mark.parametrize("patches", [PATCHES, SIGNED], ids=["without signs", "with signs"])
def test_amounts_are_the_best_there_are_without_signs(patches):
    some = np.random.default_rng(0).normal(1, 2, (20, 4))
    found = coefficients(some, unit(patches))
    np.testing.assert_allclose(found, [least(row, unit(patches)) for row in some], atol=1e-12)
    assert (found == 0).any()
    np.testing.assert_array_equal(coefficients(some[3:4], unit(patches))[0], found[3])  # whatever stands beside it


def test_amounts_lie_in_the_cells_of_the_activation():
    of = amounts(1)[0]
    a = np.einsum("kyx,kc->cyx", of, unit(PATCHES))
    np.testing.assert_allclose(concepts_in(a, unit(PATCHES)), of, atol=1e-12)
    np.testing.assert_array_equal(cells_of(a)[5], a[:, 1, 1])


def test_of_many_rows_as_many_are_drawn_as_there_is_room_for(monkeypatch):
    monkeypatch.setattr(factors, "MOST_ROWS", 40)
    bank = factorised(rows(PATCHES), 3, 0)
    assert bank.rows == 40
    np.testing.assert_allclose(bank.directions[which(bank.directions)], unit(PATCHES), atol=0.01)


def test_concepts_that_are_not_there_are_left_out():
    bank = factorised(np.outer([1.0, 2, 3, 4], [1.0, 1, 0]), 2, 0)
    assert bank.notes == () or "2 concepts were asked for, and the activations hold 1" in bank.notes
    np.testing.assert_allclose(bank.directions[0], unit(np.array([[1.0, 1, 0]]))[0], atol=1e-3)


@pytest.mark.parametrize(
    ("given", "count", "error", "why"),
    [
        (np.zeros((9, 4)), 2, NotApplicable, "nothing but zeros on these photos"),
        (np.full((9, 4), np.nan), 2, NotApplicable, "not finite"),
        (np.ones((9, 4)), 5, BadParameter, "count=5: the layer has 4 channels"),
        (np.ones((3, 4)), 4, BadParameter, "count=4: the layer has 3 cells or crops"),
    ],
    ids=["zeros", "nan", "channels", "cells"],
)
def test_what_cannot_be_factorised(given, count, error, why):
    with pytest.raises(error, match=why):
        factorised(given, count, 0)


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    with pytest.raises(MissingExtra, match="scikit-learn, which finds concepts, is not installed"):
        factorised(np.eye(4), 2, 0)
