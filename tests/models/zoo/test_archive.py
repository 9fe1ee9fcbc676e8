"""Archives: those that torch writes are read, and those that readers could differ about are refused."""

import io
import struct

import pytest
import torch

from seewhy.errors import BadWeights
from seewhy.models.zoo.archive import records
from support.files import hostile as hostile_files
from support.files.hostile import pickled, state, zipped


def two_ends(at: int = 0, count: int = 1) -> bytes:
    """An archive with the longer end, too, and a pointer to it."""
    records = zipped({"x/data.pkl": b"1"})
    start, length = records.rindex(b"PK\x01\x02"), len(records) - 22 - records.rindex(b"PK\x01\x02")
    long = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, start)
    return records[:-22] + long + struct.pack("<4sLQL", b"PK\x06\x07", 0, start + length + at, 1) + records[-22:]


ODD = {  # archives that torch did not write, and what is said of them
    "packed": (lambda: zipped({"x/data.pkl": b"0" * 500}, packed=True), "packed or encrypted"),
    "without a folder": (lambda: zipped({"data.pkl": b""}), "no name as torch gives it"),
    "two folders": (lambda: zipped({"x/data.pkl": b"", "y/data": b""}), "no name as torch gives it"),
    "out of its folder": (lambda: zipped({"x/data.pkl": b"", "x/../data": b""}), "no name as torch gives it"),
    "control characters": (lambda: zipped({"x/data.pkl": b"", "x/da\x1bta": b""}), "no name as torch gives it"),
    "two of a name": (lambda: zipped({"x/data.pkl": b"", "x/DATA.pkl": b""}), "two records"),
    "other names inside": (lambda: zipped({"x/data.pkl": b"1"}).replace(b"data.pkl", b"datb.pkl", 1), "two lists do not agree"),
    "other sizes inside": (lambda: zipped({"x/data.pkl": b"1"}).replace(b"\x01\0\0\0\x01", b"\x02\0\0\0\x01", 1), "not agree"),
    "encrypted": (lambda: zipped({"x/data.pkl": b"1"}).replace(b"PK\x03\x04\x14\0\0", b"PK\x03\x04\x14\0\1"), "not agree"),
    "something behind": (lambda: zipped({"x/data.pkl": b"1"}) + b"\0", "behind its list"),
    "something between": (lambda: hostile_files.gap(zipped({"x/data.pkl": b"1"})), "between its records and its list"),
    "fewer than it says": (lambda: zipped({"x/data.pkl": b"1"}).replace(b"\0\0\1\0\1\0", b"\0\0\1\0\2\0"), "not where it says"),
    "two ends": (lambda: two_ends(at=1), "two ends do not agree"),
    "two ends, other numbers": (lambda: two_ends(count=2), "two ends do not agree"),
    "half an end": (
        lambda: (one := zipped({"x/a": b"1"}))[:-22] + b"PK\x06\x07".ljust(20, b"\0") + one[-22:],
        "central directory",
    ),
    "empty": (lambda: zipped({}), "it is empty"),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_archive_that_readers_could_differ_about_is_refused(tmp_path, kind):
    make, said = ODD[kind]
    with pytest.raises(BadWeights, match=rf"w\.pth is no archive as torch writes it \(.*({said}).*--trust"):
        records(io.BytesIO(make()), tmp_path / "w.pth")


def test_archives_of_torch_and_of_zipfile_are_read(tmp_path):
    names = ["byteorder", "data.pkl", "data/0", "data/1", "data/2", "data/3", "version"]
    saved = pickled(state())
    assert {*names} <= {*records(io.BytesIO(saved), tmp_path)}
    assert records(io.BytesIO(zipped(hostile_files.unzipped(saved))), tmp_path) == records(io.BytesIO(saved), tmp_path)
    assert records(io.BytesIO(two_ends()), tmp_path) == ["data.pkl"]
    with torch.serialization.skip_data():  # of more than 4 GB, sparse
        torch.save({"a": torch.empty(1_100_000_000), "b": torch.ones(3)}, tmp_path / "big.pth")
    with (tmp_path / "big.pth").open("rb") as file:
        assert "data/1" in records(file, tmp_path / "big.pth")
