"""Sizes of a photo, and gradients by tiles and under shifts."""

from typing import Any

import numpy as np
import pytest

from seewhy.inside.dreams.octaves import jittered, octave_sizes, resized, sizes_in_words, tiled


@pytest.mark.parametrize(
    ("size", "least", "expected"),
    [
        ((196, 98), (32, 32), [(100, 50), (140, 70), (196, 98)]),
        ((60, 120), (32, 32), [(32, 64), (43, 86), (60, 120)]),  # the smallest would be 31 pixels high
        ((20, 40), (32, 32), [(32, 64)]),  # it is smaller itself
        ((64, 48), (64, 64), [(85, 64)]),  # of a network that takes 64x64 alone
    ],
    ids=["plain", "bounded", "small", "fixed"],
)
def test_each_size_is_so_many_times_the_one_before(size: Any, least: Any, expected: Any) -> None:
    assert octave_sizes(size, 3, 1.4, least) == expected


def test_of_one_octave_is_the_photo_itself() -> None:
    assert octave_sizes((50, 70), 1, 1.4, (32, 32)) == [(50, 70)]
    assert sizes_in_words([(50, 70), (60, 84)]) == "70x50, 84x60"


def test_a_ramp_stays_one_at_another_size() -> None:
    ramp = np.linspace(0, 1, 40, dtype=np.float32)[None, None, None].repeat(20, 2).repeat(3, 1)
    small = resized(ramp, (10, 20))
    assert small.shape == (1, 3, 10, 20)
    np.testing.assert_allclose(small[..., 2:-2], (ramp[..., ::2] + ramp[..., 1::2])[:, :, :10, 2:-2] / 2, atol=0.01)
    assert resized(ramp, (20, 40)) is ramp


@pytest.mark.parametrize("size", [(8, 8), (9, 20), (31, 8)], ids=["one", "wide", "high"])
def test_tiles_cover_the_image_and_agree_where_they_overlap(size: tuple[int, int]) -> None:
    """Of a function of each pixel the gradient by tiles is the gradient itself."""
    image, seen = np.random.default_rng(0).normal(size=(1, 3, *size)).astype(np.float32), []

    def slope(part: np.ndarray) -> tuple[float, np.ndarray]:
        seen.append(part.shape[2:])
        return float((part**2).mean()), 2 * part

    value, g = tiled(slope, (8, 8))(image)
    np.testing.assert_allclose(g, 2 * image, rtol=1e-6)
    assert {*seen} == {(8, 8)}
    assert value == pytest.approx((image**2).mean(), rel=0.3)


def test_under_shifts_the_gradient_comes_back_to_its_place() -> None:
    image, shifts = np.random.default_rng(0).normal(size=(1, 1, 7, 9)).astype(np.float32), []

    def slope(part: np.ndarray) -> tuple[float, np.ndarray]:
        shifts.append(tuple(int(at) for at in np.argwhere(part == image.max())[0]))
        return 0.0, 3 * part

    shifted = jittered(slope, 3, np.random.default_rng(1))
    for _ in range(8):
        np.testing.assert_array_equal(shifted(image)[1], 3 * image)
    assert len({*shifts}) > 3
