"""A cache of few values, which threads may share."""

import pickle
from threading import Barrier, Thread

from seewhy.lru import Recent


def test_what_was_asked_for_longest_ago_goes():
    cache = Recent(2)
    cache.keep("a", 1), cache.keep("b", 2)
    assert cache.get("a") == 1
    cache.keep("c", 3)
    assert ("a" in cache, "b" in cache, "c" in cache) == (True, False, True)
    assert cache.get("b") is None
    assert len(cache) == 2


def test_a_value_is_made_once_and_none_is_made_again():
    cache, made = Recent(), []

    def make(value):
        made.append(value)
        return value

    assert [cache.of("a", lambda: make(7)) for _ in range(3)] == [7, 7, 7]
    assert made == [7]


def test_threads_that_make_at_once_share_one_object():
    cache, gate, got = Recent(), Barrier(4), []

    def look():
        gate.wait()
        got.append(cache.of("a", object))

    threads = [Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.get("a") in got
    assert len(cache) == 1


def test_its_pickle_is_empty_and_as_large():
    cache = Recent(3)
    cache.keep("a", lambda: None)  # which no pickle holds
    again = pickle.loads(pickle.dumps(cache))
    assert (len(again), again.most) == (0, 3)
