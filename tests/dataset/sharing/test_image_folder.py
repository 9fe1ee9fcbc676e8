"""A run as an image folder, and read back by Hugging Face's `datasets` where that is installed."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seewhy.dataset.sharing.image_folder import save_image_folder
from seewhy.errors import BadParameter


@pytest.fixture(scope="module")
def folder(shared_run, tmp_path_factory):
    target = tmp_path_factory.mktemp("hf") / "shared"
    left = save_image_folder(shared_run, target)
    (line,) = left
    assert "broken.png is not an image" in line
    return target


def test_photos_are_the_files_as_they_are_and_maps_lie_over_them(shared_run, folder):
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 6
    for row in rows:
        assert (folder / row["file_name"]).read_bytes() == Path(row["path"]).read_bytes()
        shown = np.asarray(Image.open(folder / row["top_map_file_name"]).convert("RGB"))
        assert (shown == np.asarray(shared_run.heatmap(row["item"]).overlay().convert("RGB"))).all()
        assert (row["true_map_file_name"] is None) is row["right"]
        assert row["top_label"] == row["predicted"]
    assert "load_dataset" in (folder / "README.md").read_text("utf-8")


def test_a_folder_with_something_in_it_is_refused(shared_run, folder):
    with pytest.raises(BadParameter, match="not empty"):
        save_image_folder(shared_run, folder)


def test_a_photo_that_is_gone_is_left_out(shared_run, tmp_path):
    path = Path(shared_run.photo(0).path)
    content = path.read_bytes()
    path.unlink()
    try:
        left = save_image_folder(shared_run, tmp_path / "x", 2)
    finally:
        path.write_bytes(content)
    assert len(left) == 1
    assert "is not there" in left[0]
    assert len((tmp_path / "x" / "metadata.jsonl").read_text("utf-8").splitlines()) == 1


def test_datasets_loads_it(folder, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(tmp_path))["train"]
    assert len(found) == 6
    assert found[0]["image"].size == found[0]["top_map"].size == (96, 96)
    assert {*found["truth"]} == {"bird", "car"}
