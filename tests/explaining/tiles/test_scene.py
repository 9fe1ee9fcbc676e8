"""Large TIFFs: which are read by windows, and that a window shows what reading the whole file shows."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("rasterio")

from seewhy.errors import BadImage
from seewhy.explaining.tiles import scene as scenes
from seewhy.explaining.tiles.scene import RasterScene, scene
from seewhy.images.photo import read

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 56, 4), np.uint8)


def saved(folder, pixels, **how):
    path = folder / "scene.tif"
    Image.fromarray(pixels).save(path, **how)
    return path


@pytest.mark.parametrize("pixels", [PIXELS[..., 0], PIXELS[..., :3], PIXELS])
@pytest.mark.parametrize("how", [{}, {"compression": "tiff_deflate"}])
def test_a_window_is_the_crop_of_the_whole(tmp_path, pixels, how):
    path = saved(tmp_path, pixels, **how)
    image = scene(path)
    assert image is not None
    assert image.space == (40, 56)
    whole = np.asarray(read(path).pixels)
    np.testing.assert_array_equal(np.asarray(image.part((3, 10), (20, 30)).pixels), whole[3:23, 10:40])
    np.testing.assert_array_equal(np.asarray(image.picture()), whole)


@pytest.mark.parametrize(
    ("pixels", "how"),
    [
        (np.arange(40 * 56, dtype=np.uint16).reshape(40, 56), {}),  # its numbers are stretched before anybody sees them
        (PIXELS[..., :3], {"tiffinfo": {274: 6}}),  # a photo that lies on its side
    ],
)
def test_what_is_not_seen_as_it_is_stored_is_read_as_a_whole(tmp_path, pixels, how):
    assert scene(saved(tmp_path, pixels, **how)) is None


def test_a_file_that_is_read_as_a_whole_and_too_large_for_it_says_how_to_go_on(tmp_path, monkeypatch):
    path = saved(tmp_path, PIXELS[..., :3], tiffinfo={274: 6})
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(BadImage, match=r"56x40 pixels.*MAX_IMAGE_PIXELS = \d+"):
        scene(path)


def test_other_files_are_no_scene(tmp_path):
    path = tmp_path / "photo.tif"
    Image.fromarray(PIXELS[..., :3]).save(path, "PNG")
    assert scene(path) is None


def test_a_scene_too_large_to_show_has_no_picture(tmp_path, monkeypatch):
    image = scene(saved(tmp_path, PIXELS[..., :3]))
    monkeypatch.setattr(scenes, "MOST_PIXELS", 40 * 56 - 1)
    assert image.picture() is None


def test_a_window_that_cannot_be_read_is_named(tmp_path):
    path = saved(tmp_path, PIXELS[..., :3], compression="tiff_deflate")
    image = scene(path)
    assert isinstance(image, RasterScene)
    content = path.read_bytes()
    path.write_bytes(content[:8] + bytes(len(content[8:-600])) + content[-600:])
    with pytest.raises(BadImage, match=r"scene\.tif"):
        image.part((0, 0), (40, 56))
