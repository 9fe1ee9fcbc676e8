"""Where the photos of a run lie by now."""

from dataclasses import replace

import pytest

from seewhy.dataset.moved import moved_to
from seewhy.errors import BadParameter
from support.answered import answered


def test_the_longest_end_of_a_path_that_is_there_is_taken(tmp_path):
    for name in ("cat/1.png", "1.png", "dog/2.png", "2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    was = ["old/set/cat/1.png", "/old/dog/2.png", "old/fish/1.png", "old/3.png", "s3://old/cat/1.png", "..\\old\\cat\\1.png"]
    photos = [replace(answered(i, 0, 0), path=path) for i, path in enumerate(was)]
    now = [*moved_to(tmp_path, photos)]
    assert [photo.path for photo in now] == [
        str(tmp_path / "cat" / "1.png"), str(tmp_path / "dog" / "2.png"), str(tmp_path / "1.png"), "old/3.png",
        "s3://old/cat/1.png", str(tmp_path / "cat" / "1.png"),
    ]  # fmt: skip
    assert [photo.item for photo in now] == [0, 1, 2, 3, 4, 5]


def test_a_folder_that_is_not_there_is_refused_at_once(tmp_path):
    with pytest.raises(BadParameter, match="is no folder: say in which the photos of the run lie now"):
        moved_to(tmp_path / "nowhere", [])
