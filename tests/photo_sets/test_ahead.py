"""Photos read and decoded ahead of the network."""

import threading
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.images.digest import image_sha256
from seewhy.photo_sets.ahead import read_ahead
from seewhy.photo_sets.items import Item
from seewhy.prepare.batch import preparer
from seewhy.prepare.fit import Fit

FIT = Fit(32, 32, 0.0, 1.0)


@pytest.fixture
def items(tmp_path, noise):
    names = ["a.jpg", "b.png", "c.tif", "d.png", "e.gif"]
    for seed, name in enumerate(names):
        noise((40 + seed, 36), seed).save(tmp_path / name)
    (tmp_path / "d.png").write_bytes((tmp_path / "d.png").read_bytes()[:200])
    paths = [str(tmp_path / name) for name in names] + [str(tmp_path / "gone.png")]
    return [Item(i, path, (i,)) for i, path in enumerate(paths)]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("ahead", [1, 9])
def test_photos_come_in_their_order_as_one_reads_them_alone(items, workers, ahead):
    found = [*read_ahead(items, FIT, "net", workers, ahead)]
    assert [photo.item for photo in found] == items
    for photo in (found[0], found[1], found[2], found[4]):
        alone = seewhy.read(photo.item.path)
        content = Path(photo.item.path).read_bytes()
        assert photo.photo.pixels.tobytes() == alone.pixels.tobytes()
        assert np.array_equal(photo.ready.ready.x, FIT(alone.pixels))
        assert photo.pixels_sha256 == image_sha256(alone.pixels)
        assert photo.facts["sha256"] == sha256(content).hexdigest()
        assert (photo.facts["file_bytes"], photo.facts["width"]) == (len(content), alone.pixels.width)
    assert [photo.facts.get("format") for photo in found] == ["JPEG", "PNG", "TIFF", "PNG", "GIF", None]
    assert found[0].facts["photo"]["jpeg_quality"] == 75


def test_broken_photos_come_in_their_place_with_the_reason_and_what_is_known(items):
    found = [*read_ahead(items, FIT, "net", 2, 4)]
    assert [photo.error is not None for photo in found] == [False, False, False, True, False, True]
    assert isinstance(found[3].error, seewhy.BadImage)
    assert items[3].path in str(found[3].error)
    assert found[3].facts["file_bytes"] == 200
    assert "gone.png is not there" in str(found[5].error)
    assert found[5].facts == {}


def test_files_are_decoded_beside_the_caller_and_a_strangers_preparation_runs_in_the_callers_thread(items):
    ran = []

    def own(photo: Image.Image):
        ran.append(threading.current_thread() is threading.main_thread())
        return np.asarray(photo.resize((8, 8)), np.float32).transpose(2, 0, 1)

    found = [*read_ahead(items[:2], preparer(own), "net", 2, 4)]
    assert all(ran)
    assert [photo.ready.ready.x.shape for photo in found if photo.ready] == [(3, 8, 8)] * 2


def test_a_preparation_that_takes_no_photos_ends_the_work(items):
    with pytest.raises(seewhy.BadParameter, match="must give floats"):
        [*read_ahead(items, preparer(lambda photo: np.asarray(photo)), "net", 1, 2)]


def test_one_that_fails_on_a_photo_is_an_error_of_that_photo(items):
    def picky(photo: Image.Image):
        if photo.width == 41:
            raise RuntimeError("41 pixels")
        return np.asarray(photo.resize((8, 8)), np.float32).transpose(2, 0, 1)

    found = [*read_ahead(items[:3], preparer(picky), "net", 1, 2)]
    assert [str(photo.error) for photo in found] == ["None", "41 pixels", "None"]


def test_no_more_is_read_ahead_than_was_asked_for(items):
    asked = []

    def counted():
        for item in items * 5:
            asked.append(item)
            yield item

    reading = read_ahead(counted(), FIT, "net", 2, 3)
    next(reading)
    assert len(asked) <= 7
    reading.close()
    assert len(asked) <= 7
