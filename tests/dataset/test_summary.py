"""Where a map's evidence lies, in numbers."""

import numpy as np
import pytest

from seewhy.dataset.schema import SHARES
from seewhy.dataset.summary import evidence_of
from seewhy.pictures.stretching import stretch
from seewhy.truth.given import ObjectMark


def test_shares_are_those_of_the_map_stretched_over_what_the_network_saw(made_heatmap):
    values = np.random.default_rng(0).normal(size=(7, 7)).astype(np.float32)
    found = evidence_of(made_heatmap(values, size=(100, 80), box=(10, 0, 90, 80)))
    side = 1280  # much finer than the frame
    fine = np.maximum(stretch(values, made_heatmap(values, size=(side, side)).box, (side, side)), 0).astype(float)
    fine /= fine.sum()
    border, inner = side // 10, side - side // 10
    corner = side // 4
    expected = {
        "border": 1 - fine[border:inner, border:inner].sum(),
        "corner_nw": fine[:corner, :corner].sum(),
        "corner_ne": fine[:corner, -corner:].sum(),
        "corner_sw": fine[-corner:, :corner].sum(),
        "corner_se": fine[-corner:, -corner:].sum(),
        "concentration": np.sort(fine.ravel())[-side * side // 10 :].sum(),
        "centre_y": (fine.sum(1) * (np.arange(side) + 0.5)).sum() / side,
        "centre_x": (fine.sum(0) * (np.arange(side) + 0.5)).sum() / side,
    }
    assert tuple(found) == SHARES
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=2e-3)
    assert (found["on_object"], found["object_area"]) == (None, None)


def test_a_map_without_positive_evidence_has_no_shares(made_heatmap):
    assert set(evidence_of(made_heatmap(-np.ones((4, 4)))).values()) == {None}


def test_evidence_that_is_the_same_everywhere_lies_as_the_area_does(made_heatmap):
    found = evidence_of(made_heatmap(np.ones((4, 4))))
    expected = {"border": 1 - 0.8**2, "corner_nw": 1 / 16, "concentration": 0.1, "centre_y": 0.5, "centre_x": 0.5}
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-4)


def test_where_the_object_is_its_share_is_told_beside_its_area(made_heatmap):
    heatmap = made_heatmap([[1, 0], [0, 0]], size=(40, 40))
    found = evidence_of(heatmap, ObjectMark("the box", boxes=[(0, 0, 20, 20)]))
    share = heatmap.evidence_in([(0, 0, 20, 20)])
    assert (found["on_object"], found["object_area"]) == (share.share, 0.25)
    cut = made_heatmap([[1, 0], [0, 0]], size=(40, 40), box=(0, 0, 20, 20))
    assert evidence_of(cut, ObjectMark("the box", boxes=[(30, 30, 40, 40)]))["on_object"] is None  # the network saw none of it
