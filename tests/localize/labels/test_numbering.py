"""Numbers of classes."""

from seewhy.localize.labels.numbering import Numbering
from support.labelled import labelled_object


def numbers(numbering, *named):
    return [numbering.of(labelled_object(category=name, index=index)) for name, index in named]


def test_the_index_among_the_labels():
    numbering = Numbering(["cat", "dog", "cat"])
    assert numbers(numbering, ("dog", 1), ("cat", 2), ("cat", 0), ("cat", None), ("tram", None), ("tram", 7)) == [
        1,
        2,
        0,
        0,
        3,
        3,
    ]
    assert numbering.names == ["cat", "dog", "cat", "tram"]


def test_the_order_in_which_they_occur():
    for numbering in (Numbering(), Numbering([]), Numbering(["cat", "dog", "tram"], most=2)):
        assert numbers(numbering, ("tram", 2), ("cat", 0), ("tram", 2)) == [0, 1, 0]
        assert numbering.names == ["tram", "cat"]


def test_classes_that_are_numbered_already():
    for numbering in (Numbering(there=["tram", "cat"]), Numbering(["a", "b", "dog"], most=2, there=["tram", "cat"])):
        assert numbers(numbering, ("dog", 2), ("cat", 0)) == [2, 1]
        assert numbering.names == ["tram", "cat", "dog"]
    numbering = Numbering(["cat", "dog", "tram"], there=["tram"])
    assert numbers(numbering, ("cat", 0), ("dog", 1), ("tram", 2)) == [1, 2, 0]
    assert Numbering(["cat", "dog", "cat"], there=["cat", "dog"]).names == ["cat", "dog", "cat"]  # as they are
