"""The columns of a run's store."""

import builtins
from pathlib import Path

import pytest

from seewhy.dataset.schema import COLUMNS, NAMES, VERSION, arrow, schema, type_of
from seewhy.errors import MissingExtra

pa = pytest.importorskip("pyarrow")


def test_the_columns_are_those_that_are_told_in_their_order_with_the_version():
    made = schema()
    assert tuple(made.names) == NAMES
    assert len({*NAMES}) == len(COLUMNS)
    assert made.metadata == {b"seewhy": VERSION.encode()}


def test_words_for_types_are_arrows_types():
    pairs = [("index", pa.int32()), ("label", pa.string()), ("probability", pa.float32())]
    assert type_of("bool") == pa.bool_()
    assert type_of("list<int32>") == pa.list_(pa.int32())
    assert schema().field("top").type == pa.list_(pa.struct(pairs))
    assert schema().field("photo").type.field("jpeg_quality").type == pa.int32()


def test_every_column_has_a_meaning():
    assert all(len(column.meaning) > 8 for column in COLUMNS)


def test_without_pyarrow_the_error_names_the_extra(monkeypatch):
    real = builtins.__import__

    def no_arrow(name, *more):
        if name == "pyarrow":
            raise ModuleNotFoundError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", no_arrow)
    with pytest.raises(MissingExtra, match=r"PyArrow.*seewhy\[dataset\]|PyArrow.*\[dataset\]"):
        arrow()


def test_the_documentation_tells_of_each_column_as_it_is():
    text = (Path(__file__).parents[2] / "docs" / "run.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{column.name}` | {column.kind} | {column.meaning} |" for column in COLUMNS]
