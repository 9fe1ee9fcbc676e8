"""How scenes are opened; what is read of them is tested with their maps (tests/maps/test_geotiff.py)."""

import sys

import numpy as np
import pytest

from seewhy.errors import BadImage, MissingExtra
from seewhy.images.geotiff import is_placed, opened_scene, rasterio_module

rasterio = pytest.importorskip("rasterio")


def written(path, **place):
    with rasterio.open(path, "w", "GTiff", height=2, width=3, count=1, dtype="uint8", **place) as file:
        file.write(np.arange(6, dtype=np.uint8).reshape(1, 2, 3))
    return path


def test_a_scene_lies_somewhere_by_its_system_or_its_transform(tmp_path):
    turned = rasterio.Affine(2, 0, 5, 0, -2, 7)
    for place, placed in (({"crs": "EPSG:32632", "transform": turned}, True), ({"transform": turned}, True)):
        with opened_scene(written(tmp_path / "a.tif", **place)) as scene:
            assert is_placed(scene) == placed
            assert scene.read(1).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert scene.closed


def test_what_is_no_raster_is_a_bad_image(tmp_path):
    (tmp_path / "a.tif").write_text("none")
    with pytest.raises(BadImage, match=r"a\.tif cannot be read as a raster"), opened_scene(tmp_path / "a.tif"):
        pass


def test_without_rasterio_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(MissingExtra, match=r"pip install '.*\[geo\]'"):
        rasterio_module()
