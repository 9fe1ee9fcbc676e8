"""Photos in batches: whatever a person gives, in its order, and a broken file beside the good ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seewhy.errors import BadImage
from seewhy.inside.photo_batches import BrokenPhoto, PhotoBatch, photo_set


@pytest.fixture
def folder(tmp_path: Path, red_dot: Callable[..., Any]) -> Path:
    for name, x in [("a", 10), ("b", 20), ("d", 40)]:
        red_dot((80, 64), x, 30).save(tmp_path / f"{name}.png")
    (tmp_path / "c.png").write_bytes(b"no picture")
    return tmp_path


@pytest.mark.parametrize("form", ["folder", "paths", "pattern"])
def test_files_come_in_order_and_a_broken_one_ends_nothing(folder: Path, red_model: Any, form: str) -> None:
    given = {"folder": folder, "paths": sorted(folder.iterdir()), "pattern": f"{folder}/*.png"}[form]
    photos = photo_set(red_model, given)
    found = [*photos.batches(red_model)]
    good = [each for each in found if isinstance(each, PhotoBatch)]
    assert photos.count == 4
    assert [number for each in good for number in each.numbers] == [0, 1, 3]
    assert [name for each in good for name in each.batch.names] == [photos.path(number) for number in (0, 1, 3)]
    plain = np.concatenate([batch.x for batch in red_model.batches([folder / f"{name}.png" for name in "abd"])])
    np.testing.assert_array_equal(np.concatenate([each.batch.x for each in good]), plain)
    (broken,) = (each for each in found if isinstance(each, BrokenPhoto))
    assert broken.number == 2
    assert "c.png" in str(broken.error)


def test_images_in_memory_are_taken_as_explain_takes_them(red_model: Any, red_dot: Callable[..., Any]) -> None:
    pictures = [red_dot((80, 64), x, 30) for x in (10, 20, 40)]
    photos = photo_set(red_model, pictures)
    found = [*photos.batches(red_model)]
    assert photos.count == 3
    assert photos.path(0) == ""
    assert photos.truth(0) == ()
    assert [each.numbers for each in found if isinstance(each, PhotoBatch)] == [(0, 1, 2)]


def test_class_folders_say_what_the_photos_show(tmp_path: Path, red_model: Any, red_dot: Callable[..., Any]) -> None:
    for label in ("red", "neither"):
        (tmp_path / label).mkdir()
        red_dot((80, 64), 20, 30).save(tmp_path / label / "1.png")
    photos = photo_set(red_model, tmp_path)
    assert [photos.truth(number) for number in range(2)] == [(2,), (0,)]


def test_nothing_but_broken_files_is_an_error_that_names_the_first(tmp_path: Path, red_model: Any) -> None:
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(b"no picture")
    with pytest.raises(BadImage, match=r"None of the 2 photos could be read\. .*a\.png"):
        for _ in photo_set(red_model, tmp_path).batches(red_model):
            pass
