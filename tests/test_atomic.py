"""Files are written whole or not at all, whatever happens in between."""

import errno
import os
import stat
import time
from pathlib import Path

import pytest

from seewhy.atomic import BESIDE, STALE, replacing, swept, writing
from seewhy.errors import NotWritten

OLD, NEW = b"the older good file", b"the new one" * 1000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "map.png"


def put(path: Path, content: bytes = NEW, **how) -> None:
    with replacing(path, **how) as beside:
        beside.write_bytes(content)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_new_file_is_there_when_the_block_ends(path):
    with replacing(path) as beside:
        beside.write_bytes(NEW)
        assert beside.suffix == ".png"
        assert not path.exists()
    assert (path.read_bytes(), names(path.parent)) == (NEW, ["map.png"])


@pytest.mark.parametrize("ending", [".nii.gz", ".NII.GZ", ".nii", ".npz", "", "." + "x" * 200])
def test_the_new_file_ends_as_the_old_one(tmp_path, ending):
    with replacing(tmp_path / f"a{ending}") as beside:
        assert beside.name.lower().endswith(ending.lower() if len(ending) < 20 else "")
        assert BESIDE.match(beside.name)


@pytest.mark.parametrize("error", [ValueError, OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [OLD, None])
def test_whatever_ends_it_early_leaves_what_was_there(path, error, old):
    if old:
        path.write_bytes(old)

    def begin() -> None:
        with replacing(path) as beside:
            beside.write_bytes(NEW[:50])
            raise error

    with pytest.raises(NotWritten if isinstance(error, OSError) else error):
        begin()
    assert names(path.parent) == (["map.png"] if old else [])
    assert not old or path.read_bytes() == old


def test_the_error_names_the_file_the_image_and_the_reason(path):
    with pytest.raises(NotWritten) as said, replacing(path, of="the map of cat.jpg"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(said.value) == (
        f"{path} cannot be written (the map of cat.jpg): No space left on device. No part of it is left."
    )
    assert said.value.errno == errno.ENOSPC


def test_an_older_file_is_replaced_and_keeps_who_may_read_it(path):
    path.write_bytes(OLD)
    path.chmod(0o640)
    put(path)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (NEW, 0o640)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only the superuser gives files away")
def test_an_older_file_stays_its_owners(path):
    path.write_bytes(OLD)
    os.chown(path, 12345, 12346)
    put(path)
    assert (path.read_bytes(), path.stat().st_uid, path.stat().st_gid) == (NEW, 12345, 12346)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_may_be_read_by_whom_the_umask_lets(path, umask, mode):
    before = os.umask(umask)
    try:
        put(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("points_at", ["outside.txt", "nowhere", "."])
def test_a_link_is_replaced_and_not_followed(tmp_path, path, points_at):
    (tmp_path / "outside.txt").write_bytes(OLD)
    path.symlink_to(points_at)
    put(path)
    assert (path.is_symlink(), path.read_bytes()) == (False, NEW)
    assert (tmp_path / "outside.txt").read_bytes() == OLD
    assert names(tmp_path) == ["map.png", "outside.txt"]


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_no_file_takes_the_place_of_something_else(path, kind):
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path = Path("/dev/null")
    with pytest.raises(NotWritten, match="folder" if kind == "folder" else "device or a pipe"):
        put(path)
    assert not path.is_file()
    assert [name for name in names(path.parent) if BESIDE.match(name)] == []


def test_a_file_that_may_not_be_written_is_not_replaced(path, monkeypatch):
    path.write_bytes(OLD)
    monkeypatch.setattr(os, "access", lambda *_: False)  # the superuser may write all
    with pytest.raises(NotWritten, match="may not be written"):
        put(path)
    assert path.read_bytes() == OLD


@pytest.mark.parametrize(("folder", "said"), [("nowhere", "make it first"), ("file", "make it first")])
def test_a_folder_that_is_not_there_is_said(tmp_path, folder, said):
    (tmp_path / "file").write_bytes(OLD)
    with pytest.raises(NotWritten, match=said):
        put(tmp_path / folder / "map.png")
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("letter", ["x", "ж", "🐈"])
def test_a_name_may_be_as_long_as_the_file_system_takes_it(tmp_path, letter):
    size = len(letter.encode())
    path = tmp_path / (letter * ((255 - 4) // size) + ".png")
    put(path)
    assert path.read_bytes() == NEW
    with pytest.raises(NotWritten, match="too long"):
        put(tmp_path / (letter * (256 // size + 1) + ".png"))
    assert names(tmp_path) == [path.name]


def test_names_need_no_utf_8(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    put(path)
    assert os.listdir(os.fsencode(tmp_path)) == [b"caf\xe9.png"]


@pytest.mark.parametrize("name", ["a\0b.png", "a\ud800b.png", "a\0b/c.png"])
def test_a_name_that_no_file_can_have_is_said(tmp_path, name):
    with pytest.raises(NotWritten, match="no file can have that name"), replacing(tmp_path / name):
        pass
    assert not [*tmp_path.iterdir()]


def test_what_is_there_is_kept_where_that_is_asked(path):
    put(path, over=False)
    with pytest.raises(NotWritten) as said:
        put(path, OLD, over=False)
    assert (said.value.errno, path.read_bytes(), names(path.parent)) == (errno.EEXIST, NEW, ["map.png"])


def test_it_is_kept_also_where_files_have_one_name_only(path, monkeypatch):
    def one_name(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", one_name)
    put(path, over=False)
    with pytest.raises(NotWritten) as said:
        put(path, OLD, over=False)
    assert (said.value.errno, path.read_bytes(), names(path.parent)) == (errno.EEXIST, NEW, ["map.png"])


@pytest.mark.parametrize(("code", "written"), [("EINVAL", True), ("EIO", False), ("ENOSPC", False), ("EDQUOT", False)])
def test_a_disk_that_says_so_late_is_heard(path, monkeypatch, code, written):
    """As network file systems do, which take all bytes first."""
    path.write_bytes(OLD)

    def fsync(_descriptor):
        raise OSError(getattr(errno, code), code)

    monkeypatch.setattr(os, "fsync", fsync)
    if written:  # a file system that has nothing to say
        put(path)
    else:
        with pytest.raises(NotWritten, match=code):
            put(path)
    assert (path.read_bytes(), names(path.parent)) == (NEW if written else OLD, ["map.png"])


@pytest.mark.parametrize("over", [True, False])
def test_what_was_written_is_on_the_disk_before_the_name_points_at_it(path, monkeypatch, over):
    done = []
    for step in ("fsync", "replace", "link"):
        usual = getattr(os, step)
        monkeypatch.setattr(os, step, lambda *given, usual=usual, step=step: (done.append(step), usual(*given)))
    put(path, over=over)
    assert done == ["fsync", "replace" if over else "link"]


def test_what_killed_runs_left_is_swept_once_it_is_old(tmp_path):
    left, fresh = tmp_path / ".seewhy-0123456789abcdef.png", tmp_path / ".seewhy-0123456789abcdee.png"
    others = [tmp_path / name for name in (".seewhy-notes.png", "map.png", ".seewhy-0123456789abcdef0.png")]
    for file in (left, fresh, *others):
        file.write_bytes(OLD)
    for file in (left, *others):
        os.utime(file, (time.time() - STALE - 60,) * 2)
    swept(tmp_path)
    assert names(tmp_path) == sorted(file.name for file in (fresh, *others))
    swept(tmp_path / "nowhere")


def test_what_the_system_says_against_a_folder_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NotWritten, match=r"file/in cannot be written: Not a directory"), writing(tmp_path / "file" / "in"):
        (tmp_path / "file" / "in").mkdir()
