"""Neighbours as a person reads them."""

import numpy as np
from PIL import Image

from seewhy.inside.embeddings.neighbours import Neighbours, neighbours_at
from seewhy.inside.embeddings.photo_table import EmbeddedPhotos, PhotoRecord
from seewhy.inside.embeddings.vectors import nearest


def made(tmp_path):
    known = []
    for i, colour in enumerate(["red", "green", "blue"]):
        Image.new("RGB", (60, 40), colour).save(tmp_path / f"{i}.png")
        known.append(PhotoRecord(i, str(tmp_path / f"{i}.png"), (0,), i % 2, 1.0, 0.5))
    known.append(PhotoRecord(7, str(tmp_path / "gone.png")))
    photos = EmbeddedPhotos.of(known, ["cat", "dog"])
    found = nearest(np.array([[1.0], [2.0], [4.0], [8.0]]), np.array([[1.9]]), 4, "euclidean")
    return Neighbours("here/mine.png", "euclidean", "features of net", neighbours_at(photos, found))


def test_they_say_what_is_known_of_each(tmp_path):
    near = made(tmp_path)
    assert [one.number for one in near] == [1, 0, 2, 7]
    assert [round(one.distance, 6) for one in near] == [0.1, 0.9, 2.1, 6.1]
    assert [(one.predicted, one.truth, one.right) for one in near][:2] == [("dog", "cat", False), ("cat", "cat", True)]
    assert near[3].right is None
    assert len(near) == 4
    assert str(near).startswith("Nearest to here/mine.png by features of net (euclidean distance): ")
    assert near.facts["neighbours"][0]["path"].endswith("1.png")


def test_the_picture_shows_each_photo_and_says_what_it_was_taken_for(tmp_path, written):
    picture = np.asarray(made(tmp_path).picture(50)).astype(int)
    for colour in ((255, 0, 0), (0, 128, 0), (0, 0, 255)):  # within what JPEG does to them
        assert (abs(picture - colour).sum(2) < 30).sum() > 500
    words = {text for text, *_ in written}
    assert {"0.1", "dog", "is cat", "6.1", "the", "photo"} <= words
