"""How far two maps lie apart, by all values or by what a Source keeps of them."""

import numpy as np
import pytest

from seewhy.maps.record import read_record, record_of
from seewhy.remaking.difference import of_record, of_values

SMALL, LARGE = (7, 7), (60, 90)


def drawn(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_the_same_values_are_the_same(shape):
    values = drawn(shape)
    for found in (of_values(values, values.copy()), of_record(read_record(record_of(values)), values)):
        assert (found.bits, found.largest, found.energy_shift) == (True, 0, 0)
        assert found.spearman == pytest.approx(1)
        assert not found.at.any()
        assert found.at.shape == shape


@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_one_bit_is_another_map(shape):
    values = drawn(shape)
    other = values.copy()
    other[3, 4] = np.nextafter(other[3, 4], np.float32(9))
    for found in (of_values(values, other), of_record(read_record(record_of(values)), other)):
        assert not found.bits
        assert found.largest < 1e-6


@pytest.mark.parametrize("size", [1e-5, 1e-3, 0.1])
def test_noise_that_cancels_out_in_the_means_is_found_in_the_record(size):
    values = drawn(LARGE)
    noise = drawn(LARGE, seed=1) * size * abs(values).max()
    found = of_record(read_record(record_of(values)), values + noise)
    assert not found.known
    assert found.largest == pytest.approx(3 * size, rel=0.6)  # the largest of 64 draws, in units of what noise is on average


@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_where_they_differ_most(shape):
    values = drawn(shape)
    other = values.copy()
    place = (shape[0] // 2, shape[1] - 2)
    other[place] += 100
    found = of_record(read_record(record_of(values)), other)
    assert found.at[place] == found.at.max() > 0
    assert of_values(values, other).largest == pytest.approx(100 / abs(values).max())


def test_a_map_of_zeros():
    zeros = np.zeros(SMALL, np.float32)
    assert of_values(zeros, zeros).largest == 0
    assert of_values(zeros, zeros + 1).largest == 1
    assert of_values(zeros, zeros).spearman is None


def test_maps_of_other_shapes_cannot_be_held_against_each_other():
    assert of_values(drawn((7, 7)), drawn((7, 8))) is None
    assert of_record(read_record(record_of(drawn(LARGE))), drawn(SMALL)) is None
