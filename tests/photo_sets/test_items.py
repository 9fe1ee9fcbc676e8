"""A listing gives items by number and by slice, keeps its digest when it is moved, and takes along what is known of some."""

import hashlib
import pickle

import pytest

from seewhy.photo_sets.items import Item, Listing, PhotoPlace
from seewhy.truth.given import GroundTruth
from seewhy.truth.marked import MarkedBox, PhotoBoxes

BOXES = PhotoBoxes((MarkedBox((1.0, 2.0, 3.0, 4.0), "cat"),), (10, 20))


def listing(before="/data/", boxes=BOXES, classes=((3,), (), (1, 2))):
    marks = GroundTruth(boxes={f"{before}b.jpg": boxes} if boxes else {}, box_classes={"cat": 3}, labels=["dog"] * 3 + ["cat"])
    return Listing("data", PhotoPlace(before), ["a.jpg", "b.jpg", "cats/c.jpg"], list(classes), marks)


def test_items_are_numbered_in_order():
    items = listing()
    assert list(items) == [Item(0, "/data/a.jpg", (3,)), Item(1, "/data/b.jpg", ()), Item(2, "/data/cats/c.jpg", (1, 2))]
    assert items[-1] == items[2] == Item(2, "/data/cats/c.jpg", (1, 2))
    assert items[1:] == [items[1], items[2]]
    with pytest.raises(IndexError):
        items[3]


def test_names_in_archives_stay_inside_of_them():
    assert PhotoPlace("zip://", "::/d/x.zip", local=False).path("/etc/passwd.jpg") == "zip:///etc/passwd.jpg::/d/x.zip"
    assert PhotoPlace("/data/").path("/elsewhere/a.jpg") == "/elsewhere/a.jpg"
    assert PhotoPlace("/data/").path("s3://bucket/a.jpg") == "s3://bucket/a.jpg"


def test_the_digest_is_of_names_and_truth_alone():
    plain = listing(boxes=None)
    assert plain.digest == hashlib.sha256(b"a.jpg\x003\nb.jpg\0\ncats/c.jpg\x001,2\n").hexdigest()
    assert listing("/moved/", None).digest == plain.digest
    assert listing(boxes=None, classes=((3,), (), (2, 1))).digest != plain.digest
    moved = PhotoBoxes((MarkedBox((1.0, 2.0, 3.0, 5.0), "cat"),), (10, 20))
    assert len({plain.digest, listing().digest, listing(boxes=moved).digest}) == 3
    assert listing("/moved/").digest == listing().digest


def test_what_is_known_of_some_can_be_sent():
    items = listing()
    known = pickle.loads(pickle.dumps(items.known_of(items[1:])))
    assert known.boxes == {"/data/b.jpg": BOXES}
    assert known.classes == {"/data/cats/c.jpg": (1, 2)}
    assert known.box_mark("/data/b.jpg", None, [3]).boxes == [(1.0, 2.0, 3.0, 4.0)]
    assert items.known_of(items[:1]).boxes == {}
