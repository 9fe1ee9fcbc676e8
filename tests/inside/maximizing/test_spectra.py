"""Spectra of real images: the adjoint and Parseval's theorem, against the whole transform written out."""

import numpy as np
import pytest

from seewhy.inside.maximizing.spectra import adjoint, falling, frequencies, half, inverse, power, twice

SPACES = [(7,), (8,), (5, 6), (6, 5), (3, 4, 6)]
ids = lambda space: "x".join(map(str, space))  # noqa: E731


@pytest.mark.parametrize("space", SPACES, ids=ids)
def test_the_adjoint_gives_the_same_inner_product(space):
    rng = np.random.default_rng(0)
    spectrum = rng.normal(size=half(space)) + 1j * rng.normal(size=half(space))
    g = rng.normal(size=space)
    back = adjoint(g, space)
    assert (inverse(spectrum, space) * g).sum() == pytest.approx((back.real * spectrum.real + back.imag * spectrum.imag).sum())


@pytest.mark.parametrize("space", SPACES, ids=ids)
def test_power_is_the_variance_of_the_image(space):
    x = np.random.default_rng(1).normal(size=space)
    spectrum = np.fft.rfftn(x)
    assert power(abs(spectrum), space) == pytest.approx(x.var())
    assert (twice(space) * np.ones(half(space))).sum() == np.prod(space)  # all frequencies of the whole spectrum are counted
    np.testing.assert_allclose(inverse(spectrum, space), x)


def test_frequencies_are_those_of_waves():
    height, width = 6, 8
    y, x = np.mgrid[:height, :width]
    for down, across in ((0, 1), (1, 0), (2, 3), (3, 4)):
        wave = np.cos(2 * np.pi * (down * y / height + across * x / width))
        at = np.unravel_index(abs(np.fft.rfft2(wave)).argmax(), half((height, width)))
        assert frequencies((height, width))[at] == pytest.approx(np.hypot(down / height, across / width))
    assert frequencies((height, width))[0, 0] == 0


def test_amplitudes_fall_with_the_frequency_from_the_lowest_on():
    fall, f = falling((8, 8), 2.0), frequencies((8, 8))
    assert fall[0, 0] == fall[0, 1] == 64
    assert fall[2, 3] == pytest.approx(f[2, 3] ** -2)
