"""What a Reshape makes of dimensions, against arrays that hold the place of each number."""

import numpy as np
import pytest

from seewhy.models.onnx.dims import CHANNELS, IMAGES, AxisPart, joined, labels, regrouped, runs_along, whole

SHAPE = (1, 6, 4, 8)  # images, channels, rows, columns
DIMS = (whole(IMAGES, 1), whole(CHANNELS, 6), whole(0, 4), whole(1, 8))
PLACES = {CHANNELS: 1, 0: 2, 1: 3}


def coordinates(label):
    return np.broadcast_to(np.arange(SHAPE[PLACES[label]]).reshape([-1 if k == PLACES[label] else 1 for k in range(4)]), SHAPE)


def moved(*steps):
    """The dimensions after transposes (tuples) and reshapes (lists), and the coordinates of each number after the same."""
    dims, arrays = DIMS, {label: coordinates(label) for label in PLACES}
    shape = SHAPE
    for step in steps:
        if isinstance(step, list):
            dims = regrouped(dims, shape, step)
            arrays = {label: array.reshape(step) for label, array in arrays.items()}
        else:
            dims = tuple(dims[k] for k in step)
            arrays = {label: array.transpose(step) for label, array in arrays.items()}
        shape = next(iter(arrays.values())).shape
    return dims, shape, arrays


@pytest.mark.parametrize("steps", [
    ([1, 6, 32],),
    ([1, 6, 32], (0, 2, 1)),
    ([1, 6, 32], (0, 2, 1), [1, 4, 8, 6]),
    ([1, 2, 3, 4, 8], (0, 2, 1, 3, 4), [1, 6, 4, 8]),  # a shuffle of channels
    ([1, 6, 2, 2, 2, 4], (0, 2, 4, 3, 5, 1), [4, 8, 6]),  # windows, as tokens
    ([1, 6, 2, 2, 2, 4], (0, 2, 4, 3, 5, 1), [4, 8, 6], [1, 2, 2, 2, 4, 6], (0, 1, 3, 2, 4, 5), [1, 4, 8, 6]),  # and back
    ([6, 4, 8],),
    ([1, 1, 6, 4, 8, 1], [6, 32], (1, 0)),
])  # fmt: skip
def test_a_dimension_that_is_said_to_run_along_an_axis_does(steps):
    dims, shape, arrays = moved(*steps)
    said = [
        (k, label) for k in range(len(shape)) for label in (0, 1) if runs_along(dims[k], label) and shape[k] == SHAPE[label + 2]
    ]
    for k, label in said:
        expected = np.arange(shape[k]).reshape([-1 if j == k else 1 for j in range(len(shape))])
        np.testing.assert_array_equal(arrays[label], np.broadcast_to(expected, shape))
    assert said or shape in ((1, 6, 32), (1, 32, 6), (4, 8, 6), (32, 6))


def test_windows_and_back_are_the_map_again():
    dims, shape, _ = moved(
        [1, 6, 2, 2, 2, 4], (0, 2, 4, 3, 5, 1), [4, 8, 6], [1, 2, 2, 2, 4, 6], (0, 1, 3, 2, 4, 5), [1, 4, 8, 6]
    )
    assert shape == (1, 4, 8, 6)
    assert runs_along(dims[1], 0)
    assert runs_along(dims[2], 1)
    assert runs_along(dims[3], CHANNELS)


def test_a_split_axis_is_no_axis():
    dims, _, _ = moved([1, 6, 2, 2, 8])
    assert dims[2] == (AxisPart(0, 2, 2),)
    assert dims[3] == (AxisPart(0, 2, 1),)
    assert not runs_along(dims[2], 0)


def test_what_does_not_fit_is_lost():
    assert regrouped(DIMS, SHAPE, (1, 6, 4, 8, 2)) == (None,) * 5
    assert regrouped((None, *DIMS[1:]), (2, *SHAPE[1:]), (12, 4, 8))[0] is None
    assert regrouped(DIMS, SHAPE, (1, 4, 6, 8))[1] is None  # rows of channels and of space are mixed


def test_numbers_are_combined_along_the_same_axis_or_none():
    assert joined([whole(0, 4), whole(0, 4)], [4, 4]) == whole(0, 4)
    assert joined([whole(0, 4), ()], [4, 1]) == whole(0, 4)
    assert joined([whole(0, 4), whole(1, 4)], [4, 4]) is None
    assert joined([(), ()], [1, 1]) == ()
    assert labels(None) == set()
