"""The Fourier transform of images of any dimension as real numbers, with its exact adjoint; and how strong frequencies are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Spectrum = NDArray[Any]  # (..., *half): complex, the last axis up to the Nyquist frequency alone, as numpy.fft.rfftn has it


def half(space: Sequence[int]) -> tuple[int, ...]:
    """The shape of the spectrum of images of these sides."""
    return (*space[:-1], space[-1] // 2 + 1)


def inverse(spectrum: Spectrum, space: Sequence[int]) -> NDArray[Any]:
    """The images (..., *space) of spectra, real: `numpy.fft.irfftn`."""
    axes = range(-len(space), 0)
    return np.fft.irfftn(spectrum, tuple(space), tuple(axes)).astype(np.real(spectrum).dtype, copy=False)


def adjoint(gradient: NDArray[Any], space: Sequence[int]) -> Spectrum:
    """The gradient toward the spectrum, its real part that by real parts, its imaginary part that by imaginary parts.

    A frequency that stands for its mirror image, too, counts twice.
    """
    axes = tuple(range(-len(space), 0))
    spectrum = np.fft.rfftn(gradient, axes=axes) * (twice(space) / np.prod(space))
    return spectrum.astype(np.result_type(gradient.dtype, np.complex64), copy=False)


def twice(space: Sequence[int]) -> NDArray[np.float64]:
    """How often each column of the half spectrum counts in the whole one: once without a mirror image, else twice."""
    counts = np.full(space[-1] // 2 + 1, 2.0)
    counts[0] = 1
    if space[-1] % 2 == 0:
        counts[-1] = 1
    return counts


def frequencies(space: Sequence[int]) -> NDArray[np.float64]:
    """The length of each frequency in the half spectrum, in cycles a pixel; that of the mean is 0."""
    axes = [*(np.fft.fftfreq(side) for side in space[:-1]), np.fft.rfftfreq(space[-1])]
    return np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True)))


def falling(space: Sequence[int], decay: float = 1.0) -> NDArray[np.float64]:
    """1 / frequency^decay, as amplitudes of natural photos fall with decay 1; the mean counts as the lowest frequency.

    Source: Olah, Mordvintsev & Schubert 2017, Feature Visualization (its code, lucid).
    """
    return 1 / np.maximum(frequencies(space), 1 / max(space)) ** decay


def power(magnitude: NDArray[Any], space: Sequence[int]) -> NDArray[Any]:
    """The variance over space of an image whose spectrum has these magnitudes (..., *half), by Parseval's theorem."""
    axes = tuple(range(-len(space), 0))
    squares = magnitude**2 * twice(space)
    squares[(..., *[0] * len(space))] = 0  # the mean
    return squares.sum(axes) / np.prod(space) ** 2
