"""Photos saved anew: a network that reads compression or size follows, one that reads colours does not."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.dataset.auditing.asking import audit
from seewhy.dataset.auditing.resaving import LOSSLESS, Saving, change_of, compressed, resaved_photos, saving_of, scaled
from seewhy.dataset.auditing.suspects import Suspicion
from seewhy.photo_sets.photo_facts import jpeg_quality

LABELS = ["poor", "fine"]
COMPRESS = Saving("compression", True, 20, LOSSLESS)


def blocks(x):
    """How much greater steps between the 8 x 8 blocks of JPEG are than all others, from 0 on: (n,) of (n, 64, 64, 3)."""
    luma = x.astype(float).mean(3)
    steps = abs(np.diff(luma, axis=2)).mean(1)  # (n, 63)
    edge = np.arange(63) % 8 == 7
    return steps[:, edge].mean(1) / steps[:, ~edge].mean(1) - 1


def reads_compression(x):
    poor = 1 / (1 + np.exp(1 - 10 * blocks(x)))
    return np.stack([poor, 1 - poor], 1)


def reads_colour(x):
    red = x[..., 0].mean((1, 2)) / 255
    return np.stack([red, 1 - red], 1)


def wrapped(function, **prepare):
    return seewhy.wrap(function, prepare={"size": (64, 64), "crop": None, **prepare}, takes="uint8", labels=LABELS, name="net")


def photo(place, size=(64, 64)):
    """Smooth noise, redder in photos of odd places."""
    rng = np.random.default_rng(place)
    coarse = rng.integers(60, 180, (12, 12, 3)).astype(np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)).astype(float)
    pixels += rng.normal(0, 6, pixels.shape)
    pixels[..., 0] += 40 * (place % 2) - 20
    return pixels.clip(0, 255).astype(np.uint8)


def test_a_photo_is_what_a_file_of_that_quality_gives():
    pixels = photo(0)
    with BytesIO() as file:
        Image.fromarray(pixels).save(file, "JPEG", quality=30)
        again = Image.open(file)
        assert jpeg_quality(again.quantization[0]) == 30
        np.testing.assert_array_equal(compressed(pixels, 30), np.asarray(again))
    assert compressed(pixels, LOSSLESS) is pixels


def test_a_photo_gets_smaller_and_never_larger():
    pixels = photo(0, (80, 40))
    assert scaled(pixels, 800).shape == (20, 40, 3)
    assert scaled(pixels, 1e6) is pixels


@pytest.mark.parametrize(
    ("fact", "change"),
    [
        ("jpeg_quality", "compression"), ("bytes_per_pixel", "compression"), ("file_bytes", "compression"),
        ("format JPEG", "compression"), ("width", "size"), ("height", "size"), ("size 64 x 64", "size"), ("aspect", None),
        ("rim_texture", None), ("", None),
    ],
)  # fmt: skip
def test_what_has_to_be_changed(fact, change):
    assert change_of(fact) == change


def test_only_the_side_that_has_more_becomes_like_the_other(audit_photo):
    def some(quality, width):
        made = [audit_photo("a", place) for place in range(3)]
        return [replace(one, facts=one.facts | {"jpeg_quality": quality, "width": width, "height": 10.0}) for one in made]

    poor, fine, png = some(20.0, 10.0), some(90.0, 100.0), some(np.nan, 10.5)
    assert saving_of("compression", poor, fine) == ("compression", True, 20, 90)
    assert saving_of("compression", fine, poor) == ("compression", False, 20, 90)
    assert saving_of("compression", fine, png) == ("compression", True, 90, LOSSLESS)
    assert saving_of("compression", png, png) is None
    assert saving_of("size", poor, fine) == ("size", True, 100, 1000)
    assert saving_of("size", fine, poor) == ("size", False, 100, 1000)
    assert saving_of("size", poor, png) is None  # the sides differ by a twentieth


def test_a_network_that_reads_compression_follows():
    photos = [photo(place) for place in range(12)]
    found = resaved_photos(wrapped(reads_compression), 0, "poor", COMPRESS, photos)
    again = [compressed(pixels, 20) for pixels in photos]
    both = [reads_compression(np.stack(some))[:, 0] for some in (again, photos)]
    assert (found.photos, found.moved.part, found.control.part) == (12, 12, 0)
    assert found.rise == pytest.approx((both[0] - both[1]).mean())
    assert found.low < found.rise < found.high
    assert found.p == pytest.approx(2 / 2**12)
    sure = replace(found, adjusted=found.p)
    assert sure.verdict == "follows"
    assert "12 photos of other classes saved as JPEG of quality 20, as those of the class are, the answer f" in str(sure)
    assert sure.facts["control"]["count"] == 0


def test_a_network_that_reads_colour_does_not():
    photos = [photo(2 * place) for place in range(12)]
    found = resaved_photos(wrapped(reads_colour), 0, "poor", COMPRESS, photos)
    assert found.moved.part == 0
    assert replace(found, adjusted=found.p).verdict != "follows"


def test_photos_of_the_class_leave_it_where_they_are_saved_as_others_are():
    """The class is the one of fine photos: others are poor, so that only its own can become like them."""
    photos = [photo(place) for place in range(8)]
    found = resaved_photos(wrapped(reads_compression), 1, "fine", COMPRESS._replace(toward=False), photos)
    sure = replace(found, adjusted=found.p)
    assert (sure.moved.part, sure.control.part, sure.verdict) == (8, 0, "follows")
    assert sure.rise > 0  # so much the score falls
    assert Suspicion("fine", "file", "there", "why", 0.01, resaved=sure).verdict == "suspect"
    assert "8 are fine no more (100 %" in str(sure)


def test_photos_that_can_show_nothing_are_left_out():
    poor = [compressed(photo(place), 20) for place in range(12)]
    assert resaved_photos(wrapped(reads_compression), 0, "poor", COMPRESS, poor) is None


@pytest.fixture
def saved_set(tmp_path):
    """Photos of two classes that differ in how they are saved; half of either are red."""
    for place in range(24):
        name = LABELS[place < 12]
        (tmp_path / name).mkdir(exist_ok=True)
        Image.fromarray(photo(place)).save(tmp_path / name / f"{place}.jpg", quality=20 if name == "poor" else 95)
    return tmp_path


def test_the_audit_finds_a_network_that_reads_compression(saved_set):
    found = audit(wrapped(reads_compression), saved_set, method=seewhy.occlusion.using(window=32, stride=32))
    assert {each.explained: each.verdict for each in found.classes}["poor"] == "shortcut"
    file = [each for each in found.suspicions if each.resaved is not None and each.explained == "poor"]
    assert [(each.where, each.verdict) for each in file] == [("JPEG quality", "shortcut")]
    assert "photos of other classes saved as JPEG of quality 20" in str(found)
    assert "resaved" in found.to_json()


def test_the_audit_says_of_one_that_does_not_that_the_data_alone_gives_it_away(saved_set):
    found = audit(wrapped(reads_colour), saved_set, method=seewhy.occlusion.using(window=32, stride=32))
    assert {each.verdict for each in found.classes} == {"data"}
    assert "the answer does not follow" in str(found)
