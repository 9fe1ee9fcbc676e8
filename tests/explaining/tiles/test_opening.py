"""Photos, volumes and arrays: each is cut as its network takes it, and its map lies where it should."""

from pathlib import Path

import numpy as np
from PIL import Image

import seewhy
from seewhy.explaining.tiles.large_image import Decoded, PixelArray
from seewhy.explaining.tiles.opening import large_images
from seewhy.explaining.tiles.seam import Seam
from seewhy.images.inputs import PreparedBatch
from seewhy.images.places import AxisCells
from seewhy.images.volume import Volume
from support.tiling import HIRES, dense, noise, same


def test_photos_go_through_the_models_own_preprocessing_tile_by_tile() -> None:
    """Of each tile of 64 pixels the network sees the middle 56, at half of the size; the map lies there on the photo."""
    pixels = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    photo = Image.fromarray(pixels)
    model = seewhy.wrap(dense(2), prepare={"size": 32, "crop": 28})
    found = seewhy.explain(model, photo, "hires-cam", 1, "3", tile=64)[0]
    assert found.box == seewhy.Extent(4, 4, 196, 146)
    assert found.image is photo or np.array_equal(np.asarray(found.image), pixels)
    assert found.source.tile["overlap"] == (36, 36)  # steps of 28 of 56 pixels: seven cells of four
    (alone,) = seewhy.explain(model, photo.crop((56, 0, 120, 64)), "hires-cam", 1, "3")
    part = found.values[:, 14:28][:14]
    share = np.outer(
        *(
            Seam(AxisCells(4 + 2, 4, 14), starts, (4.0, 60.0)).share(k)
            for starts, k in (([0, 28, 56, 84, 86], 0), ([0, 28, 56, 84, 112, 136], 2))
        )
    )
    core = share == 1
    assert core.any()
    np.testing.assert_allclose(part[core], alone.values[core], rtol=1e-5)


def test_a_function_from_images_to_scores_is_tiled_too() -> None:
    def red(x: np.ndarray) -> np.ndarray:
        return np.stack([x[..., 0].astype(float).sum((1, 2)), x[..., 1].astype(float).sum((1, 2))], 1)

    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[30:34, 50:54] = (255, 0, 0)
    model = seewhy.wrap(red)
    method = seewhy.METHODS["occlusion"].using(window=2, stride=2, fill="black")
    (found,) = seewhy.explain(model, pixels, [method], 0, tile=20, overlap=8)
    expected = np.zeros((40, 60))
    expected[30:34, 50:54] = 4 * 255
    np.testing.assert_allclose(found.values, expected, atol=1e-3)


def test_a_volume_is_tiled_as_the_network_gets_it_and_its_map_lies_in_the_file() -> None:
    affine = np.array([[0, -1.2, 0, 10], [-0.9, 0, 0, 5], [0, 0, 2.5, -7], [0, 0, 0, 1.0]])
    volume = Volume(np.random.default_rng(0).normal(size=(48, 12, 48, 3)).astype(np.float32), affine, "scan")
    model = seewhy.wrap(dense(3), prepare={"orientation": "RAS", "axes": "kji", "channels": True})
    plain, joined = (
        seewhy.explain(model, volume, HIRES, 1, "3", **cut)[0] for cut in ({}, {"tile": (40, 40, 12), "overlap": (32, 32, 0)})
    )
    assert joined.source.measured["tiles"] == 4
    assert joined.image is volume
    assert joined.box == plain.box
    same(joined.full(), plain.full())


def test_each_image_is_cut_by_its_own_kind_and_has_its_name(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    model = seewhy.wrap(dense(2), prepare={"size": None, "crop": None})
    images = [pixels, str(tmp_path / "photo.png"), Image.fromarray(pixels)]
    made = [*large_images(images, model, 5)]
    assert [type(each) for each in made] == [PixelArray, Decoded, Decoded]
    assert [each.name for each in made] == ["image 5", str(tmp_path / "photo.png"), "image 7"]
    assert {each.space for each in made} == {(8, 9)}
    for each in made:
        np.testing.assert_array_equal(np.asarray(each.part((2, 3), (4, 5)).pixels), pixels[2:6, 3:8])


def test_prepared_arrays_are_counted_from_the_first_place_on() -> None:
    first, second = large_images(PreparedBatch(np.concatenate([noise(8, 9), noise(8, 9, seed=1)])), seewhy.wrap(dense(2)), 3)
    assert (first.name, second.name) == ("image 3", "image 4")
    np.testing.assert_array_equal(second.part((0, 0), (8, 9)), noise(8, 9, seed=1)[0])
