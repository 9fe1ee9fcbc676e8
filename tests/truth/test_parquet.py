"""Parquet tables of labels give what the same table in CSV gives."""

from pathlib import Path

import pytest

from seewhy.errors import BadParameter
from seewhy.truth.labels import read_entries
from seewhy.truth.parquet import is_parquet, read_parquet

pa = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402 - after the skip


def stored(path, **columns):
    parquet.write_table(pa.table(columns), path)
    return path


def test_a_parquet_table_reads_as_the_csv_of_it(tmp_path):
    stored(
        tmp_path / "a.parquet",
        Image_Path=["a.jpg", "b.jpg", "a.jpg"],
        label=pa.array([1, None, 4], pa.int16()),
        note=["x", "y", "z"],
    )
    (tmp_path / "a.csv").write_text("Image_Path,label,note\na.jpg,1,x\nb.jpg,,y\na.jpg,4,z\n")
    assert (
        read_entries(tmp_path / "a.parquet")
        == read_entries(tmp_path / "a.csv")
        == {"a.jpg": [("1",), ("4",)], "b.jpg": [("",)]}
    )


def test_lists_categories_and_columns_of_marks(tmp_path):
    labels = pa.array([["cat", "dog"], []], pa.list_(pa.string()))
    assert read_entries(stored(tmp_path / "l.parquet", file=["a", "b"], labels=labels)) == {"a": [("cat|dog",)], "b": [("",)]}
    kinds = pa.array(["cat", "dog"]).dictionary_encode()
    assert read_entries(stored(tmp_path / "k.parquet", file=["a", "b"], label=kinds)) == {"a": [("cat",)], "b": [("dog",)]}
    marks = stored(tmp_path / "m.parquet", file=["a", "b"], Cat=[True, False], Dog=[True, None], image=[{"bytes": b""}, None])
    assert read_entries(marks) == {"a": [("Cat",), ("Dog",)], "b": []}


def test_only_columns_that_are_known_are_read(tmp_path):
    table = read_parquet(stored(tmp_path / "x.parquet", file=["a"], Label=[3], more=["b"]), {"file", "label"})
    assert table == (["file", "label"], [["a", "3"]], ["file", "Label"])
    assert is_parquet(Path("x.PQ"))
    assert not is_parquet(Path("x.csv"))


def test_errors_name_the_file(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 broken PAR1")
    with pytest.raises(BadParameter, match=r"broken\.parquet cannot be read as Parquet"):
        read_parquet(tmp_path / "broken.parquet", {"file"})
    with pytest.raises(BadParameter, match=r"gone\.parquet cannot be read as Parquet"):
        read_parquet(tmp_path / "gone.parquet", {"file"})
    with pytest.raises(BadParameter, match="has no rows"):
        read_parquet(
            stored(tmp_path / "none.parquet", file=pa.array([], pa.string()), label=pa.array([], pa.string())),
            {"file", "label"},
        )
    with pytest.raises(BadParameter, match="has less than two columns"):
        read_parquet(stored(tmp_path / "one.parquet", file=["a"], image=[{"bytes": b""}]), {"file", "label"})
