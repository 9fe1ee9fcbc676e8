"""The bytes of a GeoTIFF: where its cells lie on the earth, and the Source that they carry."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seewhy import Extent
from seewhy.errors import BadImage, NotApplicable
from seewhy.images.places import Cells, Grid
from seewhy.images.sight import Sight
from seewhy.maps.georeference import geotiff, is_georeferenced, source_text
from seewhy.pictures.canvas import Overlay

rasterio = pytest.importorskip("rasterio")
VALUES = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
BOX = Extent(0, 0, 60, 40)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """60 x 40 pixels of 0.5 m, whose upper left corner lies at (10, 20)."""
    place = {"crs": "EPSG:32632", "transform": rasterio.Affine(0.5, 0, 10, 0, -0.5, 20)}
    with rasterio.open(tmp_path / "scene.tif", "w", "GTiff", width=60, height=40, count=1, dtype="uint8", **place) as file:
        file.write(np.zeros((1, 40, 60), np.uint8))
    return tmp_path / "scene.tif"


def written(tmp_path, *args):
    (tmp_path / "map.tif").write_bytes(geotiff(*args))
    return rasterio.open(tmp_path / "map.tif")


@pytest.mark.parametrize(
    ("box", "cells", "expected"),
    [
        (BOX, None, (5, 0, 10, 0, -5, 20)),
        (Extent(12, 8, 60, 40), None, (4, 0, 16, 0, -4, 16)),
        (BOX, Cells((3.5, 4.5), (8.0, 9.0), (40, 60)), (4.5, 0, 10 + (5 - 4.5) / 2, 0, -4, 20)),
    ],
)
def test_each_cell_lies_where_it_does_in_the_scene(tmp_path, scene, made_source, box, cells, expected):
    source = made_source(image=str(scene))
    with written(tmp_path, Overlay(VALUES, Image.new("RGB", (60, 40)), box, cells), source) as file:
        assert tuple(file.transform)[:6] == pytest.approx(expected)
        assert file.crs.to_epsg() == 32632
        np.testing.assert_array_equal(file.read(1), VALUES)
        assert file.descriptions == (source.caption,)
    assert source_text(tmp_path / "map.tif") == source.to_json()


def test_values_are_those_at_even_distances_where_cells_lie_farther_inside_at_the_border(tmp_path, scene, made_source):
    cells = Cells((3.5, 4.5), (8.0, 9.0), (40, 60), (Sight(9.0, 30.0), Sight(12.0, 30.0)))
    with written(tmp_path, Overlay(VALUES, Image.new("RGB", (60, 40)), BOX, cells), made_source(image=str(scene))) as file:
        assert tuple(file.transform)[:6] == pytest.approx((4.5, 0, 10 + (5 - 4.5) / 2, 0, -4, 20))
        rows, columns = (cells.centres(axis, count) for axis, count in enumerate(VALUES.shape))
        across = np.stack([np.interp(cells.uncut.centres(1, len(columns)), columns, row) for row in VALUES])
        down = np.stack([np.interp(cells.uncut.centres(0, len(rows)), rows, column) for column in across.T], 1)
        np.testing.assert_allclose(file.read(1), down, atol=1e-5)


def test_a_prepared_array_of_half_the_resolution_covers_the_scene_too(tmp_path, scene, made_source):
    with written(tmp_path, Overlay(VALUES, None, Extent(0, 0, 30, 20)), made_source(), scene) as file:
        assert tuple(file.transform)[:6] == pytest.approx((5, 0, 10, 0, -5, 20))


def test_a_map_that_is_not_flat_and_an_image_of_another_size_are_refused(scene, made_source):
    source = made_source(image=str(scene))
    with pytest.raises(NotApplicable, match=r"holds flat maps; this one is \(2, 3, 4\)"):
        geotiff(Overlay(np.zeros((2, 3, 4)), None, Grid.whole((2, 3, 4))), source)
    with pytest.raises(BadImage, match=r"is 60x40 as its rows are stored.*the image explained, 61x40,"):
        geotiff(Overlay(VALUES, Image.new("RGB", (61, 40)), BOX), source)


def test_only_the_flat_map_of_a_scene_on_the_earth_is_georeferenced(tmp_path, scene, made_source):
    photo, source = Image.new("RGB", (60, 40)), made_source(image=str(scene))
    assert is_georeferenced(Overlay(VALUES, photo, BOX), source)
    assert is_georeferenced(Overlay(VALUES, None, BOX), source)
    assert not is_georeferenced(Overlay(VALUES[None], photo, BOX), source)
    assert not is_georeferenced(Overlay(VALUES, Image.new("RGB", (40, 60)), BOX), source)
    photo.save(tmp_path / "plain.tif")
    photo.save(tmp_path / "photo.png")
    (tmp_path / "broken.tif").write_bytes(b"II*\0")
    for name in ("plain.tif", "photo.png", "broken.tif", "nowhere.tif"):
        assert not is_georeferenced(Overlay(VALUES, photo, BOX), made_source(image=str(tmp_path / name))), name


def test_a_file_without_a_source_has_none(scene):
    with pytest.raises(KeyError):
        source_text(scene)
