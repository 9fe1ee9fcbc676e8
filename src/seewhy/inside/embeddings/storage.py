"""Embeddings as files that anybody can read: Parquet, or NumPy's .npz; neither holds code."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.archives import DAMAGED
from seewhy.atomic import replacing
from seewhy.errors import BadParameter, BadRecord, MissingExtra
from seewhy.json_text import as_json, json_of, whole_text
from seewhy.printable import printable, quoted

VERSION = "seewhy-embedding/1"  # rises where a reader of the columns has to know; further columns alone do not raise it
SUFFIXES = (".parquet", ".npz")
FEATURES, FACTS = "features", "facts"


@dataclass(frozen=True, eq=False)
class EmbeddingFile:
    """What a file of an embedding holds.

    features: (n, d); columns: numbers by name, each (n,); lists: texts, or lists of texts or numbers, by name, each of n.
    facts: what it was made of, as JSON has it.
    """

    features: NDArray[np.float32]
    columns: Mapping[str, NDArray[Any]]
    lists: Mapping[str, list[Any]]
    facts: Mapping[str, Any]

    def write(self, path: Path) -> None:
        """Raises BadParameter for another suffix than .parquet and .npz, NotWritten, MissingExtra without PyArrow."""
        write = {".parquet": self._parquet, ".npz": self._npz}.get(path.suffix.lower())
        if write is None:
            raise BadParameter(f"An embedding is stored as {' or '.join(SUFFIXES)}, not as {path.suffix or quoted(path.name)}.")
        with replacing(path, of="the embedding") as beside:
            write(beside)

    def _parquet(self, beside: Path) -> None:
        pa = arrow()
        from pyarrow import parquet  # here, for it comes with an extra

        table = {name: pa.array(_whole(values)) for name, values in self.lists.items()}
        table |= {name: pa.array(values) for name, values in self.columns.items()}
        flat = pa.array(np.ascontiguousarray(self.features, np.float32).ravel())
        table[FEATURES] = pa.FixedSizeListArray.from_arrays(flat, self.features.shape[1])
        known = {"seewhy": as_json({"schema": VERSION, **self.facts})}
        parquet.write_table(pa.table(table).replace_schema_metadata(known), beside, compression="zstd")

    def _npz(self, beside: Path) -> None:
        told = as_json({"schema": VERSION, **self.facts, "lists": dict(self.lists)})
        arrays = {**self.columns, FEATURES: self.features, FACTS: np.frombuffer(told.encode("ascii"), np.uint8)}
        with beside.open("wb") as file:  # else numpy would append .npz to the name
            np.savez_compressed(file, **arrays)


def _whole(values: list[Any]) -> list[Any]:
    """Texts as UTF-8 can have them, which names of files need not be: as `as_json` writes them."""
    return [whole_text(each) if isinstance(each, str) else each for each in values]


def read_embedding_file(path: Path) -> EmbeddingFile:
    """What `write` wrote.  Raises BadParameter where there is no such file, BadRecord where it is none of ours or damaged,
    MissingExtra without PyArrow.
    """
    read = {".parquet": _read_parquet, ".npz": _read_npz}.get(path.suffix.lower())
    if read is None:
        raise BadParameter(f"An embedding is read from {' or '.join(SUFFIXES)}, not from {printable(path.name)}.")
    if not path.is_file():
        raise BadParameter(f"{printable(path)} is not there: `seewhy embed MODEL DATA -o {printable(path.name)}` makes it.")
    try:
        found = read(path)
        if found.facts.get("schema") != VERSION:
            raise ValueError(f"its schema is {printable(found.facts.get('schema'), 60)}, and {VERSION} is read")
        _check(found)
        return found
    except (*DAMAGED, TypeError, AttributeError) as error:
        raise BadRecord(f"{printable(path)} is no embedding that seewhy wrote, or is damaged: {error}.") from None


def arrow() -> Any:
    """PyArrow.  Raises MissingExtra where it is not installed."""
    try:
        import pyarrow  # here, for it is an extra and takes long to import
    except ModuleNotFoundError:
        raise MissingExtra("PyArrow, which reads and writes Parquet (.npz needs nothing),", "dataset") from None
    return pyarrow


def _read_parquet(path: Path) -> EmbeddingFile:
    arrow()
    from pyarrow import parquet, types  # here, for it comes with an extra

    with parquet.ParquetFile(path) as file:
        table = file.read()
    facts = json_of((table.schema.metadata or {}).get(b"seewhy", b""))
    features = table[FEATURES].combine_chunks()
    if not types.is_fixed_size_list(features.type) or features.null_count:
        raise ValueError("its features are no vectors of one length")
    rows = features.flatten().to_numpy(zero_copy_only=False).reshape(len(features), features.type.list_size)
    columns, lists = dict[str, Any](), dict[str, list[Any]]()
    for name in table.column_names:
        kind = table.schema.field(name).type
        if types.is_integer(kind) or types.is_floating(kind):
            columns[name] = table[name].to_numpy()
        elif name != FEATURES:
            lists[name] = table[name].to_pylist()
    return EmbeddingFile(np.asarray(rows, np.float32), columns, lists, facts)


def _read_npz(path: Path) -> EmbeddingFile:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    facts = json_of(arrays.pop(FACTS).tobytes())
    lists = facts.pop("lists")
    return EmbeddingFile(np.asarray(arrays.pop(FEATURES), np.float32), arrays, lists, facts)


def _check(found: EmbeddingFile) -> None:
    """Raises ValueError where the parts do not fit each other."""
    shape = found.features.shape
    if len(shape) != 2 or not all(shape) or not np.isfinite(found.features).all():
        raise ValueError(f"its features are no table of finite numbers, but {shape}")
    for name, values in (*found.columns.items(), *found.lists.items()):
        if len(values) != shape[0]:
            raise ValueError(f"{printable(name, 60)} has {len(values)} places for {shape[0]} photos")
