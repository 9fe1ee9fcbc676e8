"""Fringes tell which part of a photo is shown, also where each picture is stretched to a contrast of its own."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from seewhy.images.places import Extent, Turned
from seewhy.prepare.fringes import by_fringes
from seewhy.prepare.ramps import measured

SIZE = (200, 120)
CROP = (40, 20, 180, 110)


def cropped(photo: Image.Image, size=(70, 45)) -> Image.Image:
    return photo.crop(CROP).resize(size, Image.Resampling.BILINEAR)


def array(photo: Image.Image) -> np.ndarray:
    return np.asarray(photo, np.float32).transpose(2, 0, 1) / 255


def standardised(x: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / x.std()


def stretched(x: np.ndarray) -> np.ndarray:
    return (x - x.min()) / (x.max() - x.min())


CHANGES = {
    "as they are": array,
    "standardised": lambda photo: standardised(array(photo)),
    "from 0 to 1": lambda photo: stretched(array(photo)),
    "autocontrast": lambda photo: array(ImageOps.autocontrast(photo)),
    "half of the contrast": lambda photo: array(ImageEnhance.Contrast(photo).enhance(0.5)),
    "brighter": lambda photo: array(photo) * 1.5 + 3,
    "one colour": lambda photo: array(photo)[:1],
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_part_is_the_exact_one_whatever_is_done_to_each_picture(name):
    assert by_fringes(lambda photo: CHANGES[name](cropped(photo)), SIZE) == pytest.approx(CROP, abs=2)


def test_ramps_alone_would_not_tell():
    assert measured(lambda photo: standardised(array(cropped(photo))), SIZE) is None
    wrong = measured(lambda photo: array(ImageOps.autocontrast(cropped(photo))), SIZE)
    assert wrong != pytest.approx(CROP, abs=10)


def test_mirrored_turned_and_padded():
    left, top, right, bottom = CROP
    mirrored = by_fringes(lambda photo: standardised(array(ImageOps.mirror(cropped(photo)))), SIZE)
    assert mirrored == pytest.approx((right, top, left, bottom), abs=2)
    turned = by_fringes(lambda photo: standardised(array(cropped(photo).transpose(Image.Transpose.ROTATE_90))), SIZE)
    assert isinstance(turned, Turned)
    assert turned.extent == pytest.approx((right, top, left, bottom), abs=2)
    padded = by_fringes(lambda photo: array(ImageOps.expand(photo, (20, 30, 40, 10))), SIZE)
    assert isinstance(padded, Extent)
    assert padded == pytest.approx((-20, -30, 240, 130), abs=2)


@pytest.mark.parametrize(
    "send",
    [
        lambda photo: array(photo) * 0,
        lambda photo: array(photo.rotate(15)),
        lambda photo: np.tile(array(photo), (1, 2, 2)),
        lambda photo: array(photo)[..., (np.linspace(0, 1, 64) ** 1.5 * 199).astype(int)],
        lambda photo: array(photo)[:, :1, :1],
        lambda photo: abs(np.fft.fft2(array(photo))).astype(np.float32),
        lambda photo: np.random.default_rng([*photo.tobytes()[::97]]).normal(size=(3, 20, 20)).astype(np.float32),
    ],
)
def test_what_is_no_part_is_none(send):
    assert by_fringes(send, SIZE) is None


def test_eight_photos_are_sent():
    sent = []
    by_fringes(lambda photo: sent.append(photo.size) or array(photo), SIZE)
    assert sent == [SIZE] * 8
