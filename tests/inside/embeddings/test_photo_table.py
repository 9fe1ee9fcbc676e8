"""What is known of photos, column by column."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.inside.embeddings.photo_table import EmbeddedPhotos, LeftOutPhoto, PhotoRecord


@pytest.fixture
def photos() -> EmbeddedPhotos:
    known = [
        PhotoRecord(0, "a/cat/1.png", (0,), 0, 2.0, 0.9, 0.9, {"on_object": 0.5}),
        PhotoRecord(2, "a/dog/1.png", (1, 2), 2, 1.0, 0.6, 0.6),
        PhotoRecord(3, "a/dog/2.png", (1,), 0, 1.5, 0.7, 0.1, {"on_object": 0.25}),
        PhotoRecord(7, "b/3.png"),
        PhotoRecord(9, "b/4.png", (), 1, 0.0, 0.5),
    ]
    return EmbeddedPhotos.of(known, ["cat", "dog"])


def test_columns_say_what_is_known(photos: EmbeddedPhotos) -> None:
    assert len(photos) == 5
    assert photos.right.tolist() == [1, 1, 0, -1, -1]
    assert photos.kinds("truth").tolist() == [0, 1, 1, -1, -1]
    assert photos.kinds("prediction").tolist() == [0, 2, 0, -1, 1]
    assert [photos.truth_name(place) for place in range(4)] == ["cat", "dog or class 2", "dog", ""]
    assert photos.name(-1) == ""
    np.testing.assert_array_equal(photos.measures["on_object"], np.float32([0.5, np.nan, 0.25, np.nan, np.nan]))
    with pytest.raises(BadParameter, match="by 'truth' and by 'prediction'"):
        photos.kinds("size")


def test_a_photo_is_found_by_its_number_its_path_and_the_end_of_it(photos: EmbeddedPhotos) -> None:
    assert [photos.place(each) for each in (7, "b/3.png", "3.png", np.int64(0), "cat/1.png")] == [3, 3, 3, 0, 0]
    assert photos.place("c.png") is None
    assert photos.place(np.zeros((4, 4, 3), np.uint8)) is None
    with pytest.raises(BadParameter, match=r"number 1: they have 0 to 9, 5 in all"):
        photos.place(1)
    with pytest.raises(BadParameter, match=r"2 photos end in '1\.png'"):
        photos.place("1.png")


def test_what_was_left_out_names_the_photo_once() -> None:
    assert str(LeftOutPhoto(1, "a.png", "a.png is no image.")) == "a.png is no image."
    assert str(LeftOutPhoto(1, "a.png", "it is empty")) == "a.png: it is empty"
