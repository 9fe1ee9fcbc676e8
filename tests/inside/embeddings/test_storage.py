"""Files of embeddings: read by others, read back, and refused where they are broken."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seewhy.errors import BadParameter, BadRecord
from seewhy.inside.embeddings.storage import VERSION, EmbeddingFile, read_embedding_file

pytest.importorskip("pyarrow")
KINDS = [".parquet", ".npz"]


@pytest.fixture
def file() -> EmbeddingFile:
    features = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    columns = {"number": np.array([0, 1, 4]), "score": np.float32([0.5, np.nan, 2])}
    return EmbeddingFile(features, columns, {"path": ["a", "ü", "c"], "truth": [[1], [], [0, 2]]}, {"layer": "body"})


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_written_is_read(file: EmbeddingFile, tmp_path: Path, kind: str) -> None:
    file.write(tmp_path / f"x{kind}")
    found = read_embedding_file(tmp_path / f"x{kind}")
    np.testing.assert_array_equal(found.features, file.features)
    for name, values in file.columns.items():
        np.testing.assert_array_equal(found.columns[name], values)
    assert found.lists == file.lists
    assert found.facts == {"layer": "body", "schema": VERSION}


def test_others_read_it_without_seewhy(file: EmbeddingFile, tmp_path: Path) -> None:
    from pyarrow import parquet

    for kind in KINDS:
        file.write(tmp_path / f"x{kind}")
    table = parquet.read_table(tmp_path / "x.parquet").to_pydict()
    np.testing.assert_array_equal(np.array(table["features"], np.float32), file.features)
    assert table["truth"] == [[1], [], [0, 2]]
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:  # nothing in it needs pickle
        assert {name: arrays[name].dtype.kind for name in arrays.files} == {
            "number": "i", "score": "f", "features": "f", "facts": "u",
        }  # fmt: skip


def broken(path: Path, how: str, file: EmbeddingFile) -> None:
    features, columns, lists, facts = file.features, {**file.columns}, {**file.lists}, {**file.facts}
    if how == "bytes":
        path.write_bytes(b"no such file")
        return
    if how == "NaN":
        features = features * np.nan
    elif how == "lengths":
        columns["score"] = columns["score"][:2]
    elif how == "schema":
        facts["schema"] = "other/1"
    EmbeddingFile(features, columns, lists, facts).write(path)


@pytest.mark.parametrize(("kind", "how"), [(".parquet", "bytes"), (".npz", "bytes"), (".parquet", "NaN"), (".npz", "NaN"),
                                           (".npz", "lengths"), (".npz", "schema")])  # fmt: skip
def test_a_damaged_file_is_an_error_that_names_it(file: EmbeddingFile, tmp_path: Path, kind: str, how: str) -> None:
    broken(tmp_path / f"x{kind}", how, file)
    with pytest.raises(BadRecord, match=r"x\.\w+ is no embedding that seewhy wrote, or is damaged"):
        read_embedding_file(tmp_path / f"x{kind}")


def test_a_truncated_file_is_damaged(file: EmbeddingFile, tmp_path: Path) -> None:
    for kind in KINDS:
        path = tmp_path / f"x{kind}"
        file.write(path)
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(BadRecord, match="damaged"):
            read_embedding_file(path)


def test_names_of_files_that_are_no_text_are_written_as_far_as_they_are(file: EmbeddingFile, tmp_path: Path) -> None:
    for kind in KINDS:
        odd = EmbeddingFile(file.features, file.columns, {"path": ["caf\udce9.png", *file.lists["path"][1:]]}, file.facts)
        odd.write(tmp_path / f"x{kind}")
        assert read_embedding_file(tmp_path / f"x{kind}").lists["path"][0] == "caf\ufffd.png"


def test_pickled_arrays_are_not_loaded(tmp_path: Path) -> None:
    odd: Any = np.empty(1, object)
    odd[0] = {"a": 1}
    np.savez(tmp_path / "x.npz", features=odd, facts=odd)
    with pytest.raises(BadRecord, match="damaged"):
        read_embedding_file(tmp_path / "x.npz")


def test_other_suffixes_and_files_that_are_not_there_are_refused(file: EmbeddingFile, tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match=r"\.parquet or \.npz, not as \.csv"):
        file.write(tmp_path / "x.csv")
    with pytest.raises(BadParameter, match=r"read from \.parquet or \.npz"):
        read_embedding_file(tmp_path / "x.csv")
    with pytest.raises(BadParameter, match="is not there"):
        read_embedding_file(tmp_path / "x.npz")
