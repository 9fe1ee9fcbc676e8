"""GeoTIFF label maps, where the scene lies."""

import json

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import BadImage, NotApplicable
from seewhy.localize.labels.scenes import SceneWriter
from seewhy.maps.made_here import made_here
from support.labelled import blobs, labelled, labelled_object, whole

rasterio = pytest.importorskip("rasterio")
PLACE = {"crs": "EPSG:32632", "transform": rasterio.Affine(0.5, 0, 10, 0, -0.5, 20)}


def scene(path, **place):
    with rasterio.open(path, "w", "GTiff", width=40, height=30, count=3, dtype="uint8", **place) as file:
        file.write(np.zeros((3, 30, 40), np.uint8))
    return labelled(str(path), (40, 30), labelled_object(blobs(0), (0, 0), "road"), image=Image.new("RGB", (40, 30)))


def test_it_lies_where_the_scene_lies(tmp_path):
    image = scene(tmp_path / "scene.tif", **PLACE)
    writer = SceneWriter(tmp_path / "out")
    writer.add(image)
    writer.close()
    with rasterio.open(tmp_path / "out" / "scene.tif") as made:
        assert (made.read(1) == whole(image)).all()
        assert made.crs.to_epsg() == 32632
        assert made.transform == PLACE["transform"]
        assert made.colormap(1)[1] == (128, 0, 0, 255)
        assert json.loads(made.tags()["SEEWHY_LABELS"])["objects"] == [{"number": 1, "label": "road", "score": 0.5}]
    assert made_here(tmp_path / "out" / "scene.tif")


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_without_a_place_there_is_none(tmp_path):
    with pytest.raises(BadImage, match=r"no georeference.*write png in place of geotiff"):
        SceneWriter(tmp_path / "out").add(scene(tmp_path / "scene.tif"))


def test_a_scene_is_not_written_over(tmp_path):
    from seewhy.errors import NotWritten

    before = scene(tmp_path / "scene.tif", **PLACE)
    with pytest.raises(NotWritten, match="the image itself"):
        SceneWriter(tmp_path).add(before)


def test_a_volume_is_refused(tmp_path):
    with pytest.raises(NotApplicable, match="no scene"):
        SceneWriter(tmp_path).add(labelled("scan.nii", (9, 9, 9)))
