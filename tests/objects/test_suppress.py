"""Non-maximum suppression: IoU by counting pixels, the surest stays, and torchvision leaves out the same boxes."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.objects.found import FoundBox
from seewhy.objects.suppress import overlap, suppressed, surest


def box(*spans, score=1.0, probability=None):
    return FoundBox(spans, score, 1, 0.5, probability=probability)


def some_boxes(count, axes, seed=0):
    rng = np.random.default_rng(seed)
    lows, sides = rng.integers(0, 12, (count, axes)), rng.integers(4, 12, (count, axes))
    spans = [tuple((int(a), int(a + s)) for a, s in zip(*both, strict=True)) for both in zip(lows, sides, strict=True)]
    return [box(*of, score=float(score)) for of, score in zip(spans, rng.permutation(count) / count, strict=True)]


def test_the_overlap_is_what_both_take_of_what_either_takes():
    assert overlap(((0, 2), (0, 2)), ((0, 2), (1, 3))) == pytest.approx(2 / 6)
    assert overlap(((0, 2), (0, 2)), ((0, 2), (0, 2))) == 1
    assert overlap(((0, 2), (0, 2)), ((2, 4), (0, 2))) == 0  # they touch
    assert overlap(((0, 2), (0, 2)), ((5, 6), (5, 6))) == 0  # apart along both axes
    assert overlap(((0, 0), (0, 2)), ((0, 0), (0, 2))) == 0
    assert overlap(((0.0, 1.0),), ((0.5, 1.5),)) == pytest.approx(1 / 3)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_overlap_counts_pixels_and_voxels(axes):
    for one, other in zip(some_boxes(20, axes), some_boxes(20, axes, seed=1), strict=True):
        marks = np.zeros((2, *[24] * axes), bool)
        marks[0][one.slices], marks[1][other.slices] = True, True
        assert overlap(one.spans, other.spans) == pytest.approx(marks.all(0).sum() / marks.any(0).sum())


def test_the_surest_stays_and_tells_whom_it_displaced():
    boxes = [
        box((0, 10), (0, 10), score=1, probability=0.2),
        box((0, 10), (0, 9), score=0.5, probability=0.9),  # 0.45: the surest, though the first has the higher score
        box((20, 30), (0, 10), score=1, probability=0.1),
    ]
    assert surest(boxes) == [1, 0, 2]
    assert suppressed(boxes, 0.5) == {0: (1, pytest.approx(0.9))}


def test_a_box_that_was_left_out_displaces_none():
    """A chain: the middle overlaps both of the others, which do not overlap each other by half."""
    chain = [box((0, 1), (at, at + 10), score=score) for at, score in ((0, 0.9), (3, 0.8), (6, 0.7))]
    assert {*suppressed(chain, 0.5)} == {1}


def test_exactly_as_much_as_is_allowed_stays():
    boxes = [box((0, 1), (0, 2), score=1), box((0, 1), (0, 1), score=0.5)]
    assert suppressed(boxes, 0.5) == {}
    assert suppressed(boxes, 0.49) == {1: (0, 0.5)}


def test_equally_sure_boxes_count_in_their_order():
    boxes = [box((0, 1), (0, 2)), box((0, 1), (0, 2)), box((0, 1), (0, 2))]
    assert suppressed(boxes, 0.5) == {1: (0, 1), 2: (0, 1)}


def test_without_a_bound_and_without_boxes_all_stay():
    boxes = [box((0, 1), (0, 2)), box((0, 1), (0, 2))]
    assert suppressed(boxes, None) == suppressed(boxes, 1) == suppressed([], 0.5) == {}


@pytest.mark.parametrize("most", [0.0, 0.211, 0.5, 0.611])
@pytest.mark.parametrize("seed", range(4))
def test_torchvision_keeps_the_same(most, seed):
    """At bounds that are exact in float32, in which it computes, or that no IoU of such boxes meets."""
    nms = pytest.importorskip("torchvision").ops.nms
    torch = pytest.importorskip("torch")
    boxes = some_boxes(40, 2, seed)
    kept = nms(torch.tensor([b.edges for b in boxes]).float(), torch.tensor([b.confidence for b in boxes]), most)
    out = suppressed(boxes, most)
    assert [place for place in surest(boxes) if place not in out] == kept.tolist()
    assert out


@pytest.mark.parametrize("most", [-0.1, 1.1, True, "0.5", float("nan"), [0.5]])
def test_an_overlap_that_is_none(most):
    with pytest.raises(BadParameter, match=r"give an IoU from 0 to 1, as 0.5, or None"):
        suppressed([], most)
