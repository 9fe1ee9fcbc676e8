"""Right answers whose evidence is suspicious."""

import numpy as np
import pytest

from seewhy.dataset.failures import reasons
from seewhy.dataset.failures.reasons import frame, photo_evidence, shortfall, to_search, wrong_reasons
from seewhy.images.places import Extent, Turned
from seewhy.metrics.regional.frames import GRID, SIDE
from seewhy.truth.accuracy import Portion
from support.answered import answered, shown


def looking(item, on, area, **given):
    return answered(item, 0, 0, maps=[shown(evidence={"on_object": on, "object_area": area})], **given)


def test_evidence_off_the_object_is_less_than_its_area():
    right = [
        looking(0, 0.9, 0.4),
        looking(1, 0.1, 0.4),
        looking(2, 0.2, 0.3),
        looking(3, None, None),
        answered(4, 0, 0, maps=[]),
    ]
    found = wrong_reasons(right, right)
    assert found.off == Portion(2, 3)
    assert [photo.item for photo in found.photos] == [1, 2]
    assert shortfall(right[1]) == pytest.approx(0.3)
    assert "no class is the answer to 5 photos" in found.why


def test_without_boxes_nothing_is_said():
    right = [answered(0, 0, 0)]
    assert wrong_reasons(right, right).off is None


def test_a_place_where_evidence_piles_up_is_found():
    rng = np.random.default_rng(0)

    def values(corner):
        made = rng.uniform(0, 1, (8, 8))
        made[:2, :2] += 30 * corner
        return made

    every = [answered(i, 0, 0, maps=[shown(values(True))]) for i in range(12)]
    every += [answered(i, 1, 1, maps=[shown(values(False), label="dog")]) for i in range(12, 40)]
    found = wrong_reasons(every, every)
    assert found.searched == 2
    assert [one.pile.explained for one in found.places] == ["cat"]
    left, top, right, bottom = found.places[0].pile.boxes[0]
    assert left == top == 0
    assert max(right, bottom) <= 0.5
    assert {photo.item for photo in found.places[0].photos} <= {*range(12)}
    assert wrong_reasons(every[12:], every[12:]).places == ()


def test_the_frame_is_what_the_network_saw():
    found = frame(shown([[0, -1], [0, 3]], box=Extent(10, 0, 30, 30)))
    assert found is not None
    assert found.shape == (SIDE, SIDE)
    assert found[-1, -1] == 3
    assert found[:, 0].max() == 0
    assert frame(shown(box=Turned(Extent(0, 0, 4, 4)))) is None
    assert frame(shown(box=None)) is None


def test_of_many_photos_and_classes_some_are_searched(monkeypatch):
    monkeypatch.setattr(reasons, "SEARCHED", 20)
    monkeypatch.setattr(reasons, "CLASSES", 1)
    names = ["cat"] * 20 + ["dog"] * 10
    every = [answered(i, 0, 0, maps=[shown(label=name)]) for i, name in enumerate(names)]
    evidence = [one for i, photo in enumerate(every) if (one := photo_evidence(i, photo)) is not None]
    some = to_search(evidence, 1)
    assert len(some) == 20
    assert [one.place for one in some] == sorted({one.place for one in some})
    assert {one.explained for one in some if names[one.place] == "cat"} == {"cat"}
    dogs = [one.explained for one in some if names[one.place] == "dog"]
    assert len({*dogs}) == len(dogs) > 1


def test_what_the_search_is_given():
    found = photo_evidence(5, answered(7, 2, 0, maps=[shown([[0, 0], [0, 1]])]))
    assert found is not None
    assert (found.place, found.explained, found.predicted, found.truth) == (5, "cat", 0, (2,))
    assert found.cells is not None
    assert found.cells.shape == (GRID, GRID)
    assert found.cells.sum() == pytest.approx(1)
    assert photo_evidence(0, answered(0, 0, 0, maps=[])) is None
