"""What a map of photos can be coloured by."""

import numpy as np
import pytest

from seewhy.errors import NoSuchName
from seewhy.inside.embeddings.colouring import MOST, colouring, colourings
from seewhy.inside.embeddings.photo_table import EmbeddedPhotos, PhotoRecord


@pytest.fixture
def photos():
    rows = [(0, 0, 0.9), (0, 0, 0.8), (1, 0, 0.6), (1, 1, 0.7), (0, 2, 0.4)]
    known = [PhotoRecord(i, f"{i}", (t,), p, 1.0, c, 0.5, {"border": 3.0 * i} if i else {}) for i, (t, p, c) in enumerate(rows)]
    return EmbeddedPhotos.of([*known, PhotoRecord(9, "9")], ["cat", "dog", "cow"])


def test_classes_come_by_how_often_they_are(photos):
    found = colouring(photos)
    assert found.name == "truth"
    assert [(each.name, each.photos) for each in found.classes] == [("cat", 3), ("dog", 2)]
    assert found.codes.tolist() == [0, 0, 1, 1, 0, -1]
    assert found.others == 1
    assert colouring(photos, "label").name == "truth"
    assert [each.name for each in colouring(photos, "prediction").classes] == ["cat", "dog", "cow"]


def test_wrong_answers_have_another_colour_and_another_shape(photos):
    found = colouring(photos, "error")
    assert [(each.name, each.photos) for each in found.classes] == [("right", 3), ("wrong", 2)]
    assert found.codes.tolist() == [0, 0, 1, 0, 1, -1]
    right, wrong = (each.mark for each in found.classes)
    assert right.colour != wrong.colour
    assert right.shape != wrong.shape


def test_numbers_lie_between_their_ends_and_shares_between_0_and_1(photos):
    sure, border = colouring(photos, "confidence"), colouring(photos, "border")
    assert (sure.low, sure.high) == (0, 1)
    assert (border.low, border.high) == (3, 12)
    assert np.isnan(border.values).tolist() == [True, False, False, False, False, True]


def test_all_that_is_known_is_offered_and_nothing_else(photos):
    names = ["truth", "prediction", "error", "confidence", "true probability", "border"]
    assert [each.name for each in colourings(photos)] == names
    with pytest.raises(NoSuchName, match=r"Closest: confidence\. Of these photos there are truth, prediction"):
        colouring(photos, "confidense")
    (plain,) = colourings(EmbeddedPhotos.of([PhotoRecord(0, "a")], None))
    assert (plain.name, plain.classes[0].photos) == ("none", 1)


def test_marks_differ_and_rare_classes_share_one():
    known = [PhotoRecord(i, f"{i}", (i // 2 if i < 2 * MOST else i,)) for i in range(2 * MOST + 3)]
    found = colouring(EmbeddedPhotos.of(known, None))
    assert len({each.mark for each in found.classes}) == len(found.classes) == MOST
    assert found.others == 3
