"""Maps that can be saved in every format."""

from dataclasses import replace

import numpy as np
import pytest

from seewhy import Volume
from seewhy.images.places import Grid


@pytest.fixture
def of_any_format(tmp_path, made_heatmap):
    """A map of noise that can be saved as a file with that ending, thousands of bytes long."""

    def make(ending: str):
        values = np.random.default_rng(0).normal(size=(64, 64))
        if ending.startswith(".nii"):
            pytest.importorskip("nibabel")
            volume = Volume(np.zeros((64, 64, 2), np.float32), np.eye(4))
            flat = made_heatmap(values, photo=volume)
            return replace(flat, values=np.stack([flat.values] * 2, -1), box=Grid.whole((64, 64, 2)))
        if ending == ".tif":
            rasterio = pytest.importorskip("rasterio")
            place = {"crs": "EPSG:32632", "transform": rasterio.Affine(0.5, 0, 10, 0, -0.5, 20)}
            shape = {"height": 30, "width": 40, "count": 1, "dtype": "uint8"}
            with rasterio.open(tmp_path / "scene.tiff", "w", "GTiff", **shape, **place) as file:
                file.write(np.zeros((1, 30, 40), np.uint8))
            return made_heatmap(values, image=str(tmp_path / "scene.tiff"))
        return made_heatmap(values)

    return make
