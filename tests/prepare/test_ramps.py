"""Ramps tell which part of a photo is shown, and how it lies."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from seewhy.images.places import Extent, Turned
from seewhy.prepare.ramps import measured

SIZE = (200, 120)
Way = Image.Transpose


def array(photo: Image.Image) -> np.ndarray:
    return np.asarray(photo, np.float32).transpose(2, 0, 1) / 255


def resized(photo: Image.Image, size=(64, 48)) -> np.ndarray:
    return array(photo.resize(size, Image.Resampling.BILINEAR))


PLACES = {
    "whole": (resized, Extent(0, 0, 200, 120)),
    "mirrored": (lambda p: resized(ImageOps.mirror(p)), Extent(200, 0, 0, 120)),
    "upside down": (lambda p: resized(ImageOps.flip(p)), Extent(0, 120, 200, 0)),
    "cropped": (lambda p: resized(p.crop((30, 10, 150, 90))), Extent(30, 10, 150, 90)),
    "padded": (lambda p: resized(ImageOps.expand(p, (20, 10, 40, 30), (9, 9, 9))), Extent(-20, -10, 240, 150)),
    "inverted": (lambda p: resized(ImageOps.invert(p)), Extent(0, 0, 200, 120)),
    "transposed": (lambda p: resized(p.transpose(Way.TRANSPOSE)), Turned(Extent(0, 0, 200, 120))),
    "a quarter to the left": (lambda p: resized(p.transpose(Way.ROTATE_90)), Turned(Extent(200, 0, 0, 120))),
    "a quarter to the right": (lambda p: resized(p.transpose(Way.ROTATE_270)), Turned(Extent(0, 120, 200, 0))),
    "transversed": (lambda p: resized(p.transpose(Way.TRANSVERSE)), Turned(Extent(200, 120, 0, 0))),
    "a turned crop": (lambda p: resized(p.crop((30, 10, 150, 90)).transpose(Way.TRANSPOSE)), Turned(Extent(30, 10, 150, 90))),
    "grey": (lambda p: resized(p).mean(0, keepdims=True), Extent(0, 0, 200, 120)),
    "half of it hidden": (lambda p: resized(p) * (np.arange(64) < 40), Extent(0, 0, 200, 120)),
}


@pytest.mark.parametrize("name", PLACES)
def test_the_part_is_the_exact_one(name):
    send, expected = PLACES[name]
    found = measured(send, SIZE)
    assert type(found) is type(expected)
    edges = [tuple(box.extent if isinstance(box, Turned) else box) for box in (found, expected)]
    np.testing.assert_allclose(*edges, atol=1.5)


OTHERS = {
    "tiled": lambda p: np.tile(resized(p), (1, 2, 2)),
    "turned by 10 degrees": lambda p: resized(p.rotate(10)),
    "sheared": lambda p: resized(p.transform(p.size, Image.Transform.AFFINE, (1, 0.3, 0, 0, 1, 0))),
    "in perspective": lambda p: resized(p.transform(p.size, Image.Transform.QUAD, (0, 0, 40, 120, 160, 120, 200, 0))),
    "bent": lambda p: resized(p)[..., (np.linspace(0, 1, 64) ** 1.5 * 63).astype(int)],
    "mirrored at its middle": lambda p: np.concatenate([resized(p)[..., :32], resized(p)[..., 31::-1]], -1),
    "its edges": lambda p: np.gradient(resized(p), axis=2),
    "nothing of it": lambda p: resized(p) * 0,
    "one pixel of it": lambda p: resized(p)[:, :1, :1],
    "columns shuffled": lambda p: resized(p)[..., np.random.default_rng(0).permutation(64)],
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_part_is_none(name):
    assert measured(OTHERS[name], SIZE) is None


def test_both_axes_are_looked_at():
    """Rows are moved about, columns are not, and the other way round."""
    rows = np.random.default_rng(0).permutation(48)
    assert measured(lambda p: resized(p)[:, rows], SIZE) is None
    assert measured(lambda p: resized(p.transpose(Way.TRANSPOSE))[:, rows], SIZE) is None


def test_four_photos_are_sent():
    sent = []
    measured(lambda p: sent.append(p.size) or resized(p), SIZE)
    assert sent == [SIZE] * 4
