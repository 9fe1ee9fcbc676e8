"""Codes of tokens: kept as small as they can be, merged where they agree, and mixtures where they do not."""

import pytest
import torch

from seewhy.models.torch.attention.codes import (
    CONSTANT,
    MIXED,
    Coded,
    combined,
    constant,
    merged,
    mixture,
    moved,
    seen_by,
    starts_with,
    summed,
    thin,
)  # fmt: skip

ROW = torch.tensor([[[5], [6], [7]]], dtype=torch.int32)  # (1, 3, 1): three tokens


def codes(*numbers):
    return torch.tensor(numbers, dtype=torch.int32)


def test_repeats_are_left_out():
    assert torch.equal(thin(ROW.expand(2, 3, 4)), ROW)
    assert torch.equal(thin(ROW.expand(2, 3, 4).clone()), ROW)
    assert torch.equal(thin(ROW), ROW)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((5, 5), 5),
        ((5, CONSTANT), 5),
        ((5, 6), MIXED),
        ((5, MIXED), MIXED),
        ((CONSTANT, MIXED), MIXED),
        ((CONSTANT,) * 2, CONSTANT),
    ],
)
def test_sums_and_merges_are_of_one_token_or_a_mixture(numbers, expected):
    assert summed(codes(*numbers), [0]).tolist() == [expected]
    assert merged([codes(number) for number in numbers]).tolist() == [expected]
    assert merged([codes(number) for number in reversed(numbers)]).tolist() == [expected]


def test_entries_that_disagree_alone_are_mixed():
    assert merged([codes(5, 6, 7), codes(5, CONSTANT, 8)]).tolist() == [5, 6, MIXED]


def test_weights_stay_of_their_queries_and_keys():
    queries, keys = ROW.reshape(1, 3, 1), ROW.reshape(1, 1, 3) + 10
    weights = Coded(queries, keys, 1)
    for other in (Coded(queries, None, 2), Coded(keys, None, 2), Coded(constant(queries), None, 2), weights):
        both = combined([other, weights])
        assert both.pairs is not None
        assert torch.equal(both.codes, queries)
        assert torch.equal(both.pairs, keys)
        assert both.seen == 1 | other.seen
    assert combined([weights, Coded(queries + 1, None, 0)]).mixed
    assert combined([weights, Coded(queries, keys + 1, 0)]).mixed


def test_moves_are_those_of_the_tensor():
    out = moved(Coded(ROW, None, 4), (2, 3, 4), lambda x: x.transpose(1, 2).flip(2))
    assert isinstance(out, Coded)
    assert out.codes.tolist() == [[[7, 6, 5]]]
    assert out.seen == 4
    parts = moved(Coded(ROW, None, 4), (2, 3, 4), lambda x: x.split([1, 2], 1))
    assert isinstance(parts, list)
    assert [part.codes.flatten().tolist() for part in parts] == [[5], [6, 7]]


def test_of_what_nothing_is_known_is_a_mixture():
    assert mixture(ROW).mixed
    assert not Coded(ROW).mixed
    assert not Coded(constant(ROW)).mixed
    assert starts_with(ROW, 5)
    assert not starts_with(ROW[:0], 5)
    assert seen_by([mixture(ROW, 1), mixture(ROW, 4)]) == 5
