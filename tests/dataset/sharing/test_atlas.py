"""A run as Embedding Atlas's Parquet."""

import io

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from seewhy.dataset.sharing.atlas import save_atlas
from seewhy.errors import BadParameter
from seewhy.inside.embeddings.vectors import components


def test_a_row_for_each_photo_with_its_picture_vectors_and_place(shared_run, tmp_path):
    (left,) = save_atlas(shared_run, tmp_path / "x.parquet")
    assert "broken.png" in left
    rows = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    photos = [photo for photo in shared_run.photos() if photo.error is None]
    assert [row["item"] for row in rows] == [photo.item for photo in photos]
    for row, photo in zip(rows, photos, strict=True):
        assert row["embedding"] == pytest.approx(photo.embedding.tolist())
        assert row["seen"] == pytest.approx(photo.map().seen.tolist())
        assert row["evidence_border"] == pytest.approx(photo.map().evidence["border"])
        assert Image.open(io.BytesIO(row["image"]["bytes"])).size == (96, 96)
    expected = components(np.stack([photo.embedding for photo in photos]))
    assert [[row["x"], row["y"]] for row in rows] == pytest.approx(expected, abs=1e-4)


def test_another_suffix_is_refused(shared_run, tmp_path):
    with pytest.raises(BadParameter, match=r"\.parquet"):
        save_atlas(shared_run, tmp_path / "x.csv")


def test_without_embeddings_that_is_said(stored_run, tmp_path):
    from seewhy.dataset.dataset_run import open_run

    with pytest.raises(BadParameter, match="no photo with an embedding"):
        save_atlas(open_run(stored_run()), tmp_path / "x.parquet")
