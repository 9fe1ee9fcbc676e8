"""The parts of a run on the disk."""

import os
from pathlib import Path

import numpy as np
import pytest

from seewhy.dataset.schema import NAMES
from seewhy.dataset.store import (
    ROWS,
    done,
    forget_failed,
    further_part,
    gaps,
    part_path,
    parts,
    read_part,
    rows_table,
    write_part,
)
from seewhy.errors import BadRecord, NotWritten

pyarrow = pytest.importorskip("pyarrow")
compute, parquet = pytest.importorskip("pyarrow.compute"), pytest.importorskip("pyarrow.parquet")


def write(folder: Path, chunk: int, items: list[int], piece: int = 0) -> None:
    write_part(part_path(folder, chunk, piece), rows_table({"item": item, "path": f"{item}.jpg"} for item in items))


def test_rows_come_back_and_what_they_lack_is_null(tmp_path):
    write(tmp_path, 3, [30, 31])
    back = read_part(part_path(tmp_path, 3))
    assert back["path"].to_pylist() == ["30.jpg", "31.jpg"]
    assert back["error"].null_count == 2
    assert tuple(back.column_names) == NAMES
    assert read_part(part_path(tmp_path, 3), ["path"], compute.field("item") == 31).to_pylist() == [{"path": "31.jpg"}]


def test_parts_stand_in_the_order_of_their_photos_and_other_files_are_none(tmp_path):
    for chunk, piece in ((10, 0), (2, 10), (2, 2), (2, 0), (123456789, 0)):
        write(tmp_path, chunk, [1], piece)
    (tmp_path / ROWS / ".seewhy-0123456789abcdef.parquet").write_bytes(b"half")
    (tmp_path / ROWS / "notes.txt").write_text("mine")
    assert [part[:2] for part in parts(tmp_path)] == [(2, 0), (2, 2), (2, 10), (10, 0), (123456789, 0)]
    assert parts(tmp_path / "nowhere") == []


def test_a_further_part_has_a_name_that_none_has(tmp_path):
    first = part_path(tmp_path, 3)
    assert further_part(first) == (3, 1, part_path(tmp_path, 3, 1))
    for piece in (0, 2):
        write_part(part_path(tmp_path, 3, piece), rows_table([]))
    write_part(part_path(tmp_path, 4, 7), rows_table([]))  # of other photos
    assert further_part(first).piece == 3
    assert further_part(first, beyond=5).path.name == "part-00000003.6.parquet"
    assert further_part(part_path(tmp_path, 3, 9)).piece == 10
    with pytest.raises(ValueError, match="is no part of a run"):
        further_part(tmp_path / "rows" / "other.parquet")


def test_what_is_to_be_done_is_what_no_part_has(tmp_path):
    assert [(gap.path.name, gap.items) for gap in gaps(tmp_path, 5, 4)] == [
        ("part-00000000.parquet", (0, 1, 2, 3)), ("part-00000001.parquet", (4,))]  # fmt: skip
    write(tmp_path, 0, [0, 0, 2])
    write(tmp_path, 2, [8, 9, 10, 11])
    assert np.flatnonzero(done(tmp_path, 13)).tolist() == [0, 2, 8, 9, 10, 11]
    found = [(gap.path.name, gap.items) for gap in gaps(tmp_path, 13, 4)]
    names = ["part-00000000.1.parquet", "part-00000001.parquet", "part-00000003.parquet"]
    assert found == list(zip(names, [(1, 3), (4, 5, 6, 7), (12,)], strict=True))
    write(tmp_path, 0, [1], piece=1)
    assert next(gaps(tmp_path, 13, 4))[:] == (part_path(tmp_path, 0, 2), (3,))


def test_a_damaged_part_is_told_with_what_to_do(tmp_path):
    write(tmp_path, 0, [0])
    path = part_path(tmp_path, 0)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadRecord, match=r"part-00000000.parquet is damaged: .*Delete it, and give the command"):
        done(tmp_path, 1)


def test_parts_of_others_are_told(tmp_path):
    (tmp_path / ROWS).mkdir()
    parquet.write_table(pyarrow.table({"item": [0]}), part_path(tmp_path, 0))
    with pytest.raises(BadRecord, match="has rows of something else, and not of seewhy-run/1"):
        done(tmp_path, 1)


def test_rows_of_photos_beyond_the_run_are_told(tmp_path):
    write(tmp_path, 0, [7])
    with pytest.raises(BadRecord, match="photos that the run does not have"):
        done(tmp_path, 7)


def test_on_a_full_disk_nothing_is_left_of_a_part_and_others_stay(full_disk):
    write(full_disk, 0, [0, 1])
    table = rows_table({"item": item, "map": os.urandom(2000)} for item in range(100))
    with pytest.raises(NotWritten, match="No space left on device"):
        write_part(part_path(full_disk, 1), table)
    assert [path.name for path in (full_disk / ROWS).iterdir()] == ["part-00000000.parquet"]
    assert done(full_disk, 2).all()


def test_failed_photos_are_taken_out_and_every_other_row_stays(tmp_path):
    write(tmp_path, 1, [4, 5])
    untouched = part_path(tmp_path, 1).read_bytes()
    failed = [{"item": item, "path": f"{item}.jpg", "error": "BadImage: none"} for item in range(4)]
    write_part(part_path(tmp_path, 0), rows_table([failed[0], {"item": 1, "path": "1.jpg"}, failed[2]]))
    write_part(part_path(tmp_path, 0, 1), rows_table([failed[3]]))
    forget_failed(tmp_path)
    assert [part[:2] for part in parts(tmp_path)] == [(0, 0), (1, 0)]  # a part of failed ones alone is gone
    assert read_part(part_path(tmp_path, 0))["path"].to_pylist() == ["1.jpg"]
    assert part_path(tmp_path, 1).read_bytes() == untouched
    assert [gap.items for gap in gaps(tmp_path, 6, 4)] == [(0, 2, 3)]


def test_failed_photos_stay_where_the_disk_is_full(tmp_path, monkeypatch):
    rows = [{"item": 0, "path": "0.jpg", "error": "BadImage: none"}, {"item": 1, "path": "1.jpg"}]
    write_part(part_path(tmp_path, 0), rows_table(rows))
    before = part_path(tmp_path, 0).read_bytes()

    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet, "write_table", full)
    with pytest.raises(NotWritten):
        forget_failed(tmp_path)
    assert part_path(tmp_path, 0).read_bytes() == before
