"""What is optimised in place of pixels: parameters from which an image between 0 and 1 is made, in any dimension.

Of three channels these are taken for uncorrelated colours (`colours.py`), if `colours` is set.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .colours import Pullback, bounded, decorrelated, recorrelated, unbounded
from .spectra import adjoint, falling, half, inverse, power

Space = tuple[int, ...]


class Parametrisation(Protocol):
    """A way to write down images.  Parameters are real arrays whose first axis is that of the images."""

    def start(self, rng: np.random.Generator, spread: float = 1.0) -> NDArray[Any]: ...  # of one image, drawn
    def image(self, p: NDArray[Any]) -> tuple[NDArray[Any], Pullback]: ...  # (n, ...) -> (n, c, *space) in [0, 1]
    def of(self, image: NDArray[Any]) -> NDArray[Any]: ...  # the parameters of images (n, c, *space) in [0, 1]


@dataclass(frozen=True)
class PixelLogits:
    """Logits of the values, one for each: (n, c, *space)."""

    channels: int
    space: Space
    colours: bool = False
    noise: float = 0.01  # standard deviation of the start

    def start(self, rng: np.random.Generator, spread: float = 1.0) -> NDArray[Any]:
        """Parameters (1, c, *space) of an image of faint noise; spread: how many times stronger it is."""
        return rng.normal(0, self.noise * spread, (1, self.channels, *self.space)).astype(np.float32)

    def image(self, p: NDArray[Any]) -> tuple[NDArray[Any], Pullback]:
        """Images (n, c, *space) in [0, 1]; what makes of a gradient toward them one toward p."""
        return _valid(p, self.colours)

    def of(self, image: NDArray[Any]) -> NDArray[Any]:
        """The parameters of images (n, c, *space) in [0, 1], but for values next to 0 and 1."""
        return _logits(image, self.colours)


@dataclass(frozen=True)
class Fourier:
    """Real and imaginary parts of the spectrum, (n, 2, c, *half), each weighed by 1 / frequency^decay.

    Steps of one size then move low frequencies more, as these are stronger in photos: no high-frequency patterns.
    Source: Olah, Mordvintsev & Schubert 2017, Feature Visualization; scaled as in its code, lucid.
    """

    channels: int
    space: Space
    colours: bool = False
    decay: float = 1.0
    noise: float = 0.01

    @property
    def scale(self) -> NDArray[np.float64]:
        """What each frequency is weighed by."""
        return falling(self.space, self.decay) * np.sqrt(np.prod(self.space)) / 4

    def start(self, rng: np.random.Generator, spread: float = 1.0) -> NDArray[Any]:
        """Parameters (1, 2, c, *half) of an image of faint noise; spread: how many times stronger it is."""
        return rng.normal(0, self.noise * spread, (1, 2, self.channels, *half(self.space))).astype(np.float32)

    def image(self, p: NDArray[Any]) -> tuple[NDArray[Any], Pullback]:
        """Images (n, c, *space) in [0, 1]; what makes of a gradient toward them one toward p."""
        scale = self.scale.astype(p.dtype)
        image, valid_back = _valid(inverse((p[:, 0] + 1j * p[:, 1]) * scale, self.space), self.colours)

        def back(g: NDArray[Any]) -> NDArray[Any]:
            return _parts(adjoint(valid_back(g), self.space) * scale)

        return image, back

    def of(self, image: NDArray[Any]) -> NDArray[Any]:
        """The parameters of images (n, c, *space) in [0, 1], but for values next to 0 and 1."""
        axes = tuple(range(-len(self.space), 0))
        spectrum = np.fft.rfftn(_logits(image, self.colours), axes=axes) / self.scale
        return _parts(spectrum).astype(image.dtype)


@dataclass(frozen=True, eq=False)
class FixedMagnitude:
    """The phase of each frequency, (n, c, *half); magnitudes (c, *half) stay what they are: MACO.

    However long it is optimised, an image keeps the spectrum of photos, so no pattern outgrows the others.
    Source: Fel et al. 2023, Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization.
    """

    space: Space
    magnitude: NDArray[Any]
    colours: bool = False

    def start(self, rng: np.random.Generator, spread: float = 1.0) -> NDArray[Any]:
        """Parameters (1, c, *half): phases, each as likely as any other; spread makes no difference."""
        return rng.uniform(-np.pi, np.pi, (1, *self.magnitude.shape)).astype(np.float32)

    def image(self, p: NDArray[Any]) -> tuple[NDArray[Any], Pullback]:
        """Images (n, c, *space) in [0, 1]; what makes of a gradient toward them one toward p."""
        magnitude = self.magnitude.astype(p.dtype)
        spectrum = magnitude * np.exp(1j * p)
        image, valid_back = _valid(inverse(spectrum, self.space), self.colours)

        def back(g: NDArray[Any]) -> NDArray[Any]:
            toward = adjoint(valid_back(g), self.space)
            return np.imag(toward) * np.real(spectrum) - np.real(toward) * np.imag(spectrum)

        return image, back

    def of(self, image: NDArray[Any]) -> NDArray[Any]:
        """The phases of images (n, c, *space) in [0, 1]: with these magnitudes they look like them."""
        axes = tuple(range(-len(self.space), 0))
        return np.angle(np.fft.rfftn(_logits(image, self.colours), axes=axes)).astype(image.dtype)


SPREADS = (1.9, 1.7, 1.7)  # standard deviations over a photo of its uncorrelated colours, as logits: of 200 photos the mean
SPREAD = 1.3  # of channels that are no colours: as of red, green and blue in these photos
DECAY = 1.3  # their magnitudes fall as 1 / frequency to this power


def natural_magnitude(channels: int, space: Space, colours: bool = False) -> NDArray[np.float64]:
    """Magnitudes (c, *half) that fall with the frequency as those of photos do, with their usual variance; the mean is grey."""
    fall = falling(space, DECAY)
    fall[(0,) * len(space)] = 0
    unit = fall / np.sqrt(power(fall, space))
    return np.multiply.outer(np.array(SPREADS if colours else [SPREAD] * channels), unit)


def magnitude_of(images: NDArray[Any], colours: bool = False) -> NDArray[np.float64]:
    """The mean magnitudes (c, *half) of images (n, c, *space) in [0, 1]."""
    axes = tuple(range(2, images.ndim))
    return abs(np.fft.rfftn(_logits(images.astype(np.float64), colours), axes=axes)).mean(0)


def _valid(x: NDArray[Any], colours: bool) -> tuple[NDArray[Any], Pullback]:
    mixed, mixed_back = recorrelated(x) if colours else (x, lambda g: g)
    image, bounded_back = bounded(mixed)
    return image, lambda g: mixed_back(bounded_back(g))


def _logits(image: NDArray[Any], colours: bool) -> NDArray[Any]:
    x = unbounded(image)
    return decorrelated(x) if colours else x


def _parts(spectrum: NDArray[Any]) -> NDArray[Any]:
    """The real and imaginary parts of spectra (n, ...) as (n, 2, ...)."""
    return np.stack([np.real(spectrum), np.imag(spectrum)], 1)
