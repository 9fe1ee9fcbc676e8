"""Pictures that a camera held otherwise are turned upright, as their EXIF says."""

import numpy as np
import pytest
from PIL import Image

from seewhy import read

RNG = np.random.default_rng(3)


UPRIGHT = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)  # every pixel its own colour


# What a camera stores for an upright picture u, by the EXIF standard's table of where row 0 and column 0 lie.
STORED = {
    1: lambda u: u,
    2: lambda u: u[:, ::-1],
    3: lambda u: u[::-1, ::-1],
    4: lambda u: u[::-1],
    5: lambda u: u.swapaxes(0, 1),
    6: lambda u: u[:, ::-1].swapaxes(0, 1),
    7: lambda u: u[::-1, ::-1].swapaxes(0, 1),
    8: lambda u: u[::-1].swapaxes(0, 1),
}


def pixels(image) -> np.ndarray:
    photo = read(image)
    assert photo.pixels.mode == "RGB"
    return np.asarray(photo.pixels)


def stored(orientation: int, pixels: np.ndarray = UPRIGHT) -> tuple[Image.Image, Image.Exif]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return Image.fromarray(np.ascontiguousarray(STORED[orientation](pixels))), exif


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_every_exif_orientation_is_turned_upright(tmp_path, orientation, suffix):
    image, exif = stored(orientation)
    file = tmp_path / f"turned{suffix}"
    image.save(file, exif=exif, **({"lossless": True, "exact": True} if suffix == ".webp" else {}))
    assert np.array_equal(pixels(file), UPRIGHT)


@pytest.mark.parametrize("orientation", STORED)
def test_an_opened_pil_image_is_turned_as_its_file_is(tmp_path, orientation):
    blocks = np.kron(UPRIGHT[:2, :3], np.ones((16, 16, 1), np.uint8))  # whole JPEG blocks keep their colour
    image, exif = stored(orientation, blocks)
    image.save(tmp_path / "phone.jpg", exif=exif, quality=100, subsampling=0)
    with Image.open(tmp_path / "phone.jpg") as opened:
        upright = pixels(opened)
    assert np.array_equal(upright, pixels(tmp_path / "phone.jpg"))
    assert abs(upright.astype(int) - blocks).max() < 6


def test_an_unknown_orientation_is_left_alone(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 9
    Image.fromarray(UPRIGHT).save(tmp_path / "odd.png", exif=exif)
    assert np.array_equal(pixels(tmp_path / "odd.png"), UPRIGHT)


def test_corrupt_exif_does_not_spoil_a_good_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(UPRIGHT).save(tmp_path / "exif.png", exif=exif.tobytes()[:20])
    assert np.array_equal(pixels(tmp_path / "exif.png"), UPRIGHT)
    Image.fromarray(UPRIGHT).save(tmp_path / "exif.jpg", exif=exif.tobytes()[:20])
    assert pixels(tmp_path / "exif.jpg").shape == UPRIGHT.shape
