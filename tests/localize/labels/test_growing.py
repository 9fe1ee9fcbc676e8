"""A file that grows: whole when it is closed, nothing before, and nothing lost on the way."""

import os

import pytest

from seewhy.errors import NotWritten
from seewhy.localize.labels import growing
from seewhy.localize.labels.growing import GrowingFile, LaterText


def test_it_stands_when_it_is_closed_and_not_before(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    file = GrowingFile(path)
    file.add("[1")
    assert path.read_text() == "old"
    file.add(", 2")
    file.close(["]\n"])
    assert path.read_text() == "[1, 2]\n"
    assert os.listdir(tmp_path) == ["a.json"]


def test_without_a_piece_nothing_is_written(tmp_path):
    (tmp_path / "a.json").write_text("old")
    GrowingFile(tmp_path / "a.json").close(["]"])
    assert (tmp_path / "a.json").read_text() == "old"


def test_a_file_that_is_there_stays_where_that_is_asked(tmp_path):
    (tmp_path / "a.json").write_text("old")
    file = GrowingFile(tmp_path / "a.json", over=False)
    file.add("new")
    with pytest.raises(NotWritten, match=r"a\.json"):
        file.close()
    assert (tmp_path / "a.json").read_text() == "old"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(NotWritten, match="There is no folder"):
        GrowingFile(tmp_path / "no" / "a.json").add("x")


def test_a_disk_that_gets_full_loses_nothing_of_before(tmp_path, monkeypatch):
    path, write = tmp_path / "a.txt", growing._write
    file = GrowingFile(path)
    file.add("one\n")

    def half(opened, data):
        write(opened, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(growing, "_write", half)
    with pytest.raises(NotWritten, match=r"No space left.*What was added before is kept") as caught:
        file.add("two two two\n")
    assert caught.value.errno == 28
    monkeypatch.undo()
    file.add("three\n")
    file.close(["en", "d\n"])
    assert path.read_text() == "one\nthree\nend\n"


def test_without_room_for_the_end_nothing_is_left(tmp_path, monkeypatch):
    path, write = tmp_path / "a.txt", growing._write
    path.write_text("old")
    file = GrowingFile(path)
    file.add("one\n")

    def full(opened, data):
        if bytes(data) == b"end\n":
            raise OSError(28, "No space left on device")
        write(opened, data)

    monkeypatch.setattr(growing, "_write", full)
    with pytest.raises(NotWritten, match=r"No space left.*Make room for its last part") as caught:
        file.close(["more\n", "end\n"])
    assert caught.value.errno == 28
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["a.txt"])


def test_without_room_for_the_first_piece_what_was_there_stays(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("old")
    file = GrowingFile(tmp_path / "a.txt")
    monkeypatch.setattr(growing, "_write", lambda opened, data: _raise())
    with pytest.raises(NotWritten, match="No space left"):
        file.add("one\n")
    file.close(["end"])
    assert ((tmp_path / "a.txt").read_text(), os.listdir(tmp_path)) == ("old", ["a.txt"])


def test_later_text(tmp_path, monkeypatch):
    later = LaterText()
    with later:
        for piece in ("a ü", "b 猫", "c"):
            later.add(piece)
        later.take_back()
        later.add("d")
        monkeypatch.setattr(growing, "_write", lambda file, data: file.write(data[:1]) and _raise())
        with pytest.raises(NotWritten, match="A temporary file cannot be written: No space"):
            later.add("e" * 9)
        monkeypatch.undo()
        later.add("f")
        assert "".join(later.pieces()) == "a üb 猫df"


def _raise():
    raise OSError(28, "No space left on device")


def test_text_that_is_no_text_and_long_pieces(tmp_path):
    file = GrowingFile(tmp_path / "a.txt")
    file.add("caf\udce9 ü 猫\n")
    file.add("x" * 10**6)
    file.close()
    assert (tmp_path / "a.txt").read_text("utf-8") == "caf\ufffd ü 猫\n" + "x" * 10**6


def test_pieces_go_to_a_function():
    pieces = []
    file = GrowingFile(pieces.append)
    assert file.empty
    file.add("a")
    file.close(["b"])
    assert pieces == ["a", "b"]
