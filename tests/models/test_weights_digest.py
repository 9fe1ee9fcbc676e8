"""The SHA-256 of weights: of every byte, made again where something changed, and in microseconds where nothing did."""

import pickle
from hashlib import sha256
from time import sleep

import numpy as np
import pytest

from seewhy.models.weights_digest import ALWAYS, NEVER, ROW, NamedBytes, WeightsDigest, WeightsInMemory, digest, glanced


def weights(arrays, token=(), looks=ALWAYS, reads=None):
    def read():
        if reads is not None:
            reads.append(1)
        yield from (NamedBytes.of(name, array) for name, array in arrays.items())

    return WeightsInMemory(token, read, looks)


def test_it_is_the_sha256_of_names_kinds_shapes_and_bytes():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    expected = sha256(b"conv\0float32\0(2, 3)\0" + array.tobytes()).hexdigest()
    assert WeightsDigest().of(weights({"conv": array})) == expected
    assert WeightsDigest().of(weights({"conv": array[:, ::-1][:, ::-1]})) == expected  # however it lies in memory
    others = ({"other": array}, {"conv": array.reshape(3, 2)}, {"conv": array.astype(np.float64)}, {"conv": array + 1})
    assert len({expected, *(WeightsDigest().of(weights(other)) for other in others)}) == 5
    assert WeightsDigest().of(weights({})) == ""


def test_no_bytes_are_read_again_while_the_token_stays():
    array, reads, token = np.ones(4), [], (object(),)
    known = WeightsDigest()
    first = known.of(weights({"a": array}, token, NEVER, reads))
    assert known.of(weights({"a": array}, token, NEVER, reads)) == first
    assert len(reads) == 1
    array[0] = 2
    changed = known.of(weights({"a": array}, (object(),), NEVER, reads))
    assert (len(reads), changed != first) == (2, True)
    assert len({known.of(weights({"a": array}, token, NEVER)), changed}) == 1


def test_a_write_that_no_token_tells_is_found_at_the_next_look():
    array, token = np.zeros(3000), (object(),)
    known = WeightsDigest()
    before = known.of(weights({"a": array}, token, looks=50))
    array[1234] = 1e-30
    sleep(0.1)  # far more than 50 looks at 24 kB
    after = known.of(weights({"a": array}, token, looks=50))
    assert after == digest([NamedBytes.of("a", array)]) != before
    array[1234] = 0
    sleep(0.1)
    assert known.of(weights({"a": array}, token, looks=50)) == before


def moved_rows(array):
    return array.reshape(4, -1)[[1, 0, 2, 3]].ravel()


def swapped(array):
    found = array.copy()
    found[[5, 6]] = found[[6, 5]]
    return found


CHANGES = {
    "one bit": lambda a: np.concatenate([a[:-1], a[-1:] + np.spacing(a[-1])]),
    "rows that change places": moved_rows,
    "neighbours that change places": swapped,
    "the first of all": lambda a: np.concatenate([[7.0], a[1:]]),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("size", [16, 4 * 1024, 4 * ROW * 8 + 12])
def test_a_glance_sees_what_edits_do(change, size):
    array = np.random.default_rng(0).normal(size=size)
    edited = CHANGES[change](array)
    assert glanced([NamedBytes.of("a", array)]) != glanced([NamedBytes.of("a", edited)])
    assert glanced([NamedBytes.of("a", array)]) == glanced([NamedBytes.of("a", array.copy())])


def test_texts_and_numbers_without_a_dimension_are_hashed_too():
    texts = np.array(["a", "b"], object)
    assert len({digest([NamedBytes.of("t", each)]) for each in (texts, texts[::-1], np.float32(1), np.float32(2))}) == 4


def test_its_pickle_is_empty():
    known = WeightsDigest()
    known.of(weights({"a": np.ones(3)}))
    assert pickle.loads(pickle.dumps(known)).known is None
