"""Copies that differ from one map in a box each: cut out, put back, made larger, against loops over the cells."""

import numpy as np
import pytest
import torch

from seewhy.models.torch.variants.patches import Boxes, cut, grown, lasting, outer, paste
from support.boxes import copies, doubles

SPACES = {1: (9,), 2: (7, 9), 3: (4, 5, 6)}
SIZES = {1: (3,), 2: (2, 3), 3: (2, 1, 3)}


def boxes(d, seed=0, m=4):
    space, sizes = SPACES[d], SIZES[d]
    rng = np.random.default_rng(seed)
    at = np.stack([rng.integers(0, n - s + 1, m) for n, s in zip(space, sizes, strict=True)], 1)
    at[1] = at[0]  # two at the same place, which are written together
    return Boxes(doubles(1, 2, *space), doubles(m, 2, *sizes, seed=seed + 1), at)


def anew(fn, *args, **kwargs):
    """In place of what is remembered of the unchanged map."""
    return fn(*args, **kwargs)


@pytest.mark.parametrize("d", SPACES)
def test_the_copies_in_full(d):
    x = boxes(d)
    assert torch.equal(x.whole(), copies(x.base, x.patch, torch.from_numpy(x.at)))
    assert x.shape == (4, 2, *SPACES[d])
    assert (x.d, x.space, x.sizes) == (d, SPACES[d], SIZES[d])
    assert x.has_channels(d)
    assert not x.has_channels(d + 1)
    assert x.share == pytest.approx(np.prod(SIZES[d]) / np.prod(SPACES[d]))


@pytest.mark.parametrize("d", SPACES)
def test_larger_boxes_hold_the_smaller_ones_and_lie_in_the_map(d):
    parts = [boxes(d, 0), boxes(d, 5)]
    at, sizes = outer(parts)
    assert (at >= 0).all()
    assert (at + sizes <= SPACES[d]).all()
    for part in parts:
        assert (at <= part.at).all()
        assert (at + sizes >= part.at + part.sizes).all()
    for part in parts:
        larger = Boxes(part.base, grown(anew, part, at, sizes), at)
        assert torch.equal(larger.whole(), part.whole())
    same = boxes(d)
    assert grown(anew, same, same.at, same.sizes) is same.patch


@pytest.mark.parametrize("lead", [(), (3,), (3, 2)])
def test_larger_boxes_of_maps_with_any_axes_before_space(lead):
    part = Boxes(doubles(1, *lead, 7, 9), doubles(2, *lead, 2, 2, seed=1), np.array([[0, 3], [5, 7]]))
    at, sizes = np.array([[0, 2], [3, 5]]), (4, 4)
    assert torch.equal(Boxes(part.base, grown(anew, part, at, sizes), at).whole(), part.whole())


def test_boxes_are_cut_from_a_padded_map():
    base = doubles(1, 2, 4, 5)
    padded = lasting(base, 2, (1, 0), (2, 3), -7.0)
    assert padded.shape == (7, 8, 2)
    assert torch.equal(padded[1:5, :5].movedim(-1, 0), base[0])
    assert bool((padded[0] == -7).all())
    assert bool((padded[:, 5:] == -7).all())
    at = np.array([[0, 0], [3, 4]])
    found = cut(padded, at, (3, 2))
    assert found.shape == (2, 2, 3, 2)
    for box, (y, x) in zip(found, at, strict=True):
        assert torch.equal(box, padded[y : y + 3, x : x + 2].movedim(-1, 0))


def test_what_lies_outside_is_not_written():
    goal, patch = torch.zeros(4, 1, 5, 5), torch.arange(1.0, 10).reshape(1, 1, 3, 3).repeat(4, 1, 1, 1)
    at = np.array([[-1, -1], [4, 1], [-3, 0], [9, 9]])
    paste(goal, patch, at)
    assert goal[0, 0, :2, :2].tolist() == [[5, 6], [8, 9]]
    assert int((goal[0] != 0).sum()) == 4
    assert goal[1, 0, 4, 1:4].tolist() == [1, 2, 3]
    assert int((goal[1] != 0).sum()) == 3
    assert not goal[2:].any()
