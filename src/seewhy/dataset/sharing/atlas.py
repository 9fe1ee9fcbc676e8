"""A run as a Parquet file that Embedding Atlas opens: a point for each photo, with its picture and what is known of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seewhy.atomic import replacing
from seewhy.dataset.dataset_run import DatasetRun, RunError
from seewhy.dataset.schema import arrow
from seewhy.errors import BadParameter, SeewhyError
from seewhy.images.photo import read
from seewhy.inside.embeddings.vectors import components
from seewhy.photo_sets.reading import read_bytes
from seewhy.pictures.thumbnails import Thumbnail

from .shared_photos import SharedPhoto, shared_photos

if TYPE_CHECKING:
    import pyarrow

SIDE = 160  # pixels of a thumbnail
VECTORS = ("embedding", "seen")


def save_atlas(run: DatasetRun, path: Path, most: int | None = None) -> list[str]:
    """Write a row for each photo: `image` (a thumbnail with the map on it), `truth`, `predicted`, `probability`, `right`, the
    shares of the evidence, `embedding` and `seen` (what the network looked at) as lists, and `x`, `y`, the first two principal
    components of the embedding.

    Gives what could not be taken, in words.  Raises BadParameter for another suffix than .parquet, or where the run has no
    embeddings; NotWritten.
    """
    if path.suffix.lower() != ".parquet":
        raise BadParameter(f"{path}: Embedding Atlas opens .parquet.")
    pa = arrow()
    from pyarrow import parquet  # here, for it comes with an extra

    rows, left = list[dict[str, Any]](), list[str]()
    for photo in shared_photos(run, most):
        if photo.row.error is not None or photo.row.embedding is None:
            why = photo.row.error or "the layer that was explained has no embedding"
            left.append(str(RunError(photo.row.item, photo.row.path, why)))
            continue
        rows.append(_row(run, photo, left))
    if not rows:
        raise BadParameter(f"{run.folder}: there is no photo with an embedding, so nothing that could be laid out.")
    table: pyarrow.Table = pa.Table.from_pylist(
        rows, schema=_schema([name for name in rows[0] if name.startswith("evidence_")])
    )
    for name, values in zip("xy", components(np.stack([row["embedding"] for row in rows])).T, strict=True):
        table = table.append_column(name, pa.array(values.astype(np.float32)))
    with replacing(path) as beside:
        parquet.write_table(table, beside, compression="zstd")
    return left


def _row(run: DatasetRun, photo: SharedPhoto, left: list[str]) -> dict[str, Any]:
    one = photo.row.map()
    evidence = {} if one is None else one.evidence
    picture = None
    try:
        pixels = read(read_bytes(photo.row.path), photo.row.path).pixels
        shown = pixels if one is None else run.heatmap(photo.row.item, image=pixels).overlay()
        picture = Thumbnail.of(shown, SIDE).content
    except SeewhyError as error:
        left.append(f"{photo.row.path}, without its picture: {error}")
    names = ("border", "on_object", "concentration")
    return photo.facts | {
        "image": None if picture is None else {"bytes": picture, "path": None},
        **{f"evidence_{name}": evidence.get(name) for name in names},
        "embedding": photo.row.embedding, "seen": None if one is None else one.seen,
    }  # fmt: skip


def _schema(shares: list[str]) -> "pyarrow.Schema":
    pa = arrow()
    text, number, vector = pa.string(), pa.float32(), pa.list_(pa.float32())
    kinds = {
        "item": pa.int64(), "path": text, "truth": text, "predicted": text, "probability": number, "right": pa.bool_(),
        "true_probability": number, "error": text, "image": pa.struct([("bytes", pa.binary()), ("path", text)]),
        **dict.fromkeys(shares, number), **dict.fromkeys(VECTORS, vector),
    }  # fmt: skip
    return pa.schema(list(kinds.items()))
