"""Parametrisations of images: gradients against finite differences in float64, inverses, and the spectra that they keep."""

import numpy as np
import pytest

from seewhy.inside.maximizing.parametrisations import (
    SPREADS,
    FixedMagnitude,
    Fourier,
    PixelLogits,
    magnitude_of,
    natural_magnitude,
)
from seewhy.inside.maximizing.spectra import power

SPACES = {"signal": (2, (9,), False), "photo": (3, (6, 7), True), "grey": (1, (6, 4), False), "volume": (2, (3, 4, 5), False)}


def ways(kind):
    channels, space, colours = SPACES[kind]
    fixed = FixedMagnitude(space, natural_magnitude(channels, space, colours), colours)
    return {"pixels": PixelLogits(channels, space, colours), "fourier": Fourier(channels, space, colours), "maco": fixed}


@pytest.mark.parametrize("name", ["pixels", "fourier", "maco"])
@pytest.mark.parametrize("kind", SPACES)
def test_the_gradient_is_that_of_finite_differences(kind, name):
    way, (channels, space, _) = ways(kind)[name], SPACES[kind]
    rng = np.random.default_rng(0)
    p = np.concatenate([way.start(rng, 20), way.start(rng, 20)]).astype(np.float64)
    image, back = way.image(p)
    assert image.shape == (2, channels, *space)
    assert 0 < image.min() < image.max() < 1
    g = rng.normal(size=image.shape)
    slopes = back(g)
    assert slopes.shape == p.shape
    flat = rng.choice(p.size, 12, replace=False)
    for at in (np.unravel_index(place, p.shape) for place in flat):
        there, here = p.copy(), p.copy()
        there[at] += 1e-5
        here[at] -= 1e-5
        expected = ((way.image(there)[0] - way.image(here)[0]) * g).sum() / 2e-5
        assert slopes[at] == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", ["pixels", "fourier"])
@pytest.mark.parametrize("kind", SPACES)
def test_any_image_can_be_written_down(kind, name):
    way, (channels, space, _) = ways(kind)[name], SPACES[kind]
    image = np.random.default_rng(1).uniform(0.02, 0.98, (2, channels, *space))
    np.testing.assert_allclose(way.image(way.of(image))[0], image, atol=1e-9)


@pytest.mark.parametrize("kind", SPACES)
def test_a_photo_with_its_own_magnitudes_is_its_phases(kind):
    channels, space, colours = SPACES[kind]
    image = np.random.default_rng(2).uniform(0.02, 0.98, (1, channels, *space))
    way = FixedMagnitude(space, magnitude_of(image, colours), colours)
    np.testing.assert_allclose(way.image(way.of(image))[0], image, atol=1e-9)


def test_all_phases_keep_the_magnitudes():
    magnitude = natural_magnitude(3, (8, 6), True)
    way = FixedMagnitude((8, 6), magnitude, True)
    image = way.image(way.of(way.image(way.start(np.random.default_rng(0)).astype(float))[0]))[0]
    kept = magnitude_of(np.clip(image, 0, 1), True)
    inner = np.s_[:, 1:3, 1:3]  # the others stand for themselves and their mirror image, so their phases are not free
    np.testing.assert_allclose(kept[inner], magnitude[inner], rtol=0.05)


def test_natural_magnitudes_have_the_variance_of_photos_and_no_mean():
    magnitude = natural_magnitude(3, (16, 12), True)
    np.testing.assert_allclose(np.sqrt(power(magnitude, (16, 12))), SPREADS)
    assert not magnitude[:, 0, 0].any()
    assert magnitude_of(np.full((2, 3, 4, 4), 0.5), True) == pytest.approx(np.zeros((3, 4, 3)), abs=1e-9)


def test_low_frequencies_are_stronger_in_what_fourier_starts_from():
    image = Fourier(1, (32, 32)).image(Fourier(1, (32, 32)).start(np.random.default_rng(0), 10))[0]
    spectrum = abs(np.fft.rfft2(image[0, 0] - image.mean()))
    assert spectrum[:3, :3].mean() > 4 * spectrum[12:20, 8:].mean()
