"""Where cells lie that are sums of others: against the measured centre of what they depend on."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seewhy.images.places import Place
from seewhy.models.torch.places.marks import IMAGES, Dim, Factor, lost, plain, start
from seewhy.models.torch.places.merging import DIFFERENT, MIXED, combined, flat, level, merged, simple, summed
from seewhy.models.torch.places.moves import chosen, permuted, regrouped, selected, with_dim
from seewhy.models.torch.places.windows import moved
from support.following import mark_of
from support.random_calls import random_program
from support.random_sums import SUMS, misplaced, split_into

SHAPE = (2, 3, 8, 6)
IMAGE = start(SHAPE)
SHAPES = [(2, 2, 16, 12), (2, 2, 12, 12), (2, 2, 24), (2, 1, 8, 6, 6), (2, 3, 24, 24), (3, 1, 12, 12)]


@pytest.mark.parametrize("steps", [1, 4])
def test_random_sums_lie_where_the_gradient_of_their_cells_does(steps):
    lost_ones = 0
    for seed in range(120):
        r = np.random.default_rng([seed, steps])
        shape = SHAPES[seed % len(SHAPES)]
        text, program = random_program(shape, r, steps, SUMS)
        x = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 0.2 + 1
        mark, faults = misplaced(program, x, 8, r, split_into(text))
        assert faults == [], (shape, text)
        assert mark is not None
        lost_ones += mark.lost not in ("", MIXED)
    assert lost_ones <= 120 * 0.02 * steps


def shifted(by: int):
    return moved(IMAGE, {-2: (1, by, by), -1: (1, 0, 0)}, SHAPE)


def test_what_is_summed_over_is_gone_and_seen_by_all():
    channels = summed(IMAGE, 1, 5)
    assert (channels.shape, channels.where) == ((2, 5, 8, 6), IMAGE.where)
    rows = summed(IMAGE, -1, None)
    assert (rows.shape, rows.where, rows.whole) == ((2, 3, 8), None, True)
    assert summed(IMAGE, 0, 1).lost == MIXED


def test_of_inner_cells_that_are_summed_over_the_others_lie_in_the_middle():
    cut = regrouped(IMAGE, (2, 3, 4, 2, 6))
    assert summed(cut, 3, None).where == ((4, 6), Place((2, 1), (0.5, 0), (2, 1)))
    outer = summed(cut, 2, None)
    assert outer.whole
    assert outer.where is None


def test_of_branches_the_centres_are_averaged_and_the_fields_joined():
    left, right = shifted(0), shifted(3)
    assert merged([left, right], SHAPE).where == ((8, 6), Place((1, 1), (1.5, 0), (4, 1)))
    assert merged([left, right], SHAPE, [1, 2]).where == ((8, 6), Place((1, 1), (2, 0), (4, 1)))


DIFFERING = {
    "transposed": permuted(start((2, 3, 8, 8)), (0, 1, 3, 2)),
    "mirrored": chosen(start((2, 3, 8, 8)), -1, np.arange(8)[::-1]),
    "rolled": chosen(start((2, 3, 8, 8)), -1, np.roll(np.arange(8), 3)),
    "of fourfold stride": moved(start((2, 3, 8, 8)), {-2: (4, 0, 3), -1: (1, 0, 0)}, (2, 3, 8, 8)),
    "far away": moved(start((2, 3, 8, 8)), {-2: (1, 9, 9), -1: (1, 0, 0)}, (2, 3, 8, 8)),
}


@pytest.mark.parametrize("how", DIFFERING)
def test_maps_that_lie_differently_have_no_common_place(how):
    assert merged([start((2, 3, 8, 8)), DIFFERING[how]], (2, 3, 8, 8)).lost == DIFFERENT


def test_of_a_little_different_strides_the_one_that_sees_least_has_the_place():
    """As where 13 cells were enlarged to 25, and joined a map of 25."""
    fine, coarse = (moved(IMAGE, {-2: (step, 0, width), -1: (1, 0, 0)}, SHAPE) for step, width in ((1, 1), (1.1, 4)))
    where = merged([fine, coarse], SHAPE).where
    assert where is not None
    assert (where[1].stride, where[1].first) == ((1, 1), (0.5, 0))


def test_gates_change_no_place():
    for gate in (summed(summed(IMAGE, -1, 1), -2, 1), summed(IMAGE, 1, 1), plain_of(2, 3, 8, 6), plain_of(6)):
        found = merged([IMAGE, gate], SHAPE).where
        assert found is not None
        assert IMAGE.where is not None
        assert found[1][:2] == IMAGE.where[1][:2]
    assert merged([IMAGE, plain_of(2, 3, 8, 6)], SHAPE).whole, "the residual of a Mixer"


def plain_of(*shape: int):
    return replace(IMAGE, dims=tuple(plain(size) for size in shape))


def test_rows_and_columns_together_are_a_map():
    rows, columns = summed(IMAGE, -1, 1), summed(IMAGE, -2, 1)
    assert merged([rows, columns], SHAPE).where == ((8, 6), Place((1, 1), (0, 0), (inf, inf)))


def test_cells_of_parts_are_cells():
    parts = with_dim(with_dim(IMAGE, -2, Dim((Factor(4, 0), Factor(2)))), -1, Dim((Factor(6, 1),)))
    assert level(parts, -2).dims[-2] == Dim((Factor(8, 0),))
    assert level(parts, -2).axes[0][:2] == (0.5, -0.25)
    assert level(IMAGE, -2) is IMAGE


def test_what_is_lost_stays_lost_for_the_first_reason():
    assert merged([IMAGE, lost("a"), lost("b")], SHAPE).lost == "a"


def test_single_images_do_not_mix():
    first, second = selected(IMAGE, 0, 0), selected(IMAGE, 0, 1)
    assert merged([first, first], SHAPE[1:]).taken == first.taken
    assert merged([first, second], SHAPE[1:]).lost == MIXED
    assert merged([IMAGE, first], SHAPE).lost == MIXED


def test_single_frames_that_are_added_see_the_whole_axis():
    first, second = selected(IMAGE, -2, 0), selected(IMAGE, -2, 1)
    mark = merged([first, second], (2, 3, 6))
    assert mark.whole
    assert mark.taken == ()


def test_products_over_labels():
    tokens = regrouped(IMAGE, (2, 3, 48))
    pairs = combined([(tokens, "ncq"), (tokens, "nck")], "nqk", (2, 48, 48))
    assert pairs.pairs
    again = combined([(pairs, "nqk"), (tokens, "nck")], "nqc", (2, 48, 3))
    assert again.where == ((8, 6), Place((1, 1), (0, 0), (inf, inf)))
    assert combined([(tokens, "ncq")], "cq", (3, 48)).lost == MIXED
    assert combined([(pairs, "nqk"), (tokens, "nck")], "nqc", (2, 48, 3)).dims[0] == Dim((Factor(2, IMAGES),))


def test_pairs_of_two_maps_tell_of_the_first():
    fine, coarse = (
        regrouped(IMAGE, (2, 3, 48)),
        regrouped(moved(IMAGE, {-2: (2, 0, 1), -1: (2, 0, 1)}, (2, 3, 4, 3)), (2, 3, 12)),
    )
    pairs = combined([(fine, "ncq"), (coarse, "nck")], "nqk", (2, 48, 12))
    assert pairs.axes == fine.axes
    assert pairs.dims[2] == plain(12)


def test_one_of_two_may_know_less_of_what_is_folded_into_the_batch():
    known = Dim((Factor(2, IMAGES), Factor(4, 0)))
    unknown = Dim((Factor(2, IMAGES), Factor(4)))
    marks = [replace(IMAGE, dims=(dim, Dim((Factor(6, 1),)))) for dim in (unknown, known)]
    assert merged(marks, (8, 6)).dims[0] == known


def cut(x: Tensor) -> Tensor:
    """Patches of 2 x 2 pixels as rows of channels, in which each pixel is known."""
    return F.unfold(x, 2, stride=2).mT


ALL = torch.ones(12, 12)
MIXED_CHANNELS = {
    "a norm": lambda x: F.layer_norm(x, (12,)),
    "a layer": lambda x: x + x @ ALL,
    "attention": lambda x: x + F.scaled_dot_product_attention(x @ ALL, x @ ALL, x @ ALL),
}


@pytest.mark.parametrize("name", MIXED_CHANNELS)
def test_once_channels_are_mixed_that_hold_cells_the_outer_cells_are_left(name):
    mark = mark_of(lambda x: MIXED_CHANNELS[name](cut(x)), torch.zeros(2, 3, 6, 8))
    assert not mark.dims[2].spatial
    assert mark.where is not None
    assert (mark.where[0], mark.where[1].stride, mark.where[1].first) == ((3, 4), (2, 2), (0.5, 0.5))


@pytest.mark.parametrize("name", ["a gate", "a mix of as many tokens as channels"])
def test_what_mixes_no_channels_leaves_the_cells_that_they_hold(name):
    def net(x: Tensor) -> Tensor:
        rows = cut(x)
        return rows * (rows.mean(1, keepdim=True) @ ALL).sigmoid() if name == "a gate" else rows + ALL @ rows

    mark = mark_of(net, torch.zeros(2, 3, 6, 8))
    assert mark.where is not None
    assert mark.dims[1].spatial


def test_patches_whose_channels_are_mixed_lie_in_their_middle():
    """Also where their rows are mixed as well, as a Mixer does: rows of patches (n, l, c * p * p), and sums of them."""
    cut = permuted(regrouped(IMAGE, (2, 3, 4, 2, 3, 2)), (0, 2, 4, 1, 3, 5))
    rows = regrouped(cut, (2, 12, 12))
    mixed = permuted(summed(permuted(rows, (0, 2, 1)), -1, 12), (0, 2, 1))
    assert merged([rows, mixed], (2, 12, 12)).where == ((4, 3), Place((2, 2), (0.5, 0.5), (inf, inf)))
    assert flat(rows, -1).where == ((4, 3), Place((2, 2), (0.5, 0.5), (2, 2)))
    assert flat(rows, 1) is rows, "these are the cells"
    beside = chosen(rows, 1, np.array([-1, *range(12)]))
    assert simple(beside).dims[2] == plain(12), "a class token has no inner cells"
    assert simple(rows).dims == rows.dims


def test_what_is_told_more_coarsely_is_told_as_finely_as_the_other():
    fine, coarse = Dim((Factor(4), Factor(2, 0), Factor(2, 1))), Dim((Factor(8), Factor(2, 1)))
    marks = [replace(IMAGE, dims=(dim,)) for dim in (fine, coarse)]
    assert merged(marks, (16,)).dims == merged(marks[::-1], (16,)).dims == (fine,)
