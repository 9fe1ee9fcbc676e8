"""Tables as spreadsheets, scripts and old tools write them."""

import pytest

from seewhy.errors import BadParameter
from seewhy.truth.table import column, read_table, text_of

KNOWN = {"file", "label", "image_path"}


@pytest.fixture
def table(tmp_path):
    def read(content, encoding="utf-8", known=KNOWN):
        path = tmp_path / "labels.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return read_table(path, known)

    return read


ROWS = [["a.jpg", "tabby, tabby cat"], ["b c.jpg", "tench"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_whatever_the_delimiter_the_line_ends_and_the_encoding(table, delimiter, end, encoding):
    lines = [f"File{delimiter}Label", f'a.jpg{delimiter}"tabby, tabby cat"', "", f"b c.jpg{delimiter} tench "]
    found = table(end.join(lines), encoding)
    assert found.header == ["file", "label"]
    assert found.rows == ROWS


def test_commas_within_cells_do_not_hide_semicolons(table):
    assert table("a.jpg;tabby, tabby cat\nb c.jpg;tench\n").rows == ROWS
    assert table("file;label\na.jpg;tabby, tabby cat\nb c.jpg;tench\n").rows == ROWS


def test_other_separators_within_cells_do_not_hide_commas(table):
    assert table("file,label\na.jpg,cat;dog\nb.jpg,cat\n").rows == [["a.jpg", "cat;dog"], ["b.jpg", "cat"]]


def test_without_a_header_the_first_row_counts(table):
    found = table("a.jpg,3\nb.jpg,4")
    assert (found.header, found.rows) == ([], [["a.jpg", "3"], ["b.jpg", "4"]])


def test_lists_with_spaces_between_file_and_index_are_read(table):
    assert table("ILSVRC2012_val_1.JPEG 65\nmy photo.jpg 970\n").rows == [
        ["ILSVRC2012_val_1.JPEG", "65"],
        ["my photo.jpg", "970"],
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("a.jpg\nb.jpg\n", "has a single column"),
        ("file,label\n", "has a first line of titles, and no other line"),
        ("file,label\na.jpg,tabby, tabby cat\n", 'row 2 has 3 cells and the first 2: a.jpg,tabby,tabby cat. Put text.*quotes'),
        ("file,label\nä.jpg,x\n".encode("latin-1"), "Save it as 'CSV UTF-8'"),
        (b"\xff\xfea", "Save it as 'CSV UTF-8'"),
        ("file,label\na," + "x" * 200_000, "cannot be read as a table"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_advice(table, content, words):
    with pytest.raises(BadParameter, match=f"labels.csv.*{words}"):
        table(content)


def test_what_is_no_file_is_refused(tmp_path, monkeypatch):
    with pytest.raises(BadParameter, match=r"none.csv cannot be read: No such file"):
        text_of(tmp_path / "none.csv")
    with pytest.raises(BadParameter, match="is a folder"):
        text_of(tmp_path)
    monkeypatch.setattr("seewhy.truth.table.LARGEST", 3)
    (tmp_path / "large.csv").write_text("a,b,c")
    with pytest.raises(BadParameter, match="larger than"):
        text_of(tmp_path / "large.csv")


def test_names_of_columns_are_told_however_they_are_spelled():
    assert [column(name) for name in (" File Name", "file-name", "FILE_NAME", "file  name ")] == ["file_name"] * 4
