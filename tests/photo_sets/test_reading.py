"""Bytes are read from files, archives and addresses alike; what cannot be read is one error, and nothing hangs."""

import os
from zipfile import ZipFile

import pytest

from seewhy.errors import BadImage
from seewhy.photo_sets import reading
from seewhy.photo_sets.reading import read_bytes


def test_bytes_are_read_wherever_they_lie(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"file")
    with ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.jpg", b"member")
    assert read_bytes(str(tmp_path / "a.jpg")) == b"file"
    assert read_bytes(f"zip://a.jpg::{tmp_path}/x.zip") == b"member"
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe("/reading/a.jpg", b"memory")
    assert read_bytes("memory://reading/a.jpg") == b"memory"


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(BadImage, match=r"gone\.jpg is not there\.$"):
        read_bytes(str(tmp_path / "gone.jpg"))
    with pytest.raises(BadImage, match=r"is no file, but a device or a pipe|Is a directory"):
        read_bytes(str(tmp_path))
    with pytest.raises(BadImage, match="cannot be read: embedded null byte"):
        read_bytes("a\0.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_nothing_waits_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(BadImage, match="device or a pipe"):
        read_bytes(str(tmp_path / "pipe.jpg"))


def test_files_without_end_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MOST", 3)
    (tmp_path / "a.jpg").write_bytes(b"four")
    with pytest.raises(BadImage, match="has 4 bytes, and 3 are read at most"):
        read_bytes(str(tmp_path / "a.jpg"))
