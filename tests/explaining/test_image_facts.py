"""What a Source says of its image, in every form in which images are given."""

import numpy as np
import pytest
from PIL import Image
from torch import nn

import seewhy
from seewhy.images.digest import image_sha256
from support import networks

FIT = {"size": (12, 16), "crop": None, "mean": 0.5, "std": 0.5}
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def source(images, **wrapped):
    return seewhy.grad_cam(seewhy.wrap(networks.pooled(), **wrapped), images)[0].source


def test_a_photo_is_told_alike_however_it_is_given(tmp_path):
    photo = Image.fromarray(PIXELS)
    photo.save(tmp_path / "a.png")
    photo.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", quality=100)
    facts = [source(each, prepare=FIT) for each in (photo, PIXELS, tmp_path / "a.png", str(tmp_path / "a.png"))]
    assert {each.image_sha256 for each in facts} == {image_sha256(photo)}
    assert {each.image_size for each in facts} == {(32, 24)}
    assert [each.image for each in facts] == ["image 0", "image 0", str(tmp_path / "a.png"), str(tmp_path / "a.png")]
    assert facts[0].prepare == {
        "kind": "Fit", "size": (12, 16), "crop": None, "mean": 0.5, "std": 0.5, "interpolation": "bilinear", "bgr": False
    }  # fmt: skip


def test_the_exif_turn_is_done_before_the_pixels_are_hashed(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # to be turned by 90 degrees
    Image.fromarray(PIXELS).save(tmp_path / "turned.png", exif=exif)
    found = source(tmp_path / "turned.png", prepare=FIT)
    assert found.image_size == (24, 32)
    assert found.image_sha256 == image_sha256(Image.fromarray(PIXELS).transpose(Image.Transpose.ROTATE_270))


def test_a_prepared_array_has_its_own_hash_and_no_preprocessing():
    x = networks.images(2)
    first, second = (heatmap.source for heatmap in seewhy.grad_cam(seewhy.wrap(networks.pooled(), prepare=FIT), x))
    assert [first.image_sha256, second.image_sha256] == [image_sha256(x[0]), image_sha256(x[1])]
    assert (first.image_size, first.prepare) == ((16, 12), {})
    assert (first.host["images_together"], second.host["images_together"]) == (2, 2)


def test_a_volume_without_preprocessing_is_taken_as_it_is_stored():
    volume = seewhy.Volume(np.random.default_rng(0).normal(size=(6, 7, 8)).astype(np.float32), np.eye(4))
    network = nn.Sequential(nn.Conv3d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(2, 2))
    found = seewhy.grad_cam(seewhy.wrap(network), volume)[0].source
    assert found.image_sha256 == image_sha256(volume)
    assert found.image_size == (6, 7, 8)
    assert (found.prepare["kind"], found.prepare["window"]) == ("VolumeFit", None)


@pytest.mark.parametrize("given", [PIXELS, PIXELS[..., 0], np.dstack([PIXELS, PIXELS[..., :1]])])
def test_tiles_tell_the_hash_and_the_size_of_the_whole(given):
    model = seewhy.wrap(networks.pooled(), prepare={"size": None, "crop": None, "mean": 0.5, "std": 0.5})
    whole = seewhy.explain(model, given, ["grad-cam"])[0].source
    tiled = seewhy.explain(model, given, ["grad-cam"], tile=(12, 16))[0].source
    assert (tiled.image_sha256, tiled.image_size, tiled.prepare) == (whole.image_sha256, (32, 24), whole.prepare)
    assert tiled.tile["asked"] == {"tile": (12, 16)}
    again = seewhy.explain(model, given, ["grad-cam"], **tiled.tile["asked"])[0].source
    assert again == tiled
    assert whole.tile == {}


@pytest.mark.parametrize("tile", [4, 50])
def test_a_volume_stays_one_however_large_its_tiles_are(tile, tmp_path):
    volume = seewhy.Volume(np.random.default_rng(0).normal(size=(6, 7, 8)).astype(np.float32), np.eye(4), "scan")
    network = nn.Sequential(nn.Conv3d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(2, 2))
    (heatmap,) = seewhy.explain(seewhy.wrap(network, prepare={"window": (-1, 1)}), volume, ["grad-cam"], tile=tile)
    source = heatmap.source
    assert (source.image, source.image_sha256, source.image_size) == ("scan", image_sha256(volume), (6, 7, 8))
    assert source.prepare["window"] == (-1, 1)
    assert heatmap.image is volume
