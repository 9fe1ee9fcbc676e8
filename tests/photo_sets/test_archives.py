"""Photos in ZIP archives: which are taken, how they are read by threads and by other processes, and what is refused."""

import multiprocessing
import pickle
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from seewhy.errors import BadImage, BadParameter
from seewhy.photo_sets.archives import archive_place, in_archive, read_member

MOST = 2**20


def packed(path, members):
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return str(path)


def encrypt(path, name):
    """Set the flag of encryption in a member's two headers."""
    data = bytearray(Path(path).read_bytes())
    for mark, flags, at in ((b"PK\3\4", 6, 30), (b"PK\1\2", 8, 46)):
        place = data.find(name.encode())
        while place >= 0:
            if data[place - at : place - at + 4] == mark:
                struct.pack_into("<H", data, place - at + flags, 1)
            place = data.find(name.encode(), place + 1)
    Path(path).write_bytes(data)


def test_photos_in_all_folders_are_found(tmp_path):
    archive = packed(
        tmp_path / "x.zip", {"b.jpg": b"b", "cats/a.png": b"a", "cats/": b"", "__MACOSX/._b.jpg": b"", "read.me": b""}
    )
    assert in_archive(archive).names == ["b.jpg", "cats/a.png"]
    place = archive_place(archive)
    assert place.path("cats/a.png") == f"zip://cats/a.png::{archive}"
    assert read_member(place.path("cats/a.png"), MOST) == b"a"


def test_fsspec_reads_the_same_path(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    path = archive_place(packed(tmp_path / "x.zip", {"cats/a.png": b"meow"})).path("cats/a.png")
    with fsspec.open(path) as file:
        assert file.read() == b"meow" == read_member(path, MOST)


def test_names_that_lead_out_and_archives_inside_are_left_out(tmp_path):
    members = {"a.jpg": b"a", "../b.jpg": b"b", "/etc/c.jpg": b"c", "x/../../d.jpg": b"d", "C:/e.jpg": b"e", "more.zip": b"z"}
    found = in_archive(packed(tmp_path / "x.zip", members))
    assert found.names == ["a.jpg"]
    assert [remark.split(" (")[0] for remark in found.remarks] == ["left out: 4 photos", "left out: 1 archive"]


def test_encrypted_photos_are_told_apart(tmp_path):
    archive = packed(tmp_path / "x.zip", {"open.jpg": b"o", "locked.jpg": b"l"})
    encrypt(archive, "locked.jpg")
    found = in_archive(archive)
    assert found.names == ["locked.jpg", "open.jpg"]
    assert found.remarks == ["1 of 2 photos are encrypted, and cannot be read"]
    assert read_member(f"zip://open.jpg::{archive}", MOST) == b"o"
    with pytest.raises(BadImage, match=r"locked\.jpg.* is encrypted: unpack"):
        read_member(f"zip://locked.jpg::{archive}", MOST)
    encrypt(archive, "open.jpg")
    with pytest.raises(BadParameter, match="are encrypted: unpack"):
        in_archive(archive)


def test_a_broken_member_is_no_other_ones_fault(tmp_path):
    archive = packed(tmp_path / "x.zip", {"a.jpg": b"first" * 50, "b.jpg": b"second"})
    data = bytearray(Path(archive).read_bytes())
    data[30 + len("a.jpg") + 3] ^= 0xFF  # within what is packed of a.jpg
    Path(archive).write_bytes(data)
    with pytest.raises(BadImage, match=r"zip://a\.jpg::.* cannot be read"):
        read_member(f"zip://a.jpg::{archive}", MOST)
    assert read_member(f"zip://b.jpg::{archive}", MOST) == b"second"
    with pytest.raises(BadImage, match="no such member"):
        read_member(f"zip://c.jpg::{archive}", MOST)
    with pytest.raises(BadImage, match="has 250 bytes, and 100 are read at most"):
        read_member(f"zip://a.jpg::{archive}", 100)


def test_what_is_no_archive_is_named(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"no archive")
    with pytest.raises(BadImage, match=r"x\.zip is no ZIP archive"):
        in_archive(str(tmp_path / "x.zip"))
    with pytest.raises(BadImage, match=r"gone\.zip cannot be read: No such file"):
        read_member(f"zip://a.jpg::{tmp_path / 'gone.zip'}", MOST)
    with pytest.raises(BadParameter, match=r"holds no photos \(\.jpg"):
        in_archive(packed(tmp_path / "empty.zip", {"read.me": b""}))
    with pytest.raises(BadParameter, match=r"cannot hold ::"):
        archive_place("a::b.zip")


def test_an_archive_that_was_replaced_is_read_anew(tmp_path):
    archive = packed(tmp_path / "x.zip", {"a.jpg": b"old"})
    assert read_member(f"zip://a.jpg::{archive}", MOST) == b"old"
    packed(tmp_path / "x.zip", {"a.jpg": b"newer"})
    assert read_member(f"zip://a.jpg::{archive}", MOST) == b"newer"


def _read_all(paths):
    return [read_member(path, MOST) for path in paths]


def test_threads_and_processes_read_at_once(tmp_path):
    members = {f"{i}.jpg": bytes([i]) * (1000 + 37 * i) for i in range(60)}
    archive = packed(tmp_path / "x.zip", members)
    paths = [f"zip://{name}::{archive}" for name in members]
    expected = list(members.values())
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(_read_all, [paths] * 8)) == [expected] * 8
    results = multiprocessing.get_context("fork").Queue()
    children = [multiprocessing.get_context("fork").Process(target=lambda: results.put(_read_all(paths))) for _ in range(2)]
    for child in children:
        child.start()
    mine = _read_all(paths)
    assert [results.get(timeout=30) for _ in children] == [expected] * 2
    assert mine == expected
    for child in children:
        child.join()
    assert pickle.loads(pickle.dumps(archive_place(archive))) == archive_place(archive)
