"""A map lies where the bright cell was planted, or is refused: networks in whose layers cells lie in every way there is."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter
from support.planted.judge import RIGHT, WRONG, Planted, answered, judged, questions
from support.planted.table import TABLE


@pytest.mark.parametrize("name", TABLE)
def test_a_map_lies_where_it_was_planted_or_is_refused(name):
    row = TABLE[name]
    model, wrong = seewhy.wrap(row.network(), **row.options), []
    for method, layer, may in questions(row):
        verdict = answered(row, method, layer, model)
        if verdict.kind not in may:
            wrong.append(f"{method} at {layer or 'no'} layer: {verdict.words}")
    assert wrong == []


@pytest.fixture
def right() -> tuple[Planted, Any]:
    """A network without any trap, and its map of the first image."""
    row = TABLE["map none"]
    return row, seewhy.grad_cam(seewhy.wrap(row.network()), row.images(), layer=row.layer)[0]


def test_where_nothing_is_drawn_the_reason_is_told():
    five, joined = TABLE["five crops, crop by crop"], TABLE["signal as patches of a row"]
    with pytest.raises(BadParameter, match=r"known where it lies in the image \(cut: puts together maps that lie differently"):
        seewhy.grad_cam(seewhy.wrap(five.network()), five.images())
    with pytest.raises(BadParameter, match="no layer that still has space to explain"):
        seewhy.grad_cam(seewhy.wrap(joined.network()), joined.images())


CHANGES = {
    "exchanged": lambda values: values.T,
    "mirrored": lambda values: values[:, ::-1],
    "upside down": lambda values: values[::-1],
    "one cell late": lambda values: np.roll(values.ravel(), 1).reshape(values.shape),
    "one row late": lambda values: np.roll(values, 1, 0),
    "of another grid": lambda values: values.reshape(6, 16),
    "of what is dark": lambda values: values.max() - values,
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_judge_notices_a_map_that_lies_elsewhere(right, change):
    row, heatmap = right
    verdict = judged(replace(heatmap, values=CHANGES[change](heatmap.values).astype(np.float32), cells=None), row, 0)
    assert verdict.kind != RIGHT, verdict.words


def test_the_judge_takes_a_map_that_lies_there_and_sees_that_another_is_flat(right):
    row, heatmap = right
    assert judged(heatmap, row, 0).kind == RIGHT
    assert judged(replace(heatmap, values=np.ones_like(heatmap.values)), row, 0).kind == "flat"
    assert judged(heatmap, row, 1).kind == WRONG
