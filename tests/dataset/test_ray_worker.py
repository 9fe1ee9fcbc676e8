"""A worker stores its parts, tells of them now and then, and ends with what it has when it is told to."""

from pathlib import Path

import pytest

from seewhy.dataset import ray_worker
from seewhy.dataset.ray_worker import RayWorker
from seewhy.dataset.store import PartWork
from seewhy.photo_sets.items import Item

WORKS = [PartWork(Path("a"), [Item(i, f"{i}.jpg", ()) for i in range(3)]), PartWork(Path("b"), [Item(3, "3.jpg", ())])]


def recorded(stored):
    """Stores parts in a dict, also one that is not whole when it is closed."""

    def storing(works):
        for work in works:
            done = []
            try:
                for item in work.items:
                    done.append(item.number)
                    yield 1
            finally:
                stored[work.path.name] = done

    return storing


def test_it_stores_all_and_tells_how_many(monkeypatch):
    stored = {}
    worker = RayWorker(lambda: recorded(stored))
    assert worker.ready()
    assert list(worker.explain(WORKS)) == [4]
    assert stored == {"a": [0, 1, 2], "b": [3]}
    monkeypatch.setattr(ray_worker, "PAUSE", -1.0)
    assert list(worker.explain(WORKS)) == [1, 1, 1, 1, 0]


def test_told_to_stop_it_stores_what_it_has(monkeypatch):
    monkeypatch.setattr(ray_worker, "PAUSE", -1.0)
    stored = {}
    worker = RayWorker(lambda: recorded(stored))
    worker.ready()
    told = worker.explain(WORKS)
    assert next(told) == 1
    worker.stop()
    assert list(told) == [1]
    assert stored == {"a": [0, 1]}


def test_before_it_is_ready_it_does_nothing():
    with pytest.raises(RuntimeError, match="before it is ready"):
        next(RayWorker(lambda: recorded({})).explain(WORKS))
