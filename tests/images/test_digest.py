"""Images are told from each other by what they hold, not by their names."""

from hashlib import sha256

import numpy as np
import torch
from PIL import Image

from seewhy.images.clip import Clip
from seewhy.images.digest import image_sha256, pixels_sha256
from seewhy.images.volume import Volume

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_a_photo_is_its_mode_its_size_and_its_pixels():
    photo = Image.fromarray(PIXELS)
    expected = sha256(b"RGB 7x5\0" + PIXELS.tobytes()).hexdigest()
    assert image_sha256(photo) == expected
    assert pixels_sha256("RGB", (7, 5), [PIXELS[:2].tobytes(), PIXELS[2:].tobytes()]) == expected
    others = [photo.convert("L"), photo.transpose(Image.Transpose.ROTATE_90), Image.fromarray(255 - PIXELS)]
    assert expected not in {image_sha256(other) for other in others}


def test_an_array_is_its_kind_its_shape_and_its_numbers():
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    found = image_sha256(array)
    assert found == image_sha256(torch.from_numpy(array)) == image_sha256(np.asfortranarray(array))
    assert len({found, image_sha256(array.T), image_sha256(array.astype(np.float64)), image_sha256(array + 1)}) == 4


def test_a_volume_is_its_voxels_and_where_they_lie():
    voxels = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    found = image_sha256(Volume(voxels, np.eye(4), "a.nii"))
    assert found == image_sha256(Volume(voxels.copy(), np.eye(4), "b.nii"))
    assert found != image_sha256(Volume(voxels, np.diag([2, 1, 1, 1])))
    assert found != image_sha256(Volume(voxels + 1, np.eye(4)))


def test_a_clip_is_its_frames_in_their_order():
    one, two = Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)
    found = image_sha256(Clip((one, two), "a.gif"))
    assert found == image_sha256(Clip((one.copy(), two), "b.gif"))
    assert found != image_sha256(Clip((two, one)))
